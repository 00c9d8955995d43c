-- Providers that send signed events. public_id is what a source's URL ends in: unguessable, unique over all tenants.
CREATE TABLE sentinel.webhook_sources (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   text NOT NULL REFERENCES sentinel.tenants,
    public_id   text COLLATE "C" NOT NULL UNIQUE CHECK (public_id ~ '^whs_[A-Za-z0-9_-]{22}$'),
    name        text COLLATE "C" NOT NULL CHECK (name ~ '^[a-z][a-z0-9-]{0,62}$'),
    kind        text NOT NULL CHECK (kind IN ('stripe', 'standard', 'github', 'token')),
    status      text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
    pipeline_id bigint REFERENCES sentinel.pipelines ON DELETE SET NULL,
    options     jsonb NOT NULL DEFAULT '{}',
    version     bigint NOT NULL DEFAULT 1,
    created_by  text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, name)
);
CREATE INDEX webhook_sources_pipeline_id ON sentinel.webhook_sources (pipeline_id);

-- What sources sign with. Verifying takes the secret itself: it is encrypted where a key is configured, else in clear.
CREATE TABLE sentinel.webhook_secrets (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    text NOT NULL REFERENCES sentinel.tenants,
    source_id    bigint NOT NULL REFERENCES sentinel.webhook_sources ON DELETE CASCADE,
    sealed       bytea NOT NULL,
    is_encrypted boolean NOT NULL,
    hint         text NOT NULL,
    added_by     text NOT NULL DEFAULT '',
    added_at     timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz
);
CREATE INDEX webhook_secrets_source_id ON sentinel.webhook_secrets (source_id);

-- Events as they were delivered, byte for byte, once per provider's id. One with a topic waits until the broker has
-- confirmed it.
CREATE TABLE sentinel.webhook_events (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id         text NOT NULL REFERENCES sentinel.tenants,
    source_id         bigint NOT NULL REFERENCES sentinel.webhook_sources ON DELETE CASCADE,
    provider_event_id text COLLATE "C" NOT NULL CHECK (length(provider_event_id) BETWEEN 1 AND 255),
    event_type        text NOT NULL,
    received_at       timestamptz NOT NULL,
    occurred_at       timestamptz,
    content_hash      bytea NOT NULL,
    raw               bytea NOT NULL,
    topic             text,
    published_at      timestamptz,
    publish_after     timestamptz NOT NULL DEFAULT now(),
    publish_error     text,
    UNIQUE (source_id, provider_event_id)
);
CREATE INDEX webhook_events_newest ON sentinel.webhook_events (source_id, id DESC);
CREATE INDEX webhook_events_waiting ON sentinel.webhook_events (tenant_id, id)
    WHERE published_at IS NULL AND topic IS NOT NULL;

-- Other content under the id of a stored event. The empty hash stands for all contents beyond those that are kept.
CREATE TABLE sentinel.webhook_conflicts (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id     text NOT NULL REFERENCES sentinel.tenants,
    event_id      bigint NOT NULL REFERENCES sentinel.webhook_events ON DELETE CASCADE,
    source_id     bigint NOT NULL REFERENCES sentinel.webhook_sources ON DELETE CASCADE,
    content_hash  bytea NOT NULL,
    seen_count    bigint NOT NULL DEFAULT 1,
    first_seen_at timestamptz NOT NULL,
    last_seen_at  timestamptz NOT NULL,
    body_bytes    integer NOT NULL,
    raw           bytea NOT NULL,
    UNIQUE (event_id, content_hash)
);
CREATE INDEX webhook_conflicts_newest ON sentinel.webhook_conflicts (source_id, id DESC);

-- Deliveries that were refused: some of each hour and reason, and all of them counted. No headers, no bodies.
CREATE TABLE sentinel.webhook_attempts (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id      text NOT NULL REFERENCES sentinel.tenants,
    source_id      bigint NOT NULL REFERENCES sentinel.webhook_sources ON DELETE CASCADE,
    reason         text NOT NULL,
    received_at    timestamptz NOT NULL,
    caller_address text NOT NULL,
    body_bytes     integer NOT NULL,
    body_hash      bytea NOT NULL
);
CREATE INDEX webhook_attempts_newest ON sentinel.webhook_attempts (source_id, id DESC);

CREATE TABLE sentinel.webhook_attempt_counts (
    source_id     bigint NOT NULL REFERENCES sentinel.webhook_sources ON DELETE CASCADE,
    hour          timestamptz NOT NULL,
    reason        text NOT NULL,
    tenant_id     text NOT NULL REFERENCES sentinel.tenants,
    attempt_count bigint NOT NULL,
    PRIMARY KEY (source_id, hour, reason)
) WITH (fillfactor = 50);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['webhook_sources', 'webhook_secrets', 'webhook_events', 'webhook_conflicts',
                               'webhook_attempts', 'webhook_attempt_counts']
    LOOP
        EXECUTE format('ALTER TABLE sentinel.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE sentinel.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON sentinel.%I USING (tenant_id = (SELECT sentinel.current_tenant()))', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON sentinel.%I TO sentinel_app', name);
    END LOOP;
END $$;

-- A source is visible to whoever names its public id: that is how the tenant of a delivery becomes known.
CREATE POLICY presented ON sentinel.webhook_sources FOR SELECT
    USING (public_id = nullif(current_setting('app.webhook_source', true), ''));

-- The publisher, which serves all tenants, sees which events wait. What it does about them happens as their tenant.
CREATE POLICY publisher ON sentinel.webhook_events FOR SELECT
    USING (published_at IS NULL AND topic IS NOT NULL
           AND nullif(current_setting('app.webhook_publisher', true), '') IS NOT NULL);
