-- Alerts that are suppressed or opened again are told to the notifier as well.
ALTER TABLE sentinel.alert_outbox
    DROP CONSTRAINT alert_outbox_event_check,
    ADD CONSTRAINT alert_outbox_event_check
        CHECK (event IN ('fired', 'amended', 'acknowledged', 'resolved', 'suppressed', 'reopened'));
