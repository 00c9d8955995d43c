-- name: waiting_tenants
-- Tenants for which something is to be decided: by skipping from one to the next in the index of the outbox, and by what
-- is due.
WITH RECURSIVE waiting AS (
    (SELECT tenant_id FROM sentinel.alert_outbox ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT o.tenant_id FROM sentinel.alert_outbox o WHERE o.tenant_id > w.tenant_id ORDER BY o.tenant_id LIMIT 1)
    FROM waiting w WHERE w.tenant_id IS NOT NULL
), flushing AS (
    (SELECT tenant_id FROM sentinel.notification_groups WHERE flush_at IS NOT NULL ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT g.tenant_id FROM sentinel.notification_groups g
            WHERE g.tenant_id > w.tenant_id AND g.flush_at IS NOT NULL ORDER BY g.tenant_id LIMIT 1)
    FROM flushing w WHERE w.tenant_id IS NOT NULL
), repeating AS (
    (SELECT tenant_id FROM sentinel.notification_groups WHERE repeat_at IS NOT NULL ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT g.tenant_id FROM sentinel.notification_groups g
            WHERE g.tenant_id > w.tenant_id AND g.repeat_at IS NOT NULL ORDER BY g.tenant_id LIMIT 1)
    FROM repeating w WHERE w.tenant_id IS NOT NULL
), escalating AS (
    (SELECT tenant_id FROM sentinel.escalation_runs WHERE state = 'active' ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT e.tenant_id FROM sentinel.escalation_runs e
            WHERE e.tenant_id > w.tenant_id AND e.state = 'active' ORDER BY e.tenant_id LIMIT 1)
    FROM escalating w WHERE w.tenant_id IS NOT NULL
)
SELECT tenant_id FROM waiting WHERE tenant_id IS NOT NULL
UNION SELECT tenant_id FROM flushing w
WHERE (SELECT g.flush_at FROM sentinel.notification_groups g
       WHERE g.tenant_id = w.tenant_id AND g.flush_at IS NOT NULL ORDER BY g.flush_at LIMIT 1) <= %(at)s
UNION SELECT tenant_id FROM repeating w
WHERE (SELECT g.repeat_at FROM sentinel.notification_groups g
       WHERE g.tenant_id = w.tenant_id AND g.repeat_at IS NOT NULL ORDER BY g.repeat_at LIMIT 1) <= %(at)s
UNION SELECT tenant_id FROM escalating w
WHERE (SELECT e.next_at FROM sentinel.escalation_runs e
       WHERE e.tenant_id = w.tenant_id AND e.state = 'active' ORDER BY e.next_at LIMIT 1) <= %(at)s
UNION SELECT tenant_id FROM sentinel.notification_summaries WHERE next_at <= %(at)s
ORDER BY 1

-- name: tenants
-- Every tenant.
SELECT tenant_id FROM sentinel.tenants ORDER BY tenant_id

-- name: lock
-- Whether nobody else decides for the tenant; until the end of the transaction nobody else will.
SELECT pg_try_advisory_xact_lock(hashtextextended('sentinel.router:' || %(tenant_id)s, 0)) AS locked

-- name: claim
-- The oldest entries, taken out.
DELETE FROM sentinel.alert_outbox
WHERE id IN (SELECT id FROM sentinel.alert_outbox WHERE tenant_id = %(tenant_id)s ORDER BY id LIMIT %(limit)s)
RETURNING id, alert_id, event

-- name: alerts
-- Alerts with what routes look at and channels tell. Events beyond some length are told as text that is cut.
SELECT a.id, COALESCE(a.rule_id, a.detector_id) AS rule_id, a.severity, a.alert_timestamp, a.event_id, a.score, a.refill_id,
       COALESCE((SELECT jsonb_object_agg(e.key, CASE WHEN length(e.value) <= %(entity_characters)s THEN e.value
                     ELSE left(e.value, %(entity_characters)s - 70) || '... '
                          || encode(sha256(convert_to(e.value, 'UTF8')), 'hex') END)
                 FROM jsonb_each_text(a.entities) e), '{}') AS entities,
       CASE WHEN length(a.evidence::text) <= %(evidence_characters)s THEN a.evidence ELSE '[]' END AS evidence,
       COALESCE(r.name, d.name, '') AS rule, COALESCE(p.name, '') AS pipeline,
       COALESCE(v.description, d.description, '') AS description, COALESCE(v.actions, '[]') AS actions,
       CASE WHEN a.detector_id IS NULL THEN 'rule' ELSE 'detector' END AS source, COALESCE(a.subject, '') AS subject,
       CASE WHEN a.detector_id IS NOT NULL THEN COALESCE(a.transaction_data ->> 'level', '') ELSE '' END AS level,
       CASE WHEN a.version > 1 THEN COALESCE((SELECT m.level FROM sentinel.alert_amendments m WHERE m.alert_id = a.id
                                              ORDER BY m.version DESC LIMIT 1), '') ELSE '' END AS former_level,
       left(a.transaction_data::text, %(event_characters)s + 1) AS event_text,
       COALESCE(a.request_id, '') AS request_id, COALESCE(a.traceparent, '') AS traceparent
FROM sentinel.alerts a
LEFT JOIN sentinel.rule_versions v ON v.id = a.rule_version_id
LEFT JOIN sentinel.rules r ON r.id = a.rule_id
LEFT JOIN sentinel.pipelines p ON p.id = a.pipeline_id
LEFT JOIN sentinel.detectors d ON d.id = a.detector_id
WHERE a.id = ANY(%(ids)s)

-- name: policy_version
-- The version of the policy in force.
SELECT version FROM sentinel.notification_policies WHERE tenant_id = %(tenant_id)s ORDER BY version DESC LIMIT 1

-- name: policies
-- The newest versions of the policy, newest first.
SELECT version, document, comment, created_by, created_at FROM sentinel.notification_policies
WHERE tenant_id = %(tenant_id)s ORDER BY version DESC LIMIT 20

-- name: channels
-- Every channel.
SELECT id, name, kind, status, disabled_reason, options
FROM sentinel.notification_channels WHERE tenant_id = %(tenant_id)s

-- name: silences
-- Silences in force.
SELECT id, matchers, ends_at, comment, created_by FROM sentinel.silences
WHERE tenant_id = %(tenant_id)s AND ended_at IS NULL AND starts_at <= %(at)s AND ends_at > %(at)s
ORDER BY id

-- name: fire
-- Count alerts by fingerprint. An alert that was counted before (it was amended) is not counted again.
INSERT INTO sentinel.alert_fingerprints AS f
    (tenant_id, fingerprint, labels, fire_count, first_alert_id, last_alert_id, first_fired_at, last_fired_at)
SELECT %(tenant_id)s, n.fingerprint, n.labels, n.fire_count, n.first_alert_id, n.last_alert_id, %(at)s, %(at)s
FROM jsonb_to_recordset(%(fired)s::jsonb)
    AS j (fingerprint text, labels jsonb, fire_count bigint, first_alert_id bigint, last_alert_id bigint),
    LATERAL (SELECT decode(j.fingerprint, 'hex') AS fingerprint, j.labels, j.fire_count, j.first_alert_id, j.last_alert_id) n
ORDER BY n.fingerprint
ON CONFLICT (tenant_id, fingerprint) DO UPDATE
SET fire_count = f.fire_count + CASE WHEN excluded.last_alert_id > f.last_alert_id THEN excluded.fire_count ELSE 0 END,
    labels = excluded.labels,
    last_alert_id = greatest(f.last_alert_id, excluded.last_alert_id),
    last_fired_at = excluded.last_fired_at,
    resolved_at = NULL
RETURNING f.fingerprint, f.fire_count, f.first_alert_id, f.told_to

-- name: told
-- Alerts of these fingerprints went on their way, each to some targets.
UPDATE sentinel.alert_fingerprints f SET told_at = %(at)s, told_to = f.told_to || j.told_to
FROM jsonb_to_recordset(%(told)s::jsonb) AS j (fingerprint text, told_to jsonb)
WHERE f.tenant_id = %(tenant_id)s AND f.fingerprint = decode(j.fingerprint, 'hex')

-- name: untell
-- Alerts of these fingerprints did not get to some targets after all.
UPDATE sentinel.alert_fingerprints f SET told_at = NULL, told_to = f.told_to - j.targets
FROM (SELECT fingerprint, array_agg(target) AS targets
      FROM jsonb_to_recordset(%(untold)s::jsonb) AS j (fingerprint text, target text) GROUP BY fingerprint) j
WHERE f.tenant_id = %(tenant_id)s AND f.fingerprint = decode(j.fingerprint, 'hex')

-- name: forget
-- The alerts of a fingerprint are resolved.
UPDATE sentinel.alert_fingerprints SET told_at = NULL, told_to = '{}', resolved_at = %(at)s
WHERE tenant_id = %(tenant_id)s AND fingerprint = %(fingerprint)s

-- name: remember
-- An alert of a fingerprint is open again.
UPDATE sentinel.alert_fingerprints SET resolved_at = NULL
WHERE tenant_id = %(tenant_id)s AND fingerprint = %(fingerprint)s

-- name: firing
-- The newest alert per fingerprint, of those with certain labels.
SELECT last_alert_id AS alert_id, labels FROM sentinel.alert_fingerprints
WHERE tenant_id = %(tenant_id)s AND last_fired_at >= %(since)s AND resolved_at IS NULL AND labels @> %(labels)s::jsonb
ORDER BY last_fired_at DESC LIMIT %(limit)s

-- name: groups
-- Groups by their keys.
SELECT g.id, g.group_key, g.target, g.labels, g.plan, g.state, g.flush_at, g.is_deferred, g.last_told_at, g.repeat_at,
       g.thread, c.id AS channel_id, c.name AS channel, c.kind, c.status, c.disabled_reason
FROM sentinel.notification_groups g JOIN sentinel.notification_channels c ON c.id = g.channel_id
WHERE g.tenant_id = %(tenant_id)s AND g.group_key = ANY(%(keys)s)

-- name: save_groups
-- Write groups.
INSERT INTO sentinel.notification_groups AS g
    (tenant_id, group_key, channel_id, target, route, labels, plan, state, flush_at, is_deferred, last_told_at, repeat_at)
SELECT %(tenant_id)s, decode(group_key, 'hex'), channel_id, target, route, labels, plan, state, flush_at, is_deferred,
       last_told_at, repeat_at
FROM jsonb_to_recordset(%(groups)s::jsonb)
    AS j (group_key text, channel_id bigint, target text, route text, labels jsonb, plan jsonb, state text,
          flush_at timestamptz, is_deferred boolean, last_told_at timestamptz, repeat_at timestamptz)
ON CONFLICT (tenant_id, group_key) DO UPDATE
SET plan = excluded.plan, state = excluded.state, flush_at = excluded.flush_at, is_deferred = excluded.is_deferred,
    last_told_at = excluded.last_told_at, repeat_at = excluded.repeat_at
RETURNING g.id, g.group_key

-- name: add_members
-- Alerts that wait.
INSERT INTO sentinel.group_members (group_id, alert_id, tenant_id, severity, labels, is_deferred)
SELECT group_id, alert_id, %(tenant_id)s, severity, labels, is_deferred
FROM jsonb_to_recordset(%(members)s::jsonb)
    AS j (group_id bigint, alert_id bigint, severity text, labels jsonb, is_deferred boolean)
ON CONFLICT DO NOTHING

-- name: due_groups
-- Groups that are to be told by now.
SELECT g.id, g.group_key, g.target, g.labels, g.plan, g.state, g.flush_at, g.is_deferred, g.last_told_at, g.repeat_at,
       g.thread, c.id AS channel_id, c.name AS channel, c.kind, c.status, c.disabled_reason
FROM sentinel.notification_groups g JOIN sentinel.notification_channels c ON c.id = g.channel_id
WHERE g.tenant_id = %(tenant_id)s AND g.flush_at <= %(at)s
ORDER BY g.flush_at, g.id LIMIT %(limit)s

-- name: members
-- What waits in groups, group by group in the order in which they are named.
SELECT m.group_id, m.alert_id, m.severity, m.labels, m.is_deferred
FROM unnest(%(group_ids)s::bigint[]) WITH ORDINALITY AS wanted (group_id, place),
    LATERAL (SELECT * FROM sentinel.group_members g
             WHERE g.group_id = wanted.group_id ORDER BY g.alert_id LIMIT %(limit)s) m
ORDER BY wanted.place, m.alert_id LIMIT %(limit)s

-- name: has_member
-- An alert that waits in a group and has one of some severities.
SELECT alert_id FROM sentinel.group_members WHERE group_id = %(group_id)s AND severity = ANY(%(severities)s) LIMIT 1

-- name: defer_members
-- What waits in these groups is known to be deferred.
UPDATE sentinel.group_members SET is_deferred = true WHERE group_id = ANY(%(group_ids)s) AND NOT is_deferred

-- name: remove_members
-- Alerts that wait no more.
DELETE FROM sentinel.group_members m
USING unnest(%(group_ids)s::bigint[], %(alert_ids)s::bigint[]) AS gone (group_id, alert_id)
WHERE m.group_id = gone.group_id AND m.alert_id = gone.alert_id

-- name: deliver
-- Deliveries, due at once.
INSERT INTO sentinel.deliveries
    (id, tenant_id, channel_id, target, group_id, kind, severity, content, alert_count, round_began_at, next_attempt_at,
     created_at)
SELECT id, %(tenant_id)s, channel_id, target, group_id, kind, severity, content, alert_count, created_at, created_at,
       created_at
FROM jsonb_to_recordset(%(deliveries)s::jsonb)
    AS j (id text, channel_id bigint, target text, group_id bigint, kind text, severity text, content jsonb,
          alert_count integer, created_at timestamptz)

-- name: delivery_alerts
-- What deliveries tell of. Alerts that somebody took up before stay taken up.
INSERT INTO sentinel.delivery_alerts (delivery_id, alert_id, tenant_id, group_id, acknowledged_at, resolved_at)
SELECT told.delivery_id, told.alert_id, %(tenant_id)s, told.group_id, known.acknowledged_at, known.resolved_at
FROM unnest(%(delivery_ids)s::text[], %(alert_ids)s::bigint[], %(group_ids)s::bigint[])
    AS told (delivery_id, alert_id, group_id)
LEFT JOIN LATERAL (SELECT a.acknowledged_at, a.resolved_at FROM sentinel.delivery_alerts a
                   WHERE a.tenant_id = %(tenant_id)s AND a.alert_id = told.alert_id LIMIT 1) known ON true

-- name: queue
-- Channels that deliveries wait for.
INSERT INTO sentinel.channel_queues AS q (channel_id, tenant_id, due_at)
SELECT DISTINCT channel_id, %(tenant_id)s, %(at)s::timestamptz FROM unnest(%(channel_ids)s::bigint[]) AS channel_id
ORDER BY channel_id
ON CONFLICT (channel_id) DO UPDATE SET due_at = least(q.due_at, excluded.due_at)

-- name: wake
-- Whoever sends looks at once.
SELECT pg_notify('sentinel_deliveries', '')

-- name: due_repeats
-- Groups whose open alerts are to be told again by now.
SELECT g.id, g.group_key, g.target, g.labels, g.plan, g.state, g.flush_at, g.is_deferred, g.last_told_at, g.repeat_at,
       g.thread, c.id AS channel_id, c.name AS channel, c.kind, c.status, c.disabled_reason
FROM sentinel.notification_groups g JOIN sentinel.notification_channels c ON c.id = g.channel_id
WHERE g.tenant_id = %(tenant_id)s AND g.repeat_at <= %(at)s
ORDER BY g.repeat_at, g.id LIMIT %(limit)s

-- name: open_alerts
-- The newest alerts of a group that nobody took up, and how many there are.
SELECT alert_id, count(*) OVER () AS open_count
FROM (SELECT DISTINCT alert_id FROM sentinel.delivery_alerts
      WHERE group_id = %(group_id)s AND acknowledged_at IS NULL AND resolved_at IS NULL) told
ORDER BY alert_id DESC LIMIT %(limit)s

-- name: any_open
-- An alert of a group that nobody took up. In the order of its index, which is not used else where most are taken up.
SELECT alert_id FROM sentinel.delivery_alerts
WHERE group_id = %(group_id)s AND acknowledged_at IS NULL AND resolved_at IS NULL ORDER BY alert_id LIMIT 1

-- name: any_unresolved
-- An alert of a group that nobody resolved.
SELECT alert_id FROM sentinel.delivery_alerts
WHERE group_id = %(group_id)s AND resolved_at IS NULL ORDER BY alert_id LIMIT 1

-- name: told_alerts
-- The newest alerts of a group, of its newest deliveries.
SELECT DISTINCT a.alert_id
FROM (SELECT id FROM sentinel.deliveries WHERE group_id = %(group_id)s
      ORDER BY created_at DESC, id DESC LIMIT %(limit)s) d
JOIN sentinel.delivery_alerts a ON a.delivery_id = d.id
ORDER BY a.alert_id DESC LIMIT %(limit)s

-- name: mark
-- Somebody took up an alert: of those that wait it is taken out.
WITH gone AS (DELETE FROM sentinel.group_members WHERE alert_id = %(alert_id)s AND tenant_id = %(tenant_id)s)
UPDATE sentinel.delivery_alerts
SET acknowledged_at = COALESCE(acknowledged_at, %(acknowledged_at)s), resolved_at = COALESCE(resolved_at, %(resolved_at)s)
WHERE tenant_id = %(tenant_id)s AND alert_id = %(alert_id)s

-- name: unmark
-- An alert is open again.
UPDATE sentinel.delivery_alerts SET acknowledged_at = NULL, resolved_at = NULL
WHERE tenant_id = %(tenant_id)s AND alert_id = %(alert_id)s

-- name: groups_of_alert
-- The groups in which an alert was told.
SELECT g.id, g.group_key, g.target, g.labels, g.plan, g.state, g.flush_at, g.is_deferred, g.last_told_at, g.repeat_at,
       g.thread, c.id AS channel_id, c.name AS channel, c.kind, c.status, c.disabled_reason
FROM sentinel.notification_groups g JOIN sentinel.notification_channels c ON c.id = g.channel_id
WHERE g.id IN (SELECT d.group_id FROM sentinel.delivery_alerts a JOIN sentinel.deliveries d ON d.id = a.delivery_id
               WHERE a.tenant_id = %(tenant_id)s AND a.alert_id = %(alert_id)s)
ORDER BY g.id

-- name: due_summaries
-- Summaries that are due.
SELECT name, told_until AS since, next_at AS until FROM sentinel.notification_summaries
WHERE tenant_id = %(tenant_id)s AND next_at <= %(at)s ORDER BY name

-- name: tally
-- How many alerts there were, by severity and by rule, and the newest. An index gives the range.
WITH counted AS (
    SELECT a.severity, a.rule_id, a.detector_id, count(*) AS alerts FROM sentinel.alerts a
    WHERE a.tenant_id = %(tenant_id)s AND a.alert_timestamp >= %(since)s AND a.alert_timestamp < %(until)s
    GROUP BY a.severity, a.rule_id, a.detector_id
)
SELECT COALESCE((SELECT jsonb_object_agg(severity, n)
                 FROM (SELECT severity, sum(alerts) AS n FROM counted GROUP BY severity) s), '{}') AS by_severity,
       COALESCE((SELECT jsonb_agg(jsonb_build_array(rule, n) ORDER BY n DESC, rule)
                 FROM (SELECT COALESCE(r.name, d.name, '') AS rule, sum(c.alerts) AS n
                       FROM counted c
                       LEFT JOIN sentinel.rules r ON r.id = c.rule_id
                       LEFT JOIN sentinel.detectors d ON d.id = c.detector_id
                       GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %(limit)s) t), '[]') AS by_rule,
       ARRAY(SELECT a.id FROM sentinel.alerts a
             WHERE a.tenant_id = %(tenant_id)s AND a.alert_timestamp >= %(since)s AND a.alert_timestamp < %(until)s
             ORDER BY a.alert_timestamp DESC, a.id DESC LIMIT %(limit)s) AS newest

-- name: save_summary
-- Until when a summary told, and when it is told next.
UPDATE sentinel.notification_summaries SET told_until = %(told_until)s, next_at = %(next_at)s
WHERE tenant_id = %(tenant_id)s AND name = %(name)s

-- name: begin_escalation
-- Begin to escalate a group, unless that is going on.
INSERT INTO sentinel.escalation_runs (tenant_id, group_id, name, chain, policy_version, next_at, started_at)
VALUES (%(tenant_id)s, %(group_id)s, %(name)s, %(chain)s::jsonb, %(policy_version)s, %(next_at)s, %(at)s)
ON CONFLICT (group_id) WHERE state = 'active' DO NOTHING

-- name: due_escalations
-- Escalations with a step that is due, with their groups.
SELECT e.id AS escalation_id, e.name AS escalation, e.chain, e.next_step, e.started_at,
       g.id, g.group_key, g.target, g.labels, g.plan, g.state, g.flush_at, g.is_deferred, g.last_told_at, g.repeat_at,
       g.thread, c.id AS channel_id, c.name AS channel, c.kind, c.status, c.disabled_reason
FROM sentinel.escalation_runs e
JOIN sentinel.notification_groups g ON g.id = e.group_id
JOIN sentinel.notification_channels c ON c.id = g.channel_id
WHERE e.tenant_id = %(tenant_id)s AND e.state = 'active' AND e.next_at <= %(at)s
ORDER BY e.next_at, e.id LIMIT %(limit)s

-- name: save_escalation
-- Where an escalation stands.
UPDATE sentinel.escalation_runs
SET next_step = %(next_step)s, next_at = %(next_at)s, state = %(state)s,
    ended_at = CASE WHEN %(state)s = 'active' THEN NULL ELSE %(at)s::timestamptz END
WHERE id = %(id)s

-- name: stop_escalation
-- Stop the escalation of a group.
UPDATE sentinel.escalation_runs SET state = 'stopped', next_at = NULL, ended_at = %(at)s
WHERE group_id = %(group_id)s AND state = 'active'

-- name: decide
-- Decisions.
INSERT INTO sentinel.notification_decisions
    (tenant_id, alert_id, delivery_id, outcome, route, channel, reason, details, decided_at)
SELECT %(tenant_id)s, alert_id, delivery_id, outcome, route, channel, reason, details, decided_at
FROM jsonb_to_recordset(%(decisions)s::jsonb)
    AS j (place integer, alert_id bigint, delivery_id text, outcome text, route text, channel text, reason text,
          details jsonb, decided_at timestamptz)
ORDER BY place

-- name: prune_fingerprints
-- Fingerprints that no policy looks at any more.
DELETE FROM sentinel.alert_fingerprints
WHERE (tenant_id, fingerprint) IN (SELECT tenant_id, fingerprint FROM sentinel.alert_fingerprints
                                   WHERE tenant_id = %(tenant_id)s AND last_fired_at < %(idle_before)s
                                   ORDER BY last_fired_at LIMIT %(limit)s)

-- name: prune_deliveries
-- Deliveries that ended long ago, with their attempts.
DELETE FROM sentinel.deliveries
WHERE id IN (SELECT id FROM sentinel.deliveries
             WHERE tenant_id = %(tenant_id)s AND created_at < %(ended_before)s AND finished_at < %(ended_before)s
             ORDER BY created_at LIMIT %(limit)s)

-- name: prune_groups
-- Groups in which nothing waits, repeats or escalates, and of which no delivery is left.
DELETE FROM sentinel.notification_groups
WHERE id IN (SELECT g.id FROM sentinel.notification_groups g
             WHERE g.tenant_id = %(tenant_id)s AND g.created_at < %(ended_before)s AND g.flush_at IS NULL
               AND g.repeat_at IS NULL AND (g.last_told_at IS NULL OR g.last_told_at < %(idle_before)s)
               AND NOT EXISTS (SELECT 1 FROM sentinel.deliveries d WHERE d.group_id = g.id)
               AND NOT EXISTS (SELECT 1 FROM sentinel.escalation_runs e WHERE e.group_id = g.id AND e.state = 'active')
             ORDER BY g.created_at LIMIT %(limit)s)

-- name: prune_decisions
-- Decisions about alerts of long ago.
DELETE FROM sentinel.notification_decisions
WHERE id IN (SELECT id FROM sentinel.notification_decisions
             WHERE tenant_id = %(tenant_id)s AND delivery_id IS NULL AND decided_at < %(ended_before)s
             ORDER BY id LIMIT %(limit)s)
