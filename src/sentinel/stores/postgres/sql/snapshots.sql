-- name: snapshot
-- Everything a generation of a pipeline is made of, in one statement: one moment.
SELECT p.name, p.kafka_topic, p.status, p.config, p.start_at, p.source_epoch, p.schema_version, p.rule_set_version,
       s.fields,
       rs.rule_version_ids, rs.members, COALESCE((
           SELECT jsonb_agg(jsonb_build_object(
                      'rule_id', v.rule_id, 'rule_version_id', v.id, 'version', v.version,
                      'condition', v.rule_expression, 'severity', v.severity, 'description', v.description)
                  ORDER BY v.rule_id, v.version)
           FROM (SELECT unnest(rs.rule_version_ids)
                 UNION SELECT value::bigint FROM jsonb_array_elements_text(rs.members -> 'shadow')
                 UNION SELECT value::bigint FROM jsonb_each_text(rs.members -> 'references')) AS members (id)
           JOIN sentinel.rule_versions v ON v.id = members.id), '[]') AS versions
FROM sentinel.pipelines p
JOIN sentinel.schema_versions s ON s.pipeline_id = p.id AND s.version = p.schema_version
JOIN sentinel.rule_sets rs ON rs.pipeline_id = p.id AND rs.version = p.rule_set_version
WHERE p.id = %(pipeline_id)s

-- name: rule_set
-- The rules of one version of a rule set.
SELECT rs.rule_version_ids, rs.members, COALESCE((
           SELECT jsonb_agg(jsonb_build_object(
                      'rule_id', v.rule_id, 'rule_version_id', v.id, 'version', v.version,
                      'condition', v.rule_expression, 'severity', v.severity, 'description', v.description)
                  ORDER BY v.rule_id, v.version)
           FROM (SELECT unnest(rs.rule_version_ids)
                 UNION SELECT value::bigint FROM jsonb_array_elements_text(rs.members -> 'shadow')
                 UNION SELECT value::bigint FROM jsonb_each_text(rs.members -> 'references')) AS members (id)
           JOIN sentinel.rule_versions v ON v.id = members.id), '[]') AS versions
FROM sentinel.rule_sets rs
WHERE rs.pipeline_id = %(pipeline_id)s AND rs.version = %(version)s

-- name: schema_fields
-- The fields of one schema version.
SELECT fields FROM sentinel.schema_versions WHERE pipeline_id = %(pipeline_id)s AND version = %(version)s

-- name: runnable_pipelines
-- Pipelines that a job for all of them takes.
SELECT id FROM sentinel.pipelines WHERE status <> 'stopped' ORDER BY id
