-- name: lock
-- Let requests with the same key wait for each other.
SELECT pg_advisory_xact_lock(hashtextextended(sentinel.current_tenant() || '/' || %(key)s, 0))

-- name: get
-- The answer kept under a key.
SELECT request_hash, status, headers, body FROM sentinel.idempotency_keys WHERE key = %(key)s

-- name: keep
-- Keep an answer.
INSERT INTO sentinel.idempotency_keys (tenant_id, key, request_hash, status, headers, body)
VALUES (sentinel.current_tenant(), %(key)s, %(request_hash)s, %(status)s, %(headers)s, %(body)s)

-- name: forget_old
-- Answers are kept for a week.
DELETE FROM sentinel.idempotency_keys WHERE created_at < now() - interval '7 days'
