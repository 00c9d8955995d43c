-- name: unobserved
-- Commits that are in the lake and not counted yet, oldest first.
SELECT seq, generation_id, ranges FROM sentinel.archive_commits
WHERE pipeline_id = %(pipeline_id)s AND NOT is_observed AND state = 'committed'
ORDER BY seq LIMIT 100

-- name: counted
-- What was counted before, of these rule versions and hours.
SELECT rule_version_id, (extract(epoch FROM hour) / 3600)::bigint AS hour, evaluated_count, unknown_count, missing
FROM sentinel.rule_outcomes
WHERE rule_version_id = ANY (%(rule_version_ids)s::bigint[])
  AND hour BETWEEN to_timestamp(%(first)s * 3600) AND to_timestamp(%(last)s * 3600)

-- name: keep
-- The count of a rule version and hour.
INSERT INTO sentinel.rule_outcomes
    (rule_version_id, tenant_id, rule_id, hour, evaluated_count, unknown_count, missing)
VALUES (%(rule_version_id)s, %(tenant_id)s, %(rule_id)s, to_timestamp(%(hour)s * 3600), %(evaluated)s, %(unknown)s,
        %(missing)s)
ON CONFLICT (rule_version_id, hour) DO UPDATE
SET evaluated_count = excluded.evaluated_count, unknown_count = excluded.unknown_count, missing = excluded.missing

-- name: mark_observed
-- These commits are counted.
UPDATE sentinel.archive_commits SET is_observed = true
WHERE pipeline_id = %(pipeline_id)s AND seq = ANY (%(seqs)s::bigint[]) AND NOT is_observed

-- name: of_rule
-- The outcomes of a rule by hour, newest first.
SELECT hour, sum(evaluated) AS evaluated, sum(unknown) AS unknown, sum(alerts) AS alerts, sum(suppressed) AS suppressed,
       COALESCE(jsonb_agg(missing) FILTER (WHERE missing <> '{}'), '[]') AS missing
FROM (
    SELECT hour, evaluated_count AS evaluated, unknown_count AS unknown, 0 AS alerts, 0 AS suppressed, missing
    FROM sentinel.rule_outcomes WHERE rule_id = %(rule_id)s AND hour > %(since)s
    UNION ALL
    SELECT hour, 0, 0, alert_count, suppressed_count, '{}'
    FROM sentinel.rule_hours WHERE pipeline_id = %(pipeline_id)s AND rule_id = %(rule_id)s AND hour > %(since)s
) counted
GROUP BY hour ORDER BY hour DESC

-- name: measured
-- Which of these rule versions have a cost.
SELECT rule_version_id FROM sentinel.rule_costs WHERE rule_version_id = ANY (%(rule_version_ids)s::bigint[])

-- name: keep_cost
-- What a rule version costs.
INSERT INTO sentinel.rule_costs (rule_version_id, tenant_id, rule_id, microseconds, sampled_events)
VALUES (%(rule_version_id)s, %(tenant_id)s, %(rule_id)s, %(microseconds)s, %(sampled_events)s)
ON CONFLICT (rule_version_id) DO UPDATE
SET microseconds = excluded.microseconds, sampled_events = excluded.sampled_events, measured_at = now()

-- name: cost_of_rule
-- What the current version of a rule costs.
SELECT c.rule_version_id, c.microseconds, c.sampled_events, c.measured_at
FROM sentinel.rule_costs c
JOIN sentinel.rule_versions v ON v.id = c.rule_version_id
JOIN sentinel.rules r ON r.id = v.rule_id AND r.current_version = v.version
WHERE r.id = %(rule_id)s
