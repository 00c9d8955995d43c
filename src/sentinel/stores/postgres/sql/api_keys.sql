-- name: presented
-- The key of this hash, visible to whoever presents it.
SELECT id, tenant_id, name, prefix, scopes, created_at, expires_at, revoked_at, last_used_at
FROM sentinel.api_keys WHERE key_hash = %(key_hash)s

-- name: touch
-- Note the use of a key, once a minute at most.
UPDATE sentinel.api_keys SET last_used_at = now()
WHERE id = %(key_id)s AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')

-- name: add
-- Keep a key: its hash and its beginning.
INSERT INTO sentinel.api_keys (tenant_id, name, prefix, key_hash, scopes, expires_at)
VALUES (sentinel.current_tenant(), %(name)s, %(prefix)s, %(key_hash)s, %(scopes)s, %(expires_at)s)
RETURNING id, tenant_id, name, prefix, scopes, created_at, expires_at, revoked_at, last_used_at

-- name: list
-- All keys of the tenant, newest first.
SELECT id, tenant_id, name, prefix, scopes, created_at, expires_at, revoked_at, last_used_at
FROM sentinel.api_keys ORDER BY id DESC

-- name: revoke
-- Make a key unusable; the first revocation counts.
UPDATE sentinel.api_keys SET revoked_at = COALESCE(revoked_at, now()) WHERE id = %(key_id)s
RETURNING id, tenant_id, name, prefix, scopes, created_at, expires_at, revoked_at, last_used_at
