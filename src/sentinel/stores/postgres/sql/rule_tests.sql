-- name: list
-- The tests of a rule, oldest first.
SELECT id, rule_id, name, event, expected, version, created_by, created_at, updated_at
FROM sentinel.rule_tests WHERE rule_id = %(rule_id)s ORDER BY id

-- name: add
-- A new test; no row comes back when its name is taken.
INSERT INTO sentinel.rule_tests (tenant_id, rule_id, name, event, expected, created_by)
VALUES (sentinel.current_tenant(), %(rule_id)s, %(name)s, %(event)s, %(expected)s, %(created_by)s)
ON CONFLICT (rule_id, name) DO NOTHING
RETURNING id, rule_id, name, event, expected, version, created_by, created_at, updated_at

-- name: change
-- Another content of a test.
UPDATE sentinel.rule_tests
SET name = %(name)s, event = %(event)s, expected = %(expected)s, version = version + 1, updated_at = now()
WHERE id = %(test_id)s AND rule_id = %(rule_id)s
RETURNING id, rule_id, name, event, expected, version, created_by, created_at, updated_at

-- name: delete
-- Delete a test.
DELETE FROM sentinel.rule_tests WHERE id = %(test_id)s AND rule_id = %(rule_id)s

-- name: run
-- What the tests gave.
SELECT outcomes FROM sentinel.rule_test_runs
WHERE rule_id = %(rule_id)s AND condition_hash = %(condition_hash)s AND schema_version = %(schema_version)s
  AND tests_hash = %(tests_hash)s

-- name: keep_run
-- Keep what the tests gave.
INSERT INTO sentinel.rule_test_runs (rule_id, tenant_id, condition_hash, schema_version, tests_hash, outcomes)
VALUES (%(rule_id)s, sentinel.current_tenant(), %(condition_hash)s, %(schema_version)s, %(tests_hash)s, %(outcomes)s)
ON CONFLICT (rule_id, condition_hash, schema_version, tests_hash)
DO UPDATE SET outcomes = excluded.outcomes, ran_at = now()

-- name: prune_runs
-- Of each rule the last runs are kept: one that is asked for again is run again.
DELETE FROM sentinel.rule_test_runs r
WHERE r.rule_id = %(rule_id)s AND r.ran_at < (
    SELECT min(ran_at) FROM (
        SELECT ran_at FROM sentinel.rule_test_runs WHERE rule_id = %(rule_id)s ORDER BY ran_at DESC LIMIT 50) newest)
