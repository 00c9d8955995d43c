-- name: get
-- One scorecard with its current version.
SELECT s.id, s.pipeline_id, s.name, s.is_active, s.version, s.created_at, s.updated_at,
       v.id AS version_id, v.version AS content_version, v.weights, v.review, v.decline, v.content_hash, v.comment,
       v.created_by, v.created_at AS version_created_at
FROM sentinel.scorecards s
JOIN sentinel.scorecard_versions v ON v.scorecard_id = s.id AND v.version = s.current_version
WHERE s.id = %(scorecard_id)s

-- name: list
-- The scorecards of a pipeline, oldest first.
SELECT s.id, s.pipeline_id, s.name, s.is_active, s.version, s.created_at, s.updated_at,
       v.id AS version_id, v.version AS content_version, v.weights, v.review, v.decline, v.content_hash, v.comment,
       v.created_by, v.created_at AS version_created_at
FROM sentinel.scorecards s
JOIN sentinel.scorecard_versions v ON v.scorecard_id = s.id AND v.version = s.current_version
WHERE s.pipeline_id = %(pipeline_id)s
ORDER BY s.id

-- name: versions
-- All versions of a scorecard, newest first.
SELECT id AS version_id, version AS content_version, weights, review, decline, content_hash, comment, created_by,
       created_at AS version_created_at
FROM sentinel.scorecard_versions WHERE scorecard_id = %(scorecard_id)s ORDER BY version DESC

-- name: add
-- A new scorecard, whose version 1 follows.
INSERT INTO sentinel.scorecards (tenant_id, pipeline_id, name)
VALUES (sentinel.current_tenant(), %(pipeline_id)s, %(name)s)
RETURNING id

-- name: add_version
-- Write the next immutable version and make it the current one.
WITH written AS (
    INSERT INTO sentinel.scorecard_versions
        (tenant_id, scorecard_id, version, weights, review, decline, content_hash, comment, created_by)
    SELECT sentinel.current_tenant(), %(scorecard_id)s, COALESCE(max(version), 0) + 1, %(weights)s, %(review)s,
           %(decline)s, %(content_hash)s, %(comment)s, %(created_by)s
    FROM sentinel.scorecard_versions WHERE scorecard_id = %(scorecard_id)s
    RETURNING version
)
UPDATE sentinel.scorecards s
SET current_version = written.version, version = s.version + (written.version > 1)::integer, updated_at = now()
FROM written WHERE s.id = %(scorecard_id)s

-- name: set_active
-- Switch a scorecard on or off.
UPDATE sentinel.scorecards SET is_active = %(is_active)s, version = version + 1, updated_at = now()
WHERE id = %(scorecard_id)s

-- name: decisions_on
-- What scorecards said of one event.
SELECT s.name AS scorecard, v.version, d.score, d.decision, d.rule_ids, d.decided_at
FROM sentinel.decisions d
JOIN sentinel.scorecards s ON s.id = d.scorecard_id
JOIN sentinel.scorecard_versions v ON v.id = d.scorecard_version_id
WHERE d.pipeline_id = %(pipeline_id)s AND d.event_id = %(event_id)s
ORDER BY s.name
