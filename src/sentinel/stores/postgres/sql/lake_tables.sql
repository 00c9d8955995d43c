-- name: pipelines
-- Id and name of every pipeline.
SELECT id, name FROM sentinel.pipelines ORDER BY id

-- name: histories
-- All schema versions of some pipelines, oldest first.
SELECT pipeline_id, version, fields FROM sentinel.schema_versions
WHERE pipeline_id = ANY(%(pipeline_ids)s::bigint[]) ORDER BY pipeline_id, version

-- name: archived_at
-- When events of a pipeline were last written to the lake.
SELECT wanted.pipeline_id, newest.committed_at
FROM unnest(%(pipeline_ids)s::bigint[]) AS wanted (pipeline_id)
CROSS JOIN LATERAL (
    SELECT c.committed_at FROM sentinel.archive_commits c
    WHERE c.pipeline_id = wanted.pipeline_id AND c.state = 'committed' AND c.event_count > 0
    ORDER BY c.committed_at DESC LIMIT 1
) AS newest
