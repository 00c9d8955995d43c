-- name: limits
-- What a query of a tenant's own runs under, until the transaction ends.
-- In one process, and of memory so much for each sort and hash; beyond it they go to files.
SELECT set_config('search_path', 'detector_views, pg_catalog', true),
       set_config('statement_timeout', %(timeout)s, true),
       set_config('TimeZone', 'UTC', true),
       set_config('work_mem', %(work_mem)s, true),
       set_config('hash_mem_multiplier', '1', true),
       set_config('max_parallel_workers_per_gather', '0', true),
       set_config('jit', 'off', true)

-- name: limit_files
-- How large its files may be: where the role may set that, which is a superuser's to grant.
SELECT set_config('temp_file_limit', %(temp_files)s, true)
WHERE has_parameter_privilege('temp_file_limit', 'SET')

-- name: read_only
-- It changes nothing.
SELECT set_config('transaction_read_only', 'on', true)

-- name: tree
-- What PostgreSQL itself made of the query.
SELECT r.ev_class::bigint AS view_id, r.ev_action::text AS tree
FROM pg_catalog.pg_rewrite r WHERE r.ev_class = 'pg_temp.detector_query'::regclass

-- name: relations
-- Relations by id, with their schema.
SELECT c.oid::bigint AS id, c.relname AS name, n.nspname AS schema, c.relkind::text AS kind
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY(%(ids)s::oid[])

-- name: functions
-- Functions by id.
SELECT p.proname AS name, n.nspname AS schema, p.provolatile::text AS volatility, p.prokind::text AS kind, p.proretset
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.oid = ANY(%(ids)s::oid[])
ORDER BY p.proname

-- name: operators
-- Operators by id that are not PostgreSQL's own, or volatile.
SELECT o.oprname AS name
FROM pg_catalog.pg_operator o
JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode
WHERE o.oid = ANY(%(ids)s::oid[]) AND (n.nspname <> 'pg_catalog' OR p.provolatile = 'v')

-- name: tenant
-- Whose rows are visible.
SELECT sentinel.current_tenant() AS tenant_id
