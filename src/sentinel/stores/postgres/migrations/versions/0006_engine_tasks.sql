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

ALTER TABLE sentinel.engine_tasks ENABLE ROW LEVEL SECURITY;
ALTER TABLE sentinel.engine_tasks FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sentinel.engine_tasks USING (tenant_id = (SELECT sentinel.current_tenant()));
GRANT SELECT, INSERT, UPDATE, DELETE ON sentinel.engine_tasks TO sentinel_app;

-- A worker, which serves all tenants, sees which tasks wait. What it does about one happens as the task's tenant.
CREATE POLICY worker ON sentinel.engine_tasks FOR SELECT
    USING (state IN ('queued', 'running') AND nullif(current_setting('app.engine_worker', true), '') IS NOT NULL);
