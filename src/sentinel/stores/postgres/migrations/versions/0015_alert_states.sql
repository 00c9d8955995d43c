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

-- Events of webhooks that were asked for.
ALTER TABLE sentinel.webhook_events
    ADD COLUMN origin text NOT NULL DEFAULT 'delivered' CHECK (origin IN ('delivered', 'backfilled')),
    ADD COLUMN api_version text;

-- With which key a provider is asked for events that it could not deliver, and how far that is. cursor: the last event that
-- was taken in. Whoever holds it works on it until held_until.
CREATE TABLE sentinel.webhook_backfills (
    source_id     bigint PRIMARY KEY REFERENCES sentinel.webhook_sources ON DELETE CASCADE,
    tenant_id     text NOT NULL REFERENCES sentinel.tenants,
    sealed        bytea NOT NULL,
    is_encrypted  boolean NOT NULL,
    hint          text NOT NULL,
    key_added_by  text NOT NULL DEFAULT '',
    key_added_at  timestamptz NOT NULL DEFAULT now(),
    range_start   timestamptz,
    range_end     timestamptz,
    only_failed   boolean NOT NULL DEFAULT true,
    cursor        text,
    is_complete   boolean NOT NULL DEFAULT false,
    stored        bigint NOT NULL DEFAULT 0,
    duplicate     bigint NOT NULL DEFAULT 0,
    conflict      bigint NOT NULL DEFAULT 0,
    refused       bigint NOT NULL DEFAULT 0,
    covered_until timestamptz,
    updated_at    timestamptz,
    holder        text,
    held_until    timestamptz
);

ALTER TABLE sentinel.webhook_backfills ENABLE ROW LEVEL SECURITY;
ALTER TABLE sentinel.webhook_backfills FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sentinel.webhook_backfills USING (tenant_id = (SELECT sentinel.current_tenant()));
GRANT SELECT, INSERT, UPDATE, DELETE ON sentinel.webhook_backfills TO sentinel_app;
