-- name: due
-- Tables that are due, visible to the loop that cares for them.
SELECT tenant_id, pipeline_id FROM sentinel.lake_care
WHERE next_at <= now() AND (claimed_until IS NULL OR claimed_until < now())
ORDER BY next_at, pipeline_id LIMIT %(limit)s

-- name: claim
-- Take a table that nobody holds (any more).
UPDATE sentinel.lake_care
SET claimed_by = %(holder)s, claimed_until = now() + make_interval(secs => %(seconds)s)
WHERE pipeline_id = %(pipeline_id)s AND (claimed_until IS NULL OR claimed_until < now())
  AND (NOT %(only_due)s OR next_at <= now())
RETURNING vacuumed_at, failure_count

-- name: keep
-- Keep a claim.
UPDATE sentinel.lake_care SET claimed_until = now() + make_interval(secs => %(seconds)s)
WHERE pipeline_id = %(pipeline_id)s AND claimed_by = %(holder)s AND claimed_until >= now()

-- name: lose_runs
-- Runs whose process is gone: whoever holds the table now is not the one that began them.
UPDATE sentinel.lake_care_runs
SET state = 'failed', finished_at = now(), error = 'the process that ran it ended; the next run goes on'
WHERE pipeline_id = %(pipeline_id)s AND state = 'running'

-- name: prune_runs
-- Forget runs of long ago.
DELETE FROM sentinel.lake_care_runs
WHERE pipeline_id = %(pipeline_id)s AND started_at < now() - make_interval(days => %(days)s)

-- name: begin
-- Note a run.
INSERT INTO sentinel.lake_care_runs
    (tenant_id, pipeline_id, cause, requested_by, files_before, bytes_before, files_after, bytes_after)
SELECT c.tenant_id, c.pipeline_id, %(cause)s, %(requested_by)s, known.files, known.bytes, known.files, known.bytes
FROM sentinel.lake_care c
CROSS JOIN LATERAL (SELECT COALESCE(%(files)s::bigint, c.file_count, 0) AS files,
                           COALESCE(%(bytes)s::bigint, c.size_bytes, 0) AS bytes) AS known
WHERE c.pipeline_id = %(pipeline_id)s
RETURNING id

-- name: finish
-- What came of a run.
UPDATE sentinel.lake_care_runs
SET state = %(state)s, finished_at = now(),
    files_after = CASE WHEN %(is_seen)s THEN %(files_after)s ELSE files_after END,
    bytes_after = CASE WHEN %(is_seen)s THEN %(bytes_after)s ELSE bytes_after END,
    merged_files = %(merged_files)s, written_files = %(written_files)s, deleted_files = %(deleted_files)s,
    is_complete = %(is_complete)s, error = %(error)s
WHERE id = %(run_id)s AND state = 'running'

-- name: give_back
-- Nobody cares for the table until it is due again.
UPDATE sentinel.lake_care
SET claimed_by = '', claimed_until = NULL, looked_at = now(),
    next_at = now() + make_interval(secs => %(next_in_seconds)s),
    vacuumed_at = CASE WHEN %(vacuumed)s THEN now() ELSE vacuumed_at END,
    failure_count = CASE WHEN %(failed)s THEN failure_count + 1 ELSE 0 END,
    file_count = COALESCE(%(files)s::bigint, file_count), size_bytes = COALESCE(%(bytes)s::bigint, size_bytes)
WHERE pipeline_id = %(pipeline_id)s AND claimed_by = %(holder)s

-- name: take_turn
-- Be the only one who commits to the table. A job's archive follows one that is gone; the lease tells them apart.
INSERT INTO sentinel.lake_care AS c (pipeline_id, tenant_id, turn_kind, turn_of, turn_until)
VALUES (%(pipeline_id)s, sentinel.current_tenant(), %(kind)s, %(holder)s, now() + make_interval(secs => %(seconds)s))
ON CONFLICT (pipeline_id) DO UPDATE
SET turn_kind = excluded.turn_kind, turn_of = excluded.turn_of, turn_until = excluded.turn_until
WHERE c.turn_until IS NULL OR c.turn_until < now() OR c.turn_of = excluded.turn_of
   OR c.turn_kind = 'archive' AND excluded.turn_kind = 'archive'
RETURNING pipeline_id

-- name: end_turn
-- Let others commit.
UPDATE sentinel.lake_care SET turn_kind = '', turn_of = '', turn_until = NULL
WHERE pipeline_id = %(pipeline_id)s AND turn_of = %(holder)s

-- name: status
-- How a table is cared for.
SELECT pipeline_id, looked_at, next_at, vacuumed_at, failure_count, file_count, size_bytes,
       COALESCE(claimed_until >= now(), false) AS is_running
FROM sentinel.lake_care WHERE pipeline_id = %(pipeline_id)s

-- name: runs
-- The last runs of a table, newest first.
SELECT id, cause, requested_by, state, started_at, finished_at, files_before, files_after, bytes_before, bytes_after,
       merged_files, written_files, deleted_files, is_complete, error
FROM sentinel.lake_care_runs WHERE pipeline_id = %(pipeline_id)s ORDER BY id DESC LIMIT %(runs)s
