-- name: begin
-- Take up a refill. The same task again finds what it began with: the same records under the same schema.
INSERT INTO sentinel.refills
    (tenant_id, pipeline_id, task_id, rule_version_ids, schema_version, rule_set_version, clock, range_start, range_end,
     ends)
VALUES (sentinel.current_tenant(), %(pipeline_id)s, %(task_id)s, %(rule_version_ids)s, %(schema_version)s,
        %(rule_set_version)s, %(clock)s, %(range_start)s, %(range_end)s, %(ends)s)
ON CONFLICT (task_id) DO UPDATE SET task_id = excluded.task_id
RETURNING id, task_id, rule_version_ids, schema_version, rule_set_version, clock, range_start, range_end, ends, is_complete, match_count,
          alert_count;

-- name: list
-- The refills of a pipeline, oldest first.
SELECT id, task_id, rule_version_ids, schema_version, rule_set_version, clock, range_start, range_end, ends, is_complete, match_count,
       alert_count
FROM sentinel.refills WHERE pipeline_id = %(pipeline_id)s ORDER BY id;

-- name: rule_versions
-- Versions of rules of a pipeline.
SELECT v.rule_id, v.id AS rule_version_id, v.version, v.rule_expression AS condition, v.severity, v.description
FROM sentinel.rule_versions v JOIN sentinel.rules r ON r.id = v.rule_id
WHERE r.pipeline_id = %(pipeline_id)s AND v.id = ANY (%(rule_version_ids)s) ORDER BY v.rule_id, v.version;

-- name: wait_for_writer
-- Keep the alert writer, which shares this row, from writing until the end of the transaction: the scores follow the
-- alerts by their numbers, so those must become visible in their order.
SELECT 1 FROM sentinel.leases WHERE pipeline_id = %(pipeline_id)s FOR UPDATE;

-- name: count_alerts
-- A refill wrote so many alerts more.
UPDATE sentinel.refills SET alert_count = alert_count + %(added)s WHERE id = %(refill_id)s;

-- name: complete
-- All of its alerts are there.
UPDATE sentinel.refills SET is_complete = true, match_count = %(match_count)s, completed_at = now()
WHERE id = %(refill_id)s
RETURNING id, task_id, rule_version_ids, schema_version, rule_set_version, clock, range_start, range_end, ends, is_complete, match_count,
          alert_count;
