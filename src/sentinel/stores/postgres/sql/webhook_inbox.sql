-- name: presented
-- The source of this public id, visible to whoever names it.
SELECT tenant_id, id FROM sentinel.webhook_sources WHERE public_id = %(public_id)s

-- name: named
-- The source of this name.
SELECT id FROM sentinel.webhook_sources WHERE name = %(name)s

-- name: known
-- A source with each of its secrets that did not expire, newest first; one row without a secret where it has none.
SELECT s.id, s.kind, s.status, s.options, x.sealed, x.is_encrypted
FROM sentinel.webhook_sources s
LEFT JOIN sentinel.webhook_secrets x ON x.source_id = s.id AND (x.expires_at IS NULL OR x.expires_at > now())
WHERE s.id = %(source_id)s
ORDER BY x.id DESC

-- name: store
-- Keep an event, with the topic of its source's pipeline; nothing when its id is there.
INSERT INTO sentinel.webhook_events
    (tenant_id, source_id, provider_event_id, event_type, received_at, occurred_at, content_hash, raw, origin,
     api_version, topic)
SELECT s.tenant_id, s.id, %(provider_event_id)s, %(event_type)s, %(received_at)s, %(occurred_at)s, %(content_hash)s,
       %(raw)s, %(origin)s, %(api_version)s, p.kafka_topic
FROM sentinel.webhook_sources s LEFT JOIN sentinel.pipelines p ON p.id = s.pipeline_id
WHERE s.id = %(source_id)s
ON CONFLICT (source_id, provider_event_id) DO NOTHING
RETURNING id

-- name: stored
-- What is kept under an id.
SELECT id, content_hash, origin, api_version FROM sentinel.webhook_events
WHERE source_id = %(source_id)s AND provider_event_id = %(provider_event_id)s

-- name: lock_event
-- One conflict of an event at a time, so that the bound on them holds. Not its row: the publisher has that.
SELECT pg_advisory_xact_lock(hashtextextended('webhook_events/' || %(event_id)s::bigint, 0))

-- name: add_conflict
-- Flag other content under an event's id: as what it is, or counted under the empty hash beyond the bound.
INSERT INTO sentinel.webhook_conflicts AS c
    (tenant_id, event_id, source_id, content_hash, first_seen_at, last_seen_at, body_bytes, raw)
SELECT sentinel.current_tenant(), %(event_id)s, %(source_id)s,
       CASE WHEN kept.is_known OR kept.number < %(max_conflicts)s THEN %(content_hash)s ELSE ''::bytea END,
       %(received_at)s, %(received_at)s, %(body_bytes)s,
       CASE WHEN kept.number < %(max_conflicts)s THEN %(raw)s ELSE ''::bytea END
FROM (SELECT count(*) FILTER (WHERE content_hash <> ''::bytea) AS number,
             COALESCE(bool_or(content_hash = %(content_hash)s), false) AS is_known
      FROM sentinel.webhook_conflicts WHERE event_id = %(event_id)s) kept
ON CONFLICT (event_id, content_hash)
DO UPDATE SET seen_count = c.seen_count + 1, last_seen_at = greatest(c.last_seen_at, excluded.last_seen_at)

-- name: count_attempt
-- Count a refused delivery and return how many there were in this hour for this reason.
INSERT INTO sentinel.webhook_attempt_counts AS c (tenant_id, source_id, hour, reason, attempt_count)
VALUES (sentinel.current_tenant(), %(source_id)s, date_bin('1 hour', %(received_at)s, 'epoch'), %(reason)s, 1)
ON CONFLICT (source_id, hour, reason) DO UPDATE SET attempt_count = c.attempt_count + 1
RETURNING attempt_count

-- name: count_slot
-- Count it by five minutes, too, for detectors.
INSERT INTO sentinel.webhook_attempt_slots AS c (tenant_id, source_id, slot, reason, attempt_count)
VALUES (sentinel.current_tenant(), %(source_id)s, date_bin('5 minutes', %(received_at)s, 'epoch'), %(reason)s, 1)
ON CONFLICT (source_id, slot, reason) DO UPDATE SET attempt_count = c.attempt_count + 1

-- name: add_attempt
-- Keep a refused delivery.
INSERT INTO sentinel.webhook_attempts
    (tenant_id, source_id, reason, received_at, caller_address, body_bytes, body_hash)
VALUES (sentinel.current_tenant(), %(source_id)s, %(reason)s, %(received_at)s, %(caller_address)s, %(body_bytes)s,
        %(body_hash)s)

-- name: prune_attempts
-- Forget refused deliveries of long ago.
DELETE FROM sentinel.webhook_attempts
WHERE source_id = %(source_id)s AND received_at < %(received_at)s - make_interval(days => %(days)s)

-- name: prune_slots
-- Forget the counts of long ago.
DELETE FROM sentinel.webhook_attempt_slots
WHERE source_id = %(source_id)s AND slot < %(received_at)s - make_interval(days => %(days)s)

-- name: waiting_tenants
-- Tenants of which an event waits, visible to the publisher.
SELECT DISTINCT tenant_id FROM sentinel.webhook_events
WHERE published_at IS NULL AND topic IS NOT NULL AND publish_after <= now()

-- name: claim
-- Events that wait, oldest first, without those that another publisher has.
SELECT e.id, s.kind, e.topic, e.provider_event_id, e.raw
FROM sentinel.webhook_events e JOIN sentinel.webhook_sources s ON s.id = e.source_id
WHERE e.published_at IS NULL AND e.topic IS NOT NULL AND e.publish_after <= now()
  AND e.tenant_id = sentinel.current_tenant()
ORDER BY e.id
LIMIT %(limit)s
FOR NO KEY UPDATE OF e SKIP LOCKED

-- name: published
-- Note what the broker has confirmed.
UPDATE sentinel.webhook_events SET published_at = now(), publish_error = NULL WHERE id = ANY(%(ids)s)

-- name: postpone
-- Try an event again later.
UPDATE sentinel.webhook_events
SET publish_error = %(reason)s, publish_after = now() + make_interval(secs => %(seconds)s)
WHERE id = %(event_id)s
