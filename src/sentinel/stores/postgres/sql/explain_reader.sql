-- name: rule_version
-- One version of a rule of a pipeline, or its current one.
SELECT r.id AS rule_id, v.id AS rule_version_id, v.version, v.rule_expression, v.short_form
FROM sentinel.rules r
JOIN sentinel.rule_versions v ON v.rule_id = r.id AND v.version = COALESCE(%(version)s, r.current_version)
WHERE r.id = %(rule_id)s AND r.pipeline_id = %(pipeline_id)s

-- name: rule_exists
-- The newest version of a rule of a pipeline.
SELECT r.current_version FROM sentinel.rules r WHERE r.id = %(rule_id)s AND r.pipeline_id = %(pipeline_id)s

-- name: version_in_force
-- The version of a rule that a rule set holds.
SELECT v.version
FROM sentinel.rule_sets s JOIN sentinel.rule_versions v ON v.id = ANY (s.rule_version_ids)
WHERE s.pipeline_id = %(pipeline_id)s AND s.version = %(rule_set_version)s AND v.rule_id = %(rule_id)s

-- name: alerted_event
-- An event that some rule matched.
SELECT generation_id, kafka_partition, kafka_offset, kafka_timestamp, transaction_data::text AS raw
FROM sentinel.alerts WHERE pipeline_id = %(pipeline_id)s AND event_id = %(event_id)s ORDER BY id LIMIT 1

-- name: alert
-- The alert of a rule about an event.
SELECT id FROM sentinel.alerts
WHERE pipeline_id = %(pipeline_id)s AND event_id = %(event_id)s AND rule_id = %(rule_id)s

-- name: dead_letter
-- The dead letter of a record, of the newest source epoch that has one.
SELECT generation_id, kafka_timestamp, raw, raw_size_bytes
FROM sentinel.dead_letters
WHERE pipeline_id = %(pipeline_id)s AND kafka_partition = %(partition)s AND kafka_offset = %(offset)s
ORDER BY source_epoch DESC LIMIT 1

-- name: generation_at
-- The generation that decided an offset of the current source epoch.
SELECT g.id
FROM sentinel.pipelines p
JOIN sentinel.progress d ON d.pipeline_id = p.id AND d.partition = %(partition)s AND d.next_offset > %(offset)s
JOIN sentinel.generations g ON g.pipeline_id = p.id AND g.source_epoch = p.source_epoch
JOIN sentinel.borders b ON b.generation_id = g.id
WHERE p.id = %(pipeline_id)s AND b.partition = %(partition)s AND b.start_offset <= %(offset)s
  AND (b.end_offset IS NULL OR b.end_offset > %(offset)s)
ORDER BY g.id DESC LIMIT 1

-- name: schemas
-- Every schema version, oldest first.
SELECT version, fields FROM sentinel.schema_versions WHERE pipeline_id = %(pipeline_id)s ORDER BY version
