-- Where a tenant's notifications may go. options are public; what is secret is in channel_secrets.
CREATE TABLE sentinel.notification_channels (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id       text NOT NULL REFERENCES sentinel.tenants,
    name            text COLLATE "C" NOT NULL CHECK (name ~ '^[a-z][a-z0-9-]{0,62}$'),
    kind            text NOT NULL CHECK (kind IN ('slack', 'webhook', 'email', 'pagerduty', 'teams', 'apprise')),
    options         jsonb NOT NULL DEFAULT '{}',
    status          text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
    disabled_reason text NOT NULL DEFAULT '',
    rate_per_minute integer CHECK (rate_per_minute > 0),
    version         bigint NOT NULL DEFAULT 1,
    created_by      text NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, name)
);

-- What channels sign or log in with. Sending takes the secret itself: it is encrypted where a key is configured, else in
-- clear. One whose time has come is not used any more.
CREATE TABLE sentinel.channel_secrets (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    text NOT NULL REFERENCES sentinel.tenants,
    channel_id   bigint NOT NULL REFERENCES sentinel.notification_channels ON DELETE CASCADE,
    sealed       bytea NOT NULL,
    is_encrypted boolean NOT NULL,
    hint         text NOT NULL,
    added_by     text NOT NULL DEFAULT '',
    added_at     timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz
);
CREATE INDEX channel_secrets_channel_id ON sentinel.channel_secrets (channel_id);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['notification_channels', 'channel_secrets']
    LOOP
        EXECUTE format('ALTER TABLE sentinel.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE sentinel.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON sentinel.%I USING (tenant_id = (SELECT sentinel.current_tenant()))', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON sentinel.%I TO sentinel_app', name);
    END LOOP;
END $$;
