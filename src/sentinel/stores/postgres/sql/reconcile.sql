-- name: generations
-- The generations whose findings count or counted.
SELECT id, schema_version, rule_set_version, source_epoch FROM sentinel.generations
WHERE pipeline_id = %(pipeline_id)s AND state IN ('active', 'retired') ORDER BY id;

-- name: dead_letters
-- The places of the dead letters of a source epoch.
SELECT kafka_partition AS partition, kafka_offset AS "offset" FROM sentinel.dead_letters
WHERE pipeline_id = %(pipeline_id)s AND source_epoch = %(source_epoch)s;

-- name: alerts
-- Every alert of a pipeline, as (rule, event) with its place.
SELECT a.rule_id, a.event_id, a.kafka_partition AS partition, a.kafka_offset AS "offset", g.source_epoch
FROM sentinel.alerts a JOIN sentinel.generations g ON g.id = a.generation_id
WHERE a.pipeline_id = %(pipeline_id)s;

-- name: decisions
-- Every decision of a scorecard, with the place of its record.
SELECT d.scorecard_id, d.event_id, d.scorecard_version_id, d.score, d.decision, d.kafka_partition AS partition,
       d.kafka_offset AS "offset", g.source_epoch
FROM sentinel.decisions d JOIN sentinel.generations g ON g.id = d.generation_id
WHERE d.pipeline_id = %(pipeline_id)s;

-- name: suppressed
-- What the storm guard only counted.
SELECT rule_id, (extract(epoch FROM hour) / 3600)::bigint AS hour, match_count FROM sentinel.suppressed_counts
WHERE pipeline_id = %(pipeline_id)s AND cause = 'storm';

-- name: event_severities
-- Severities per event, of events whose score cannot have run out.
SELECT event_id, array_agg(severity) AS severities FROM sentinel.alerts
WHERE pipeline_id = %(pipeline_id)s
GROUP BY event_id HAVING max(alert_timestamp) > now() - make_interval(secs => %(younger_than_seconds)s);

-- name: entities
-- Counts per entity, of entities whose score cannot have run out.
SELECT field, value, critical_count, warning_count, info_count FROM sentinel.entity_scores
WHERE pipeline_id = %(pipeline_id)s AND updated_at > now() - make_interval(secs => %(younger_than_seconds)s);

-- name: newest_alert_id
-- The newest alert whose score cannot have run out; 0 for none.
SELECT coalesce(max(id), 0) AS id FROM sentinel.alerts
WHERE pipeline_id = %(pipeline_id)s AND alert_timestamp > now() - make_interval(secs => %(younger_than_seconds)s);

-- name: alerts_since
-- The events and entities of the alerts after one.
SELECT event_id, entities FROM sentinel.alerts WHERE pipeline_id = %(pipeline_id)s AND id > %(alert_id)s;

-- name: skips
-- What operators decided to go on without, of a source epoch: partition -> [first, end).
SELECT skipped FROM sentinel.source_decisions
WHERE pipeline_id = %(pipeline_id)s AND source_epoch = %(source_epoch)s AND NOT recreated;
