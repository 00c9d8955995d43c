-- name: get
-- One rule with its current version, and the candidate beside it.
SELECT r.id, r.pipeline_id, r.name, r.state, r.version, r.created_at, r.updated_at, r.candidate_state, r.rollout,
       v.id AS rule_version_id, v.version AS content_version, v.rule_expression, v.severity, v.description, v.short_form,
       v.actions, to_jsonb(c) AS candidate
FROM sentinel.rules r
JOIN sentinel.rule_versions v ON v.rule_id = r.id AND v.version = r.current_version
LEFT JOIN sentinel.rule_versions c ON c.rule_id = r.id AND c.version = r.candidate_version
WHERE r.id = %(rule_id)s

-- name: list
-- The rules of a pipeline, or of all pipelines, oldest first.
SELECT r.id, r.pipeline_id, r.name, r.state, r.version, r.created_at, r.updated_at, r.candidate_state, r.rollout,
       v.id AS rule_version_id, v.version AS content_version, v.rule_expression, v.severity, v.description, v.short_form,
       v.actions, to_jsonb(c) AS candidate
FROM sentinel.rules r
JOIN sentinel.rule_versions v ON v.rule_id = r.id AND v.version = r.current_version
LEFT JOIN sentinel.rule_versions c ON c.rule_id = r.id AND c.version = r.candidate_version
WHERE (%(pipeline_id)s::bigint IS NULL OR r.pipeline_id = %(pipeline_id)s)
  AND (%(archived)s OR r.state <> 'archived')
ORDER BY r.id

-- name: history
-- All versions of a rule, oldest first.
SELECT v.rule_id AS id, v.id AS rule_version_id, v.version AS content_version, v.rule_expression, v.severity,
       v.description, v.short_form, v.actions, v.content_hash, v.comment, v.created_by, v.created_at AS version_created_at
FROM sentinel.rule_versions v
WHERE v.rule_id = %(rule_id)s
ORDER BY v.version

-- name: add
-- A new rule, whose version 1 follows.
INSERT INTO sentinel.rules (tenant_id, pipeline_id, name, state, is_active)
VALUES (sentinel.current_tenant(), %(pipeline_id)s, %(name)s, %(state)s, %(state)s IN ('rollout', 'active'))
RETURNING id

-- name: name_by_id
-- A name that nobody gave: by the rule's number, with another number behind it where somebody took that.
UPDATE sentinel.rules r
SET name = (SELECT free FROM (SELECT 'rule_' || r.id AS free UNION ALL SELECT format('rule_%%s_%%s', r.id, n)
                              FROM generate_series(2, 1000) n) names
            WHERE NOT EXISTS (SELECT 1 FROM sentinel.rules o
                              WHERE o.pipeline_id = r.pipeline_id AND o.name = free AND o.state <> 'archived')
            ORDER BY length(free), free LIMIT 1)
WHERE r.id = %(rule_id)s

-- name: add_version
-- Write the next immutable version of a rule.
INSERT INTO sentinel.rule_versions
    (tenant_id, rule_id, version, rule_expression, severity, description, short_form, actions, content_hash, created_by,
     comment)
SELECT sentinel.current_tenant(), %(rule_id)s, COALESCE(max(version), 0) + 1, %(rule_expression)s, %(severity)s,
       %(description)s, %(short_form)s, %(actions)s, %(content_hash)s, %(created_by)s, %(comment)s
FROM sentinel.rule_versions WHERE rule_id = %(rule_id)s
RETURNING version

-- name: set_current
-- Make a version the current one.
UPDATE sentinel.rules SET current_version = %(content_version)s, version = version + 1, updated_at = now()
WHERE id = %(rule_id)s

-- name: set_name
-- Give a rule another name.
UPDATE sentinel.rules SET name = %(name)s, version = version + 1, updated_at = now() WHERE id = %(rule_id)s

-- name: set_state
-- Move rules to a state, with the plan of a rollout where there is one.
UPDATE sentinel.rules
SET state = %(state)s, is_active = %(state)s IN ('rollout', 'active'), rollout = %(rollout)s,
    -- What is tried beside a rule is tried only while the rule stays what it is.
    candidate_state = CASE WHEN candidate_version IS NOT NULL THEN 'draft' END,
    version = version + 1, updated_at = now()
WHERE id = ANY (%(rule_ids)s)

-- name: set_candidate
-- Put a version beside the current one, or take it away (NULL).
UPDATE sentinel.rules
SET candidate_version = %(content_version)s, candidate_state = %(state)s, rollout = %(rollout)s,
    version = version + 1, updated_at = now()
WHERE id = %(rule_id)s

-- name: add_rule_set
-- The next rule set.
INSERT INTO sentinel.rule_sets (tenant_id, pipeline_id, version, rule_version_ids, members)
VALUES (sentinel.current_tenant(), %(pipeline_id)s, %(version)s, %(rule_version_ids)s, %(members)s)

-- name: rule_set
-- What a rule set holds.
SELECT rule_version_ids, members FROM sentinel.rule_sets WHERE pipeline_id = %(pipeline_id)s AND version = %(version)s

-- name: arm_counts
-- Alerts of a rule under the generations in which a version was on trial beside the control, per share and version.
WITH trials AS (
    SELECT g.id, g.activated_at, (arms.value ->> 'share')::integer AS share
    FROM sentinel.generations g
    JOIN sentinel.rule_sets rs ON rs.pipeline_id = g.pipeline_id AND rs.version = g.rule_set_version
    CROSS JOIN jsonb_array_elements(rs.members -> 'arms') AS arms (value)
    WHERE g.pipeline_id = %(pipeline_id)s AND g.state IN ('active', 'retired')
      AND (arms.value ->> 'candidate')::bigint = %(rule_version_id)s
)
SELECT t.share, a.rule_version_id = %(rule_version_id)s AS is_candidate, v.version, a.rule_version_id,
       count(*) AS match_count, count(DISTINCT a.entities ->> %(entity)s) AS entity_count
FROM sentinel.alerts a
JOIN trials t ON t.id = a.generation_id
JOIN sentinel.rule_versions v ON v.id = a.rule_version_id
WHERE a.rule_id = %(rule_id)s AND a.alert_timestamp >= (SELECT min(activated_at) FROM trials)
GROUP BY t.share, a.rule_version_id, v.version
ORDER BY t.share, is_candidate
