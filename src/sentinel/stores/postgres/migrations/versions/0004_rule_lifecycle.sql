-- Rules get a name and a state, a candidate version and a rollout; rule sets record whatever else is in force with them.
ALTER TABLE sentinel.rules
    ADD COLUMN name text,
    ADD COLUMN state text NOT NULL DEFAULT 'active'
        CHECK (state IN ('draft', 'shadow', 'rollout', 'active', 'paused', 'archived')),
    ADD COLUMN candidate_version integer,
    ADD COLUMN candidate_state text CHECK (candidate_state IN ('draft', 'shadow', 'rollout')),
    ADD COLUMN rollout jsonb;

-- The owner is bound to a tenant as everybody is, and the rows are those of all tenants.
ALTER TABLE sentinel.rules NO FORCE ROW LEVEL SECURITY;
UPDATE sentinel.rules SET name = 'rule_' || id, state = CASE WHEN is_active THEN 'active' ELSE 'paused' END;
ALTER TABLE sentinel.rules FORCE ROW LEVEL SECURITY;

ALTER TABLE sentinel.rules
    ALTER COLUMN name SET NOT NULL,
    ADD CONSTRAINT rules_name_check CHECK (name ~ '^[a-z][a-z0-9_]{0,63}$'),
    ADD CONSTRAINT rules_is_active_means_alerting CHECK (is_active = (state IN ('rollout', 'active'))),
    ADD CONSTRAINT rules_candidate_has_state CHECK ((candidate_version IS NULL) = (candidate_state IS NULL)),
    ADD CONSTRAINT rules_rollout_has_plan
        CHECK (rollout IS NOT NULL OR (state <> 'rollout' AND candidate_state IS DISTINCT FROM 'rollout'));
CREATE UNIQUE INDEX rules_name ON sentinel.rules (pipeline_id, name) WHERE state <> 'archived';

ALTER TABLE sentinel.rule_sets ADD COLUMN members jsonb NOT NULL DEFAULT '{}';

CREATE TABLE sentinel.mutes (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   text NOT NULL REFERENCES sentinel.tenants,
    pipeline_id bigint NOT NULL REFERENCES sentinel.pipelines ON DELETE CASCADE,
    rule_id     bigint REFERENCES sentinel.rules ON DELETE CASCADE,
    field       text,
    value       text,
    expires_at  timestamptz,
    reason      text NOT NULL CHECK (reason <> ''),
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,
    ended_by    text,
    CONSTRAINT mutes_silence_something CHECK (rule_id IS NOT NULL OR field IS NOT NULL),
    CONSTRAINT mutes_snooze_ends
        CHECK ((field IS NULL) = (value IS NULL) AND (field IS NULL OR expires_at IS NOT NULL))
);
CREATE INDEX mutes_open ON sentinel.mutes (pipeline_id, id) WHERE ended_at IS NULL;

CREATE TABLE sentinel.scorecards (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id       text NOT NULL REFERENCES sentinel.tenants,
    pipeline_id     bigint NOT NULL REFERENCES sentinel.pipelines ON DELETE CASCADE,
    name            text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,63}$'),
    is_active       boolean NOT NULL DEFAULT true,
    current_version integer NOT NULL DEFAULT 1,
    version         bigint NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (pipeline_id, name)
);

CREATE TABLE sentinel.scorecard_versions (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    text NOT NULL REFERENCES sentinel.tenants,
    scorecard_id bigint NOT NULL REFERENCES sentinel.scorecards ON DELETE CASCADE,
    version      integer NOT NULL,
    weights      jsonb NOT NULL,
    review       integer NOT NULL,
    decline      integer NOT NULL,
    content_hash text NOT NULL,
    comment      text NOT NULL DEFAULT '',
    created_by   text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (scorecard_id, version)
);

CREATE TABLE sentinel.audit_entries (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   text NOT NULL,
    pipeline_id bigint,
    actor       text NOT NULL,
    action      text NOT NULL,
    object_type text NOT NULL,
    object_id   bigint NOT NULL,
    object_name text NOT NULL DEFAULT '',
    before      jsonb,
    after       jsonb,
    comment     text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_entries_newest ON sentinel.audit_entries (tenant_id, id DESC);
CREATE INDEX audit_entries_pipeline ON sentinel.audit_entries (tenant_id, pipeline_id, id DESC);
CREATE INDEX audit_entries_object ON sentinel.audit_entries (tenant_id, object_type, object_id, id DESC);

CREATE TABLE sentinel.decisions (
    pipeline_id          bigint NOT NULL,
    scorecard_id         bigint NOT NULL,
    event_id             text NOT NULL,
    tenant_id            text NOT NULL,
    scorecard_version_id bigint NOT NULL,
    generation_id        bigint NOT NULL,
    score                integer NOT NULL,
    decision             text NOT NULL CHECK (decision IN ('approve', 'review', 'decline')),
    rule_ids             bigint[] NOT NULL,
    kafka_partition      integer NOT NULL,
    kafka_offset         bigint NOT NULL,
    kafka_timestamp      timestamptz NOT NULL,
    decided_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (pipeline_id, event_id, scorecard_id)
);

CREATE TABLE sentinel.suppressed_counts (
    pipeline_id bigint NOT NULL,
    rule_id     bigint NOT NULL,
    hour        timestamptz NOT NULL,
    cause       text NOT NULL,
    tenant_id   text NOT NULL,
    match_count bigint NOT NULL,
    PRIMARY KEY (pipeline_id, rule_id, hour, cause)
) WITH (fillfactor = 50);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['mutes', 'scorecards', 'scorecard_versions', 'audit_entries', 'decisions', 'suppressed_counts']
    LOOP
        EXECUTE format('ALTER TABLE sentinel.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE sentinel.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON sentinel.%I USING (tenant_id = (SELECT sentinel.current_tenant()))', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON sentinel.%I TO sentinel_app', name);
    END LOOP;
END $$;
REVOKE UPDATE, DELETE ON sentinel.audit_entries FROM sentinel_app;
