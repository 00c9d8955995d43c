-- name: add
-- Take a rule version out. One that is out already stays as it is.
INSERT INTO sentinel.rule_quarantines
    (tenant_id, pipeline_id, rule_id, rule_version_id, generation_id, cause, source_epoch, kafka_partition, kafka_offset)
VALUES (%(tenant_id)s, %(pipeline_id)s, %(rule_id)s, %(rule_version_id)s, %(generation_id)s, %(cause)s, %(source_epoch)s,
        %(kafka_partition)s, %(kafka_offset)s)
ON CONFLICT (rule_version_id) WHERE released_at IS NULL DO NOTHING

-- name: list
-- The quarantines of a pipeline, or of one of its rules, newest first.
SELECT q.id, q.pipeline_id, q.rule_id, q.rule_version_id, v.version AS rule_version, q.generation_id, q.cause,
       q.source_epoch, q.kafka_partition, q.kafka_offset, q.quarantined_at, q.released_at, q.released_by, q.comment
FROM sentinel.rule_quarantines q
JOIN sentinel.rule_versions v ON v.id = q.rule_version_id
WHERE q.pipeline_id = %(pipeline_id)s AND (%(rule_id)s::bigint IS NULL OR q.rule_id = %(rule_id)s)
ORDER BY q.id DESC

-- name: release
-- Let the versions of a rule run again.
UPDATE sentinel.rule_quarantines SET released_at = now(), released_by = %(released_by)s, comment = %(comment)s
WHERE rule_id = %(rule_id)s AND released_at IS NULL
