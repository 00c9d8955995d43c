-- name: lock_pipeline
-- One decision at a time.
SELECT source_epoch FROM sentinel.pipelines WHERE id = %(pipeline_id)s FOR UPDATE;

-- name: skip
-- Decided without being read: the records are gone.
UPDATE sentinel.progress SET next_offset = greatest(next_offset, %(offset)s), updated_at = now()
WHERE pipeline_id = %(pipeline_id)s AND partition = %(partition)s;

-- name: skip_in_lake
-- The lake has nothing for them either: a commit without events, so that the archive goes on after them.
INSERT INTO sentinel.archive_commits
    (pipeline_id, tenant_id, seq, generation_id, ranges, state, event_count, dead_count, committed_at)
SELECT pipeline_id, tenant_id, seq + 1, generation_id, %(ranges)s, 'committed', 0, 0, now()
FROM sentinel.archive_commits WHERE pipeline_id = %(pipeline_id)s ORDER BY seq DESC LIMIT 1;

-- name: skip_before_first
-- With nothing in the lake yet the archive begins later.
UPDATE sentinel.progress SET first_offset = greatest(first_offset, %(offset)s), updated_at = now()
WHERE pipeline_id = %(pipeline_id)s AND partition = %(partition)s;

-- name: open_plan
-- The commit that was planned and is not known to be in the lake.
SELECT seq, ranges FROM sentinel.archive_commits
WHERE pipeline_id = %(pipeline_id)s AND state = 'planned' FOR UPDATE;

-- name: clip_plan
-- A planned commit without the records that are gone. Those of the other partitions are still to be written.
UPDATE sentinel.archive_commits SET ranges = %(ranges)s WHERE pipeline_id = %(pipeline_id)s AND seq = %(seq)s;

-- name: close_plans
-- A planned commit of a topic that is gone can never be carried out: it ends where it begins.
UPDATE sentinel.archive_commits SET state = 'committed', committed_at = now(),
    ranges = (SELECT jsonb_object_agg(key, jsonb_build_array(value->0, value->0)) FROM jsonb_each(ranges))
WHERE pipeline_id = %(pipeline_id)s AND state = 'planned';

-- name: forget_progress
-- A topic made anew begins anew.
DELETE FROM sentinel.progress WHERE pipeline_id = %(pipeline_id)s;

-- name: record
-- What was decided, by whom and why.
INSERT INTO sentinel.source_decisions (tenant_id, pipeline_id, source_epoch, recreated, skipped, reason, decided_by)
VALUES (%(tenant_id)s, %(pipeline_id)s, %(source_epoch)s, %(recreated)s, %(skipped)s, %(reason)s, %(decided_by)s);

-- name: touch_pipeline
-- The running job looks again.
UPDATE sentinel.pipelines SET source_epoch = source_epoch + %(epochs)s, updated_at = now() WHERE id = %(pipeline_id)s;
