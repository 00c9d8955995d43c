-- name: add
-- Create a source; nothing when its name is taken.
INSERT INTO sentinel.webhook_sources (tenant_id, public_id, name, kind, pipeline_id, options, created_by)
VALUES (sentinel.current_tenant(), %(public_id)s, %(name)s, %(kind)s, %(pipeline_id)s, %(options)s, %(created_by)s)
ON CONFLICT (tenant_id, name) DO NOTHING
RETURNING id

-- name: list
-- Sources, oldest first: all, or one.
SELECT id, public_id, name, kind, status, pipeline_id, options, version, created_at, updated_at
FROM sentinel.webhook_sources
WHERE %(source_id)s::bigint IS NULL OR id = %(source_id)s
ORDER BY id

-- name: lock
-- Keep others from changing a source, or its secrets.
SELECT id FROM sentinel.webhook_sources WHERE id = %(source_id)s FOR NO KEY UPDATE

-- name: lock_all
-- Keep others from adding sources until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('webhook_sources/' || sentinel.current_tenant(), 0))

-- name: change
-- Change a source.
UPDATE sentinel.webhook_sources
SET name = %(name)s, status = %(status)s, pipeline_id = %(pipeline_id)s, options = %(options)s,
    version = version + 1, updated_at = now()
WHERE id = %(source_id)s

-- name: delete
-- Delete a source with everything it sent.
DELETE FROM sentinel.webhook_sources WHERE id = %(source_id)s

-- name: has_events
-- Whether a source ever sent an event that is stored.
SELECT EXISTS (SELECT FROM sentinel.webhook_events WHERE source_id = %(source_id)s) AS found

-- name: secrets
-- Secrets that did not expire, oldest first, without the secrets: of all sources, or of one.
SELECT id, source_id, hint, is_encrypted, added_at, added_by, expires_at
FROM sentinel.webhook_secrets
WHERE (%(source_id)s::bigint IS NULL OR source_id = %(source_id)s) AND (expires_at IS NULL OR expires_at > now())
ORDER BY id

-- name: add_secret
-- Keep a secret.
INSERT INTO sentinel.webhook_secrets (tenant_id, source_id, sealed, is_encrypted, hint, added_by, expires_at)
VALUES (sentinel.current_tenant(), %(source_id)s, %(sealed)s, %(is_encrypted)s, %(hint)s, %(added_by)s, %(expires_at)s)
RETURNING id

-- name: forget_expired
-- Delete secrets that verify nothing any more.
DELETE FROM sentinel.webhook_secrets WHERE source_id = %(source_id)s AND expires_at <= now()

-- name: expire_others
-- Have all secrets but one end at a time, unless they end earlier.
UPDATE sentinel.webhook_secrets SET expires_at = LEAST(expires_at, %(expires_at)s)
WHERE source_id = %(source_id)s AND id <> %(secret_id)s

-- name: delete_secret
-- Delete a secret.
DELETE FROM sentinel.webhook_secrets WHERE source_id = %(source_id)s AND id = %(secret_id)s RETURNING hint

-- name: touch
-- Note that a source's secrets changed.
UPDATE sentinel.webhook_sources SET version = version + 1, updated_at = now() WHERE id = %(source_id)s

-- name: events
-- Events of a source, newest first, without their bodies.
SELECT e.id, e.provider_event_id, e.event_type, e.received_at, e.occurred_at, e.content_hash,
       octet_length(e.raw) AS body_bytes, e.topic, e.published_at, e.publish_error, e.origin,
       (SELECT COALESCE(sum(c.seen_count), 0)::bigint FROM sentinel.webhook_conflicts c WHERE c.event_id = e.id)
           AS conflict_count
FROM sentinel.webhook_events e
WHERE e.source_id = %(source_id)s
  AND (%(before)s::bigint IS NULL OR e.id < %(before)s)
  AND (%(event_type)s::text IS NULL OR e.event_type = %(event_type)s)
  AND (%(provider_event_id)s::text IS NULL OR e.provider_event_id = %(provider_event_id)s)
  AND (NOT %(unpublished)s OR e.published_at IS NULL)
ORDER BY e.id DESC
LIMIT %(limit)s

-- name: event
-- One event with its body.
SELECT e.id, e.provider_event_id, e.event_type, e.received_at, e.occurred_at, e.content_hash,
       octet_length(e.raw) AS body_bytes, e.topic, e.published_at, e.publish_error, e.origin,
       (SELECT COALESCE(sum(c.seen_count), 0)::bigint FROM sentinel.webhook_conflicts c WHERE c.event_id = e.id)
           AS conflict_count, e.raw
FROM sentinel.webhook_events e
WHERE e.source_id = %(source_id)s AND e.id = %(event_id)s

-- name: conflicts
-- Other contents under ids of stored events, newest first.
SELECT c.id, c.event_id, e.provider_event_id, c.content_hash, c.seen_count, c.first_seen_at, c.last_seen_at,
       c.body_bytes, c.raw
FROM sentinel.webhook_conflicts c JOIN sentinel.webhook_events e ON e.id = c.event_id
WHERE c.source_id = %(source_id)s AND (%(before)s::bigint IS NULL OR c.id < %(before)s)
ORDER BY c.id DESC
LIMIT %(limit)s

-- name: prune
-- Of the next events of a source, in the order in which they came: delete those that are old, unless they wait for the broker, or
-- somebody has them just now.
WITH next AS (
    SELECT id, received_at, topic IS NOT NULL AND published_at IS NULL AS waits
    FROM sentinel.webhook_events WHERE source_id = %(source_id)s AND id > %(after)s ORDER BY id LIMIT %(limit)s
), old AS (
    SELECT e.id FROM sentinel.webhook_events e JOIN next n USING (id)
    WHERE n.received_at < %(before)s AND NOT n.waits FOR UPDATE OF e SKIP LOCKED
), gone AS (
    DELETE FROM sentinel.webhook_events e USING old WHERE e.id = old.id RETURNING e.id
)
SELECT (SELECT count(*) FROM gone) AS deleted, max(id) AS last_id, COALESCE(bool_or(received_at < %(before)s), false) AS any_old
FROM next

-- name: attempts
-- Refused deliveries that were kept, newest first.
SELECT id, reason, received_at, caller_address, body_bytes, body_hash
FROM sentinel.webhook_attempts
WHERE source_id = %(source_id)s
  AND (%(before)s::bigint IS NULL OR id < %(before)s)
  AND (%(reason)s::text IS NULL OR reason = %(reason)s)
ORDER BY id DESC
LIMIT %(limit)s

-- name: attempt_counts
-- Refused deliveries by hour and reason, newest hour first.
SELECT hour, reason, attempt_count FROM sentinel.webhook_attempt_counts
WHERE source_id = %(source_id)s
ORDER BY hour DESC, reason
LIMIT %(limit)s
