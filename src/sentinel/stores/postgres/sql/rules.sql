-- name: get
-- One rule with its current version.
SELECT r.id, r.pipeline_id, r.is_active, r.version, r.created_at, r.updated_at,
       v.id AS rule_version_id, v.version AS content_version, v.rule_expression, v.severity, v.description, v.short_form,
       v.actions, v.list_names
FROM sentinel.rules r
JOIN sentinel.rule_versions v ON v.rule_id = r.id AND v.version = r.current_version
WHERE r.id = %(rule_id)s

-- name: list
-- The rules of a pipeline, or of all pipelines, oldest first.
SELECT r.id, r.pipeline_id, r.is_active, r.version, r.created_at, r.updated_at,
       v.id AS rule_version_id, v.version AS content_version, v.rule_expression, v.severity, v.description, v.short_form,
       v.actions, v.list_names
FROM sentinel.rules r
JOIN sentinel.rule_versions v ON v.rule_id = r.id AND v.version = r.current_version
WHERE %(pipeline_id)s::bigint IS NULL OR r.pipeline_id = %(pipeline_id)s
ORDER BY r.id

-- name: history
-- All versions of a rule, oldest first.
SELECT v.rule_id AS id, v.id AS rule_version_id, v.version AS content_version, v.rule_expression, v.severity,
       v.description, v.short_form, v.actions, v.list_names, v.content_hash, v.comment, v.created_by, v.created_at AS version_created_at
FROM sentinel.rule_versions v
WHERE v.rule_id = %(rule_id)s
ORDER BY v.version

-- name: add
-- A new rule, whose version 1 follows.
INSERT INTO sentinel.rules (tenant_id, pipeline_id, is_active)
VALUES (sentinel.current_tenant(), %(pipeline_id)s, %(is_active)s)
RETURNING id

-- name: add_version
-- Write the next immutable version of a rule.
INSERT INTO sentinel.rule_versions
    (tenant_id, rule_id, version, rule_expression, severity, description, short_form, actions, content_hash, created_by,
     comment, list_names)
SELECT sentinel.current_tenant(), %(rule_id)s, COALESCE(max(version), 0) + 1, %(rule_expression)s, %(severity)s,
       %(description)s, %(short_form)s, %(actions)s, %(content_hash)s, %(created_by)s, %(comment)s,
       %(list_names)s
FROM sentinel.rule_versions WHERE rule_id = %(rule_id)s

-- name: point_to_newest
-- Make the newest version the current one.
UPDATE sentinel.rules r
SET current_version = (SELECT max(v.version) FROM sentinel.rule_versions v WHERE v.rule_id = r.id),
    version = version + 1, updated_at = now()
WHERE id = %(rule_id)s

-- name: set_active
-- Switch rules on or off.
UPDATE sentinel.rules SET is_active = %(is_active)s, version = version + 1, updated_at = now()
WHERE id = ANY (%(rule_ids)s) AND is_active <> %(is_active)s

-- name: add_rule_set
-- The next rule set: the current versions of the active rules.
INSERT INTO sentinel.rule_sets (tenant_id, pipeline_id, version, rule_version_ids)
SELECT sentinel.current_tenant(), %(pipeline_id)s, %(version)s, COALESCE(array_agg(v.id ORDER BY r.id), '{}')
FROM sentinel.rules r
JOIN sentinel.rule_versions v ON v.rule_id = r.id AND v.version = r.current_version
WHERE r.pipeline_id = %(pipeline_id)s AND r.is_active
