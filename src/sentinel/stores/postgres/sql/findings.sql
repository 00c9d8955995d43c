-- name: create_staging
-- Where COPY puts the matches of one transaction.
CREATE TEMP TABLE IF NOT EXISTS alert_staging (
    ordinal bigint, rule_id bigint, rule_version_id bigint, event_id text, severity text, score smallint,
    entities jsonb, transaction_data jsonb, content_hash bytea, kafka_partition integer, kafka_offset bigint,
    kafka_timestamp timestamptz, evidence jsonb, request_id text, traceparent text
) ON COMMIT DELETE ROWS;

-- name: clear_staging
-- Two generations' matches may share a transaction.
DELETE FROM alert_staging;

-- name: copy_staging
-- The columns in the order in which rows are written.
COPY alert_staging (ordinal, rule_id, rule_version_id, event_id, severity, score, entities, transaction_data,
                    content_hash, kafka_partition, kafka_offset, kafka_timestamp, evidence, request_id,
                    traceparent) FROM STDIN;

-- name: insert_alerts
-- New alerts only, each with what tells the notifier of it; entity counts grow by what is new, so a replay changes nothing. Counts of an entity that was quiet
-- for longer than the scores live begin anew.
WITH inserted AS (
    INSERT INTO sentinel.alerts
        (tenant_id, pipeline_id, rule_id, rule_version_id, generation_id, event_id, severity, score, entities,
         transaction_data, content_hash, kafka_partition, kafka_offset, kafka_timestamp, evidence, refill_id, request_id,
         traceparent)
    SELECT %(tenant_id)s, %(pipeline_id)s, rule_id, rule_version_id, %(generation_id)s, event_id, severity, score,
           entities, transaction_data, content_hash, kafka_partition, kafka_offset, kafka_timestamp, evidence,
           %(refill_id)s, request_id, traceparent
    FROM alert_staging ORDER BY ordinal
    ON CONFLICT (pipeline_id, rule_id, event_id) DO NOTHING
    RETURNING id, severity, entities
), queued AS (
    INSERT INTO sentinel.alert_outbox (tenant_id, alert_id, event)
    SELECT %(tenant_id)s, id, 'fired' FROM inserted ORDER BY id
), counted AS (
    SELECT e.key AS field, e.value,
           count(*) FILTER (WHERE severity = 'critical') AS critical_count,
           count(*) FILTER (WHERE severity = 'warning') AS warning_count,
           count(*) FILTER (WHERE severity = 'info') AS info_count
    FROM inserted, jsonb_each_text(inserted.entities) e
    GROUP BY e.key, e.value
    ORDER BY e.key, e.value
), entities AS (
    INSERT INTO sentinel.entity_scores AS s
        (pipeline_id, tenant_id, field, value, critical_count, warning_count, info_count)
    SELECT %(pipeline_id)s, %(tenant_id)s, field, value, critical_count, warning_count, info_count FROM counted
    ON CONFLICT (pipeline_id, field, value) DO UPDATE
    SET critical_count = excluded.critical_count
            + CASE WHEN s.updated_at < now() - make_interval(secs => %(score_ttl_seconds)s) THEN 0 ELSE s.critical_count END,
        warning_count = excluded.warning_count
            + CASE WHEN s.updated_at < now() - make_interval(secs => %(score_ttl_seconds)s) THEN 0 ELSE s.warning_count END,
        info_count = excluded.info_count
            + CASE WHEN s.updated_at < now() - make_interval(secs => %(score_ttl_seconds)s) THEN 0 ELSE s.info_count END,
        updated_at = now()
)
SELECT count(*) AS inserted FROM inserted;

-- name: rule_hours
-- How many alerts rules have in certain hours.
SELECT h.rule_id, (extract(epoch FROM h.hour) / 3600)::bigint AS hour, h.alert_count
FROM sentinel.rule_hours h
JOIN unnest(%(rule_ids)s::bigint[], %(hours)s::bigint[]) AS wanted (rule_id, hour)
  ON wanted.rule_id = h.rule_id AND to_timestamp(wanted.hour * 3600) = h.hour
WHERE h.pipeline_id = %(pipeline_id)s;

-- name: note_duplicates
-- Staged matches that met an alert of the same event at another offset: the id came twice.
INSERT INTO sentinel.event_duplicates
    (pipeline_id, tenant_id, source_epoch, kafka_partition, kafka_offset, event_id, same_content)
SELECT DISTINCT ON (s.kafka_partition, s.kafka_offset)
       %(pipeline_id)s, %(tenant_id)s, %(source_epoch)s, s.kafka_partition, s.kafka_offset, s.event_id,
       s.content_hash = a.content_hash
FROM alert_staging s
JOIN sentinel.alerts a ON a.pipeline_id = %(pipeline_id)s AND a.rule_id = s.rule_id AND a.event_id = s.event_id
WHERE (a.kafka_partition, a.kafka_offset) <> (s.kafka_partition, s.kafka_offset)
ON CONFLICT DO NOTHING;

-- name: insert_dead_letter
-- One dead letter; the same record again adds nothing.
INSERT INTO sentinel.dead_letters
    (tenant_id, pipeline_id, generation_id, source_epoch, kafka_topic, kafka_partition, kafka_offset, kafka_timestamp,
     cause, field, detail, raw, raw_size_bytes)
VALUES
    (%(tenant_id)s, %(pipeline_id)s, %(generation_id)s, %(source_epoch)s, %(kafka_topic)s, %(kafka_partition)s,
     %(kafka_offset)s, %(kafka_timestamp)s, %(cause)s, %(field)s, %(detail)s, %(raw)s, %(raw_size_bytes)s)
ON CONFLICT (pipeline_id, source_epoch, kafka_partition, kafka_offset) DO NOTHING;

-- name: alerts_after
-- Alerts of a pipeline that Redis does not know yet, in the order of their ids.
SELECT id, event_id, score, entities FROM sentinel.alerts
WHERE pipeline_id = %(pipeline_id)s AND id > %(after_id)s AND alert_timestamp > now() - make_interval(secs => %(score_ttl_seconds)s)
ORDER BY id LIMIT %(limit)s;

-- name: event_severities
-- The severities of each event, over all of its alerts. A join, since a prepared `= ANY` looks through its whole list for
-- each row that it tests.
SELECT a.event_id, array_agg(a.severity) AS severities
FROM unnest(%(event_ids)s::text[]) AS wanted (event_id)
JOIN sentinel.alerts a ON a.pipeline_id = %(pipeline_id)s AND a.event_id = wanted.event_id
GROUP BY a.event_id;

-- name: entity_counts
-- The counts behind the scores of these entities.
SELECT s.field, s.value, s.critical_count, s.warning_count, s.info_count
FROM sentinel.entity_scores s
JOIN unnest(%(fields)s::text[], %(values)s::text[]) AS wanted (field, value)
  ON wanted.field = s.field AND wanted.value = s.value
WHERE s.pipeline_id = %(pipeline_id)s;
