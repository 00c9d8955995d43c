-- Care of the lake: each pipeline's table, from its first commit on. Who cares for it at present, until when; a process that
-- is gone is followed by another. turn_*: whose turn it is to commit to the table, since Spark's commits on S3 would overwrite
-- those of another process. file_count and size_bytes are of looked_at.
CREATE TABLE sentinel.lake_care (
    pipeline_id   bigint PRIMARY KEY REFERENCES sentinel.pipelines ON DELETE CASCADE,
    tenant_id     text NOT NULL REFERENCES sentinel.tenants,
    next_at       timestamptz NOT NULL DEFAULT now(),
    looked_at     timestamptz,
    vacuumed_at   timestamptz,
    failure_count integer NOT NULL DEFAULT 0,
    file_count    bigint,
    size_bytes    bigint,
    claimed_by    text NOT NULL DEFAULT '',
    claimed_until timestamptz,
    turn_kind     text NOT NULL DEFAULT '' CHECK (turn_kind IN ('', 'archive', 'care')),
    turn_of       text NOT NULL DEFAULT '',
    turn_until    timestamptz
) WITH (fillfactor = 50);
CREATE INDEX lake_care_next_at ON sentinel.lake_care (next_at);

-- Each time a table was cared for: files that were merged, files that were deleted, and how many it had before and after.
CREATE TABLE sentinel.lake_care_runs (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id     text NOT NULL REFERENCES sentinel.tenants,
    pipeline_id   bigint NOT NULL REFERENCES sentinel.pipelines ON DELETE CASCADE,
    cause         text NOT NULL CHECK (cause IN ('schedule', 'request')),
    requested_by  text NOT NULL DEFAULT '',
    state         text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'failed')),
    started_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    files_before  bigint NOT NULL,
    bytes_before  bigint NOT NULL,
    files_after   bigint NOT NULL,
    bytes_after   bigint NOT NULL,
    merged_files  bigint NOT NULL DEFAULT 0,
    written_files bigint NOT NULL DEFAULT 0,
    deleted_files bigint NOT NULL DEFAULT 0,
    is_complete   boolean NOT NULL DEFAULT true,
    error         text
);
CREATE INDEX lake_care_runs_newest ON sentinel.lake_care_runs (pipeline_id, id DESC);
CREATE INDEX lake_care_runs_running ON sentinel.lake_care_runs (pipeline_id) WHERE state = 'running';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['lake_care', 'lake_care_runs']
    LOOP
        EXECUTE format('ALTER TABLE sentinel.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON sentinel.%I USING (tenant_id = (SELECT sentinel.current_tenant()))', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON sentinel.%I TO sentinel_app', name);
    END LOOP;
END $$;

-- The loop that cares for the lake, which serves all tenants, sees which tables are due. What it does happens as their tenant.
CREATE POLICY lake_care ON sentinel.lake_care FOR SELECT
    USING (next_at <= now() AND nullif(current_setting('app.lake_care', true), '') IS NOT NULL);

-- Tables that are there already, also those of pipelines whose job does not run. The owner is bound by the policies, too.
ALTER TABLE sentinel.archive_commits NO FORCE ROW LEVEL SECURITY;
INSERT INTO sentinel.lake_care (pipeline_id, tenant_id)
    SELECT DISTINCT pipeline_id, tenant_id FROM sentinel.archive_commits;
ALTER TABLE sentinel.archive_commits FORCE ROW LEVEL SECURITY;
ALTER TABLE sentinel.lake_care FORCE ROW LEVEL SECURITY;
ALTER TABLE sentinel.lake_care_runs FORCE ROW LEVEL SECURITY;
