-- name: get
-- One schema version.
SELECT pipeline_id, version, fields, created_by, created_at FROM sentinel.schema_versions
WHERE pipeline_id = %(pipeline_id)s AND version = %(version)s

-- name: list
-- All versions of a pipeline's schema, newest first.
SELECT pipeline_id, version, fields, created_by, created_at FROM sentinel.schema_versions
WHERE pipeline_id = %(pipeline_id)s ORDER BY version DESC

-- name: add
-- Write an immutable version.
INSERT INTO sentinel.schema_versions (tenant_id, pipeline_id, version, fields, content_hash, created_by)
VALUES (sentinel.current_tenant(), %(pipeline_id)s, %(version)s, %(fields)s, %(content_hash)s, %(created_by)s)
RETURNING pipeline_id, version, fields, created_by, created_at
