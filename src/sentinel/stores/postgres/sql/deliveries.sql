-- name: due_channels
-- Channels for which something is due, whatever tenant they are of.
SELECT tenant_id, channel_id FROM sentinel.channel_queues
WHERE due_at <= %(at)s AND (open_until IS NULL OR open_until <= %(at)s) AND channel_id <> ALL(%(besides)s)
ORDER BY due_at LIMIT %(limit)s

-- name: queue
-- A channel's queue, held; waited for.
SELECT channel_id, failure_count, open_until, rate_free_at FROM sentinel.channel_queues
WHERE channel_id = %(channel_id)s FOR UPDATE

-- name: free_queue
-- A channel's queue, held, unless somebody else holds it.
SELECT channel_id, failure_count, open_until, rate_free_at FROM sentinel.channel_queues
WHERE channel_id = %(channel_id)s FOR UPDATE SKIP LOCKED

-- name: due
-- What is due, with the threads of groups.
SELECT d.id, d.channel_id, d.target, d.group_id, d.content, g.thread, d.attempt_count + 1 AS attempt,
       d.round_attempts + 1 AS round_attempt, d.round_began_at, d.is_limited
FROM sentinel.deliveries d LEFT JOIN sentinel.notification_groups g ON g.id = d.group_id
WHERE d.channel_id = %(channel_id)s AND d.state IN ('queued', 'sending') AND d.next_attempt_at <= %(at)s
ORDER BY d.next_attempt_at, d.id LIMIT %(limit)s

-- name: claim
-- Deliveries are being sent.
UPDATE sentinel.deliveries
SET state = 'sending', attempt_count = attempt_count + 1, round_attempts = round_attempts + 1, next_attempt_at = %(until)s
WHERE id = ANY(%(ids)s)

-- name: limited
-- What is due waits for the channel's rate.
UPDATE sentinel.deliveries SET is_limited = true
WHERE channel_id = %(channel_id)s AND state = 'queued' AND next_attempt_at <= %(at)s AND NOT is_limited
RETURNING id

-- name: save_queue
-- A queue; due with the first of its deliveries.
UPDATE sentinel.channel_queues q
SET failure_count = %(failure_count)s, open_until = %(open_until)s, rate_free_at = %(rate_free_at)s,
    due_at = CASE WHEN next.at IS NULL THEN NULL
                  ELSE greatest(next.at, %(open_until)s::timestamptz, %(not_before)s::timestamptz) END
FROM (SELECT (SELECT d.next_attempt_at FROM sentinel.deliveries d
              WHERE d.channel_id = %(channel_id)s AND d.state IN ('queued', 'sending')
              ORDER BY d.next_attempt_at LIMIT 1) AS at) next
WHERE q.channel_id = %(channel_id)s

-- name: record_attempts
-- Attempts, of deliveries that are still held for them.
INSERT INTO sentinel.delivery_attempts
    (delivery_id, attempt, tenant_id, outcome, reason, detail, status, started_at, seconds, next_attempt_at)
SELECT j.delivery_id, j.attempt, %(tenant_id)s, j.outcome, j.reason, j.detail, j.status, j.started_at, j.seconds,
       j.next_attempt_at
FROM jsonb_to_recordset(%(results)s::jsonb)
    AS j (delivery_id text, attempt integer, outcome text, reason text, detail text, status integer,
          started_at timestamptz, seconds double precision, next_attempt_at timestamptz)
JOIN sentinel.deliveries d ON d.id = j.delivery_id AND d.state = 'sending' AND d.attempt_count = j.attempt
ON CONFLICT DO NOTHING
RETURNING delivery_id

-- name: record_states
-- What deliveries came to.
UPDATE sentinel.deliveries d
SET state = j.state, next_attempt_at = COALESCE(j.next_attempt_at, d.next_attempt_at), is_limited = false,
    finished_at = CASE WHEN j.state = 'queued' THEN NULL ELSE %(at)s::timestamptz END
FROM jsonb_to_recordset(%(states)s::jsonb) AS j (delivery_id text, state text, next_attempt_at timestamptz)
WHERE d.id = j.delivery_id

-- name: hasten
-- What waits on a channel is due at once.
UPDATE sentinel.deliveries SET next_attempt_at = %(at)s
WHERE channel_id = %(channel_id)s AND state = 'queued' AND next_attempt_at > %(at)s

-- name: give_up
-- What waits for a channel is dead, each with a decision.
WITH dead AS (
    UPDATE sentinel.deliveries SET state = 'dead', finished_at = %(at)s
    WHERE channel_id = %(channel_id)s AND state = 'queued' RETURNING id
), decided AS (
    INSERT INTO sentinel.notification_decisions (tenant_id, delivery_id, outcome, channel, reason, decided_at)
    SELECT %(tenant_id)s, dead.id, 'disabled',
           COALESCE((SELECT name FROM sentinel.notification_channels WHERE id = %(channel_id)s), ''), %(reason)s, %(at)s
    FROM dead
)
SELECT count(*) AS dead FROM dead

-- name: disable
-- Disable a channel.
UPDATE sentinel.notification_channels
SET status = 'disabled', disabled_reason = %(reason)s, version = version + 1, updated_at = %(at)s
WHERE id = %(channel_id)s AND status = 'active'

-- name: thread
-- What later notifications of a group are given.
UPDATE sentinel.notification_groups SET thread = %(thread)s WHERE id = %(group_id)s AND thread IS NULL
