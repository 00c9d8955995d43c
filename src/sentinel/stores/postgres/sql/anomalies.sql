-- name: of_window
-- The anomalies of a detector and window.
SELECT id, subject, severity, version, evidence, transaction_data
FROM sentinel.alerts
WHERE detector_id = %(detector_id)s AND window_start = %(start)s AND window_end = %(end)s
ORDER BY subject
FOR UPDATE

-- name: add
-- A new anomaly, and what tells the notifier of it; nothing when there is one of this window and subject.
WITH inserted AS (
    INSERT INTO sentinel.alerts
        (tenant_id, event_id, severity, score, entities, transaction_data, content_hash, evidence, detector_id,
         window_start, window_end, subject)
    VALUES (sentinel.current_tenant(), %(event_id)s, %(severity)s, %(score)s, %(entities)s, %(data)s, %(content_hash)s,
            %(evidence)s, %(detector_id)s, %(start)s, %(end)s, %(subject)s)
    ON CONFLICT (detector_id, window_start, subject) WHERE detector_id IS NOT NULL DO NOTHING
    RETURNING id
)
INSERT INTO sentinel.alert_outbox (tenant_id, alert_id, event)
SELECT sentinel.current_tenant(), id, 'fired' FROM inserted
RETURNING alert_id

-- name: keep_former
-- What an anomaly says until now.
INSERT INTO sentinel.alert_amendments (tenant_id, alert_id, version, severity, level, evidence, reason)
SELECT sentinel.current_tenant(), id, version, severity, %(former_level)s, evidence, %(reason)s
FROM sentinel.alerts WHERE id = %(id)s

-- name: amend
-- What it says from now on.
UPDATE sentinel.alerts
SET severity = %(severity)s, score = %(score)s, entities = COALESCE(%(entities)s::jsonb, entities), transaction_data = %(data)s,
    content_hash = %(content_hash)s, evidence = %(evidence)s, version = version + 1
WHERE id = %(id)s

-- name: tell
-- Have the notifier told of an amendment.
INSERT INTO sentinel.alert_outbox (tenant_id, alert_id, event) VALUES (sentinel.current_tenant(), %(id)s, 'amended')
