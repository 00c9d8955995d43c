-- name: acquire_lease
-- Take the lease if it is free, expired or already ours; no row comes back while another holder's is valid.
INSERT INTO sentinel.leases (pipeline_id, tenant_id, holder, epoch, expires_at)
VALUES (%(pipeline_id)s, %(tenant_id)s, %(holder)s, 1, now() + make_interval(secs => %(ttl_seconds)s))
ON CONFLICT (pipeline_id) DO UPDATE
SET holder = excluded.holder, epoch = leases.epoch + 1, expires_at = excluded.expires_at,
    heartbeat_at = now(), details = '{}'
WHERE leases.expires_at < now() OR leases.holder = excluded.holder
RETURNING epoch;

-- name: lease_holder
-- Who holds the lease and until when.
SELECT holder, expires_at FROM sentinel.leases WHERE pipeline_id = %(pipeline_id)s;

-- name: renew_lease
-- Extend our lease; no row comes back when another holder took it.
UPDATE sentinel.leases
SET expires_at = now() + make_interval(secs => %(ttl_seconds)s), heartbeat_at = now(), details = %(details)s
WHERE pipeline_id = %(pipeline_id)s AND holder = %(holder)s AND epoch = %(epoch)s
RETURNING epoch;

-- name: release_lease
-- Give the lease up, so that the next driver need not wait for its end.
UPDATE sentinel.leases SET expires_at = now(), details = '{}'
WHERE pipeline_id = %(pipeline_id)s AND holder = %(holder)s AND epoch = %(epoch)s;

-- name: hold_lease
-- Check in a transaction that the lease is ours, and keep it so until the commit. Taking it changes the epoch, a column of a
-- unique index, and waits; extending it does not, however long the transaction lasts.
SELECT 1 FROM sentinel.leases
WHERE pipeline_id = %(pipeline_id)s AND holder = %(holder)s AND epoch = %(epoch)s
FOR KEY SHARE;

-- name: fail_orphans
-- Candidates of an earlier driver never became active.
UPDATE sentinel.generations SET state = 'failed', error = 'its driver stopped before it became active', retired_at = now()
WHERE pipeline_id = %(pipeline_id)s AND state = 'starting' AND lease_epoch < %(epoch)s;

-- name: create_generation
-- A new candidate.
INSERT INTO sentinel.generations
    (tenant_id, pipeline_id, mode, schema_version, rule_set_version, source_epoch, config, lease_epoch, reason, state)
VALUES
    (%(tenant_id)s, %(pipeline_id)s, %(mode)s, %(schema_version)s, %(rule_set_version)s, %(source_epoch)s, %(config)s,
     %(lease_epoch)s, %(reason)s, 'starting')
RETURNING id;

-- name: fail_generation
-- The candidate will not become active.
UPDATE sentinel.generations SET state = 'failed', error = %(error)s, retired_at = now()
WHERE id = %(generation_id)s AND state = 'starting';

-- name: retire_active
-- The active generation ends at the borders of the next one.
UPDATE sentinel.generations SET state = 'retired', retired_at = now()
WHERE pipeline_id = %(pipeline_id)s AND state = 'active' AND id <> %(generation_id)s;

-- name: close_border
-- Where the generation that answered for a partition until now ends.
UPDATE sentinel.borders b SET end_offset = greatest(%(offset)s, b.start_offset)
FROM sentinel.generations g
WHERE g.id = b.generation_id AND g.pipeline_id = %(pipeline_id)s AND g.id <> %(generation_id)s
  AND b.partition = %(partition)s AND b.end_offset IS NULL;

-- name: open_border
-- Where the new generation begins to answer for a partition.
INSERT INTO sentinel.borders (generation_id, tenant_id, partition, start_offset)
VALUES (%(generation_id)s, %(tenant_id)s, %(partition)s, %(offset)s)
ON CONFLICT (generation_id, partition) DO NOTHING;

-- name: activate_generation
-- From now on its findings count.
UPDATE sentinel.generations SET state = 'active', activated_at = coalesce(activated_at, now())
WHERE id = %(generation_id)s;

-- name: last_active
-- The versions of the newest generation that was ever active: the last known good ones.
SELECT schema_version, rule_set_version FROM sentinel.generations
WHERE pipeline_id = %(pipeline_id)s AND state IN ('active', 'retired') AND activated_at IS NOT NULL
ORDER BY id DESC LIMIT 1;

-- name: read_progress
-- What is decided, per partition.
SELECT partition, first_offset, next_offset, topic_id FROM sentinel.progress
WHERE pipeline_id = %(pipeline_id)s ORDER BY partition;

-- name: note_topic_id
-- Of which topic the offsets are: a name can be given again.
UPDATE sentinel.progress SET topic_id = %(topic_id)s WHERE pipeline_id = %(pipeline_id)s AND topic_id = '';

-- name: init_progress
-- A partition that was never read begins here.
INSERT INTO sentinel.progress (pipeline_id, tenant_id, partition, first_offset, next_offset)
VALUES (%(pipeline_id)s, %(tenant_id)s, %(partition)s, %(offset)s, %(offset)s)
ON CONFLICT (pipeline_id, partition) DO NOTHING;

-- name: advance_progress
-- Decided offsets only grow. How many records that adds.
WITH before AS (
    SELECT p.partition, p.next_offset, w.next_offset AS wanted
    FROM sentinel.progress p
    JOIN unnest(%(partitions)s::integer[], %(next_offsets)s::bigint[]) AS w (partition, next_offset)
      ON w.partition = p.partition
    WHERE p.pipeline_id = %(pipeline_id)s
    FOR UPDATE OF p
), advanced AS (
    UPDATE sentinel.progress p SET next_offset = greatest(b.next_offset, b.wanted), updated_at = now()
    FROM before b WHERE p.pipeline_id = %(pipeline_id)s AND p.partition = b.partition
    RETURNING p.next_offset - b.next_offset AS decided
)
SELECT coalesce(sum(decided), 0)::bigint AS decided FROM advanced;

-- name: count_minute
-- Add to what was gone through in this minute; is_new where nothing was yet. Offsets may jump, and a count that has no end
-- must not stop a commit: it stays at the most that fits.
INSERT INTO sentinel.detection_minutes AS m (pipeline_id, tenant_id, minute, decided_count, dead_count)
VALUES (%(pipeline_id)s, %(tenant_id)s, date_bin('1 minute', now(), 'epoch'),
        least(%(decided)s::bigint, 2147483647), least(%(dead)s::bigint, 2147483647))
ON CONFLICT (pipeline_id, minute) DO UPDATE
SET decided_count = least(m.decided_count::bigint + excluded.decided_count, 2147483647),
    dead_count = least(m.dead_count::bigint + excluded.dead_count, 2147483647)
RETURNING xmax = 0 AS is_new;

-- name: note_lag
-- How many records waited in this minute, at the most.
INSERT INTO sentinel.detection_minutes AS m (pipeline_id, tenant_id, minute, decided_count, dead_count, lag_records)
SELECT p.id, p.tenant_id, date_bin('1 minute', now(), 'epoch'), 0, 0, %(lag_records)s
FROM sentinel.pipelines p WHERE p.id = %(pipeline_id)s
ON CONFLICT (pipeline_id, minute) DO UPDATE SET lag_records = greatest(m.lag_records, excluded.lag_records)
RETURNING xmax = 0 AS is_new;

-- name: forget_detection_minutes
-- Minutes of the tenant that are old; what another transaction is about to delete is left to it.
DELETE FROM sentinel.detection_minutes WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM sentinel.detection_minutes
    WHERE tenant_id = %(tenant_id)s AND minute < now() - interval '8 days' ORDER BY minute LIMIT 1000
    FOR UPDATE SKIP LOCKED));

-- name: forget_alert_minutes
-- The same of what was raised.
DELETE FROM sentinel.alert_minutes WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM sentinel.alert_minutes
    WHERE tenant_id = %(tenant_id)s AND minute < now() - interval '8 days' ORDER BY minute LIMIT 1000
    FOR UPDATE SKIP LOCKED));
