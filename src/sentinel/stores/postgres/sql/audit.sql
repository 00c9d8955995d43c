-- name: add
-- A change that somebody made.
INSERT INTO sentinel.audit_entries
    (tenant_id, pipeline_id, actor, action, object_type, object_id, object_name, before, after, comment)
VALUES (sentinel.current_tenant(), %(pipeline_id)s, %(actor)s, %(action)s, %(object_type)s, %(object_id)s,
        %(object_name)s, %(before)s, %(after)s, %(comment)s)

-- name: page
-- Entries, newest first. A filter that is NULL folds away when the statement is planned with its values.
SELECT id, pipeline_id, actor, action, object_type, object_id, object_name, before, after, comment, created_at
FROM sentinel.audit_entries
WHERE (%(pipeline_id)s::bigint IS NULL OR pipeline_id = %(pipeline_id)s)
  AND (%(object_type)s::text IS NULL OR object_type = %(object_type)s)
  AND (%(object_id)s::bigint IS NULL OR object_id = %(object_id)s)
  AND (%(actor)s::text IS NULL OR actor = %(actor)s)
  AND (%(action)s::text IS NULL OR action = %(action)s)
  AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR created_at < %(until)s)
  AND (%(before_id)s::bigint IS NULL OR id < %(before_id)s)
ORDER BY id DESC
LIMIT %(limit)s
