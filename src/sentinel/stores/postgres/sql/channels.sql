-- name: add
-- Create a channel; nothing when its name is taken.
INSERT INTO sentinel.notification_channels (tenant_id, name, kind, options, rate_per_minute, created_by)
VALUES (sentinel.current_tenant(), %(name)s, %(kind)s, %(options)s, %(rate_per_minute)s, %(created_by)s)
ON CONFLICT (tenant_id, name) DO NOTHING
RETURNING id

-- name: list
-- Channels by name: all, or one.
SELECT id, name, kind, options, status, disabled_reason, rate_per_minute, version, created_by, created_at, updated_at
FROM sentinel.notification_channels
WHERE %(name)s::text IS NULL OR name = %(name)s
ORDER BY name

-- name: lock
-- Keep others from changing a channel, or its secrets.
SELECT id FROM sentinel.notification_channels WHERE name = %(name)s FOR NO KEY UPDATE

-- name: lock_all
-- Keep others from adding channels until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('notification_channels/' || sentinel.current_tenant(), 0))

-- name: change
-- Change a channel.
UPDATE sentinel.notification_channels
SET options = %(options)s, rate_per_minute = %(rate_per_minute)s, version = version + 1, updated_at = now()
WHERE id = %(channel_id)s

-- name: set_status
-- Enable or disable a channel; nothing when it is so already.
UPDATE sentinel.notification_channels
SET status = %(status)s, disabled_reason = %(reason)s, version = version + 1, updated_at = now()
WHERE id = %(channel_id)s AND (status, disabled_reason) <> (%(status)s, %(reason)s)
RETURNING id

-- name: note_deletion
-- What waits for a channel that is deleted, and what was sent by it: its deliveries go with it.
INSERT INTO sentinel.notification_decisions (tenant_id, alert_id, outcome, channel, reason, decided_at)
SELECT c.tenant_id, t.alert_id, CASE WHEN bool_or(t.is_sent) THEN 'sent' ELSE 'disabled' END, c.name,
       CASE WHEN bool_or(t.is_sent) THEN 'it was sent before the channel was deleted'
            ELSE 'the channel was deleted before it was told' END, %(at)s
FROM sentinel.notification_channels c,
    LATERAL (SELECT m.alert_id, false AS is_sent
             FROM sentinel.notification_groups g JOIN sentinel.group_members m ON m.group_id = g.id
             WHERE g.channel_id = c.id
             UNION ALL
             SELECT a.alert_id, d.state = 'sent'
             FROM sentinel.deliveries d JOIN sentinel.delivery_alerts a ON a.delivery_id = d.id
             WHERE d.channel_id = c.id) t
WHERE c.id = %(channel_id)s
GROUP BY c.tenant_id, c.name, t.alert_id
ORDER BY t.alert_id

-- name: delete
-- Delete a channel with its secrets.
DELETE FROM sentinel.notification_channels WHERE id = %(channel_id)s

-- name: secrets
-- Secrets that did not expire, oldest first, without the secrets: of all channels, or of one.
SELECT s.id, s.channel_id, s.hint, s.is_encrypted, s.added_at, s.added_by, s.expires_at
FROM sentinel.channel_secrets s JOIN sentinel.notification_channels c ON c.id = s.channel_id
WHERE (%(name)s::text IS NULL OR c.name = %(name)s) AND (s.expires_at IS NULL OR s.expires_at > now())
ORDER BY s.id

-- name: add_secret
-- Keep a secret.
INSERT INTO sentinel.channel_secrets (tenant_id, channel_id, sealed, is_encrypted, hint, added_by)
VALUES (sentinel.current_tenant(), %(channel_id)s, %(sealed)s, %(is_encrypted)s, %(hint)s, %(added_by)s)
RETURNING id

-- name: expire_secrets
-- Have all secrets end at a time, unless they end earlier.
UPDATE sentinel.channel_secrets SET expires_at = LEAST(expires_at, %(expires_at)s) WHERE channel_id = %(channel_id)s

-- name: forget_secrets
-- Delete secrets: those that expired, or all.
DELETE FROM sentinel.channel_secrets WHERE channel_id = %(channel_id)s AND (%(all)s OR expires_at <= now())

-- name: touch
-- Note that a channel's secrets changed.
UPDATE sentinel.notification_channels SET version = version + 1, updated_at = now() WHERE id = %(channel_id)s

-- name: known
-- A channel with its sealed secrets, newest first, one row for each; one row without where it has none.
SELECT c.id, c.name, c.kind, c.options, c.status, c.disabled_reason, c.rate_per_minute, c.version,
       s.sealed, s.is_encrypted, s.expires_at
FROM sentinel.notification_channels c
LEFT JOIN sentinel.channel_secrets s ON s.channel_id = c.id AND (s.expires_at IS NULL OR s.expires_at > now())
WHERE c.id = %(channel_id)s
ORDER BY s.id DESC
