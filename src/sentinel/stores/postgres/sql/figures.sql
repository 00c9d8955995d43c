-- name: pipelines
-- Every pipeline with its figures; each of them by an index, whatever has come together.
SELECT p.id AS pipeline_id, p.status,
       coalesce((SELECT jsonb_object_agg(c.severity, c.alert_count) FROM sentinel.alert_counts c
                 WHERE c.pipeline_id = p.id), '{}') AS alerts,
       coalesce((SELECT jsonb_object_agg(d.cause, d.n)
                 FROM (SELECT cause, count(*) AS n FROM sentinel.dead_letters
                       WHERE pipeline_id = p.id GROUP BY cause) d), '{}') AS dead_letters,
       coalesce((SELECT sum(g.next_offset - g.first_offset) FROM sentinel.progress g
                 WHERE g.pipeline_id = p.id), 0)::bigint AS decided,
       CASE WHEN l.expires_at > now() THEN (l.details->>'lag_records')::bigint END AS lag,
       CASE WHEN l.expires_at > now() THEN coalesce(l.details->>'phase', '') ELSE '' END AS phase,
       extract(epoch FROM now() - l.heartbeat_at)::double precision AS heartbeat_age_seconds,
       (SELECT count(*) FROM sentinel.generations n
        WHERE n.pipeline_id = p.id AND n.state = 'failed') AS generation_failures,
       (SELECT count(*) FROM sentinel.rule_quarantines q
        WHERE q.pipeline_id = p.id AND q.released_at IS NULL) AS quarantined
FROM sentinel.pipelines p
LEFT JOIN sentinel.leases l ON l.pipeline_id = p.id
ORDER BY p.id
