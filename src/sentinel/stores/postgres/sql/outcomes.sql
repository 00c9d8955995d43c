-- name: unobserved
-- Commits that are in the lake and not counted yet, oldest first.
SELECT seq, generation_id, ranges FROM sentinel.archive_commits
WHERE pipeline_id = %(pipeline_id)s AND NOT is_observed AND state = 'committed'
ORDER BY seq LIMIT 100

-- name: counted
-- What was counted before, of these rule versions and hours.
SELECT rule_version_id, (extract(epoch FROM hour) / 3600)::bigint AS hour, is_trial, evaluated_count, unknown_count,
       missing
FROM sentinel.rule_outcomes
WHERE rule_version_id = ANY (%(rule_version_ids)s::bigint[])
  AND hour BETWEEN to_timestamp(%(first)s * 3600) AND to_timestamp(%(last)s * 3600)

-- name: keep
-- The count of a rule version and hour.
INSERT INTO sentinel.rule_outcomes
    (rule_version_id, is_trial, tenant_id, rule_id, hour, evaluated_count, unknown_count, missing)
VALUES (%(rule_version_id)s, %(is_trial)s, %(tenant_id)s, %(rule_id)s, to_timestamp(%(hour)s * 3600), %(evaluated)s,
        %(unknown)s, %(missing)s)
ON CONFLICT (rule_version_id, hour, is_trial) DO UPDATE
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
    FROM sentinel.rule_outcomes WHERE rule_id = %(rule_id)s AND hour > %(since)s AND NOT is_trial
    UNION ALL
    SELECT hour, 0, 0, alert_count, 0, '{}'
    FROM sentinel.rule_hours WHERE pipeline_id = %(pipeline_id)s AND rule_id = %(rule_id)s AND hour > %(since)s
    UNION ALL
    SELECT hour, 0, 0, 0, match_count, '{}'
    FROM sentinel.suppressed_counts WHERE pipeline_id = %(pipeline_id)s AND rule_id = %(rule_id)s AND hour > %(since)s
) counted
GROUP BY hour ORDER BY hour DESC

-- name: of_pipeline
-- What was counted of each rule of a pipeline, what its current version costs, and its newest alert, which an index has.
WITH shown AS (
    SELECT id, current_version FROM sentinel.rules WHERE pipeline_id = %(pipeline_id)s AND state <> 'archived'
), counted AS (
    SELECT rule_id, sum(evaluated) AS evaluated, sum(unknown) AS unknown, sum(alerts) AS alerts,
           sum(suppressed) AS suppressed
    FROM (
        SELECT rule_id, evaluated_count AS evaluated, unknown_count AS unknown, 0 AS alerts, 0 AS suppressed
        FROM sentinel.rule_outcomes
        WHERE rule_id IN (SELECT id FROM shown) AND hour > %(since)s AND NOT is_trial
        UNION ALL
        SELECT rule_id, 0, 0, alert_count, 0
        FROM sentinel.rule_hours WHERE pipeline_id = %(pipeline_id)s AND hour > %(since)s
        UNION ALL
        SELECT rule_id, 0, 0, 0, match_count
        FROM sentinel.suppressed_counts WHERE pipeline_id = %(pipeline_id)s AND hour > %(since)s
    ) each_hour
    GROUP BY rule_id
)
SELECT s.id AS rule_id, COALESCE(n.evaluated, 0)::bigint AS evaluated, COALESCE(n.unknown, 0)::bigint AS unknown,
       COALESCE(n.alerts, 0)::bigint AS alerts, COALESCE(n.suppressed, 0)::bigint AS suppressed, c.microseconds,
       newest.alert_timestamp AS last_alert_at
FROM shown s
JOIN sentinel.rule_versions v ON v.rule_id = s.id AND v.version = s.current_version
LEFT JOIN counted n ON n.rule_id = s.id
LEFT JOIN sentinel.rule_costs c ON c.rule_version_id = v.id
LEFT JOIN LATERAL (
    SELECT a.alert_timestamp FROM sentinel.alerts a
    WHERE a.tenant_id = sentinel.current_tenant() AND a.rule_id = s.id
    ORDER BY a.alert_timestamp DESC, a.id DESC LIMIT 1
) newest ON true
ORDER BY s.id

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

-- name: add_trial_count
-- Matches of a version on trial and of the one in force, in an hour.
INSERT INTO sentinel.trial_counts AS t
    (rule_version_id, control_version_id, tenant_id, rule_id, hour, both_count, only_trial_count, only_control_count)
VALUES (%(rule_version_id)s, %(control_version_id)s, %(tenant_id)s, %(rule_id)s, to_timestamp(%(hour)s * 3600), %(both)s,
        %(only_trial)s, %(only_control)s)
ON CONFLICT (rule_version_id, control_version_id, hour) DO UPDATE
SET both_count = t.both_count + excluded.both_count, only_trial_count = t.only_trial_count + excluded.only_trial_count,
    only_control_count = t.only_control_count + excluded.only_control_count

-- name: add_trial_sample
-- An event about which they disagree, while there is room for it.
INSERT INTO sentinel.trial_samples
    (rule_version_id, kind, event_id, tenant_id, rule_id, kafka_partition, kafka_offset, kafka_timestamp)
SELECT %(rule_version_id)s, %(kind)s, %(event_id)s, %(tenant_id)s, %(rule_id)s, %(kafka_partition)s, %(kafka_offset)s,
       %(kafka_timestamp)s
WHERE (SELECT count(*) FROM sentinel.trial_samples
       WHERE rule_version_id = %(rule_version_id)s AND kind = %(kind)s) < %(most)s
ON CONFLICT DO NOTHING

-- name: trials_of_rule
-- The trials of a rule's versions by hour, newest first. Every hour in which a version was on trial has its outcomes.
SELECT o.hour, o.rule_version_id, v.version, c.version AS control_version, o.evaluated_count AS evaluated,
       o.unknown_count AS unknown, COALESCE(t.both_count, 0) AS both, COALESCE(t.only_trial_count, 0) AS only_trial,
       COALESCE(t.only_control_count, 0) AS only_control
FROM sentinel.rule_outcomes o
JOIN sentinel.rule_versions v ON v.id = o.rule_version_id
LEFT JOIN sentinel.trial_counts t ON t.rule_version_id = o.rule_version_id AND t.hour = o.hour
LEFT JOIN sentinel.rule_versions c ON c.id = t.control_version_id
WHERE o.rule_id = %(rule_id)s AND o.hour > %(since)s AND o.is_trial
ORDER BY o.hour DESC, o.rule_version_id DESC, c.version

-- name: samples_of_rule
-- Events about which versions on trial and in force disagree.
SELECT rule_version_id, kind, event_id, kafka_partition, kafka_offset, kafka_timestamp
FROM sentinel.trial_samples WHERE rule_id = %(rule_id)s ORDER BY rule_version_id DESC, kind, kafka_timestamp, event_id

-- name: trial_totals
-- What a version on trial has shown beside the one in force, over the hours in which both were evaluated.
SELECT COALESCE(sum(o.evaluated_count), 0)::bigint AS evaluated, COALESCE(sum(o.unknown_count), 0)::bigint AS unknown,
       COALESCE(sum(c.unknown_count * o.evaluated_count / GREATEST(c.evaluated_count, 1)), 0)::bigint AS control_unknown,
       COALESCE(sum(t.both_count), 0)::bigint AS both, COALESCE(sum(t.only_trial_count), 0)::bigint AS only_trial,
       COALESCE(sum(t.only_control_count), 0)::bigint AS only_control
FROM sentinel.rule_outcomes o
JOIN sentinel.rule_outcomes c ON c.rule_version_id = %(control_id)s AND c.hour = o.hour AND NOT c.is_trial
LEFT JOIN sentinel.trial_counts t
  ON t.rule_version_id = o.rule_version_id AND t.control_version_id = %(control_id)s AND t.hour = o.hour
WHERE o.rule_version_id = %(candidate_id)s AND o.is_trial
