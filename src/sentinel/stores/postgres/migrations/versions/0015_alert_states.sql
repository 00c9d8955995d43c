-- What people did about an alert: who has it, what came of it. No row: open, version 0. alert_timestamp is the alert's, so
-- that lists by status are in the alerts' order.
CREATE TABLE sentinel.alert_states (
    alert_id        bigint PRIMARY KEY REFERENCES sentinel.alerts ON DELETE CASCADE,
    tenant_id       text NOT NULL,
    alert_timestamp timestamptz NOT NULL,
    status          text NOT NULL CHECK (status IN ('open', 'acknowledged', 'resolved', 'suppressed')),
    assignee        text,
    disposition     text CHECK (disposition IN ('true_positive', 'false_positive', 'benign')),
    acknowledged_by text,
    acknowledged_at timestamptz,
    resolved_by     text,
    resolved_at     timestamptz,
    version         integer NOT NULL CHECK (version > 0),
    updated_at      timestamptz NOT NULL
);
CREATE INDEX alert_states_status ON sentinel.alert_states (tenant_id, status, alert_timestamp DESC, alert_id DESC);
CREATE INDEX alert_states_assignee ON sentinel.alert_states (tenant_id, assignee, alert_timestamp DESC, alert_id DESC)
    WHERE assignee IS NOT NULL;
CREATE INDEX alert_states_disposition ON sentinel.alert_states (tenant_id, disposition, alert_timestamp DESC, alert_id DESC)
    WHERE disposition IS NOT NULL;

-- What people wrote beside alerts, and every change of a state, with what it made of what. The application role cannot change
-- or delete either.
CREATE TABLE sentinel.alert_notes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  text NOT NULL,
    alert_id   bigint NOT NULL REFERENCES sentinel.alerts ON DELETE CASCADE,
    author     text NOT NULL,
    text       text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX alert_notes_alert_id ON sentinel.alert_notes (alert_id, id);

CREATE TABLE sentinel.alert_changes (
    alert_id   bigint NOT NULL REFERENCES sentinel.alerts ON DELETE CASCADE,
    version    integer NOT NULL,
    tenant_id  text NOT NULL,
    author     text NOT NULL,
    changed_at timestamptz NOT NULL,
    before     jsonb NOT NULL,
    after      jsonb NOT NULL,
    PRIMARY KEY (alert_id, version)
);

ALTER TABLE sentinel.alert_states ENABLE ROW LEVEL SECURITY;
ALTER TABLE sentinel.alert_states FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sentinel.alert_states USING (tenant_id = (SELECT sentinel.current_tenant()));
GRANT SELECT, INSERT, UPDATE, DELETE ON sentinel.alert_states TO sentinel_app;

ALTER TABLE sentinel.alert_notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE sentinel.alert_notes FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sentinel.alert_notes USING (tenant_id = (SELECT sentinel.current_tenant()));
GRANT SELECT, INSERT ON sentinel.alert_notes TO sentinel_app;

ALTER TABLE sentinel.alert_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE sentinel.alert_changes FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sentinel.alert_changes USING (tenant_id = (SELECT sentinel.current_tenant()));
GRANT SELECT, INSERT ON sentinel.alert_changes TO sentinel_app;
