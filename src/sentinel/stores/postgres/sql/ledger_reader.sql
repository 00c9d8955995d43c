-- name: generations
-- Generations of a pipeline with their borders, newest first.
SELECT g.id, g.mode, g.schema_version, g.rule_set_version, g.source_epoch, g.reason, g.state, g.error, g.started_at,
       g.activated_at, g.retired_at,
       COALESCE((SELECT jsonb_agg(jsonb_build_array(b.partition, b.start_offset, b.end_offset) ORDER BY b.partition)
                 FROM sentinel.borders b WHERE b.generation_id = g.id), '[]') AS borders
FROM sentinel.generations g
WHERE g.pipeline_id = %(pipeline_id)s AND (%(before)s::bigint IS NULL OR g.id < %(before)s)
ORDER BY g.id DESC LIMIT %(limit)s

-- name: progress
-- What is decided, per partition.
SELECT partition, first_offset, next_offset, updated_at FROM sentinel.progress
WHERE pipeline_id = %(pipeline_id)s ORDER BY partition

-- name: job
-- Who runs the pipeline, or ran it last.
SELECT holder, expires_at > now() AS is_running, heartbeat_at, expires_at, details FROM sentinel.leases
WHERE pipeline_id = %(pipeline_id)s

-- name: progress_of_all
-- How far every pipeline is: what is decided, how fast in the last five whole minutes, and who runs it.
SELECT p.id AS pipeline_id, coalesce(decided.records, 0)::bigint AS decided_records,
       coalesce(recent.records, 0)::float8 / 300 AS per_second,
       l.holder, l.expires_at > now() AS is_running, l.heartbeat_at, l.expires_at, l.details
FROM sentinel.pipelines p
LEFT JOIN sentinel.leases l ON l.pipeline_id = p.id
LEFT JOIN LATERAL (
    SELECT sum(next_offset - first_offset) AS records FROM sentinel.progress WHERE pipeline_id = p.id
) decided ON true
LEFT JOIN LATERAL (
    SELECT sum(decided_count) AS records FROM sentinel.detection_minutes
    WHERE pipeline_id = p.id AND minute >= date_trunc('minute', now()) - interval '5 minutes'
      AND minute < date_trunc('minute', now())
) recent ON true
ORDER BY p.id DESC

-- name: dead_letter_at
-- Whether the record at a place is a dead letter, and why.
SELECT cause FROM sentinel.dead_letters
WHERE pipeline_id = %(pipeline_id)s AND source_epoch = %(source_epoch)s AND kafka_partition = %(partition)s
  AND kafka_offset = %(offset)s
