-- Which request brought an alert's event, and the trace it is part of. No row is written anew.
ALTER TABLE sentinel.alerts
    ADD COLUMN request_id text,
    ADD COLUMN traceparent text;

-- A notifier, which serves all tenants, sees which there are: it deletes what is old as each of them.
CREATE POLICY notifier ON sentinel.tenants FOR SELECT
    USING (nullif(current_setting('app.notifier', true), '') IS NOT NULL);

-- Duplicates are those of one target. What was told before is not known by target: the next like it is told once more.
ALTER TABLE sentinel.alert_fingerprints ADD COLUMN told_to jsonb NOT NULL DEFAULT '{}';
