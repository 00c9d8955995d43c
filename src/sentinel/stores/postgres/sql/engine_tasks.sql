-- name: add
-- A task that waits for a worker.
INSERT INTO sentinel.engine_tasks (tenant_id, pipeline_id, kind, lane, request, created_by)
VALUES (sentinel.current_tenant(), %(pipeline_id)s, %(kind)s, %(lane)s, %(request)s, %(created_by)s)
RETURNING id, pipeline_id, kind, state, request, progress, result, error, attempts, cancel_requested, created_by,
          created_at, started_at, heartbeat_at, finished_at

-- name: get
-- One task.
SELECT id, pipeline_id, kind, state, request, progress, result, error, attempts, cancel_requested, created_by,
       created_at, started_at, heartbeat_at, finished_at
FROM sentinel.engine_tasks WHERE id = %(task_id)s

-- name: list
-- Tasks, newest first.
SELECT id, pipeline_id, kind, state, request, progress, result, error, attempts, cancel_requested, created_by,
       created_at, started_at, heartbeat_at, finished_at
FROM sentinel.engine_tasks
WHERE (%(pipeline_id)s::bigint IS NULL OR pipeline_id = %(pipeline_id)s)
  AND (%(kind)s::text IS NULL OR kind = %(kind)s)
  AND (%(before)s::bigint IS NULL OR id < %(before)s)
ORDER BY id DESC LIMIT %(limit)s

-- name: waiting_count
-- How many of the tenant's tasks of a lane are not finished.
SELECT count(*) AS waiting FROM sentinel.engine_tasks WHERE lane = %(lane)s AND state IN ('queued', 'running')

-- name: cancel
-- One that waits ends here; one that runs is asked to.
UPDATE sentinel.engine_tasks
SET cancel_requested = true,
    state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END,
    finished_at = CASE state WHEN 'queued' THEN now() ELSE finished_at END
WHERE id = %(task_id)s AND state IN ('queued', 'running')
RETURNING id, pipeline_id, kind, state, request, progress, result, error, attempts, cancel_requested, created_by,
          created_at, started_at, heartbeat_at, finished_at

-- name: forget
-- Delete one finished task.
DELETE FROM sentinel.engine_tasks WHERE id = %(task_id)s AND state IN ('done', 'failed', 'cancelled')

-- name: prune
-- Delete what was finished long ago: answers of short tasks are of no use after they were read.
DELETE FROM sentinel.engine_tasks
WHERE finished_at < now() - CASE lane WHEN 'short' THEN interval '1 hour' ELSE interval '90 days' END

-- name: waiting
-- For a worker: the oldest task of each tenant that nobody holds (any more). Content is read in the tenant's transaction.
SELECT DISTINCT ON (tenant_id) tenant_id, id
FROM sentinel.engine_tasks
WHERE lane = %(lane)s AND kind = ANY (%(kinds)s)
  AND (state = 'queued' OR state = 'running' AND heartbeat_at < now() - make_interval(secs => %(lease_seconds)s))
ORDER BY tenant_id, id

-- name: abandon
-- A task whose holder is gone and which nobody takes up again: it was cancelled, or has cost too many workers.
UPDATE sentinel.engine_tasks
SET state = CASE WHEN cancel_requested THEN 'cancelled' ELSE 'failed' END, finished_at = now(),
    error = CASE WHEN cancel_requested THEN NULL ELSE %(error)s::jsonb END
WHERE id = %(task_id)s AND state = 'running' AND heartbeat_at < now() - make_interval(secs => %(lease_seconds)s)
  AND (cancel_requested OR attempts >= %(max_attempts)s)

-- name: claim
-- Take a task that nobody holds (any more). Two workers never get the same.
UPDATE sentinel.engine_tasks
SET state = 'running', worker = %(worker)s, attempts = attempts + 1, heartbeat_at = now(),
    started_at = COALESCE(started_at, now())
WHERE id = (
    SELECT id FROM sentinel.engine_tasks
    WHERE id = %(task_id)s
      AND (state = 'queued' OR state = 'running' AND heartbeat_at < now() - make_interval(secs => %(lease_seconds)s))
    FOR UPDATE SKIP LOCKED)
RETURNING id, pipeline_id, kind, request, attempts

-- name: beat
-- Keep a task; says whether it is to be cancelled. No row: another worker holds it, or it is gone.
UPDATE sentinel.engine_tasks SET heartbeat_at = now(), progress = COALESCE(%(progress)s::jsonb, progress)
WHERE id = %(task_id)s AND state = 'running' AND worker = %(worker)s AND attempts = %(attempt)s
RETURNING cancel_requested

-- name: finish
-- The end of a task that this worker holds.
UPDATE sentinel.engine_tasks
SET state = %(state)s, result = %(result)s, error = %(error)s, finished_at = now(), heartbeat_at = now(),
    progress = COALESCE(%(progress)s::jsonb, progress)
WHERE id = %(task_id)s AND state = 'running' AND worker = %(worker)s AND attempts = %(attempt)s
RETURNING id

-- name: give_back
-- Let another worker, or this one later, begin anew; a stop that was asked for is no attempt.
UPDATE sentinel.engine_tasks
SET state = CASE WHEN cancel_requested THEN 'cancelled' ELSE 'queued' END,
    finished_at = CASE WHEN cancel_requested THEN now() ELSE NULL END,
    attempts = attempts - CASE WHEN %(counts)s THEN 0 ELSE 1 END
WHERE id = %(task_id)s AND state = 'running' AND worker = %(worker)s AND attempts = %(attempt)s
RETURNING id
