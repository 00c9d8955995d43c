-- name: page
-- Dead letters of a pipeline, newest first. Ids of a pipeline grow with time, since one driver at a time writes them: a
-- bound in time is a bound of ids, a minute wider, by which the index of the newest ends. A filter that is NULL folds away.
SELECT d.id, d.pipeline_id, d.generation_id, d.source_epoch, d.kafka_topic, d.kafka_partition, d.kafka_offset,
       d.kafka_timestamp, d.cause, d.field, d.detail, CASE WHEN %(with_raw)s THEN d.raw END AS raw, d.raw_size_bytes,
       d.created_at, d.state, d.reason, d.changed_by, d.changed_at,
       r.dead_letter_id AS redrive_of, r.first_id, COALESCE(r.redrive_count, 0) AS redrive_count
FROM sentinel.dead_letters d
LEFT JOIN LATERAL (
    SELECT r.dead_letter_id, r.first_id, r.redrive_count FROM sentinel.dead_letter_redrives r
    WHERE r.pipeline_id = d.pipeline_id AND r.source_epoch = d.source_epoch AND r.kafka_partition = d.kafka_partition
      AND r.kafka_offset = d.kafka_offset AND r.kafka_topic = d.kafka_topic
    ORDER BY r.id DESC LIMIT 1
) r ON true
WHERE d.pipeline_id = %(pipeline_id)s AND d.state = ANY (%(states)s)
  AND (%(cause)s::text IS NULL OR d.cause = %(cause)s)
  AND (%(before)s::bigint IS NULL OR d.id < %(before)s)
  AND (%(since)s::timestamptz IS NULL OR d.created_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR d.created_at < %(until)s)
  AND (%(since)s::timestamptz IS NULL OR d.id >= (
        SELECT b.id FROM sentinel.dead_letters b
        WHERE b.pipeline_id = %(pipeline_id)s AND b.created_at >= %(since)s::timestamptz - interval '1 minute'
        ORDER BY b.created_at LIMIT 1))
  AND (%(until)s::timestamptz IS NULL OR d.id <= (
        SELECT b.id FROM sentinel.dead_letters b
        WHERE b.pipeline_id = %(pipeline_id)s AND b.created_at < %(until)s::timestamptz + interval '1 minute'
        ORDER BY b.created_at DESC LIMIT 1))
ORDER BY d.id DESC LIMIT %(limit)s

-- name: get
-- One dead letter with its record.
SELECT d.id, d.pipeline_id, d.generation_id, d.source_epoch, d.kafka_topic, d.kafka_partition, d.kafka_offset,
       d.kafka_timestamp, d.cause, d.field, d.detail, d.raw, d.raw_size_bytes, d.created_at, d.state, d.reason,
       d.changed_by, d.changed_at, r.dead_letter_id AS redrive_of, r.first_id,
       COALESCE(r.redrive_count, 0) AS redrive_count
FROM sentinel.dead_letters d
LEFT JOIN LATERAL (
    SELECT r.dead_letter_id, r.first_id, r.redrive_count FROM sentinel.dead_letter_redrives r
    WHERE r.pipeline_id = d.pipeline_id AND r.source_epoch = d.source_epoch AND r.kafka_partition = d.kafka_partition
      AND r.kafka_offset = d.kafka_offset AND r.kafka_topic = d.kafka_topic
    ORDER BY r.id DESC LIMIT 1
) r ON true
WHERE d.id = %(letter_id)s AND d.pipeline_id = %(pipeline_id)s

-- name: redrives
-- How a dead letter was sent again, newest first, and what its new record became where that is no event either.
SELECT r.dead_letter_id, r.first_id, r.redrive_count, r.is_edited, r.value_sha256, r.size_bytes, r.kafka_topic,
       r.source_epoch, r.kafka_partition, r.kafka_offset, r.request_key, r.redriven_by, r.redriven_at,
       (SELECT d.id FROM sentinel.dead_letters d
        WHERE d.pipeline_id = r.pipeline_id AND d.source_epoch = r.source_epoch AND d.kafka_partition = r.kafka_partition
          AND d.kafka_offset = r.kafka_offset AND d.kafka_topic = r.kafka_topic) AS failed_as
FROM sentinel.dead_letter_redrives r WHERE r.dead_letter_id = %(letter_id)s ORDER BY r.id DESC LIMIT 20

-- name: redrives_of_request
-- What a request has sent so far, in the order of the dead letters.
SELECT dead_letter_id, first_id, redrive_count, is_edited, value_sha256, size_bytes, kafka_topic, source_epoch,
       kafka_partition, kafka_offset, request_key, redriven_by, redriven_at
FROM sentinel.dead_letter_redrives
WHERE pipeline_id = %(pipeline_id)s AND request_key = %(request_key)s ORDER BY dead_letter_id

-- name: counts
-- How many dead letters there are by cause and state.
SELECT cause, state, count(*) AS count FROM sentinel.dead_letters
WHERE pipeline_id = %(pipeline_id)s
  AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR created_at < %(until)s)
GROUP BY cause, state ORDER BY cause, state

-- name: hours
-- The same per hour in which they were found.
SELECT date_trunc('hour', created_at, 'UTC') AS hour, cause, state, count(*) AS count FROM sentinel.dead_letters
WHERE pipeline_id = %(pipeline_id)s AND created_at >= %(since)s AND created_at < %(until)s
GROUP BY 1, cause, state ORDER BY 1, cause, state

-- name: chosen
-- Open dead letters that fit, oldest first.
SELECT d.id FROM sentinel.dead_letters d
WHERE d.pipeline_id = %(pipeline_id)s AND d.state = %(state)s AND d.id > %(after)s
  AND (%(cause)s::text IS NULL OR d.cause = %(cause)s)
  AND (%(since)s::timestamptz IS NULL OR d.created_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR d.created_at < %(until)s)
  AND (%(since)s::timestamptz IS NULL OR d.id >= (
        SELECT b.id FROM sentinel.dead_letters b
        WHERE b.pipeline_id = %(pipeline_id)s AND b.created_at >= %(since)s::timestamptz - interval '1 minute'
        ORDER BY b.created_at LIMIT 1))
ORDER BY d.id LIMIT %(limit)s

-- name: candidates
-- What decides whether these may be sent again.
SELECT d.id, d.state, COALESCE(d.claimed_until > now(), false) AS is_claimed, d.cause, d.raw_size_bytes,
       length(d.raw) AS kept_bytes, COALESCE(r.first_id, d.id) AS first_id, COALESCE(r.redrive_count, 0) AS redrive_count
FROM sentinel.dead_letters d
LEFT JOIN LATERAL (
    SELECT r.first_id, r.redrive_count FROM sentinel.dead_letter_redrives r
    WHERE r.pipeline_id = d.pipeline_id AND r.source_epoch = d.source_epoch AND r.kafka_partition = d.kafka_partition
      AND r.kafka_offset = d.kafka_offset AND r.kafka_topic = d.kafka_topic
    ORDER BY r.id DESC LIMIT 1
) r ON true
WHERE d.pipeline_id = %(pipeline_id)s AND d.id = ANY (%(ids)s::bigint[])
ORDER BY d.id

-- name: raws
-- The records of some.
SELECT id, raw FROM sentinel.dead_letters WHERE pipeline_id = %(pipeline_id)s AND id = ANY (%(ids)s::bigint[]) ORDER BY id

-- name: claim
-- Those of them that nobody has: for a while they are the claimant's. What another has in hand is not waited for.
WITH free AS (
    SELECT id FROM sentinel.dead_letters
    WHERE pipeline_id = %(pipeline_id)s AND id = ANY (%(ids)s::bigint[]) AND state = 'open'
      AND (claimed_until IS NULL OR claimed_until < now())
    ORDER BY id FOR UPDATE SKIP LOCKED
)
UPDATE sentinel.dead_letters d
SET claim = %(claim)s, claimed_until = now() + make_interval(secs => %(seconds)s)
FROM free WHERE d.id = free.id
RETURNING d.id

-- name: release
-- What was not sent is open for everybody again.
UPDATE sentinel.dead_letters SET claim = NULL, claimed_until = NULL
WHERE pipeline_id = %(pipeline_id)s AND id = ANY (%(ids)s::bigint[]) AND claim = %(claim)s

-- name: redriven
-- These were sent.
UPDATE sentinel.dead_letters
SET state = 'redriven', reason = '', changed_by = %(by)s, changed_at = %(now)s, claim = NULL, claimed_until = NULL
WHERE pipeline_id = %(pipeline_id)s AND id = ANY (%(ids)s::bigint[])

-- name: add_redrive
-- Where the new record of a dead letter lies.
INSERT INTO sentinel.dead_letter_redrives
    (tenant_id, pipeline_id, dead_letter_id, first_id, redrive_count, is_edited, value_sha256, size_bytes, kafka_topic,
     source_epoch, kafka_partition, kafka_offset, request_key, redriven_by, redriven_at)
VALUES (sentinel.current_tenant(), %(pipeline_id)s, %(dead_letter_id)s, %(first_id)s, %(redrive_count)s, %(is_edited)s,
        %(value_sha256)s, %(size_bytes)s, %(kafka_topic)s, %(source_epoch)s, %(kafka_partition)s, %(kafka_offset)s,
        %(request_key)s, %(redriven_by)s, %(redriven_at)s)

-- name: change
-- Those that are in a state, and nobody sends, get another one.
WITH free AS (
    SELECT id FROM sentinel.dead_letters
    WHERE pipeline_id = %(pipeline_id)s AND id = ANY (%(ids)s::bigint[]) AND state = %(from_state)s
      AND (claimed_until IS NULL OR claimed_until < now())
    ORDER BY id FOR UPDATE
)
UPDATE sentinel.dead_letters d
SET state = %(to_state)s, reason = %(reason)s, changed_by = %(by)s, changed_at = %(now)s, claim = NULL,
    claimed_until = NULL
FROM free WHERE d.id = free.id
RETURNING d.id
