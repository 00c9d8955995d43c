-- Statements that run often find what they look for by an index, however many deliveries, groups and alerts there are.
DROP INDEX sentinel.notification_groups_flush;
DROP INDEX sentinel.notification_groups_repeat;
CREATE INDEX notification_groups_flush ON sentinel.notification_groups (tenant_id, flush_at, id) WHERE flush_at IS NOT NULL;
CREATE INDEX notification_groups_repeat ON sentinel.notification_groups (tenant_id, repeat_at, id) WHERE repeat_at IS NOT NULL;
CREATE INDEX notification_groups_created_at ON sentinel.notification_groups (tenant_id, created_at);

CREATE INDEX group_members_alert_id ON sentinel.group_members (tenant_id, alert_id);

DROP INDEX sentinel.deliveries_dead;
DROP INDEX sentinel.deliveries_group_id;
CREATE INDEX deliveries_dead ON sentinel.deliveries (tenant_id, created_at DESC, id DESC) WHERE state = 'dead';
CREATE INDEX deliveries_group_id ON sentinel.deliveries (group_id, created_at DESC, id DESC);
CREATE INDEX deliveries_channel_id ON sentinel.deliveries (channel_id, created_at DESC, id DESC);

-- As that of its delivery: whether a group has open alerts is asked whenever somebody takes one up.
ALTER TABLE sentinel.delivery_alerts ADD COLUMN group_id bigint;
-- The owner is bound to a tenant as everybody is, and the rows are those of all tenants.
ALTER TABLE sentinel.delivery_alerts NO FORCE ROW LEVEL SECURITY;
ALTER TABLE sentinel.deliveries NO FORCE ROW LEVEL SECURITY;
UPDATE sentinel.delivery_alerts a SET group_id = d.group_id FROM sentinel.deliveries d WHERE d.id = a.delivery_id;
ALTER TABLE sentinel.delivery_alerts FORCE ROW LEVEL SECURITY;
ALTER TABLE sentinel.deliveries FORCE ROW LEVEL SECURITY;
CREATE INDEX delivery_alerts_open ON sentinel.delivery_alerts (group_id, alert_id)
    WHERE acknowledged_at IS NULL AND resolved_at IS NULL;
CREATE INDEX delivery_alerts_unresolved ON sentinel.delivery_alerts (group_id, alert_id) WHERE resolved_at IS NULL;

CREATE INDEX notification_decisions_decided_at ON sentinel.notification_decisions USING brin (decided_at);

DROP INDEX sentinel.escalation_runs_next;
CREATE INDEX escalation_runs_next ON sentinel.escalation_runs (tenant_id, next_at, id) WHERE state = 'active';
CREATE INDEX escalation_runs_group_id ON sentinel.escalation_runs (group_id);
