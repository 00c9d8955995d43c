-- name: list
-- All lists, by name.
SELECT l.id, l.name, l.description, l.columns, l.key_column, l.version, l.created_at, l.updated_at, v.row_count, v.size_bytes,
       v.content_hash
FROM sentinel.lists l JOIN sentinel.list_versions v ON v.list_id = l.id AND v.version = l.version
ORDER BY l.name

-- name: get
-- One list.
SELECT l.id, l.name, l.description, l.columns, l.key_column, l.version, l.created_at, l.updated_at, v.row_count, v.size_bytes,
       v.content_hash
FROM sentinel.lists l JOIN sentinel.list_versions v ON v.list_id = l.id AND v.version = l.version
WHERE l.name = %(name)s

-- name: definitions
-- The shape of every list.
SELECT name, columns, key_column FROM sentinel.lists ORDER BY name

-- name: lock_pipelines
-- Rules of no pipeline change until the transaction ends. Whoever changes a rule locks its pipeline before a list, so a
-- change of a list does likewise.
SELECT id FROM sentinel.pipelines ORDER BY id FOR NO KEY UPDATE

-- name: lock_list
-- Keep others from changing a list, and rule sets from naming its version, until the transaction ends.
SELECT version FROM sentinel.lists WHERE id = %(list_id)s FOR NO KEY UPDATE

-- name: add
-- A new list, whose version 1 follows; no row comes back when the name is taken.
INSERT INTO sentinel.lists (tenant_id, name, description, columns, key_column)
VALUES (sentinel.current_tenant(), %(name)s, %(description)s, %(columns)s, %(key_column)s)
ON CONFLICT (tenant_id, name) DO NOTHING
RETURNING id

-- name: create_staging
-- Where COPY puts the rows of one upload.
CREATE TEMP TABLE IF NOT EXISTS list_staging (
    key text COLLATE "C" NOT NULL, cells text[] NOT NULL, size_bytes integer NOT NULL, expires_at timestamptz
) ON COMMIT DELETE ROWS

-- name: copy_staging
-- The columns in the order in which rows are written.
COPY list_staging (key, cells, size_bytes, expires_at) FROM STDIN

-- name: analyze_staging
-- Without figures the planner takes the staging table for nearly empty and nests loops over a million rows.
ANALYZE list_staging

-- name: close_changed
-- Rows that another one of the same key takes the place of end with the version before.
UPDATE sentinel.list_rows r SET to_version = %(version)s
FROM list_staging s
WHERE r.list_id = %(list_id)s AND r.to_version IS NULL AND r.key = s.key
  AND (r.cells, r.expires_at) IS DISTINCT FROM (s.cells, s.expires_at)

-- name: close_absent
-- Rows that the upload of a whole table does not have end with the version before.
UPDATE sentinel.list_rows r SET to_version = %(version)s
WHERE r.list_id = %(list_id)s AND r.to_version IS NULL
  AND NOT EXISTS (SELECT 1 FROM list_staging s WHERE s.key = r.key)

-- name: close_keys
-- Rows that are deleted by key end with the version before.
UPDATE sentinel.list_rows r SET to_version = %(version)s
WHERE r.list_id = %(list_id)s AND r.to_version IS NULL AND r.key = ANY (%(keys)s)

-- name: close_expired
-- Rows whose time is over end with the version before.
UPDATE sentinel.list_rows r SET to_version = %(version)s
WHERE r.list_id = %(list_id)s AND r.to_version IS NULL AND r.expires_at <= %(now)s

-- name: insert_staged
-- What is staged and not there yet begins with this version.
INSERT INTO sentinel.list_rows (list_id, tenant_id, key, from_version, cells, size_bytes, expires_at)
SELECT %(list_id)s, sentinel.current_tenant(), s.key, %(version)s, s.cells, s.size_bytes, s.expires_at
FROM list_staging s
WHERE NOT EXISTS (
    SELECT 1 FROM sentinel.list_rows r WHERE r.list_id = %(list_id)s AND r.key = s.key AND r.to_version IS NULL)

-- name: staged_counts
-- What would become of a list's rows, were what is staged all of them.
SELECT count(*) FILTER (WHERE r.key IS NULL)::integer AS added,
       count(*) FILTER (WHERE s.key IS NOT NULL AND r.key IS NOT NULL
                          AND (r.cells, r.expires_at) IS DISTINCT FROM (s.cells, s.expires_at))::integer AS changed,
       count(*) FILTER (WHERE s.key IS NULL)::integer AS removed, count(s.key)::integer AS row_count
FROM list_staging s
FULL JOIN (SELECT key, cells, expires_at FROM sentinel.list_rows WHERE list_id = %(list_id)s AND to_version IS NULL) r
  ON r.key = s.key

-- name: staged_diff
-- The first of these rows, in the order of the keys.
SELECT COALESCE(r.key, s.key) AS key, r.cells AS old_cells, r.expires_at AS old_expires_at, s.cells AS new_cells,
       s.expires_at AS new_expires_at
FROM list_staging s
FULL JOIN (SELECT key, cells, expires_at FROM sentinel.list_rows WHERE list_id = %(list_id)s AND to_version IS NULL) r
  ON r.key = s.key
WHERE s.key IS NULL OR r.key IS NULL OR (r.cells, r.expires_at) IS DISTINCT FROM (s.cells, s.expires_at)
ORDER BY 1 LIMIT %(limit)s

-- name: totals
-- What the rows of now amount to. The hash is over the hashes of all rows in the order of their keys.
SELECT count(*)::integer AS row_count, COALESCE(sum(size_bytes), 0)::bigint AS size_bytes,
       encode(sha256(COALESCE(string_agg(sha256(convert_to(
           to_json(cells)::text || ' ' || COALESCE(extract(epoch FROM expires_at)::text, ''), 'UTF8')), ''::bytea
           ORDER BY key), ''::bytea)), 'hex') AS content_hash
FROM sentinel.list_rows WHERE list_id = %(list_id)s AND to_version IS NULL

-- name: add_version
-- Record what a version is.
INSERT INTO sentinel.list_versions
    (list_id, tenant_id, version, cause, comment, row_count, size_bytes, content_hash, added_count, changed_count,
     removed_count, created_by)
VALUES (%(list_id)s, sentinel.current_tenant(), %(version)s, %(cause)s, %(comment)s, %(row_count)s, %(size_bytes)s,
        %(content_hash)s, %(added)s, %(changed)s, %(removed)s, %(created_by)s)

-- name: point_to
-- Make a version the current one.
UPDATE sentinel.lists SET version = %(version)s, updated_at = now() WHERE id = %(list_id)s

-- name: versions
-- All versions, newest first.
SELECT version, cause, comment, created_by, created_at, row_count, size_bytes, content_hash, added_count AS added,
       changed_count AS changed, removed_count AS removed
FROM sentinel.list_versions WHERE list_id = %(list_id)s ORDER BY version DESC

-- name: rows
-- Rows of a version in the order of their keys, from after a key on.
SELECT key, cells, expires_at FROM sentinel.list_rows
WHERE list_id = %(list_id)s AND from_version <= %(version)s AND (to_version IS NULL OR to_version > %(version)s)
  AND (%(after)s::text IS NULL OR key > %(after)s) AND (%(key)s::text IS NULL OR key = %(key)s)
ORDER BY key LIMIT %(limit)s

-- name: all_rows
-- The cells of some columns of every row of a version, in the order of the keys.
SELECT ARRAY(SELECT r.cells[i] FROM unnest(%(places)s::integer[]) WITH ORDINALITY AS p(i, at) ORDER BY p.at) AS cells
FROM sentinel.list_rows r
WHERE list_id = %(list_id)s AND from_version <= %(version)s AND (to_version IS NULL OR to_version > %(version)s)
ORDER BY key

-- name: diff
-- What became of each key between two versions, in the order of the keys. A row that was changed and changed back is none.
WITH old AS (
    SELECT key, cells, expires_at FROM sentinel.list_rows
    WHERE list_id = %(list_id)s AND from_version <= %(before)s AND to_version > %(before)s AND to_version <= %(after)s
), new AS (
    SELECT key, cells, expires_at FROM sentinel.list_rows
    WHERE list_id = %(list_id)s AND from_version > %(before)s AND from_version <= %(after)s
      AND (to_version IS NULL OR to_version > %(after)s)
)
SELECT COALESCE(o.key, n.key) AS key, o.cells AS old_cells, o.expires_at AS old_expires_at, n.cells AS new_cells,
       n.expires_at AS new_expires_at
FROM old o FULL JOIN new n ON n.key = o.key
WHERE (o.key IS NULL OR n.key IS NULL OR (o.cells, o.expires_at) IS DISTINCT FROM (n.cells, n.expires_at))
  AND (%(from_key)s::text IS NULL OR COALESCE(o.key, n.key) > %(from_key)s)
ORDER BY 1 LIMIT %(limit)s

-- name: due
-- Lists with rows whose time is over.
SELECT DISTINCT l.id, l.name FROM sentinel.list_rows r JOIN sentinel.lists l ON l.id = r.list_id
WHERE r.to_version IS NULL AND r.expires_at <= %(now)s ORDER BY l.id

-- name: users
-- Pipelines whose rule set in force reads a list.
SELECT p.id, p.rule_set_version FROM sentinel.pipelines p
JOIN sentinel.rule_sets s ON s.pipeline_id = p.id AND s.version = p.rule_set_version
WHERE s.members -> 'lists' ? %(name)s
ORDER BY p.id

-- name: pin
-- Lists stay at these versions until the transaction ends.
SELECT name, version FROM sentinel.lists WHERE name = ANY (%(names)s) ORDER BY id FOR SHARE

-- name: readers
-- Rules in force that read a list, with their pipelines.
SELECT DISTINCT v.rule_id, p.id AS pipeline_id FROM sentinel.pipelines p
JOIN sentinel.rule_sets s ON s.pipeline_id = p.id AND s.version = p.rule_set_version
CROSS JOIN jsonb_each(s.members -> 'reads') AS used
JOIN sentinel.rule_versions v ON v.id = used.key::bigint
WHERE used.value ? %(name)s ORDER BY v.rule_id

-- name: is_named
-- Whether any version of any rule reads a list.
SELECT EXISTS (SELECT 1 FROM sentinel.rule_versions WHERE %(name)s = ANY (list_names)) AS is_named

-- name: delete_rows
-- The rows of a list that is deleted.
DELETE FROM sentinel.list_rows WHERE list_id = %(list_id)s

-- name: delete
-- A list with its versions.
DELETE FROM sentinel.lists WHERE id = %(list_id)s
