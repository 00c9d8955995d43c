-- Work that needs the engine itself: explanations, tests of rules, backtests, refills. A rule worker takes a task, keeps it
-- by its heartbeat, and writes the result. attempts counts who held it: only the newest holder may write.
CREATE TABLE sentinel.engine_tasks (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id        text NOT NULL REFERENCES sentinel.tenants,
    pipeline_id      bigint NOT NULL REFERENCES sentinel.pipelines ON DELETE CASCADE,
    kind             text NOT NULL,
    lane             text NOT NULL CHECK (lane IN ('short', 'long')),
    state            text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    request          jsonb NOT NULL,
    progress         jsonb NOT NULL DEFAULT '{}',
    result           jsonb,
    error            jsonb,
    worker           text NOT NULL DEFAULT '',
    attempts         integer NOT NULL DEFAULT 0,
    cancel_requested boolean NOT NULL DEFAULT false,
    created_by       text NOT NULL DEFAULT '',
    created_at       timestamptz NOT NULL DEFAULT now(),
    started_at       timestamptz,
    heartbeat_at     timestamptz,
    finished_at      timestamptz
);
CREATE INDEX engine_tasks_waiting ON sentinel.engine_tasks (lane, tenant_id, id) WHERE state IN ('queued', 'running');
CREATE INDEX engine_tasks_newest ON sentinel.engine_tasks (tenant_id, id DESC);
CREATE INDEX engine_tasks_pipeline_id ON sentinel.engine_tasks (pipeline_id, id DESC);
CREATE INDEX engine_tasks_finished_at ON sentinel.engine_tasks (tenant_id, finished_at);

CREATE FUNCTION sentinel.notify_engine_task() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_notify('sentinel_engine_task', NEW.lane); RETURN NEW; END $$;
CREATE TRIGGER engine_tasks_notify AFTER INSERT ON sentinel.engine_tasks
    FOR EACH ROW EXECUTE FUNCTION sentinel.notify_engine_task();

-- Example events of a rule with the outcome it must have for them; they are run before a version of it is published.
CREATE TABLE sentinel.rule_tests (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  text NOT NULL REFERENCES sentinel.tenants,
    rule_id    bigint NOT NULL REFERENCES sentinel.rules ON DELETE CASCADE,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    event      text NOT NULL,
    expected   text NOT NULL CHECK (expected IN ('match', 'no_match', 'unknown')),
    version    bigint NOT NULL DEFAULT 1,
    created_by text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (rule_id, name)
);

-- What the tests of a rule said of a condition under a schema version. tests_hash tells which tests these were.
CREATE TABLE sentinel.rule_test_runs (
    rule_id        bigint NOT NULL REFERENCES sentinel.rules ON DELETE CASCADE,
    tenant_id      text NOT NULL REFERENCES sentinel.tenants,
    condition_hash text NOT NULL,
    schema_version integer NOT NULL,
    tests_hash     text NOT NULL,
    outcomes       jsonb NOT NULL,
    ran_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (rule_id, condition_hash, schema_version, tests_hash)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['engine_tasks', 'rule_tests', 'rule_test_runs']
    LOOP
        EXECUTE format('ALTER TABLE sentinel.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE sentinel.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON sentinel.%I USING (tenant_id = (SELECT sentinel.current_tenant()))', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON sentinel.%I TO sentinel_app', name);
    END LOOP;
END $$;

-- A worker, which serves all tenants, sees which tasks wait. What it does about one happens as the task's tenant.
CREATE POLICY worker ON sentinel.engine_tasks FOR SELECT
    USING (state IN ('queued', 'running') AND nullif(current_setting('app.engine_worker', true), '') IS NOT NULL);

-- Why the rule matched: each condition that had to be true, with the values of the fields that it looks at.
ALTER TABLE sentinel.alerts ADD COLUMN evidence jsonb NOT NULL DEFAULT '[]';
