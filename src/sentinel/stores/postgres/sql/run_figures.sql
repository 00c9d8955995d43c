-- name: alerts_per_rule
-- The rules of a pipeline with the number of their alerts, oldest rule first.
SELECT r.id AS rule_id, r.severity, r.description, count(a.id) AS alerts
FROM public.rules r
LEFT JOIN sentinel.alerts a ON a.rule_id = r.id AND a.pipeline_id = r.pipeline_id
WHERE r.pipeline_id = %(pipeline_id)s
GROUP BY r.id, r.severity, r.description
ORDER BY r.id

-- name: latency
-- Milliseconds from the time in an event to the commit of the transaction that wrote its alert.
SELECT count(*) AS alerts,
       percentile_cont(ARRAY[0.5, 0.95, 0.99, 1.0]) WITHIN GROUP (ORDER BY milliseconds) AS percentiles
FROM (
    SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin)
                              - (transaction_data ->> %(time_field)s)::timestamptz) * 1000 AS milliseconds
    FROM sentinel.alerts
    WHERE pipeline_id = %(pipeline_id)s AND (transaction_data ->> %(time_field)s)::timestamptz >= %(since)s
) AS measured

-- name: archived
-- What the archive has committed so far.
SELECT coalesce(sum(event_count), 0)::bigint AS events, coalesce(sum(dead_count), 0)::bigint AS dead_letters
FROM sentinel.archive_commits
WHERE pipeline_id = %(pipeline_id)s AND state = 'committed'
