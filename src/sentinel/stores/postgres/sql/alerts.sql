-- name: place
-- Where an alert stands in the order of the list.
SELECT alert_timestamp, id FROM sentinel.alerts WHERE id = %(id)s

-- name: can_match
-- Whether any alert can fit pipeline, rule and severity together: told by what is counted and configured, so that a
-- combination that never occurs does not make the list read everything in search of it. Anomalies are few: they are
-- looked at themselves.
SELECT (%(severity)s::text IS NULL OR EXISTS (
            SELECT 1 FROM sentinel.alert_counts c
            WHERE c.severity = %(severity)s AND c.alert_count > 0
              AND (%(pipeline_id)s::bigint IS NULL OR c.pipeline_id = %(pipeline_id)s)
              AND %(source)s::text IS DISTINCT FROM 'detector')
        OR (%(pipeline_id)s::bigint IS NULL AND %(source)s::text IS DISTINCT FROM 'rule' AND EXISTS (
            SELECT 1 FROM sentinel.alerts a WHERE a.detector_id IS NOT NULL AND a.severity = %(severity)s)))
   AND (%(rule_id)s::bigint IS NULL OR EXISTS (
            SELECT 1 FROM sentinel.rules r JOIN sentinel.rule_versions v ON v.rule_id = r.id
            WHERE r.id = %(rule_id)s
              AND (%(pipeline_id)s::bigint IS NULL OR r.pipeline_id = %(pipeline_id)s)
              AND (%(severity)s::text IS NULL OR v.severity = %(severity)s))) AS can_match

-- name: page
-- Alerts, newest first. A filter that is NULL folds away when the statement is planned with its values.
SELECT a.id, a.pipeline_id, a.rule_id, a.rule_version_id, a.generation_id, a.event_id, a.severity, a.score,
       COALESCE(r.name, '') AS rule_name, COALESCE(v.description, '') AS rule_description, a.entities::text AS entities_json,
       a.transaction_data::text AS transaction_json, a.evidence::text AS evidence_json, a.kafka_partition, a.kafka_offset,
       a.kafka_timestamp, a.alert_timestamp, a.refill_id,
       s.status, s.assignee, s.disposition, s.acknowledged_by, s.acknowledged_at, s.resolved_by, s.resolved_at, s.version,
       s.updated_at, a.window_start, a.window_end, a.subject, a.version AS revision, a.request_id, a.traceparent,
       (SELECT d.name FROM sentinel.detectors d WHERE d.id = a.detector_id) AS detector,
       -- Most rules read no list, nor refer to one that does, which their text tells.
       CASE WHEN COALESCE(v.list_names, '{}') = '{}' AND COALESCE(v.rule_expression, '') !~* '\mrule\M' THEN '{}'::jsonb ELSE COALESCE((
           SELECT jsonb_object_agg(used.name, s.members -> 'lists' -> used.name)
           FROM sentinel.generations g
           JOIN sentinel.rule_sets s ON s.pipeline_id = g.pipeline_id AND s.version = g.rule_set_version
           CROSS JOIN jsonb_array_elements_text(s.members -> 'reads' -> a.rule_version_id::text) AS used (name)
           WHERE g.id = a.generation_id), '{}') END AS list_versions
FROM sentinel.alerts a
LEFT JOIN sentinel.rule_versions v ON v.id = a.rule_version_id
LEFT JOIN sentinel.rules r ON r.id = a.rule_id
LEFT JOIN sentinel.alert_states s ON s.alert_id = a.id
WHERE (%(ids)s::bigint[] IS NULL OR a.id = ANY(%(ids)s))
  AND (%(pipeline_id)s::bigint IS NULL OR a.pipeline_id = %(pipeline_id)s)
  AND (%(severity)s::text IS NULL OR a.severity = %(severity)s)
  AND (%(rule_id)s::bigint IS NULL OR a.rule_id = %(rule_id)s)
  AND (%(detector_ids)s::bigint[] IS NULL OR (a.detector_id = ANY(%(detector_ids)s) AND a.detector_id IS NOT NULL))
  AND (%(source)s::text IS NULL OR (%(source)s = 'rule' AND a.detector_id IS NULL)
       OR (%(source)s = 'detector' AND a.detector_id IS NOT NULL))
  AND (%(event_id)s::text IS NULL OR a.event_id = %(event_id)s)
  AND (%(since)s::timestamptz IS NULL OR a.alert_timestamp >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR a.alert_timestamp < %(until)s)
  AND (%(before_id)s::bigint IS NULL
       OR (a.alert_timestamp, a.id) < (%(before_timestamp)s::timestamptz, %(before_id)s::bigint))
  AND (%(last_id)s::bigint IS NULL
       OR (a.alert_timestamp, a.id) >= (%(last_timestamp)s::timestamptz, %(last_id)s::bigint))
  AND (%(pattern)s::text IS NULL OR a.transaction_data::text ILIKE %(pattern)s)
  AND (%(status)s::text IS NULL OR s.status = %(status)s OR (%(status)s = 'open' AND s.alert_id IS NULL))
  AND (%(assignee)s::text IS NULL OR s.assignee = %(assignee)s OR (%(assignee)s = '' AND s.assignee IS NULL))
  AND (%(disposition)s::text IS NULL OR s.disposition = %(disposition)s)
  -- Said of the state, where there must be one: its index begins where the page does.
  AND (NOT %(by_state)s OR %(since)s::timestamptz IS NULL OR s.alert_timestamp >= %(since)s)
  AND (NOT %(by_state)s OR %(until)s::timestamptz IS NULL OR s.alert_timestamp < %(until)s)
  AND (NOT %(by_state)s OR %(before_id)s::bigint IS NULL
       OR (s.alert_timestamp, s.alert_id) < (%(before_timestamp)s::timestamptz, %(before_id)s::bigint))
ORDER BY CASE WHEN %(in_order_of_states)s THEN s.alert_timestamp ELSE a.alert_timestamp END DESC,
         CASE WHEN %(in_order_of_states)s THEN s.alert_id ELSE a.id END DESC
LIMIT %(limit)s

-- name: window_end
-- The last alert of the next stretch that a search in the text reads, found in the index alone.
SELECT a.alert_timestamp, a.id
FROM sentinel.alerts a
WHERE (%(pipeline_id)s::bigint IS NULL OR a.pipeline_id = %(pipeline_id)s)
  AND (%(severity)s::text IS NULL OR a.severity = %(severity)s)
  AND (%(rule_id)s::bigint IS NULL OR a.rule_id = %(rule_id)s)
  AND (%(detector_ids)s::bigint[] IS NULL OR (a.detector_id = ANY(%(detector_ids)s) AND a.detector_id IS NOT NULL))
  AND (%(source)s::text IS NULL OR (%(source)s = 'rule' AND a.detector_id IS NULL)
       OR (%(source)s = 'detector' AND a.detector_id IS NOT NULL))
  AND (%(event_id)s::text IS NULL OR a.event_id = %(event_id)s)
  AND (%(since)s::timestamptz IS NULL OR a.alert_timestamp >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR a.alert_timestamp < %(until)s)
  AND (%(before_id)s::bigint IS NULL
       OR (a.alert_timestamp, a.id) < (%(before_timestamp)s::timestamptz, %(before_id)s::bigint))
ORDER BY a.alert_timestamp DESC, a.id DESC
OFFSET %(window)s LIMIT 1

-- name: absent
-- Alerts of a stretch of which nobody did what is asked, newest first: the indexes of alerts and of states are read side by
-- side in the same order, so that no row of either is touched.
SELECT a.id
FROM sentinel.alerts a
WHERE (%(pipeline_id)s::bigint IS NULL OR a.pipeline_id = %(pipeline_id)s)
  AND (%(severity)s::text IS NULL OR a.severity = %(severity)s)
  AND (%(rule_id)s::bigint IS NULL OR a.rule_id = %(rule_id)s)
  AND (%(detector_ids)s::bigint[] IS NULL OR (a.detector_id = ANY(%(detector_ids)s) AND a.detector_id IS NOT NULL))
  AND (%(source)s::text IS NULL OR (%(source)s = 'rule' AND a.detector_id IS NULL)
       OR (%(source)s = 'detector' AND a.detector_id IS NOT NULL))
  AND (%(event_id)s::text IS NULL OR a.event_id = %(event_id)s)
  AND (%(since)s::timestamptz IS NULL OR a.alert_timestamp >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR a.alert_timestamp < %(until)s)
  AND (%(before_id)s::bigint IS NULL
       OR (a.alert_timestamp, a.id) < (%(before_timestamp)s::timestamptz, %(before_id)s::bigint))
  AND (%(last_id)s::bigint IS NULL
       OR (a.alert_timestamp, a.id) >= (%(last_timestamp)s::timestamptz, %(last_id)s::bigint))
  AND NOT EXISTS (
      SELECT FROM sentinel.alert_states s
      WHERE s.alert_timestamp = a.alert_timestamp AND s.alert_id = a.id
        AND ((%(status)s::text = 'open' AND s.status <> 'open') OR (%(assignee)s::text = '' AND s.assignee IS NOT NULL))
        AND (%(since)s::timestamptz IS NULL OR s.alert_timestamp >= %(since)s)
        AND (%(before_id)s::bigint IS NULL
             OR (s.alert_timestamp, s.alert_id) < (%(before_timestamp)s::timestamptz, %(before_id)s::bigint))
        AND (%(last_id)s::bigint IS NULL
             OR (s.alert_timestamp, s.alert_id) >= (%(last_timestamp)s::timestamptz, %(last_id)s::bigint)))
ORDER BY a.alert_timestamp DESC, a.id DESC
LIMIT %(limit)s

-- name: matches_of
-- What matched one event.
SELECT severity, rule_id FROM sentinel.alerts
WHERE pipeline_id = %(pipeline_id)s AND event_id = %(event_id)s ORDER BY rule_id

-- name: detector_ids
-- The detectors that have, or had, a name.
SELECT id FROM sentinel.detectors WHERE name = %(name)s ORDER BY id
