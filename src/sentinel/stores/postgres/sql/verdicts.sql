-- name: decided
-- Where each partition stands.
SELECT partition, next_offset FROM sentinel.progress WHERE pipeline_id = %(pipeline_id)s;

-- name: count_suppressed
-- Matches that raised no alert, on top of those counted before.
INSERT INTO sentinel.suppressed_counts AS c (pipeline_id, rule_id, hour, cause, tenant_id, match_count)
VALUES (%(pipeline_id)s, %(rule_id)s, %(hour)s, %(cause)s, %(tenant_id)s, %(match_count)s)
ON CONFLICT (pipeline_id, rule_id, hour, cause) DO UPDATE SET match_count = c.match_count + excluded.match_count;

-- name: insert_decisions
-- What scorecards say of events. The first record of an event decided.
INSERT INTO sentinel.decisions
    (pipeline_id, scorecard_id, event_id, tenant_id, scorecard_version_id, generation_id, score, decision, rule_ids,
     kafka_partition, kafka_offset, kafka_timestamp)
SELECT %(pipeline_id)s, d.scorecard_id, d.event_id, %(tenant_id)s, d.scorecard_version_id, %(generation_id)s, d.score,
       d.decision, d.rule_ids, d.kafka_partition, d.kafka_offset, d.kafka_timestamp
FROM jsonb_to_recordset(%(rows)s::jsonb) AS d (scorecard_id bigint, event_id text, scorecard_version_id bigint,
     score integer, decision text, rule_ids bigint[], kafka_partition integer, kafka_offset bigint,
     kafka_timestamp timestamptz)
ON CONFLICT DO NOTHING;
