-- name: detected
-- What detection went through in two periods, and in the last minute or two.
SELECT coalesce(sum(decided_count) FILTER (WHERE minute >= %(since)s), 0)::bigint AS decided,
       coalesce(sum(decided_count) FILTER (WHERE minute < %(since)s), 0)::bigint AS decided_before,
       coalesce(sum(dead_count) FILTER (WHERE minute >= %(since)s), 0)::bigint AS dead,
       coalesce(sum(dead_count) FILTER (WHERE minute < %(since)s), 0)::bigint AS dead_before,
       max(lag_records) FILTER (WHERE minute >= %(since)s) AS lag,
       max(lag_records) FILTER (WHERE minute < %(since)s) AS lag_before,
       coalesce(sum(decided_count) FILTER (WHERE minute >= %(recent)s), 0)::bigint AS recent
FROM sentinel.detection_minutes
WHERE tenant_id = sentinel.current_tenant() AND minute >= %(before)s AND minute < %(until)s

-- name: raised
-- Alerts of two periods.
SELECT coalesce(sum(critical_count + warning_count + info_count) FILTER (WHERE minute >= %(since)s), 0)::bigint AS alerts,
       coalesce(sum(critical_count + warning_count + info_count) FILTER (WHERE minute < %(since)s), 0)::bigint
           AS alerts_before,
       coalesce(sum(critical_count) FILTER (WHERE minute >= %(since)s), 0)::bigint AS critical,
       coalesce(sum(critical_count) FILTER (WHERE minute < %(since)s), 0)::bigint AS critical_before
FROM sentinel.alert_minutes
WHERE tenant_id = sentinel.current_tenant() AND minute >= %(before)s AND minute < %(until)s

-- name: delay
-- How late the newest alerts on live records were, in milliseconds: so many of them, from the end of a time back.
SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY milliseconds) AS p95
FROM (SELECT extract(epoch FROM alert_timestamp - kafka_timestamp) * 1000 AS milliseconds
      FROM sentinel.alerts
      WHERE tenant_id = sentinel.current_tenant() AND alert_timestamp >= %(since)s AND alert_timestamp < %(until)s
        AND kafka_timestamp IS NOT NULL AND refill_id IS NULL
      ORDER BY alert_timestamp DESC, id DESC LIMIT %(most)s) newest

-- name: now
-- Pipelines, how many were active at a time, by the first change of status after it, and who is furthest behind.
SELECT count(*) AS pipelines, count(*) FILTER (WHERE p.status = 'active') AS active,
       count(*) FILTER (WHERE p.created_at < %(since)s AND coalesce(
           (SELECT e.before->>'status' FROM sentinel.audit_entries e
            WHERE e.tenant_id = sentinel.current_tenant() AND e.object_type = 'pipeline' AND e.object_id = p.id
              AND e.created_at >= %(since)s AND e.before ? 'status'
            ORDER BY e.id LIMIT 1), p.status) = 'active') AS active_before,
       count(*) FILTER (WHERE l.expires_at > now()) AS running,
       max((l.details->>'lag_records')::bigint) FILTER (WHERE l.expires_at > now()) AS worst_lag,
       (array_agg(p.id ORDER BY (l.details->>'lag_records')::bigint DESC, p.id)
           FILTER (WHERE l.expires_at > now() AND l.details->>'lag_records' IS NOT NULL))[1] AS worst_lag_pipeline_id
FROM sentinel.pipelines p LEFT JOIN sentinel.leases l ON l.pipeline_id = p.id
WHERE p.tenant_id = sentinel.current_tenant()

-- name: hours
-- Alerts by hour and severity; hours without any are among them.
SELECT h.hour, coalesce(m.critical, 0) AS critical, coalesce(m.warning, 0) AS warning, coalesce(m.info, 0) AS info
FROM generate_series(date_bin('1 hour', %(since)s, 'epoch'), %(until)s - interval '1 minute', interval '1 hour') h (hour)
LEFT JOIN (SELECT date_bin('1 hour', minute, 'epoch') AS hour, sum(critical_count) AS critical,
                  sum(warning_count) AS warning, sum(info_count) AS info
           FROM sentinel.alert_minutes
           WHERE tenant_id = sentinel.current_tenant() AND minute >= date_bin('1 hour', %(since)s, 'epoch')
             AND minute < %(until)s
           GROUP BY 1) m ON m.hour = h.hour
ORDER BY h.hour

-- name: history
-- A pipeline in spans of time from its creation on, those in which nothing happened among them.
SELECT s.at, coalesce(d.decided, 0) AS decided, coalesce(d.dead, 0) AS dead_letters, d.lag,
       coalesce(a.critical, 0) AS critical, coalesce(a.warning, 0) AS warning, coalesce(a.info, 0) AS info,
       t.percentiles[1] AS p50_ms, t.percentiles[2] AS p95_ms
FROM generate_series(
         date_bin(%(span)s, greatest(%(since)s, (SELECT created_at FROM sentinel.pipelines WHERE id = %(pipeline_id)s)),
                  'epoch'),
         %(until)s - interval '1 minute', %(span)s) s (at)
LEFT JOIN (SELECT date_bin(%(span)s, minute, 'epoch') AS at, sum(decided_count)::bigint AS decided,
                  sum(dead_count)::bigint AS dead, max(lag_records) AS lag
           FROM sentinel.detection_minutes
           WHERE pipeline_id = %(pipeline_id)s AND minute >= date_bin(%(span)s, %(since)s, 'epoch') AND minute < %(until)s
           GROUP BY 1) d ON d.at = s.at
LEFT JOIN (SELECT date_bin(%(span)s, minute, 'epoch') AS at, sum(critical_count)::bigint AS critical,
                  sum(warning_count)::bigint AS warning, sum(info_count)::bigint AS info
           FROM sentinel.alert_minutes
           WHERE tenant_id = sentinel.current_tenant() AND pipeline_id = %(pipeline_id)s
             AND minute >= date_bin(%(span)s, %(since)s, 'epoch') AND minute < %(until)s
           GROUP BY 1) a ON a.at = s.at
LEFT JOIN LATERAL (
    SELECT percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY milliseconds) AS percentiles
    FROM (SELECT extract(epoch FROM alert_timestamp - kafka_timestamp) * 1000 AS milliseconds
          FROM sentinel.alerts
          WHERE tenant_id = sentinel.current_tenant() AND pipeline_id = %(pipeline_id)s
            AND alert_timestamp >= s.at AND alert_timestamp < s.at + %(span)s AND refill_id IS NULL
          ORDER BY alert_timestamp DESC, id DESC LIMIT %(most)s) newest
) t ON a.at IS NOT NULL
ORDER BY s.at

-- name: jobs
-- The job of each pipeline that is to run or that one holds.
SELECT p.id AS pipeline_id, p.name, p.status, coalesce(l.expires_at > now(), false) AS is_running,
       coalesce(l.details->>'phase', '') AS phase, (l.details->>'lag_records')::bigint AS lag, l.heartbeat_at
FROM sentinel.pipelines p LEFT JOIN sentinel.leases l ON l.pipeline_id = p.id
WHERE p.tenant_id = sentinel.current_tenant() AND (p.status = 'active' OR l.expires_at > now())
ORDER BY p.id
