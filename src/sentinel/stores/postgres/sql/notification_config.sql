-- name: current_policy
-- The newest policy.
SELECT version, document, comment, created_by, created_at FROM sentinel.notification_policies
ORDER BY version DESC LIMIT 1

-- name: policy
-- One version.
SELECT version, document, comment, created_by, created_at FROM sentinel.notification_policies WHERE version = %(version)s

-- name: policies
-- Versions, newest first.
SELECT version, document, comment, created_by, created_at FROM sentinel.notification_policies
WHERE (%(before)s::integer IS NULL OR version < %(before)s)
ORDER BY version DESC LIMIT %(limit)s

-- name: add_policy
-- A version.
INSERT INTO sentinel.notification_policies (tenant_id, version, document, comment, created_by)
VALUES (sentinel.current_tenant(), %(version)s, %(document)s::jsonb, %(comment)s, %(created_by)s)
ON CONFLICT DO NOTHING
RETURNING version, document, comment, created_by, created_at

-- name: channel_names
-- All channels.
SELECT name FROM sentinel.notification_channels

-- name: release
-- Groups that quiet hours hold back are looked at again.
UPDATE sentinel.notification_groups SET flush_at = now() WHERE is_deferred AND flush_at IS NOT NULL

-- name: forget_summaries
-- Summaries that are there no more.
DELETE FROM sentinel.notification_summaries WHERE name <> ALL(%(names)s)

-- name: plan_summaries
-- When summaries are told next.
INSERT INTO sentinel.notification_summaries (tenant_id, name, told_until, next_at)
SELECT sentinel.current_tenant(), name, %(at)s, next_at
FROM unnest(%(names)s::text[], %(times)s::timestamptz[]) AS planned (name, next_at)
ON CONFLICT (tenant_id, name) DO UPDATE SET next_at = excluded.next_at

-- name: add_silence
-- A silence.
INSERT INTO sentinel.silences (tenant_id, matchers, starts_at, ends_at, comment, created_by)
VALUES (sentinel.current_tenant(), %(matchers)s, %(starts_at)s, %(ends_at)s, %(comment)s, %(created_by)s)
RETURNING id, matchers, starts_at, ends_at, comment, created_by, created_at, ended_at, ended_by

-- name: silence
-- One silence.
SELECT id, matchers, starts_at, ends_at, comment, created_by, created_at, ended_at, ended_by
FROM sentinel.silences WHERE id = %(silence_id)s

-- name: silences
-- Silences, newest first.
SELECT id, matchers, starts_at, ends_at, comment, created_by, created_at, ended_at, ended_by
FROM sentinel.silences
WHERE (%(before)s::bigint IS NULL OR id < %(before)s) AND (%(expired)s OR (ended_at IS NULL AND ends_at > %(at)s))
ORDER BY id DESC LIMIT %(limit)s

-- name: count_silences
-- Those in force or to come.
SELECT count(*) AS kept FROM sentinel.silences WHERE ended_at IS NULL AND ends_at > %(at)s

-- name: end_silence
-- End a silence before its time.
UPDATE sentinel.silences SET ended_at = %(at)s, ended_by = %(ended_by)s WHERE id = %(silence_id)s AND ended_at IS NULL

-- name: alert_exists
-- Whether there is such an alert.
SELECT EXISTS (SELECT 1 FROM sentinel.alerts WHERE id = %(alert_id)s) AS found

-- name: why
-- What was decided about an alert, and what happened to its deliveries, in order; of very many steps the newest.
SELECT * FROM (
SELECT d.decided_at AS at, d.outcome, d.reason, d.route, d.channel, d.delivery_id, NULL::integer AS attempt, d.details,
       d.id AS place
FROM sentinel.notification_decisions d
WHERE d.tenant_id = sentinel.current_tenant() AND d.alert_id = %(alert_id)s
UNION ALL
SELECT d.decided_at, d.outcome, d.reason, d.route, d.channel, d.delivery_id, NULL, d.details, d.id
FROM sentinel.delivery_alerts a JOIN sentinel.notification_decisions d ON d.delivery_id = a.delivery_id
WHERE a.tenant_id = sentinel.current_tenant() AND a.alert_id = %(alert_id)s
UNION ALL
SELECT t.started_at + make_interval(secs => t.seconds), t.outcome,
       CASE WHEN t.outcome = 'sent' THEN 'the receiver took it' ELSE concat_ws(': ', t.reason, nullif(t.detail, '')) END,
       COALESCE(g.route, ''), CASE WHEN d.target = '' THEN c.name ELSE c.name || ' (' || d.target || ')' END,
       t.delivery_id, t.attempt,
       jsonb_strip_nulls(jsonb_build_object('status', t.status, 'seconds', t.seconds, 'next_attempt_at', t.next_attempt_at,
                                            'kind', d.kind, 'reason', t.reason)),
       9223372036854775807
FROM sentinel.delivery_alerts a
JOIN sentinel.deliveries d ON d.id = a.delivery_id
JOIN sentinel.delivery_attempts t ON t.delivery_id = a.delivery_id
JOIN sentinel.notification_channels c ON c.id = d.channel_id
LEFT JOIN sentinel.notification_groups g ON g.id = d.group_id
WHERE a.tenant_id = sentinel.current_tenant() AND a.alert_id = %(alert_id)s
ORDER BY at DESC, place DESC, attempt DESC NULLS LAST
LIMIT 1000
) newest
ORDER BY at, place, attempt NULLS FIRST

-- name: under_way
-- Channels to which an alert is on its way.
SELECT DISTINCT CASE WHEN d.target = '' THEN c.name ELSE c.name || ' (' || d.target || ')' END AS channel
FROM sentinel.delivery_alerts a
JOIN sentinel.deliveries d ON d.id = a.delivery_id
JOIN sentinel.notification_channels c ON c.id = d.channel_id
WHERE a.tenant_id = sentinel.current_tenant() AND a.alert_id = %(alert_id)s AND d.state IN ('queued', 'sending')
ORDER BY channel

-- name: is_waiting
-- Whether an alert waits in the outbox.
SELECT EXISTS (SELECT 1 FROM sentinel.alert_outbox
               WHERE tenant_id = sentinel.current_tenant() AND alert_id = %(alert_id)s) AS found

-- name: fired
-- Alerts of one fingerprint.
SELECT fire_count, first_alert_id, first_fired_at, last_alert_id, last_fired_at FROM sentinel.alert_fingerprints
WHERE tenant_id = sentinel.current_tenant() AND fingerprint = %(fingerprint)s

-- name: deliveries
-- Deliveries, newest first.
SELECT d.id, c.name AS channel, c.kind AS channel_kind, d.target, d.kind, d.severity, d.state, d.alert_count,
       d.attempt_count, d.redrive_count,
       CASE WHEN d.state IN ('queued', 'sending') THEN d.next_attempt_at END AS next_attempt_at, d.created_at,
       d.finished_at, d.last_reason
FROM sentinel.deliveries d
JOIN sentinel.notification_channels c ON c.id = d.channel_id
WHERE d.tenant_id = sentinel.current_tenant()
  AND (%(id)s::text IS NULL OR d.id = %(id)s)
  AND (%(channel)s::text IS NULL
       OR d.channel_id = (SELECT n.id FROM sentinel.notification_channels n
                          WHERE n.tenant_id = sentinel.current_tenant() AND n.name = %(channel)s))
  AND (%(state)s::text IS NULL OR d.state = %(state)s)
  AND (%(reason)s::text IS NULL OR d.last_reason = %(reason)s)
  AND (%(since)s::timestamptz IS NULL OR d.created_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR d.created_at < %(until)s)
  AND (%(alert_id)s::bigint IS NULL
       OR d.id = ANY(ARRAY(SELECT a.delivery_id FROM sentinel.delivery_alerts a
                           WHERE a.tenant_id = sentinel.current_tenant() AND a.alert_id = %(alert_id)s)))
  AND (%(before)s::text IS NULL OR (d.created_at, d.id) < (SELECT b.created_at, b.id FROM sentinel.deliveries b
                                                          WHERE b.id = %(before)s))
ORDER BY d.created_at DESC, d.id DESC LIMIT %(limit)s

-- name: delivery_content
-- What a delivery says, and of which alerts.
SELECT d.content, ARRAY(SELECT a.alert_id FROM sentinel.delivery_alerts a WHERE a.delivery_id = d.id
                        ORDER BY a.alert_id LIMIT 1000) AS alert_ids
FROM sentinel.deliveries d WHERE d.id = %(id)s

-- name: attempts
-- The tries at a delivery, in order.
SELECT attempt, outcome, reason, detail, status, started_at, seconds, next_attempt_at
FROM sentinel.delivery_attempts WHERE delivery_id = %(id)s ORDER BY attempt

-- name: dead
-- Dead deliveries of channels that are not disabled, oldest first; those that were redriven so often already are counted
-- and come last.
SELECT d.id, d.channel_id, d.redrive_count, count(*) FILTER (WHERE d.redrive_count < %(most)s) OVER () AS fitting,
       count(*) FILTER (WHERE d.redrive_count >= %(most)s) OVER () AS looped
FROM sentinel.deliveries d
JOIN sentinel.notification_channels c ON c.id = d.channel_id
WHERE d.tenant_id = sentinel.current_tenant() AND d.state = 'dead' AND c.status = 'active'
  AND (%(id)s::text IS NULL OR d.id = %(id)s)
  AND (%(channel)s::text IS NULL
       OR d.channel_id = (SELECT n.id FROM sentinel.notification_channels n
                          WHERE n.tenant_id = sentinel.current_tenant() AND n.name = %(channel)s))
  AND (%(reason)s::text IS NULL OR d.last_reason = %(reason)s)
  AND (%(since)s::timestamptz IS NULL OR d.created_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR d.created_at < %(until)s)
  AND (%(alert_id)s::bigint IS NULL
       OR d.id = ANY(ARRAY(SELECT a.delivery_id FROM sentinel.delivery_alerts a
                           WHERE a.tenant_id = sentinel.current_tenant() AND a.alert_id = %(alert_id)s)))
ORDER BY d.redrive_count >= %(most)s, d.created_at, d.id LIMIT %(limit)s

-- name: disabled_channel
-- A channel that is disabled.
SELECT name FROM sentinel.notification_channels WHERE name = %(name)s AND status <> 'active'

-- name: redrive
-- Dead deliveries are due again, as if never tried; each with a decision.
WITH wanted AS (
    SELECT * FROM unnest(%(ids)s::text[], %(due)s::timestamptz[]) AS w (id, due_at)
), driven AS (
    UPDATE sentinel.deliveries d
    SET state = 'queued', next_attempt_at = w.due_at, round_began_at = w.due_at, round_attempts = 0, is_limited = false,
        redrive_count = d.redrive_count + 1, finished_at = NULL
    FROM wanted w WHERE d.id = w.id AND d.state = 'dead'
    RETURNING d.id, d.redrive_count, d.channel_id, d.target
)
INSERT INTO sentinel.notification_decisions (tenant_id, delivery_id, outcome, channel, reason, details, decided_at)
SELECT sentinel.current_tenant(), v.id, 'redriven',
       CASE WHEN v.target = '' THEN c.name ELSE c.name || ' (' || v.target || ')' END, 'sent again by ' || %(by)s,
       jsonb_build_object('redrive', v.redrive_count), %(at)s
FROM driven v JOIN sentinel.notification_channels c ON c.id = v.channel_id

-- name: queue
-- Channels that deliveries wait for again.
INSERT INTO sentinel.channel_queues AS q (channel_id, tenant_id, due_at)
SELECT channel_id, sentinel.current_tenant(), %(at)s::timestamptz FROM unnest(%(channel_ids)s::bigint[]) AS channel_id
ORDER BY channel_id
ON CONFLICT (channel_id) DO UPDATE SET due_at = least(q.due_at, excluded.due_at)

-- name: wake
-- Whoever sends looks at once.
SELECT pg_notify('sentinel_deliveries', '')

-- name: overdue
-- Deliveries that were due and were not tried.
SELECT d.id, c.name AS channel, d.next_attempt_at,
       CASE WHEN c.status <> 'active' THEN 'channel_disabled'
            WHEN q.open_until > now() THEN 'circuit_open'
            WHEN d.is_limited THEN 'rate_limited'
            ELSE 'no_worker' END AS cause
FROM sentinel.notification_channels c
LEFT JOIN sentinel.channel_queues q ON q.channel_id = c.id
CROSS JOIN LATERAL (SELECT w.id, w.next_attempt_at, w.is_limited FROM sentinel.deliveries w
                    WHERE w.channel_id = c.id AND w.state IN ('queued', 'sending') AND w.next_attempt_at < %(at)s
                    ORDER BY w.next_attempt_at, w.id LIMIT %(limit)s) d
WHERE c.tenant_id = sentinel.current_tenant()
ORDER BY d.next_attempt_at, d.id LIMIT %(limit)s
