-- name: before
-- Among the alerts just before one, those about the same, nearest first; and how far was looked.
WITH near AS MATERIALIZED (
    SELECT n.id, n.alert_timestamp, n.entities, n.subject
    FROM sentinel.alerts n
    WHERE (%(pipeline_id)s::bigint IS NULL OR n.pipeline_id = %(pipeline_id)s)
      AND (%(detector_id)s::bigint IS NULL OR (n.detector_id = %(detector_id)s AND n.detector_id IS NOT NULL))
      AND (n.alert_timestamp, n.id) < (%(timestamp)s::timestamptz, %(id)s::bigint)
    ORDER BY n.alert_timestamp DESC, n.id DESC LIMIT %(window)s
)
SELECT ARRAY(SELECT m.id FROM near m
             WHERE CASE WHEN %(detector_id)s::bigint IS NULL THEN m.entities @> ANY(%(entities)s::text[]::jsonb[])
                        ELSE m.subject = %(subject)s END
             ORDER BY m.alert_timestamp DESC, m.id DESC LIMIT %(limit)s) AS ids,
       (SELECT count(*) FROM near) AS looked_at, (SELECT min(m.alert_timestamp) FROM near m) AS reached

-- name: after
-- The same of the alerts just after one.
WITH near AS MATERIALIZED (
    SELECT n.id, n.alert_timestamp, n.entities, n.subject
    FROM sentinel.alerts n
    WHERE (%(pipeline_id)s::bigint IS NULL OR n.pipeline_id = %(pipeline_id)s)
      AND (%(detector_id)s::bigint IS NULL OR (n.detector_id = %(detector_id)s AND n.detector_id IS NOT NULL))
      AND (n.alert_timestamp, n.id) > (%(timestamp)s::timestamptz, %(id)s::bigint)
    ORDER BY n.alert_timestamp, n.id LIMIT %(window)s
)
SELECT ARRAY(SELECT m.id FROM near m
             WHERE CASE WHEN %(detector_id)s::bigint IS NULL THEN m.entities @> ANY(%(entities)s::text[]::jsonb[])
                        ELSE m.subject = %(subject)s END
             ORDER BY m.alert_timestamp, m.id LIMIT %(limit)s) AS ids,
       (SELECT count(*) FROM near) AS looked_at, (SELECT max(m.alert_timestamp) FROM near m) AS reached

-- name: about
-- What an alert is about: its entities, each as an object of its own, or its detector.
SELECT a.detector_id,
       ARRAY(SELECT jsonb_build_object(e.key, e.value)::text FROM jsonb_each(a.entities) e
             WHERE e.value <> 'null' ORDER BY e.key) AS entities
FROM sentinel.alerts a WHERE a.id = %(id)s

-- name: scores
-- The counts behind the scores that an alert's entities have now.
SELECT s.field, s.value, s.critical_count, s.warning_count, s.info_count
FROM sentinel.alerts a
CROSS JOIN LATERAL jsonb_each_text(a.entities) e
JOIN sentinel.entity_scores s ON s.pipeline_id = a.pipeline_id AND s.field = e.key AND s.value = e.value
WHERE a.id = %(id)s AND s.updated_at > now() - make_interval(secs => %(score_ttl_seconds)s)
ORDER BY s.field
