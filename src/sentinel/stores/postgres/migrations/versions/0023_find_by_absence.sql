-- The states in the order of the alerts, with what their lists ask for: alerts without one are found by reading both indexes
-- side by side.
CREATE INDEX alert_states_newest ON sentinel.alert_states (tenant_id, alert_timestamp DESC, alert_id DESC)
    INCLUDE (status, assignee);

-- The reason of the last try, empty where it succeeded or there was none.
ALTER TABLE sentinel.deliveries ADD COLUMN last_reason text NOT NULL DEFAULT '';
-- The owner is bound to a tenant as everybody is, and the rows are those of all tenants.
ALTER TABLE sentinel.deliveries NO FORCE ROW LEVEL SECURITY;
ALTER TABLE sentinel.delivery_attempts NO FORCE ROW LEVEL SECURITY;
UPDATE sentinel.deliveries d SET last_reason = t.reason
FROM sentinel.delivery_attempts t
WHERE t.delivery_id = d.id AND t.reason <> '' AND d.state <> 'sent'
  AND t.attempt = (SELECT max(l.attempt) FROM sentinel.delivery_attempts l WHERE l.delivery_id = d.id);
ALTER TABLE sentinel.deliveries FORCE ROW LEVEL SECURITY;
ALTER TABLE sentinel.delivery_attempts FORCE ROW LEVEL SECURITY;
CREATE INDEX deliveries_reason ON sentinel.deliveries (tenant_id, last_reason, created_at DESC, id DESC)
    WHERE last_reason <> '';
