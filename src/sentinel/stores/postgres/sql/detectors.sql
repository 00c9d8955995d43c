-- name: list
-- Detectors by name.
SELECT id, name, kind, is_builtin, description, mode, parameters, schedule, version, next_run_at, evaluates_from,
       evaluated_until, checked_at, created_at, updated_at
FROM sentinel.detectors WHERE deleted_at IS NULL ORDER BY name

-- name: lock
-- One detector, kept from others until the transaction ends.
SELECT id, name, kind, is_builtin, description, mode, parameters, schedule, version, next_run_at, evaluates_from,
       evaluated_until, checked_at, created_at, updated_at
FROM sentinel.detectors WHERE name = %(name)s AND deleted_at IS NULL FOR NO KEY UPDATE

-- name: lock_all
-- Keep others from adding detectors until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('detectors/' || sentinel.current_tenant(), 0))

-- name: add
-- Keep a detector; nothing when its name is taken.
INSERT INTO sentinel.detectors
    (tenant_id, name, kind, is_builtin, description, mode, parameters, schedule, next_run_at, created_by)
VALUES (sentinel.current_tenant(), %(name)s, %(kind)s, %(is_builtin)s, %(description)s, %(mode)s, %(parameters)s,
        %(schedule)s, %(next_run_at)s, %(created_by)s)
ON CONFLICT (tenant_id, name) WHERE deleted_at IS NULL DO NOTHING
RETURNING id, name, kind, is_builtin, description, mode, parameters, schedule, version, next_run_at, evaluates_from,
          evaluated_until, checked_at, created_at, updated_at

-- name: change
-- Keep what can be changed.
UPDATE sentinel.detectors
SET description = %(description)s, mode = %(mode)s, parameters = %(parameters)s, schedule = %(schedule)s,
    next_run_at = %(next_run_at)s, evaluates_from = %(evaluates_from)s, evaluated_until = %(evaluated_until)s,
    checked_at = %(checked_at)s, version = version + 1, updated_at = now()
WHERE id = %(id)s
RETURNING id, name, kind, is_builtin, description, mode, parameters, schedule, version, next_run_at, evaluates_from,
          evaluated_until, checked_at, created_at, updated_at

-- name: delete
-- Take a detector away; its row stays for the alerts it raised.
UPDATE sentinel.detectors SET deleted_at = now(), mode = 'off', version = version + 1 WHERE id = %(id)s

-- name: is_ready
-- Whether the tenant has what a detector in mode auto waits for.
SELECT EXISTS (SELECT FROM sentinel.webhook_sources
               WHERE %(need)s = 'webhook_source' OR (%(need)s = 'stripe_source' AND kind = 'stripe')) AS found

-- name: runs
-- Runs of a detector, newest first.
SELECT r.id, d.name AS detector, r.cause, r.requested_by, r.run_at, r.state, r.window_start, r.window_end,
       r.window_count, r.finding_count, r.fired_count, r.amended_count, r.error, r.started_at, r.finished_at
FROM sentinel.detector_runs r JOIN sentinel.detectors d ON d.id = r.detector_id
WHERE r.detector_id = %(id)s AND (%(before)s::bigint IS NULL OR r.id < %(before)s)
ORDER BY r.id DESC LIMIT %(limit)s

-- name: last_runs
-- The newest run of each detector.
SELECT d.id AS detector_id, d.name AS detector, r.id, r.cause, r.requested_by, r.run_at, r.state, r.window_start,
       r.window_end, r.window_count, r.finding_count, r.fired_count, r.amended_count, r.error, r.started_at,
       r.finished_at
FROM sentinel.detectors d
CROSS JOIN LATERAL (SELECT * FROM sentinel.detector_runs n WHERE n.detector_id = d.id ORDER BY n.id DESC LIMIT 1) r
WHERE d.deleted_at IS NULL

-- name: alert_exists
-- Whether there is such an alert.
SELECT 1 FROM sentinel.alerts WHERE id = %(alert_id)s

-- name: amendments
-- What an alert said before, oldest first.
SELECT alert_id, version, severity, level, evidence::text AS evidence_json, reason, amended_at
FROM sentinel.alert_amendments WHERE alert_id = %(alert_id)s ORDER BY version
