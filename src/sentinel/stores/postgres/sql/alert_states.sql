-- name: write
-- Steps of alerts with their history and what is to be told, in the order of the alerts, so that two writers never wait for
-- each other. A step that begins at another version than the stored one is left out: its alert is not returned.
WITH step AS (
    SELECT * FROM jsonb_to_recordset(%(steps)s) AS x (
        alert_id bigint, status text, assignee text, disposition text, acknowledged_by text, acknowledged_at timestamptz,
        resolved_by text, resolved_at timestamptz, version integer, author text, before jsonb, after jsonb, event text)
), written AS (
    INSERT INTO sentinel.alert_states AS s
        (alert_id, tenant_id, alert_timestamp, status, assignee, disposition, acknowledged_by, acknowledged_at, resolved_by,
         resolved_at, version, updated_at)
    SELECT a.id, a.tenant_id, a.alert_timestamp, x.status, x.assignee, x.disposition, x.acknowledged_by, x.acknowledged_at,
           x.resolved_by, x.resolved_at, x.version, %(now)s
    FROM step x JOIN sentinel.alerts a ON a.id = x.alert_id
    ORDER BY a.id
    ON CONFLICT (alert_id) DO UPDATE
    SET status = excluded.status, assignee = excluded.assignee, disposition = excluded.disposition,
        acknowledged_by = excluded.acknowledged_by, acknowledged_at = excluded.acknowledged_at,
        resolved_by = excluded.resolved_by, resolved_at = excluded.resolved_at, version = excluded.version,
        updated_at = excluded.updated_at
    WHERE s.version = excluded.version - 1
    RETURNING alert_id
), logged AS (
    INSERT INTO sentinel.alert_changes (alert_id, version, tenant_id, author, changed_at, before, after)
    SELECT x.alert_id, x.version, sentinel.current_tenant(), x.author, %(now)s, x.before, x.after
    FROM written JOIN step x USING (alert_id)
), told AS (
    INSERT INTO sentinel.alert_outbox (tenant_id, alert_id, event)
    SELECT sentinel.current_tenant(), x.alert_id, x.event
    FROM written JOIN step x USING (alert_id)
    WHERE x.event IS NOT NULL
    ORDER BY x.alert_id
)
SELECT alert_id FROM written

-- name: notes
-- Notes of an alert, oldest first.
SELECT id, author, text, created_at FROM sentinel.alert_notes WHERE alert_id = %(alert_id)s ORDER BY id

-- name: lock_notes
-- One note of an alert at a time, so that the bound on them holds.
SELECT pg_advisory_xact_lock(hashtextextended('alert_notes/' || %(alert_id)s::bigint, 0))

-- name: add_note
-- Write a note; nothing when there are as many as may be.
INSERT INTO sentinel.alert_notes (tenant_id, alert_id, author, text, created_at)
SELECT a.tenant_id, a.id, %(author)s, %(text)s, %(now)s
FROM sentinel.alerts a
WHERE a.id = %(alert_id)s
  AND (SELECT count(*) FROM sentinel.alert_notes n WHERE n.alert_id = %(alert_id)s) < %(most)s
RETURNING id, author, text, created_at

-- name: changes
-- Changes of an alert, newest first.
SELECT version, author, changed_at, before, after FROM sentinel.alert_changes
WHERE alert_id = %(alert_id)s ORDER BY version DESC LIMIT %(limit)s

-- name: quality
-- What became of a rule's alerts, per version, newest first, and then all together.
SELECT v.version, count(*) AS alerts,
       count(*) FILTER (WHERE s.acknowledged_at IS NOT NULL) AS acknowledged,
       count(*) FILTER (WHERE s.status = 'resolved') AS resolved,
       count(*) FILTER (WHERE s.status = 'suppressed') AS suppressed,
       count(*) FILTER (WHERE s.disposition = 'true_positive') AS true_positives,
       count(*) FILTER (WHERE s.disposition = 'false_positive') AS false_positives,
       count(*) FILTER (WHERE s.disposition = 'benign') AS benign,
       percentile_cont(0.5) WITHIN GROUP (
           ORDER BY greatest(0, extract(epoch FROM s.acknowledged_at - a.alert_timestamp))::float8)
           FILTER (WHERE s.acknowledged_at IS NOT NULL) AS seconds_to_acknowledge,
       percentile_cont(0.5) WITHIN GROUP (
           ORDER BY greatest(0, extract(epoch FROM s.resolved_at - a.alert_timestamp))::float8)
           FILTER (WHERE s.resolved_at IS NOT NULL) AS seconds_to_resolve
FROM sentinel.alerts a
JOIN sentinel.rule_versions v ON v.id = a.rule_version_id
LEFT JOIN sentinel.alert_states s ON s.alert_id = a.id
WHERE a.rule_id = %(rule_id)s AND a.alert_timestamp >= %(since)s AND a.alert_timestamp < %(until)s
GROUP BY ROLLUP (v.version)
ORDER BY v.version DESC NULLS LAST
