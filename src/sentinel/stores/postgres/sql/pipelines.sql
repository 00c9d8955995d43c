-- name: get
-- One pipeline with its number of alerts.
SELECT p.id, p.name, p.kafka_topic, p.status, p.config, p.start_at, p.source_epoch, p.schema_version,
       p.rule_set_version, p.version, p.created_at, p.updated_at,
       (SELECT COALESCE(sum(c.alert_count), 0)::bigint FROM sentinel.alert_counts c WHERE c.pipeline_id = p.id) AS alert_count
FROM sentinel.pipelines p WHERE p.id = %(pipeline_id)s

-- name: list
-- All pipelines, oldest first.
SELECT p.id, p.name, p.kafka_topic, p.status, p.config, p.start_at, p.source_epoch, p.schema_version,
       p.rule_set_version, p.version, p.created_at, p.updated_at,
       (SELECT COALESCE(sum(c.alert_count), 0)::bigint FROM sentinel.alert_counts c WHERE c.pipeline_id = p.id) AS alert_count
FROM sentinel.pipelines p ORDER BY p.id

-- name: lock
-- Keep others from changing a pipeline or its rules until the transaction ends.
SELECT 1 FROM sentinel.pipelines WHERE id = %(pipeline_id)s FOR NO KEY UPDATE

-- name: add
-- A new pipeline; no row comes back when its name is taken.
INSERT INTO sentinel.pipelines (tenant_id, name, kafka_topic, config, start_at, status, schema_version)
VALUES (sentinel.current_tenant(), %(name)s, %(kafka_topic)s, %(config)s, %(start_at)s, %(status)s, 1)
ON CONFLICT (tenant_id, name) DO NOTHING
RETURNING id

-- name: add_empty_rule_set
-- Every pipeline begins with rule set 0, which has no rules.
INSERT INTO sentinel.rule_sets (tenant_id, pipeline_id, version, rule_version_ids)
VALUES (sentinel.current_tenant(), %(pipeline_id)s, 0, ARRAY[]::bigint[])

-- name: set_status
-- Change the status.
UPDATE sentinel.pipelines SET status = %(value)s, version = version + 1, updated_at = now()
WHERE id = %(pipeline_id)s

-- name: set_config
-- Change the settings.
UPDATE sentinel.pipelines SET config = %(value)s, version = version + 1, updated_at = now()
WHERE id = %(pipeline_id)s

-- name: set_schema_version
-- Point to another schema version.
UPDATE sentinel.pipelines SET schema_version = %(value)s, version = version + 1, updated_at = now()
WHERE id = %(pipeline_id)s

-- name: set_rule_set_version
-- Point to another rule set.
UPDATE sentinel.pipelines SET rule_set_version = %(value)s, version = version + 1, updated_at = now()
WHERE id = %(pipeline_id)s

-- name: topic_owner
-- The tenant whose id a topic begins with, else the one whose pipeline was the first on it. Seen by the topic's name alone.
SELECT coalesce(
    (SELECT tenant_id FROM sentinel.tenants
     WHERE strpos(%(topic)s, '.') > 0 AND tenant_id = split_part(%(topic)s, '.', 1)),
    (SELECT tenant_id FROM sentinel.pipelines WHERE kafka_topic = %(topic)s ORDER BY id LIMIT 1)) AS tenant_id
