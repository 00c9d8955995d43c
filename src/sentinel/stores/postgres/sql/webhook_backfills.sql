-- name: get
-- How far the backfill of a source is, without the key.
SELECT hint, is_encrypted, key_added_by, key_added_at, range_start, range_end, only_failed, cursor, is_complete, stored,
       duplicate, conflict, refused, covered_until, updated_at, held_until
FROM sentinel.webhook_backfills WHERE source_id = %(source_id)s

-- name: set_key
-- Keep a key in place of the one that is there.
INSERT INTO sentinel.webhook_backfills AS b (source_id, tenant_id, sealed, is_encrypted, hint, key_added_by)
VALUES (%(source_id)s, sentinel.current_tenant(), %(sealed)s, %(is_encrypted)s, %(hint)s, %(added_by)s)
ON CONFLICT (source_id) DO UPDATE
SET sealed = excluded.sealed, is_encrypted = excluded.is_encrypted, hint = excluded.hint,
    key_added_by = excluded.key_added_by, key_added_at = excluded.key_added_at

-- name: delete_key
-- Forget the key and how far it is.
DELETE FROM sentinel.webhook_backfills WHERE source_id = %(source_id)s

-- name: begin
-- Begin a range, unless somebody works on one.
UPDATE sentinel.webhook_backfills
SET range_start = %(start)s, range_end = %(end)s, only_failed = %(only_failed)s, cursor = NULL, is_complete = false,
    stored = 0, duplicate = 0, conflict = 0, refused = 0, updated_at = now()
WHERE source_id = %(source_id)s AND (held_until IS NULL OR held_until <= clock_timestamp())
RETURNING source_id

-- name: claim
-- Hold a backfill, unless somebody else does.
UPDATE sentinel.webhook_backfills b
SET holder = %(holder)s, held_until = clock_timestamp() + make_interval(secs => %(seconds)s)
FROM sentinel.webhook_sources s
WHERE b.source_id = %(source_id)s AND s.id = b.source_id
  AND (b.held_until IS NULL OR b.held_until <= clock_timestamp() OR b.holder = %(holder)s)
RETURNING s.kind, s.status, b.sealed, b.is_encrypted, b.range_start, b.range_end, b.only_failed, b.cursor, b.is_complete

-- name: hold_on
-- Hold a backfill longer; nothing when somebody else does by now.
UPDATE sentinel.webhook_backfills SET held_until = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE source_id = %(source_id)s AND holder = %(holder)s
RETURNING source_id

-- name: advance
-- Note how far it is. What is covered grows by a range that leaves no gap behind it, but for what nobody can list any more.
UPDATE sentinel.webhook_backfills
SET cursor = %(cursor)s, is_complete = %(is_complete)s, stored = stored + %(stored)s,
    duplicate = duplicate + %(duplicate)s, conflict = conflict + %(conflict)s, refused = refused + %(refused)s,
    covered_until = CASE WHEN %(is_complete)s
                              AND range_start <= greatest(covered_until, range_end - make_interval(days => %(horizon)s))
                         THEN greatest(covered_until, range_end) ELSE covered_until END,
    updated_at = now()
WHERE source_id = %(source_id)s

-- name: release
-- Let others hold it.
UPDATE sentinel.webhook_backfills SET holder = NULL, held_until = NULL
WHERE source_id = %(source_id)s AND holder = %(holder)s
