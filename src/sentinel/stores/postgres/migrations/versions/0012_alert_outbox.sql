-- What happened to alerts and is still to be told, written in the transaction in which it happens.
CREATE TABLE sentinel.alert_outbox (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  text NOT NULL,
    alert_id   bigint NOT NULL,
    event      text NOT NULL CHECK (event IN ('fired', 'amended', 'acknowledged', 'resolved')),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX alert_outbox_tenant_id ON sentinel.alert_outbox (tenant_id, id);

CREATE FUNCTION sentinel.notify_alert_outbox() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_notify('sentinel_alert_outbox', ''); RETURN NULL; END $$;
CREATE TRIGGER alert_outbox_notify AFTER INSERT ON sentinel.alert_outbox
    FOR EACH STATEMENT EXECUTE FUNCTION sentinel.notify_alert_outbox();

ALTER TABLE sentinel.alert_outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE sentinel.alert_outbox FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sentinel.alert_outbox USING (tenant_id = (SELECT sentinel.current_tenant()));
GRANT SELECT, INSERT, UPDATE, DELETE ON sentinel.alert_outbox TO sentinel_app;

-- A notifier, which serves all tenants, sees who waits. What it does about it happens as the tenant.
CREATE POLICY notifier ON sentinel.alert_outbox FOR SELECT
    USING (nullif(current_setting('app.notifier', true), '') IS NOT NULL);
