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

-- name: tenant
-- What waits in the tenant; counted up to a bound. Its id is named besides the policy, so that indexes serve.
SELECT (SELECT count(*) FROM (SELECT 1 FROM sentinel.alert_outbox o
                              WHERE o.tenant_id = sentinel.current_tenant() LIMIT %(most)s) o) AS outbox_entries,
       coalesce((SELECT extract(epoch FROM now() - o.created_at) FROM sentinel.alert_outbox o
                 WHERE o.tenant_id = sentinel.current_tenant() ORDER BY o.id LIMIT 1), 0)::double precision
           AS outbox_age_seconds,
       (SELECT count(*) FROM (SELECT 1 FROM sentinel.webhook_events e
                              WHERE e.tenant_id = sentinel.current_tenant() AND e.published_at IS NULL
                                AND e.topic IS NOT NULL LIMIT %(most)s) e) AS webhook_events_waiting,
       coalesce((SELECT extract(epoch FROM now() - e.received_at) FROM sentinel.webhook_events e
                 WHERE e.tenant_id = sentinel.current_tenant() AND e.published_at IS NULL AND e.topic IS NOT NULL
                 ORDER BY e.id LIMIT 1), 0)::double precision AS webhook_age_seconds,
       coalesce((SELECT jsonb_object_agg(r.reason, r.n)
                 FROM (SELECT c.reason, sum(c.attempt_count)::bigint AS n
                       FROM sentinel.webhook_sources s
                       JOIN sentinel.webhook_attempt_counts c ON c.source_id = s.id
                       WHERE s.tenant_id = sentinel.current_tenant() AND c.hour > now() - interval '24 hours'
                       GROUP BY c.reason) r), '{}') AS webhooks_refused,
       (SELECT count(*) FROM sentinel.webhook_backfills b
        WHERE b.tenant_id = sentinel.current_tenant() AND b.range_start IS NOT NULL AND NOT b.is_complete)
           AS backfills_open

-- name: channels
-- What waits for each channel, and what was given up as long as it is kept. Nothing is late while a circuit is open.
SELECT c.id AS channel_id, c.kind, c.status = 'disabled' AS is_disabled, coalesce(q.open_until > now(), false) AS is_open,
       (SELECT count(*) FROM (SELECT 1 FROM sentinel.deliveries d
                              WHERE d.channel_id = c.id AND d.state IN ('queued', 'sending') LIMIT %(most)s) d) AS queued,
       coalesce(dead.n, 0) AS dead,
       CASE WHEN q.due_at <= now() AND (q.open_until IS NULL OR q.open_until <= now())
            THEN extract(epoch FROM now() - q.due_at) ELSE 0 END::double precision AS overdue_seconds
FROM sentinel.notification_channels c
LEFT JOIN sentinel.channel_queues q ON q.channel_id = c.id AND q.tenant_id = c.tenant_id
LEFT JOIN (SELECT d.channel_id, count(*) AS n FROM sentinel.deliveries d
           WHERE d.tenant_id = sentinel.current_tenant() AND d.state = 'dead' GROUP BY d.channel_id) dead
  ON dead.channel_id = c.id
WHERE c.tenant_id = sentinel.current_tenant()
ORDER BY c.id
