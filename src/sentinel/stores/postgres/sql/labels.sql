-- name: add
-- Keep labels.
INSERT INTO sentinel.label_sets
    (tenant_id, pipeline_id, name, label_count, true_count, content_hash, content, created_by)
VALUES (sentinel.current_tenant(), %(pipeline_id)s, %(name)s, %(label_count)s, %(true_count)s, %(content_hash)s,
        %(content)s, %(created_by)s)
RETURNING id, pipeline_id, name, label_count, true_count, content_hash, created_by, created_at

-- name: list
-- The labels of a pipeline, newest first.
SELECT id, pipeline_id, name, label_count, true_count, content_hash, created_by, created_at
FROM sentinel.label_sets WHERE pipeline_id = %(pipeline_id)s ORDER BY id DESC

-- name: content
-- What was uploaded.
SELECT content FROM sentinel.label_sets WHERE id = %(label_set_id)s AND pipeline_id = %(pipeline_id)s

-- name: delete
-- Forget labels.
DELETE FROM sentinel.label_sets WHERE id = %(label_set_id)s RETURNING id
