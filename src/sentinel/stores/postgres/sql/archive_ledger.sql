-- name: source
-- What a pipeline reads, and when it came into being.
SELECT kafka_topic, source_epoch, created_at,
    coalesce((SELECT max(topic_id) FROM sentinel.progress WHERE pipeline_id = %(pipeline_id)s), '') AS topic_id
FROM sentinel.pipelines WHERE id = %(pipeline_id)s;

-- name: last_commit
-- The newest commit of a source epoch: its ranges tell how far the lake is.
SELECT c.seq, c.generation_id, c.ranges, c.state
FROM sentinel.archive_commits c
JOIN sentinel.generations g ON g.id = c.generation_id
WHERE c.pipeline_id = %(pipeline_id)s AND g.source_epoch = %(source_epoch)s
ORDER BY c.seq DESC LIMIT 1;

-- name: last_seq
-- The highest number that was ever given out.
SELECT coalesce(max(seq), 0) AS seq FROM sentinel.archive_commits WHERE pipeline_id = %(pipeline_id)s;

-- name: open_commit
-- The commit that was planned and is not known to be in the lake. There is at most one.
SELECT seq, generation_id, ranges FROM sentinel.archive_commits
WHERE pipeline_id = %(pipeline_id)s AND state = 'planned' ORDER BY seq LIMIT 1;

-- name: decided
-- What detect has decided.
SELECT partition, first_offset, next_offset FROM sentinel.progress WHERE pipeline_id = %(pipeline_id)s ORDER BY partition;

-- name: borders_after
-- Which generation answers for the offsets from these on.
SELECT b.generation_id, b.partition, b.start_offset, b.end_offset
FROM sentinel.borders b
JOIN sentinel.generations g ON g.id = b.generation_id
JOIN unnest(%(partitions)s::integer[], %(offsets)s::bigint[]) AS archived (partition, next_offset)
  ON archived.partition = b.partition
WHERE g.pipeline_id = %(pipeline_id)s AND g.source_epoch = %(source_epoch)s
  AND (b.end_offset IS NULL OR b.end_offset > archived.next_offset)
ORDER BY b.generation_id, b.partition;

-- name: plan_commit
-- Give out the next number.
INSERT INTO sentinel.archive_commits (pipeline_id, tenant_id, seq, generation_id, ranges, state)
VALUES (%(pipeline_id)s, %(tenant_id)s, %(seq)s, %(generation_id)s, %(ranges)s, 'planned');

-- name: mark_committed
-- The commit is in the lake.
UPDATE sentinel.archive_commits
SET state = 'committed', event_count = %(event_count)s, dead_count = %(dead_count)s, committed_at = now()
WHERE pipeline_id = %(pipeline_id)s AND seq = %(seq)s AND state = 'planned';

-- name: generation
-- How a generation parses.
SELECT schema_version, rule_set_version, source_epoch, config FROM sentinel.generations WHERE id = %(generation_id)s;

-- name: schema_versions
-- Every schema version up to one, oldest first.
SELECT version, fields FROM sentinel.schema_versions
WHERE pipeline_id = %(pipeline_id)s AND version <= %(version)s ORDER BY version;
