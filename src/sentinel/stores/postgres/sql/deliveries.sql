-- name: due_channels
-- Channels for which something is due, whatever tenant they are of.
SELECT tenant_id, channel_id FROM sentinel.channel_queues
WHERE due_at <= %(at)s AND (open_until IS NULL OR open_until <= %(at)s) AND channel_id <> ALL(%(besides)s)
  AND tenant_id <> ALL(%(tenants)s)
ORDER BY due_at LIMIT %(limit)s

-- name: queue
-- A channel's queue, held; waited for.
SELECT channel_id, failure_count, open_until, rate_free_at FROM sentinel.channel_queues
WHERE channel_id = %(channel_id)s FOR UPDATE

-- name: free_queue
-- A channel's queue, held, unless somebody else holds it.
SELECT channel_id, failure_count, open_until, rate_free_at FROM sentinel.channel_queues
WHERE channel_id = %(channel_id)s FOR UPDATE SKIP LOCKED

-- name: take
-- What is due, taken, with the threads of groups.
WITH due AS (
    SELECT d.id FROM sentinel.deliveries d
    WHERE d.channel_id = %(channel_id)s AND d.state IN ('queued', 'sending') AND d.next_attempt_at <= %(at)s
    ORDER BY d.next_attempt_at, d.id LIMIT %(limit)s
), taken AS (
    UPDATE sentinel.deliveries d
    SET state = 'sending', attempt_count = d.attempt_count + 1, round_attempts = d.round_attempts + 1,
        next_attempt_at = %(until)s
    FROM due WHERE d.id = due.id
    RETURNING d.id, d.channel_id, d.target, d.group_id, d.content, d.attempt_count AS attempt,
              d.round_attempts AS round_attempt, d.round_began_at
)
SELECT t.*, g.thread FROM taken t LEFT JOIN sentinel.notification_groups g ON g.id = t.group_id ORDER BY t.id

-- name: limited
-- What is due next waits for the channel's rate: those that come first, however many there are.
WITH next AS (
    SELECT id, is_limited FROM sentinel.deliveries
    WHERE channel_id = %(channel_id)s AND state IN ('queued', 'sending') AND next_attempt_at <= %(at)s
    ORDER BY next_attempt_at, id LIMIT %(limit)s
)
UPDATE sentinel.deliveries d SET is_limited = true
FROM next WHERE d.id = next.id AND NOT next.is_limited AND d.state = 'queued'
RETURNING d.id, d.target

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

-- name: record
-- Attempts, of deliveries that are still held for them, and what these came to.
WITH results AS (
    SELECT * FROM jsonb_to_recordset(%(results)s::jsonb)
        AS j (delivery_id text, attempt integer, outcome text, state text, reason text, detail text, status integer,
              started_at timestamptz, seconds double precision, next_attempt_at timestamptz)
), settled AS (
    UPDATE sentinel.deliveries d
    SET state = r.state, last_reason = r.reason, next_attempt_at = COALESCE(r.next_attempt_at, d.next_attempt_at), is_limited = false,
        finished_at = CASE WHEN r.state = 'queued' THEN NULL ELSE %(at)s::timestamptz END
    FROM results r WHERE d.id = r.delivery_id AND d.state = 'sending' AND d.attempt_count = r.attempt
    RETURNING d.id
)
INSERT INTO sentinel.delivery_attempts
    (delivery_id, attempt, tenant_id, outcome, reason, detail, status, started_at, seconds, next_attempt_at)
SELECT r.delivery_id, r.attempt, %(tenant_id)s, r.outcome, r.reason, r.detail, r.status, r.started_at, r.seconds,
       r.next_attempt_at
FROM results r JOIN settled s ON s.id = r.delivery_id
RETURNING delivery_id

-- name: hasten
-- What was tried on a channel and waits is due at once.
UPDATE sentinel.deliveries SET next_attempt_at = %(at)s
WHERE channel_id = %(channel_id)s AND state = 'queued' AND next_attempt_at > %(at)s AND round_attempts > 0

-- name: give_up
-- What waits for a channel is dead, each with a decision.
WITH waiting AS (
    SELECT id FROM sentinel.deliveries
    WHERE channel_id = %(channel_id)s AND state IN ('queued', 'sending')
      AND (state = 'queued' OR next_attempt_at <= %(at)s)
    ORDER BY next_attempt_at, id LIMIT %(limit)s
), dead AS (
    UPDATE sentinel.deliveries d SET state = 'dead', finished_at = %(at)s
    FROM waiting WHERE d.id = waiting.id AND d.state IN ('queued', 'sending')
    RETURNING d.id, d.target
), decided AS (
    INSERT INTO sentinel.notification_decisions (tenant_id, delivery_id, outcome, channel, reason, decided_at)
    SELECT %(tenant_id)s, dead.id, 'disabled',
           COALESCE((SELECT CASE WHEN dead.target = '' THEN name ELSE name || ' (' || dead.target || ')' END
                     FROM sentinel.notification_channels WHERE id = %(channel_id)s), ''), %(reason)s, %(at)s
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
