-- name: add
-- A new mute or snooze.
INSERT INTO sentinel.mutes (tenant_id, pipeline_id, rule_id, field, value, expires_at, reason, created_by)
VALUES (sentinel.current_tenant(), %(pipeline_id)s, %(rule_id)s, %(field)s, %(value)s, %(expires_at)s, %(reason)s,
        %(created_by)s)
RETURNING id, pipeline_id, rule_id, field, value, expires_at, reason, created_by, created_at, ended_at, ended_by

-- name: get
-- One mute or snooze.
SELECT id, pipeline_id, rule_id, field, value, expires_at, reason, created_by, created_at, ended_at, ended_by
FROM sentinel.mutes WHERE id = %(mute_id)s

-- name: list
-- Mutes and snoozes of a pipeline, newest first.
SELECT id, pipeline_id, rule_id, field, value, expires_at, reason, created_by, created_at, ended_at, ended_by
FROM sentinel.mutes
WHERE pipeline_id = %(pipeline_id)s AND (%(before_id)s::bigint IS NULL OR id < %(before_id)s)
  AND (%(ended)s OR (ended_at IS NULL AND (expires_at IS NULL OR expires_at > now())))
ORDER BY id DESC LIMIT %(limit)s

-- name: kept
-- What a rule set has to know: nobody ended it, and it ran out not so long ago that no record of its time can come.
SELECT id, pipeline_id, rule_id, field, value, expires_at, reason, created_by, created_at, ended_at, ended_by
FROM sentinel.mutes
WHERE pipeline_id = %(pipeline_id)s AND ended_at IS NULL
  AND (expires_at IS NULL OR expires_at > now() - make_interval(days => %(days)s))
ORDER BY id

-- name: end
-- End a mute or snooze before its time.
UPDATE sentinel.mutes SET ended_at = now(), ended_by = %(ended_by)s WHERE id = %(mute_id)s AND ended_at IS NULL

-- name: suppressed
-- Matches that raised no alert, per rule and hour, newest hour first.
SELECT rule_id, hour, cause, match_count FROM sentinel.suppressed_counts
WHERE pipeline_id = %(pipeline_id)s
  AND (%(rule_id)s::bigint IS NULL OR rule_id = %(rule_id)s)
  AND (%(since)s::timestamptz IS NULL OR hour >= date_trunc('hour', %(since)s::timestamptz))
  AND (%(until)s::timestamptz IS NULL OR hour < %(until)s)
ORDER BY hour DESC, rule_id, cause
LIMIT %(limit)s
