-- When the summaries of a policy are told next, and until when the last one told.
CREATE TABLE sentinel.notification_summaries (
    tenant_id  text NOT NULL REFERENCES sentinel.tenants,
    name       text NOT NULL,
    told_until timestamptz NOT NULL,
    next_at    timestamptz,
    PRIMARY KEY (tenant_id, name)
);
CREATE INDEX notification_summaries_next ON sentinel.notification_summaries (next_at) WHERE next_at IS NOT NULL;

ALTER TABLE sentinel.notification_summaries ENABLE ROW LEVEL SECURITY;
ALTER TABLE sentinel.notification_summaries FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sentinel.notification_summaries USING (tenant_id = (SELECT sentinel.current_tenant()));
GRANT SELECT, INSERT, UPDATE, DELETE ON sentinel.notification_summaries TO sentinel_app;

-- A notifier sees where one is due. What it does about it happens as the tenant.
CREATE POLICY notifier ON sentinel.notification_summaries FOR SELECT
    USING (nullif(current_setting('app.notifier', true), '') IS NOT NULL);
