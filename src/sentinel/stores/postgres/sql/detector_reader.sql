-- name: refused
-- Refused deliveries per source and reason, by when they came.
SELECT s.id AS source_id, s.name AS source, a.reason, sum(a.attempt_count)::bigint AS attempt_count
FROM sentinel.webhook_attempt_slots a JOIN sentinel.webhook_sources s ON s.id = a.source_id
WHERE a.slot >= %(start)s AND a.slot < %(end)s
GROUP BY s.id, s.name, a.reason
ORDER BY s.id, a.reason

-- name: refused_samples
-- Some refused deliveries of a source that were kept, newest first.
SELECT id FROM sentinel.webhook_attempts
WHERE source_id = %(source_id)s AND received_at >= %(start)s AND received_at < %(end)s
ORDER BY id DESC LIMIT %(samples)s

-- name: payments
-- Payments per source, in the window and in the windows before it: one per window and id, failed when an event says so.
-- A charge names the payment intent it belongs to; one without is a payment itself.
WITH payments AS (
    SELECT f.source_id, date_bin(%(length)s, f.occurred_at, %(start)s) AS slot,
           COALESCE(f.payment_intent, f.charge, f.object_id, 'event ' || f.event_id) AS payment,
           bool_or(f.event_type IN ('payment_intent.payment_failed', 'charge.failed')) AS is_failed
    FROM sentinel.webhook_facts f
    WHERE f.occurred_at >= %(start)s - make_interval(days => %(baseline_days)s) AND f.occurred_at < %(end)s
      AND f.event_type IN ('payment_intent.payment_failed', 'charge.failed', 'payment_intent.succeeded',
                           'charge.succeeded')
    GROUP BY 1, 2, 3
)
SELECT s.id AS source_id, s.name AS source,
       count(*) FILTER (WHERE p.slot = %(start)s AND p.is_failed) AS failed,
       count(*) FILTER (WHERE p.slot = %(start)s) AS total,
       count(*) FILTER (WHERE p.slot < %(start)s AND p.is_failed) AS baseline_failed,
       count(*) FILTER (WHERE p.slot < %(start)s) AS baseline_total
FROM payments p JOIN sentinel.webhook_sources s ON s.id = p.source_id
GROUP BY s.id, s.name
HAVING count(*) FILTER (WHERE p.slot = %(start)s) > 0
ORDER BY s.id

-- name: event_samples
-- Some events of a source and window, oldest first.
SELECT e.provider_event_id AS id
FROM sentinel.webhook_facts f JOIN sentinel.webhook_events e ON e.id = f.event_id
WHERE f.source_id = %(source_id)s AND f.occurred_at >= %(start)s AND f.occurred_at < %(end)s
  AND f.event_type = ANY(%(event_types)s)
ORDER BY f.occurred_at, f.event_id LIMIT %(samples)s

-- name: customer_payments
-- Successful payments per customer and currency, in the window and before it. An event that came by two sources, or for
-- the charge as well as for its payment intent, is one payment, of the time at which it was first told of.
WITH payments AS (
    SELECT f.customer, lower(f.currency) AS currency, COALESCE(f.payment_intent, f.charge, f.object_id) AS payment,
           max(f.amount) AS amount, min(f.occurred_at) AS occurred_at, min(f.event_id) AS event_id
    FROM sentinel.webhook_facts f
    WHERE f.customer IN (SELECT w.customer FROM sentinel.webhook_facts w
                         WHERE w.occurred_at >= %(start)s AND w.occurred_at < %(end)s AND w.amount IS NOT NULL
                           AND w.event_type IN ('payment_intent.succeeded', 'charge.succeeded'))
      AND f.occurred_at >= %(start)s - make_interval(days => %(baseline_days)s) AND f.occurred_at < %(end)s
      AND f.event_type IN ('payment_intent.succeeded', 'charge.succeeded')
      AND f.customer IS NOT NULL AND f.amount IS NOT NULL AND f.currency IS NOT NULL
      AND COALESCE(f.payment_intent, f.charge, f.object_id) IS NOT NULL
    GROUP BY 1, 2, 3
), compared AS (
    SELECT customer, currency, max(amount) FILTER (WHERE occurred_at >= %(start)s) AS largest,
           count(*) FILTER (WHERE occurred_at >= %(start)s) AS payment_count,
           COALESCE(sum(amount) FILTER (WHERE occurred_at < %(start)s), 0) AS earlier_sum,
           count(*) FILTER (WHERE occurred_at < %(start)s) AS earlier_count,
           (array_agg(event_id ORDER BY amount DESC, event_id) FILTER (WHERE occurred_at >= %(start)s))[:%(samples)s]
               AS event_ids
    FROM payments GROUP BY customer, currency
)
SELECT c.customer, c.currency, c.largest, c.payment_count, c.earlier_sum, c.earlier_count,
       ARRAY(SELECT e.provider_event_id FROM unnest(c.event_ids) WITH ORDINALITY AS wanted (id, place)
             JOIN sentinel.webhook_events e ON e.id = wanted.id ORDER BY wanted.place) AS sample_ids
FROM compared c
WHERE c.payment_count > 0 AND c.earlier_count >= %(min_earlier)s
ORDER BY c.customer, c.currency

-- name: ended_subscriptions
-- Subscriptions that ended, per source, in the window and in the whole windows before it, since the source's first event.
WITH ended AS (
    SELECT f.source_id, date_bin(%(length)s, f.occurred_at, %(start)s) AS slot,
           COALESCE(f.subscription, f.object_id, 'event ' || f.event_id) AS subscription
    FROM sentinel.webhook_facts f
    WHERE f.occurred_at >= %(first)s AND f.occurred_at < %(end)s AND f.event_type = 'customer.subscription.deleted'
    GROUP BY 1, 2, 3
)
SELECT s.id AS source_id, s.name AS source,
       count(*) FILTER (WHERE e.slot = %(start)s) AS ended,
       count(*) FILTER (WHERE e.slot < %(start)s) AS earlier,
       (SELECT min(f.occurred_at) FROM sentinel.webhook_facts f
        WHERE f.source_id = s.id AND f.occurred_at >= %(first)s) AS first_seen
FROM ended e JOIN sentinel.webhook_sources s ON s.id = e.source_id
GROUP BY s.id, s.name
HAVING count(*) FILTER (WHERE e.slot = %(start)s) > 0
ORDER BY s.id

-- name: source_beats
-- Events of each active webhook source, by when they came: of the window (day 0) and of the same on the days before.
SELECT s.id, s.name, day, shift,
       (SELECT count(*) FROM sentinel.webhook_facts f
        WHERE f.source_id = s.id
          AND f.received_at >= %(start)s - shift * %(length)s - make_interval(days => day)
          AND f.received_at < %(end)s - shift * %(length)s - make_interval(days => day)) AS beat_count
FROM sentinel.webhook_sources s
CROSS JOIN generate_series(0, %(baseline_days)s) AS day
CROSS JOIN generate_series(0, 1) AS shift
WHERE s.status = 'active'
ORDER BY s.id, shift, day

-- name: pipeline_beats
-- Records of each active pipeline that came into the lake, likewise.
SELECT p.id, p.name, day, shift,
       (SELECT COALESCE(sum(c.event_count + c.dead_count), 0)::bigint FROM sentinel.archive_commits c
        WHERE c.pipeline_id = p.id AND c.state = 'committed'
          AND c.committed_at >= %(start)s - shift * %(length)s - make_interval(days => day)
          AND c.committed_at < %(end)s - shift * %(length)s - make_interval(days => day)) AS beat_count
FROM sentinel.pipelines p
CROSS JOIN generate_series(0, %(baseline_days)s) AS day
CROSS JOIN generate_series(0, 1) AS shift
WHERE p.status = 'active'
ORDER BY p.id, shift, day

-- name: has_news
-- Whether an event of the window was read lately.
SELECT EXISTS (SELECT FROM sentinel.webhook_facts
               WHERE occurred_at >= %(start)s AND occurred_at < %(end)s AND read_at >= %(since)s) AS found
