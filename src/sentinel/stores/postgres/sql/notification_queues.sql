-- name: figures
-- How far notifying is behind, over all tenants; each by an index, and counted up to a bound.
SELECT (SELECT extract(epoch FROM now() - o.created_at)::double precision
        FROM sentinel.alert_outbox o ORDER BY o.id LIMIT 1) AS outbox_age_seconds,
       (SELECT count(*) FROM (SELECT 1 FROM sentinel.alert_outbox LIMIT %(most)s) o) AS outbox_entries,
       (SELECT extract(epoch FROM now() - q.due_at)::double precision
        FROM sentinel.channel_queues q
        WHERE q.due_at <= now() AND (q.open_until IS NULL OR q.open_until <= now())
        ORDER BY q.due_at LIMIT 1) AS overdue_seconds,
       (SELECT count(*) FROM sentinel.channel_queues q WHERE q.open_until > now()) AS open_circuits
