-- name: tenants
-- Every tenant, visible to the detector loop.
SELECT tenant_id FROM sentinel.tenants ORDER BY tenant_id

-- name: add_builtin
-- Have a built-in detector; one that is there, or another of its name, is left alone.
INSERT INTO sentinel.detectors
    (tenant_id, name, kind, is_builtin, description, mode, schedule, next_run_at, created_by)
VALUES (sentinel.current_tenant(), %(name)s, %(kind)s, true, %(description)s, %(mode)s, %(schedule)s, %(next_run_at)s,
        'built in')
ON CONFLICT (tenant_id, name) WHERE deleted_at IS NULL DO NOTHING

-- name: due
-- Detectors that are due, visible to the detector loop.
SELECT tenant_id, id FROM sentinel.detectors
WHERE next_run_at <= %(now)s AND mode <> 'off' AND deleted_at IS NULL
ORDER BY next_run_at, id

-- name: claim
-- A detector that is still due, unless another has it.
SELECT id, name, kind, is_builtin, description, mode, parameters, schedule, version, next_run_at, evaluates_from,
       evaluated_until, checked_at, created_at, updated_at
FROM sentinel.detectors
WHERE id = %(id)s AND next_run_at <= %(now)s AND mode <> 'off' AND deleted_at IS NULL
  AND tenant_id = sentinel.current_tenant()
FOR NO KEY UPDATE SKIP LOCKED

-- name: move_on
-- A detector is due again at another time.
UPDATE sentinel.detectors SET next_run_at = %(next_run_at)s WHERE id = %(id)s

-- name: lose_runs
-- Runs whose process is gone.
UPDATE sentinel.detector_runs
SET state = 'failed', finished_at = %(now)s,
    error = 'the process that ran it ended; what it left is evaluated by the next run'
WHERE detector_id = %(id)s AND state = 'running' AND started_at < %(lost_before)s

-- name: prune_runs
-- Forget runs of long ago.
DELETE FROM sentinel.detector_runs WHERE detector_id = %(id)s AND started_at < %(now)s - make_interval(days => %(days)s)

-- name: begin
-- Note a run.
INSERT INTO sentinel.detector_runs (tenant_id, detector_id, cause, requested_by, run_at, started_at)
VALUES (sentinel.current_tenant(), %(id)s, %(cause)s, %(requested_by)s, %(run_at)s, %(now)s)
RETURNING id

-- name: hold
-- One at a time evaluates a detector.
SELECT pg_advisory_xact_lock(hashtextextended('detector/' || %(id)s::bigint, 0))

-- name: advance
-- Windows up to here were evaluated, by what the detector still is. Never back.
UPDATE sentinel.detectors SET evaluated_until = GREATEST(evaluated_until, %(until)s)
WHERE id = %(id)s AND version = %(version)s

-- name: finish
-- Note what became of a run.
UPDATE sentinel.detector_runs
SET state = %(state)s, window_start = %(window_start)s, window_end = %(window_end)s, window_count = %(window_count)s,
    finding_count = %(finding_count)s, fired_count = %(fired_count)s, amended_count = %(amended_count)s,
    error = %(error)s, finished_at = %(finished_at)s
WHERE id = %(run_id)s
RETURNING id, (SELECT d.name FROM sentinel.detectors d WHERE d.id = detector_id) AS detector, cause, requested_by,
          run_at, state, window_start, window_end, window_count, finding_count, fired_count, amended_count, error,
          started_at, finished_at

-- name: checked
-- A complete run of what the detector still is began at this time. Never back.
UPDATE sentinel.detectors SET checked_at = GREATEST(checked_at, %(started_at)s)
WHERE id = %(id)s AND version = %(version)s
