-- name: facets
-- How the newest alerts divide, each facet without its own part of the filter. The alerts are read once, in the order of an
-- index, and become one row per combination; what the facets need is counted from those.
WITH looked AS (
    SELECT a.severity, COALESCE(s.status, 'open') AS status, a.pipeline_id, a.rule_id, a.detector_id,
           COALESCE(s.disposition, '') AS disposition, a.alert_timestamp
    FROM (SELECT n.id, n.severity, n.pipeline_id, n.rule_id, n.detector_id, n.alert_timestamp,
                 CASE WHEN %(pattern)s::text IS NOT NULL THEN n.transaction_data::text END AS event
          FROM sentinel.alerts n
          WHERE (%(event_id)s::text IS NULL OR n.event_id = %(event_id)s)
            AND (%(since)s::timestamptz IS NULL OR n.alert_timestamp >= %(since)s)
            AND (%(until)s::timestamptz IS NULL OR n.alert_timestamp < %(until)s)
          ORDER BY n.alert_timestamp DESC, n.id DESC LIMIT %(limit)s) a
    LEFT JOIN sentinel.alert_states s ON s.alert_id = a.id
    WHERE (%(pattern)s::text IS NULL OR a.event ILIKE %(pattern)s)
      AND (%(assignee)s::text IS NULL OR s.assignee = %(assignee)s OR (%(assignee)s = '' AND s.assignee IS NULL))
), combined AS MATERIALIZED (
    SELECT severity, status, pipeline_id, rule_id, detector_id, disposition, count(*) AS n
    FROM looked GROUP BY severity, status, pipeline_id, rule_id, detector_id, disposition
), judged AS (
    SELECT c.*, d.name AS detector,
           CASE WHEN c.detector_id IS NULL THEN 'rule' ELSE 'detector' END AS source,
           (%(severity)s::text IS NULL OR c.severity = %(severity)s) AS fits_severity,
           (%(status)s::text IS NULL OR c.status = %(status)s) AS fits_status,
           (%(pipeline_id)s::bigint IS NULL OR COALESCE(c.pipeline_id = %(pipeline_id)s, false)) AS fits_pipeline,
           (%(rule_id)s::bigint IS NULL OR COALESCE(c.rule_id = %(rule_id)s, false)) AS fits_rule,
           (%(disposition)s::text IS NULL OR c.disposition = %(disposition)s) AS fits_disposition,
           (%(source)s::text IS NULL OR (c.detector_id IS NULL) = (%(source)s = 'rule'))
           AND (%(detector)s::text IS NULL OR COALESCE(d.name = %(detector)s, false)) AS fits_raiser
    FROM combined c LEFT JOIN sentinel.detectors d ON d.id = c.detector_id
), counted AS (
    SELECT f.facet, f.value, f.pipeline_id, sum(j.n)::bigint AS n
    FROM judged j CROSS JOIN LATERAL (VALUES
        ('total', '', NULL,
         fits_severity AND fits_status AND fits_pipeline AND fits_rule AND fits_disposition AND fits_raiser),
        ('severity', j.severity, NULL,
         fits_status AND fits_pipeline AND fits_rule AND fits_disposition AND fits_raiser),
        ('status', j.status, NULL,
         fits_severity AND fits_pipeline AND fits_rule AND fits_disposition AND fits_raiser),
        ('pipeline', j.pipeline_id::text, NULL,
         fits_severity AND fits_status AND fits_rule AND fits_disposition AND fits_raiser),
        ('rule', j.rule_id::text, j.pipeline_id,
         fits_severity AND fits_status AND fits_pipeline AND fits_disposition AND fits_raiser),
        ('disposition', j.disposition, NULL,
         fits_severity AND fits_status AND fits_pipeline AND fits_rule AND fits_raiser),
        ('source', j.source, NULL,
         fits_severity AND fits_status AND fits_pipeline AND fits_rule AND fits_disposition),
        ('detector', j.detector, NULL,
         fits_severity AND fits_status AND fits_pipeline AND fits_rule AND fits_disposition)
    ) AS f (facet, value, pipeline_id, fits)
    WHERE f.fits AND f.value IS NOT NULL
    GROUP BY f.facet, f.value, f.pipeline_id
), ranked AS (
    SELECT *, row_number() OVER (PARTITION BY facet ORDER BY n DESC, value) AS place FROM counted
)
SELECT k.facet, k.value, k.pipeline_id, k.n,
       CASE k.facet WHEN 'pipeline' THEN (SELECT p.name FROM sentinel.pipelines p WHERE p.id = k.value::bigint)
                    WHEN 'rule' THEN (SELECT r.name FROM sentinel.rules r WHERE r.id = k.value::bigint) END AS name
FROM ranked k WHERE k.place <= %(most)s
ORDER BY k.facet, k.place

-- name: reach
-- How many alerts are looked at, one more where there are more, and how old the oldest is: told by the index alone.
SELECT count(*) AS looked_at, min(n.alert_timestamp) AS since
FROM (SELECT a.alert_timestamp
      FROM sentinel.alerts a
      WHERE (%(event_id)s::text IS NULL OR a.event_id = %(event_id)s)
        AND (%(since)s::timestamptz IS NULL OR a.alert_timestamp >= %(since)s)
        AND (%(until)s::timestamptz IS NULL OR a.alert_timestamp < %(until)s)
      ORDER BY a.alert_timestamp DESC, a.id DESC LIMIT %(limit)s + 1) n
