-- The whole current database schema of Sentinel. Run by the owner role on an empty database; the Alembic migrations
-- build the same, and tests/migration compares the two object by object.
--
-- Roles (created by the installation, not here): the owner migrates; the application role is neither owner nor
-- superuser nor BYPASSRLS and is granted below under the name sentinel_app.
--
-- Every table has tenant_id and forced row-level security: a transaction sees the rows of the tenant that its unit of
-- work names in app.tenant_id, and nothing when it names none.

CREATE SCHEMA sentinel;

CREATE FUNCTION sentinel.current_tenant() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('app.tenant_id', true), '') $$;

-- ---------------------------------------------------------------- tenants and access

CREATE TABLE sentinel.tenants (
    tenant_id   text PRIMARY KEY CHECK (tenant_id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name        text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE sentinel.api_keys (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    text NOT NULL REFERENCES sentinel.tenants,
    name         text NOT NULL,
    prefix       text NOT NULL,
    key_hash     bytea NOT NULL UNIQUE,
    scopes       text[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);

CREATE TABLE sentinel.idempotency_keys (
    tenant_id     text NOT NULL REFERENCES sentinel.tenants,
    key           text NOT NULL,
    request_hash  bytea NOT NULL,
    status        integer NOT NULL,
    headers       jsonb NOT NULL,
    body          jsonb NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX idempotency_keys_created_at ON sentinel.idempotency_keys (created_at);

-- ---------------------------------------------------------------- configuration

CREATE TABLE sentinel.pipelines (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id        text NOT NULL REFERENCES sentinel.tenants,
    name             text NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    kafka_topic      text NOT NULL CHECK (kafka_topic ~ '^[A-Za-z0-9._-]{1,249}$'),
    status           text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused', 'stopped')),
    config           jsonb NOT NULL DEFAULT '{}',
    start_at         text NOT NULL DEFAULT 'earliest' CHECK (start_at IN ('earliest', 'latest')),
    source_epoch     integer NOT NULL DEFAULT 0,
    schema_version   integer NOT NULL,
    rule_set_version integer NOT NULL DEFAULT 0,
    version          bigint NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, name)
);

CREATE TABLE sentinel.schema_versions (
    tenant_id    text NOT NULL REFERENCES sentinel.tenants,
    pipeline_id  bigint NOT NULL REFERENCES sentinel.pipelines ON DELETE CASCADE,
    version      integer NOT NULL,
    fields       jsonb NOT NULL,
    content_hash text NOT NULL,
    created_by   text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (pipeline_id, version)
);

CREATE TABLE sentinel.rules (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id       text NOT NULL REFERENCES sentinel.tenants,
    pipeline_id     bigint NOT NULL REFERENCES sentinel.pipelines ON DELETE CASCADE,
    is_active       boolean NOT NULL DEFAULT true,
    current_version integer NOT NULL DEFAULT 1,
    version         bigint NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    name            text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,63}$'),
    state           text NOT NULL DEFAULT 'active'
                    CHECK (state IN ('draft', 'shadow', 'rollout', 'active', 'paused', 'archived')),
    -- A version that is tried beside the current one, and how far it is.
    candidate_version integer,
    candidate_state text CHECK (candidate_state IN ('draft', 'shadow', 'rollout')),
    -- {"entity", "share", "salt"} of the version in rollout: the rule's, or its candidate's.
    rollout         jsonb,
    CONSTRAINT rules_is_active_means_alerting CHECK (is_active = (state IN ('rollout', 'active'))),
    CONSTRAINT rules_candidate_has_state CHECK ((candidate_version IS NULL) = (candidate_state IS NULL)),
    CONSTRAINT rules_rollout_has_plan
        CHECK (rollout IS NOT NULL OR (state <> 'rollout' AND candidate_state IS DISTINCT FROM 'rollout'))
);
CREATE INDEX rules_pipeline_id ON sentinel.rules (pipeline_id);
CREATE UNIQUE INDEX rules_name ON sentinel.rules (pipeline_id, name) WHERE state <> 'archived';

CREATE TABLE sentinel.rule_versions (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id       text NOT NULL REFERENCES sentinel.tenants,
    rule_id         bigint NOT NULL REFERENCES sentinel.rules ON DELETE CASCADE,
    version         integer NOT NULL,
    rule_expression text NOT NULL,
    severity        text NOT NULL CHECK (severity IN ('critical', 'warning', 'info')),
    description     text NOT NULL DEFAULT '',
    content_hash    text NOT NULL,
    created_by      text NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL DEFAULT now(),
    short_form      text,
    actions         jsonb NOT NULL DEFAULT '[]',
    comment         text NOT NULL DEFAULT '',
    -- Names of the lists that its subqueries read.
    list_names      text[] NOT NULL DEFAULT '{}',
    UNIQUE (rule_id, version)
);

-- A rule set is the immutable list of the rule versions that were active together. Every change of a rule or of its
-- status writes the next one, so "which rules were in force" is a look-up. members holds what else was in force:
-- {"shadow": [version ids], "references": {rule name: version id}, "arms": [...], "mutes": [...], "scorecards": [...],
--  "lists": {list name: version}, "reads": {version id: [list names]}}.
CREATE TABLE sentinel.rule_sets (
    tenant_id        text NOT NULL REFERENCES sentinel.tenants,
    pipeline_id      bigint NOT NULL REFERENCES sentinel.pipelines ON DELETE CASCADE,
    version          integer NOT NULL,
    rule_version_ids bigint[] NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    members          jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (pipeline_id, version)
);

-- Rule versions that are kept out of every rule set, because they broke the query or cost more than a rule may. One that is
-- released runs again; where a record was the matter, it is the first one on which the rule threw.
CREATE TABLE sentinel.rule_quarantines (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id       text NOT NULL REFERENCES sentinel.tenants,
    pipeline_id     bigint NOT NULL REFERENCES sentinel.pipelines ON DELETE CASCADE,
    rule_id         bigint NOT NULL REFERENCES sentinel.rules ON DELETE CASCADE,
    rule_version_id bigint NOT NULL REFERENCES sentinel.rule_versions ON DELETE CASCADE,
    generation_id   bigint NOT NULL,
    cause           text NOT NULL,
    source_epoch    integer NOT NULL,
    kafka_partition integer,
    kafka_offset    bigint,
    quarantined_at  timestamptz NOT NULL DEFAULT now(),
    released_at     timestamptz,
    released_by     text,
    comment         text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX rule_quarantines_open ON sentinel.rule_quarantines (rule_version_id) WHERE released_at IS NULL;
CREATE INDEX rule_quarantines_rule_id ON sentinel.rule_quarantines (rule_id);

-- What is evaluated and not alerted: a rule (mute), or an entity for one rule or for all (snooze, which expires). In
-- force from the rule set that names it on, for records with a timestamp before expires_at.
CREATE TABLE sentinel.mutes (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   text NOT NULL REFERENCES sentinel.tenants,
    pipeline_id bigint NOT NULL REFERENCES sentinel.pipelines ON DELETE CASCADE,
    rule_id     bigint REFERENCES sentinel.rules ON DELETE CASCADE,
    field       text,
    value       text,
    expires_at  timestamptz,
    reason      text NOT NULL CHECK (reason <> ''),
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,
    ended_by    text,
    CONSTRAINT mutes_silence_something CHECK (rule_id IS NOT NULL OR field IS NOT NULL),
    CONSTRAINT mutes_snooze_ends
        CHECK ((field IS NULL) = (value IS NULL) AND (field IS NULL OR expires_at IS NOT NULL))
);
CREATE INDEX mutes_open ON sentinel.mutes (pipeline_id, id) WHERE ended_at IS NULL;

-- Rules with points, summed up to a decision on an event. Versions are immutable.
CREATE TABLE sentinel.scorecards (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id       text NOT NULL REFERENCES sentinel.tenants,
    pipeline_id     bigint NOT NULL REFERENCES sentinel.pipelines ON DELETE CASCADE,
    name            text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,63}$'),
    is_active       boolean NOT NULL DEFAULT true,
    current_version integer NOT NULL DEFAULT 1,
    version         bigint NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (pipeline_id, name)
);

CREATE TABLE sentinel.scorecard_versions (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    text NOT NULL REFERENCES sentinel.tenants,
    scorecard_id bigint NOT NULL REFERENCES sentinel.scorecards ON DELETE CASCADE,
    version      integer NOT NULL,
    weights      jsonb NOT NULL,
    review       integer NOT NULL,
    decline      integer NOT NULL,
    content_hash text NOT NULL,
    comment      text NOT NULL DEFAULT '',
    created_by   text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (scorecard_id, version)
);

-- Who did what, when and why. The application role cannot change or delete an entry.
CREATE TABLE sentinel.audit_entries (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   text NOT NULL,
    pipeline_id bigint,
    actor       text NOT NULL,
    action      text NOT NULL,
    object_type text NOT NULL,
    object_id   bigint NOT NULL,
    object_name text NOT NULL DEFAULT '',
    before      jsonb,
    after       jsonb,
    comment     text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_entries_newest ON sentinel.audit_entries (tenant_id, id DESC);
CREATE INDEX audit_entries_pipeline ON sentinel.audit_entries (tenant_id, pipeline_id, id DESC);
CREATE INDEX audit_entries_object ON sentinel.audit_entries (tenant_id, object_type, object_id, id DESC);

-- A list (reference table) that rules may read in subqueries. Its columns never change; its rows do, in numbered versions.
CREATE TABLE sentinel.lists (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    text NOT NULL REFERENCES sentinel.tenants,
    name         text COLLATE "C" NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    description  text NOT NULL DEFAULT '',
    columns      jsonb NOT NULL,
    key_column   text NOT NULL,
    version      integer NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, name)
);

CREATE TABLE sentinel.list_versions (
    list_id       bigint NOT NULL REFERENCES sentinel.lists ON DELETE CASCADE,
    tenant_id     text NOT NULL REFERENCES sentinel.tenants,
    version       integer NOT NULL,
    cause         text NOT NULL CHECK (cause IN ('created', 'upload', 'edit', 'expiry')),
    comment       text NOT NULL DEFAULT '',
    row_count     integer NOT NULL,
    size_bytes    bigint NOT NULL,
    content_hash  text NOT NULL,
    added_count   integer NOT NULL,
    changed_count integer NOT NULL,
    removed_count integer NOT NULL,
    created_by    text NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (list_id, version)
);

-- A row belongs to the versions from_version up to, not including, to_version; NULL: also to those to come. So a version
-- costs what it changed, and every earlier one can be read. Cells are canonical texts in the order of the columns.
CREATE TABLE sentinel.list_rows (
    -- No foreign key, whose check per row would double the time of a million rows: rows are written with their list locked.
    list_id      bigint NOT NULL,
    tenant_id    text NOT NULL,
    key          text COLLATE "C" NOT NULL,
    from_version integer NOT NULL,
    to_version   integer CHECK (to_version > from_version),
    cells        text[] NOT NULL,
    size_bytes   integer NOT NULL,
    expires_at   timestamptz,
    PRIMARY KEY (list_id, key, from_version)
);
CREATE INDEX list_rows_expiring ON sentinel.list_rows (expires_at) WHERE to_version IS NULL AND expires_at IS NOT NULL;

-- Whatever a running job must notice ends in an update of the pipeline's row.
CREATE FUNCTION sentinel.notify_pipeline() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_notify('sentinel_pipeline', NEW.id::text); RETURN NEW; END $$;
CREATE TRIGGER pipelines_notify AFTER INSERT OR UPDATE ON sentinel.pipelines
    FOR EACH ROW EXECUTE FUNCTION sentinel.notify_pipeline();

-- ---------------------------------------------------------------- the ledger

-- Who may write for a pipeline. The epoch grows with every new holder; a writer checks it in each transaction.
CREATE TABLE sentinel.leases (
    pipeline_id  bigint PRIMARY KEY REFERENCES sentinel.pipelines ON DELETE CASCADE,
    tenant_id    text NOT NULL REFERENCES sentinel.tenants,
    holder       text NOT NULL,
    epoch        bigint NOT NULL,
    expires_at   timestamptz NOT NULL,
    heartbeat_at timestamptz NOT NULL DEFAULT now(),
    details      jsonb NOT NULL DEFAULT '{}',
    -- So that FOR KEY SHARE holds the epoch: another driver cannot take the lease, its own can extend it.
    UNIQUE (pipeline_id, epoch)
);

CREATE TABLE sentinel.generations (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id        text NOT NULL REFERENCES sentinel.tenants,
    pipeline_id      bigint NOT NULL REFERENCES sentinel.pipelines ON DELETE CASCADE,
    mode             text NOT NULL CHECK (mode IN ('realtime', 'microbatch')),
    schema_version   integer NOT NULL,
    rule_set_version integer NOT NULL,
    source_epoch     integer NOT NULL DEFAULT 0,
    config           jsonb NOT NULL DEFAULT '{}',
    lease_epoch      bigint NOT NULL,
    reason           text NOT NULL,
    state            text NOT NULL CHECK (state IN ('starting', 'active', 'retired', 'failed')),
    error            text,
    started_at       timestamptz NOT NULL DEFAULT now(),
    activated_at     timestamptz,
    retired_at       timestamptz
);
CREATE INDEX generations_pipeline_id ON sentinel.generations (pipeline_id, id DESC);

-- The offsets of one partition that a generation answers for: start_offset inclusive, end_offset exclusive, NULL while
-- it is the active one. Ranges of one pipeline, partition and source epoch do not overlap and leave no gap.
CREATE TABLE sentinel.borders (
    generation_id bigint NOT NULL REFERENCES sentinel.generations ON DELETE CASCADE,
    tenant_id     text NOT NULL REFERENCES sentinel.tenants,
    partition     integer NOT NULL,
    start_offset  bigint NOT NULL,
    end_offset    bigint CHECK (end_offset >= start_offset),
    PRIMARY KEY (generation_id, partition)
);

-- Every offset below next_offset is decided: alerted, clean or a dead letter.
CREATE TABLE sentinel.progress (
    pipeline_id     bigint NOT NULL REFERENCES sentinel.pipelines ON DELETE CASCADE,
    tenant_id       text NOT NULL REFERENCES sentinel.tenants,
    partition       integer NOT NULL,
    first_offset    bigint NOT NULL,
    next_offset     bigint NOT NULL,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    -- Kafka's id of the topic that the offsets are of: a name can be given again. Empty where it is not known.
    topic_id        text NOT NULL DEFAULT '',
    PRIMARY KEY (pipeline_id, partition)
) WITH (fillfactor = 50);

-- What the lake holds, as numbered commits. A commit is planned here first, written to Delta under its number, then
-- marked committed: a crash in between repeats the same number, which Delta ignores if it is there.
CREATE TABLE sentinel.archive_commits (
    pipeline_id   bigint NOT NULL REFERENCES sentinel.pipelines ON DELETE CASCADE,
    tenant_id     text NOT NULL REFERENCES sentinel.tenants,
    seq           bigint NOT NULL,
    generation_id bigint NOT NULL REFERENCES sentinel.generations,
    ranges        jsonb NOT NULL,
    state         text NOT NULL CHECK (state IN ('planned', 'committed')),
    event_count   bigint,
    dead_count    bigint,
    planned_at    timestamptz NOT NULL DEFAULT now(),
    committed_at  timestamptz,
    is_observed   boolean NOT NULL DEFAULT false,
    PRIMARY KEY (pipeline_id, seq)
);
CREATE INDEX archive_commits_unobserved ON sentinel.archive_commits (pipeline_id, seq) WHERE NOT is_observed;
-- What a detector of silence counts.
CREATE INDEX archive_commits_committed_at ON sentinel.archive_commits (pipeline_id, committed_at) WHERE state = 'committed';

-- An operator's decision to go on although the topic lacks records that were not decided. Offsets are per partition:
-- {"partition": [first lost or undecided, where it goes on]}; recreated says that the topic was made anew.
CREATE TABLE sentinel.source_decisions (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    text NOT NULL REFERENCES sentinel.tenants,
    pipeline_id  bigint NOT NULL REFERENCES sentinel.pipelines ON DELETE CASCADE,
    source_epoch integer NOT NULL,
    recreated    boolean NOT NULL,
    skipped      jsonb NOT NULL,
    reason       text NOT NULL CHECK (reason <> ''),
    decided_by   text NOT NULL,
    decided_at   timestamptz NOT NULL DEFAULT now()
);

-- ---------------------------------------------------------------- findings

CREATE TABLE sentinel.alerts (
    id               bigint GENERATED ALWAYS AS IDENTITY,
    tenant_id        text NOT NULL,
    pipeline_id      bigint,
    rule_id          bigint,
    rule_version_id  bigint,
    generation_id    bigint,
    event_id         text NOT NULL,
    severity         text NOT NULL,
    score            smallint NOT NULL,
    entities         jsonb NOT NULL DEFAULT '{}',
    transaction_data jsonb NOT NULL,
    content_hash     bytea NOT NULL,
    kafka_partition  integer,
    kafka_offset     bigint,
    kafka_timestamp  timestamptz,
    alert_timestamp  timestamptz NOT NULL DEFAULT now(),
    -- Why the rule matched: each condition that had to be true, with the values of the fields that it looks at.
    evidence         jsonb NOT NULL DEFAULT '[]',
    -- The refill that made it; NULL: live detection did.
    refill_id        bigint,
    -- The detector that made it, and about what and which window; NULL: a rule did, of a pipeline, for a record.
    detector_id      bigint,
    window_start     timestamptz,
    window_end       timestamptz,
    subject          text,
    -- Grows when late events make it say something else; what it said before is in alert_amendments.
    version          integer NOT NULL DEFAULT 1,
    -- The request that brought the event, and the span that produced its record; NULL: the record did not say.
    request_id       text,
    traceparent      text,
    PRIMARY KEY (id),
    UNIQUE (pipeline_id, event_id, rule_id),
    CONSTRAINT alerts_of_rule_or_detector CHECK (
        CASE WHEN detector_id IS NULL
        THEN pipeline_id IS NOT NULL AND rule_id IS NOT NULL AND rule_version_id IS NOT NULL
             AND generation_id IS NOT NULL AND kafka_partition IS NOT NULL AND kafka_offset IS NOT NULL
             AND kafka_timestamp IS NOT NULL
        ELSE pipeline_id IS NULL AND rule_id IS NULL AND window_end > window_start AND window_start IS NOT NULL
             AND window_end IS NOT NULL AND subject IS NOT NULL END)
);
-- One anomaly per detector, window and subject. These three hold no row of a rule, so they cost its alerts nothing.
CREATE UNIQUE INDEX alerts_detector_window ON sentinel.alerts (detector_id, window_start, subject)
    WHERE detector_id IS NOT NULL;
CREATE INDEX alerts_detected_newest ON sentinel.alerts (tenant_id, alert_timestamp DESC, id DESC)
    WHERE detector_id IS NOT NULL;
CREATE INDEX alerts_detector_newest ON sentinel.alerts (tenant_id, detector_id, alert_timestamp DESC, id DESC)
    WHERE detector_id IS NOT NULL;
-- The writer's place in a pipeline's alerts.
CREATE INDEX alerts_pipeline_id ON sentinel.alerts (pipeline_id, id);
-- Newest first, for each single filter of the list. They grow at one end, so an insert touches pages that are in memory.
CREATE INDEX alerts_newest ON sentinel.alerts (tenant_id, alert_timestamp DESC, id DESC);
CREATE INDEX alerts_pipeline_newest ON sentinel.alerts (tenant_id, pipeline_id, alert_timestamp DESC, id DESC);
CREATE INDEX alerts_rule_newest ON sentinel.alerts (tenant_id, rule_id, alert_timestamp DESC, id DESC);
CREATE INDEX alerts_severity_newest ON sentinel.alerts (tenant_id, severity, alert_timestamp DESC, id DESC);

-- How many alerts a pipeline has, kept by triggers in the transaction that writes them: the list of pipelines must not
-- count millions of rows. One writer per pipeline, so nobody waits for a row here.
CREATE TABLE sentinel.alert_counts (
    pipeline_id bigint NOT NULL,
    tenant_id   text NOT NULL,
    severity    text NOT NULL,
    alert_count bigint NOT NULL,
    PRIMARY KEY (pipeline_id, severity)
) WITH (fillfactor = 50);

-- What detection went through in a minute of the clock of PostgreSQL, for eight days. lag_records: the most that waited, as the job
-- said when it renewed its lease; NULL where it said nothing.
CREATE TABLE sentinel.detection_minutes (
    pipeline_id   bigint NOT NULL,
    tenant_id     text NOT NULL,
    minute        timestamptz NOT NULL,
    decided_count integer NOT NULL,
    dead_count    integer NOT NULL,
    lag_records   bigint,
    PRIMARY KEY (pipeline_id, minute)
) WITH (fillfactor = 50);
CREATE INDEX detection_minutes_newest ON sentinel.detection_minutes (tenant_id, minute);

-- Alerts that were raised in a minute, kept by a trigger of alerts, for eight days. pipeline_id 0: by detectors.
CREATE TABLE sentinel.alert_minutes (
    tenant_id      text NOT NULL,
    pipeline_id    bigint NOT NULL,
    minute         timestamptz NOT NULL,
    critical_count integer NOT NULL,
    warning_count  integer NOT NULL,
    info_count     integer NOT NULL,
    PRIMARY KEY (tenant_id, pipeline_id, minute)
) WITH (fillfactor = 50);
CREATE INDEX alert_minutes_newest ON sentinel.alert_minutes (tenant_id, minute);

-- Alerts per rule and hour of the record's timestamp, kept by the triggers of alerts: what the storm guard goes by.
CREATE TABLE sentinel.rule_hours (
    pipeline_id bigint NOT NULL,
    tenant_id   text NOT NULL,
    rule_id     bigint NOT NULL,
    hour        timestamptz NOT NULL,
    alert_count bigint NOT NULL,
    PRIMARY KEY (pipeline_id, rule_id, hour)
) WITH (fillfactor = 50);

-- Per rule version and hour of the record's timestamp: events it was evaluated on, and those on which it was unknown, with
-- the fields they lack. Counted from the lake, commit by commit.
CREATE TABLE sentinel.rule_outcomes (
    rule_version_id bigint NOT NULL REFERENCES sentinel.rule_versions ON DELETE CASCADE,
    tenant_id       text NOT NULL,
    rule_id         bigint NOT NULL,
    hour            timestamptz NOT NULL,
    evaluated_count bigint NOT NULL,
    unknown_count   bigint NOT NULL,
    missing         jsonb NOT NULL,
    -- Evaluated beside the version in force: in shadow, or as the candidate of a rollout.
    is_trial        boolean NOT NULL,
    PRIMARY KEY (rule_version_id, hour, is_trial)
) WITH (fillfactor = 50);
CREATE INDEX rule_outcomes_rule_id ON sentinel.rule_outcomes (rule_id, hour);

-- Versions on trial held against the version in force, on the same events. control_version_id 0: none is in force.
CREATE TABLE sentinel.trial_counts (
    rule_version_id    bigint NOT NULL REFERENCES sentinel.rule_versions ON DELETE CASCADE,
    control_version_id bigint NOT NULL,
    tenant_id          text NOT NULL,
    rule_id            bigint NOT NULL,
    hour               timestamptz NOT NULL,
    both_count         bigint NOT NULL,
    only_trial_count   bigint NOT NULL,
    only_control_count bigint NOT NULL,
    PRIMARY KEY (rule_version_id, control_version_id, hour)
) WITH (fillfactor = 50);

CREATE TABLE sentinel.trial_samples (
    rule_version_id bigint NOT NULL REFERENCES sentinel.rule_versions ON DELETE CASCADE,
    kind            text NOT NULL CHECK (kind IN ('only_trial', 'only_control')),
    event_id        text NOT NULL,
    tenant_id       text NOT NULL,
    rule_id         bigint NOT NULL,
    kafka_partition integer NOT NULL,
    kafka_offset    bigint NOT NULL,
    kafka_timestamp timestamptz NOT NULL,
    PRIMARY KEY (rule_version_id, kind, event_id)
);
CREATE INDEX trial_samples_rule_id ON sentinel.trial_samples (rule_id);

-- What a rule version costs per event, measured on a sample of the pipeline's events.
CREATE TABLE sentinel.rule_costs (
    rule_version_id bigint PRIMARY KEY REFERENCES sentinel.rule_versions ON DELETE CASCADE,
    tenant_id       text NOT NULL,
    rule_id         bigint NOT NULL,
    microseconds    double precision NOT NULL,
    sampled_events  integer NOT NULL,
    measured_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX rule_costs_rule_id ON sentinel.rule_costs (rule_id);

CREATE FUNCTION sentinel.count_inserted_alerts() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN
        INSERT INTO sentinel.alert_counts AS c (pipeline_id, tenant_id, severity, alert_count)
        SELECT pipeline_id, tenant_id, severity, count(*) FROM changed WHERE pipeline_id IS NOT NULL
        GROUP BY 1, 2, 3 ORDER BY 1, 3
        ON CONFLICT (pipeline_id, severity) DO UPDATE SET alert_count = c.alert_count + excluded.alert_count;
        INSERT INTO sentinel.rule_hours AS h (pipeline_id, tenant_id, rule_id, hour, alert_count)
        SELECT pipeline_id, tenant_id, rule_id, date_bin('1 hour', kafka_timestamp, 'epoch'), count(*)
        FROM changed WHERE pipeline_id IS NOT NULL GROUP BY 1, 2, 3, 4 ORDER BY 1, 3, 4
        ON CONFLICT (pipeline_id, rule_id, hour) DO UPDATE SET alert_count = h.alert_count + excluded.alert_count;
        INSERT INTO sentinel.alert_minutes AS m
            (tenant_id, pipeline_id, minute, critical_count, warning_count, info_count)
        SELECT tenant_id, coalesce(pipeline_id, 0), date_bin('1 minute', alert_timestamp, 'epoch'),
               count(*) FILTER (WHERE severity = 'critical'), count(*) FILTER (WHERE severity = 'warning'),
               count(*) FILTER (WHERE severity = 'info')
        FROM changed GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        ON CONFLICT (tenant_id, pipeline_id, minute) DO UPDATE
        SET critical_count = m.critical_count + excluded.critical_count,
            warning_count = m.warning_count + excluded.warning_count, info_count = m.info_count + excluded.info_count;
        RETURN NULL;
    END $$;
CREATE TRIGGER alerts_count_inserted AFTER INSERT ON sentinel.alerts REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION sentinel.count_inserted_alerts();

CREATE FUNCTION sentinel.count_deleted_alerts() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN
        UPDATE sentinel.alert_counts c SET alert_count = c.alert_count - d.deleted
        FROM (SELECT pipeline_id, severity, count(*) AS deleted FROM changed GROUP BY 1, 2) d
        WHERE c.pipeline_id = d.pipeline_id AND c.severity = d.severity;
        UPDATE sentinel.rule_hours h SET alert_count = h.alert_count - d.deleted
        FROM (SELECT pipeline_id, rule_id, date_bin('1 hour', kafka_timestamp, 'epoch') AS hour, count(*) AS deleted
              FROM changed GROUP BY 1, 2, 3) d
        WHERE h.pipeline_id = d.pipeline_id AND h.rule_id = d.rule_id AND h.hour = d.hour;
        RETURN NULL;
    END $$;
CREATE TRIGGER alerts_count_deleted AFTER DELETE ON sentinel.alerts REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION sentinel.count_deleted_alerts();

-- The same event id seen again at another offset, for events that matched.
CREATE TABLE sentinel.event_duplicates (
    pipeline_id     bigint NOT NULL,
    tenant_id       text NOT NULL,
    source_epoch    integer NOT NULL,
    kafka_partition integer NOT NULL,
    kafka_offset    bigint NOT NULL,
    event_id        text NOT NULL,
    same_content    boolean NOT NULL,
    seen_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (pipeline_id, source_epoch, kafka_partition, kafka_offset)
);

CREATE TABLE sentinel.dead_letters (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id       text NOT NULL,
    pipeline_id     bigint NOT NULL,
    generation_id   bigint NOT NULL,
    source_epoch    integer NOT NULL,
    kafka_topic     text NOT NULL,
    kafka_partition integer NOT NULL,
    kafka_offset    bigint NOT NULL,
    kafka_timestamp timestamptz NOT NULL,
    cause           text NOT NULL,
    field           text,
    detail          text NOT NULL DEFAULT '',
    raw             bytea,
    raw_size_bytes  integer NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    state           text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'redriven', 'discarded')),
    reason          text NOT NULL DEFAULT '',
    changed_by      text NOT NULL DEFAULT '',
    changed_at      timestamptz,
    claim           text,
    claimed_until   timestamptz,
    UNIQUE (pipeline_id, source_epoch, kafka_partition, kafka_offset)
);
CREATE INDEX dead_letters_newest ON sentinel.dead_letters (pipeline_id, id DESC);
CREATE INDEX dead_letters_cause ON sentinel.dead_letters (pipeline_id, state, cause, id DESC);
CREATE INDEX dead_letters_created_at ON sentinel.dead_letters (pipeline_id, created_at, cause, state, id);

-- Dead letters that were sent again, each with where its new record lies: what is found there, too, is no event again.
CREATE TABLE sentinel.dead_letter_redrives (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id       text NOT NULL,
    pipeline_id     bigint NOT NULL,
    dead_letter_id  bigint NOT NULL REFERENCES sentinel.dead_letters ON DELETE CASCADE,
    first_id        bigint NOT NULL,
    redrive_count   integer NOT NULL,
    is_edited       boolean NOT NULL,
    value_sha256    bytea NOT NULL,
    size_bytes      integer NOT NULL,
    kafka_topic     text NOT NULL,
    source_epoch    integer NOT NULL,
    kafka_partition integer NOT NULL,
    kafka_offset    bigint NOT NULL,
    request_key     text NOT NULL,
    redriven_by     text NOT NULL,
    redriven_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dead_letter_redrives_place
    ON sentinel.dead_letter_redrives (pipeline_id, source_epoch, kafka_partition, kafka_offset);
CREATE INDEX dead_letter_redrives_letter ON sentinel.dead_letter_redrives (dead_letter_id);
CREATE INDEX dead_letter_redrives_request ON sentinel.dead_letter_redrives (pipeline_id, request_key);

-- Alerts per entity since it was last quiet for the scores' time to live: the source of the absolute value in Redis.
CREATE TABLE sentinel.entity_scores (
    pipeline_id    bigint NOT NULL,
    tenant_id      text NOT NULL,
    field          text NOT NULL,
    value          text NOT NULL,
    critical_count bigint NOT NULL,
    warning_count  bigint NOT NULL,
    info_count     bigint NOT NULL,
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (pipeline_id, field, value)
) WITH (fillfactor = 70);

-- What a scorecard says of an event that at least one of its rules matched. The first record of an event decides.
CREATE TABLE sentinel.decisions (
    pipeline_id          bigint NOT NULL,
    scorecard_id         bigint NOT NULL,
    event_id             text NOT NULL,
    tenant_id            text NOT NULL,
    scorecard_version_id bigint NOT NULL,
    generation_id        bigint NOT NULL,
    score                integer NOT NULL,
    decision             text NOT NULL CHECK (decision IN ('approve', 'review', 'decline')),
    rule_ids             bigint[] NOT NULL,
    kafka_partition      integer NOT NULL,
    kafka_offset         bigint NOT NULL,
    kafka_timestamp      timestamptz NOT NULL,
    decided_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (pipeline_id, event_id, scorecard_id)
);

-- Matches that raised no alert, per rule and hour of their records' timestamps.
CREATE TABLE sentinel.suppressed_counts (
    pipeline_id bigint NOT NULL,
    rule_id     bigint NOT NULL,
    hour        timestamptz NOT NULL,
    cause       text NOT NULL,
    tenant_id   text NOT NULL,
    match_count bigint NOT NULL,
    PRIMARY KEY (pipeline_id, rule_id, hour, cause)
) WITH (fillfactor = 50);

-- ---------------------------------------------------------------- the rule worker

-- Work that needs the engine itself: explanations, tests of rules, backtests, refills. A rule worker takes a task, keeps it
-- by its heartbeat, and writes the result. attempts counts who held it: only the newest holder may write.
CREATE TABLE sentinel.engine_tasks (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id        text NOT NULL REFERENCES sentinel.tenants,
    pipeline_id      bigint NOT NULL REFERENCES sentinel.pipelines ON DELETE CASCADE,
    kind             text NOT NULL,
    lane             text NOT NULL CHECK (lane IN ('short', 'long')),
    state            text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    request          jsonb NOT NULL,
    progress         jsonb NOT NULL DEFAULT '{}',
    result           jsonb,
    error            jsonb,
    worker           text NOT NULL DEFAULT '',
    attempts         integer NOT NULL DEFAULT 0,
    cancel_requested boolean NOT NULL DEFAULT false,
    created_by       text NOT NULL DEFAULT '',
    created_at       timestamptz NOT NULL DEFAULT now(),
    started_at       timestamptz,
    heartbeat_at     timestamptz,
    finished_at      timestamptz
);
CREATE INDEX engine_tasks_waiting ON sentinel.engine_tasks (lane, tenant_id, id) WHERE state IN ('queued', 'running');
CREATE INDEX engine_tasks_newest ON sentinel.engine_tasks (tenant_id, id DESC);
CREATE INDEX engine_tasks_pipeline_id ON sentinel.engine_tasks (pipeline_id, id DESC);
CREATE INDEX engine_tasks_finished_at ON sentinel.engine_tasks (tenant_id, finished_at);

CREATE FUNCTION sentinel.notify_engine_task() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_notify('sentinel_engine_task', NEW.lane); RETURN NEW; END $$;
CREATE TRIGGER engine_tasks_notify AFTER INSERT ON sentinel.engine_tasks
    FOR EACH ROW EXECUTE FUNCTION sentinel.notify_engine_task();

-- Example events of a rule with the outcome it must have for them; they are run before a version of it is published.
CREATE TABLE sentinel.rule_tests (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  text NOT NULL REFERENCES sentinel.tenants,
    rule_id    bigint NOT NULL REFERENCES sentinel.rules ON DELETE CASCADE,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    event      text NOT NULL,
    expected   text NOT NULL CHECK (expected IN ('match', 'no_match', 'unknown')),
    version    bigint NOT NULL DEFAULT 1,
    created_by text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (rule_id, name)
);

-- What the tests of a rule said of a condition under a schema version. tests_hash tells which tests these were.
CREATE TABLE sentinel.rule_test_runs (
    rule_id        bigint NOT NULL REFERENCES sentinel.rules ON DELETE CASCADE,
    tenant_id      text NOT NULL REFERENCES sentinel.tenants,
    condition_hash text NOT NULL,
    schema_version integer NOT NULL,
    tests_hash     text NOT NULL,
    outcomes       jsonb NOT NULL,
    ran_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (rule_id, condition_hash, schema_version, tests_hash)
);
-- ---------------------------------------------------------------- the past

-- What is known to be true of events: uploaded, and held against the matches of backtests. content is compressed JSON,
-- {"true": [event id, ...], "false": [event id, ...]}.
CREATE TABLE sentinel.label_sets (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    text NOT NULL REFERENCES sentinel.tenants,
    pipeline_id  bigint NOT NULL REFERENCES sentinel.pipelines ON DELETE CASCADE,
    name         text NOT NULL,
    label_count  integer NOT NULL,
    true_count   integer NOT NULL,
    content_hash text NOT NULL,
    content      bytea NOT NULL,
    created_by   text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX label_sets_pipeline_id ON sentinel.label_sets (pipeline_id, id DESC);

-- Rules that were evaluated over the lake afterwards: which versions, under which schema, over which records (a range of
-- time, and per source epoch and partition the end of what the lake held). Reconciliation evaluates the same again.
CREATE TABLE sentinel.refills (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id        text NOT NULL REFERENCES sentinel.tenants,
    pipeline_id      bigint NOT NULL REFERENCES sentinel.pipelines ON DELETE CASCADE,
    task_id          bigint NOT NULL UNIQUE,
    rule_version_ids bigint[] NOT NULL,
    schema_version   integer NOT NULL,
    rule_set_version integer NOT NULL,
    clock            text NOT NULL CHECK (clock IN ('event_time', 'record_time')),
    range_start      timestamptz NOT NULL,
    range_end        timestamptz NOT NULL CHECK (range_end > range_start),
    ends             jsonb NOT NULL,
    is_complete      boolean NOT NULL DEFAULT false,
    match_count      bigint NOT NULL DEFAULT 0,
    alert_count      bigint NOT NULL DEFAULT 0,
    started_at       timestamptz NOT NULL DEFAULT now(),
    completed_at     timestamptz
);
CREATE INDEX refills_pipeline_id ON sentinel.refills (pipeline_id, id DESC);

-- ---------------------------------------------------------------- events by HTTP

-- Which pipeline an event that comes by HTTP belongs to, by its type; with * at its end, all types that begin so.
CREATE TABLE sentinel.event_routes (
    tenant_id   text NOT NULL REFERENCES sentinel.tenants,
    event_type  text NOT NULL CHECK (length(event_type) BETWEEN 1 AND 201),
    pipeline_id bigint NOT NULL REFERENCES sentinel.pipelines ON DELETE CASCADE,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, event_type)
);
CREATE INDEX event_routes_pipeline_id ON sentinel.event_routes (pipeline_id);

-- ---------------------------------------------------------------- webhooks

-- Providers that send signed events. public_id is what a source's URL ends in: unguessable, unique over all tenants.
CREATE TABLE sentinel.webhook_sources (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   text NOT NULL REFERENCES sentinel.tenants,
    public_id   text COLLATE "C" NOT NULL UNIQUE CHECK (public_id ~ '^whs_[A-Za-z0-9_-]{22}$'),
    name        text COLLATE "C" NOT NULL CHECK (name ~ '^[a-z][a-z0-9-]{0,62}$'),
    kind        text NOT NULL CHECK (kind IN ('stripe', 'standard', 'github', 'token')),
    status      text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
    pipeline_id bigint REFERENCES sentinel.pipelines ON DELETE SET NULL,
    options     jsonb NOT NULL DEFAULT '{}',
    version     bigint NOT NULL DEFAULT 1,
    created_by  text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, name)
);
CREATE INDEX webhook_sources_pipeline_id ON sentinel.webhook_sources (pipeline_id);

-- What sources sign with. Verifying takes the secret itself: it is encrypted where a key is configured, else in clear.
CREATE TABLE sentinel.webhook_secrets (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    text NOT NULL REFERENCES sentinel.tenants,
    source_id    bigint NOT NULL REFERENCES sentinel.webhook_sources ON DELETE CASCADE,
    sealed       bytea NOT NULL,
    is_encrypted boolean NOT NULL,
    hint         text NOT NULL,
    added_by     text NOT NULL DEFAULT '',
    added_at     timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz
);
CREATE INDEX webhook_secrets_source_id ON sentinel.webhook_secrets (source_id);

-- Events as they were delivered, byte for byte, once per provider's id. One with a topic waits until the broker has
-- confirmed it.
CREATE TABLE sentinel.webhook_events (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id         text NOT NULL REFERENCES sentinel.tenants,
    source_id         bigint NOT NULL REFERENCES sentinel.webhook_sources ON DELETE CASCADE,
    provider_event_id text COLLATE "C" NOT NULL CHECK (length(provider_event_id) BETWEEN 1 AND 255),
    event_type        text NOT NULL,
    received_at       timestamptz NOT NULL,
    occurred_at       timestamptz,
    content_hash      bytea NOT NULL,
    raw               bytea NOT NULL,
    topic             text,
    published_at      timestamptz,
    publish_after     timestamptz NOT NULL DEFAULT now(),
    publish_error     text,
    -- backfilled: the provider was asked for it. api_version: of the provider's API that the event is written in.
    origin            text NOT NULL DEFAULT 'delivered' CHECK (origin IN ('delivered', 'backfilled')),
    api_version       text,
    UNIQUE (source_id, provider_event_id)
);
CREATE INDEX webhook_events_newest ON sentinel.webhook_events (source_id, id DESC);
CREATE INDEX webhook_events_waiting ON sentinel.webhook_events (tenant_id, id)
    WHERE published_at IS NULL AND topic IS NOT NULL;

-- Other content under the id of a stored event. The empty hash stands for all contents beyond those that are kept.
CREATE TABLE sentinel.webhook_conflicts (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id     text NOT NULL REFERENCES sentinel.tenants,
    event_id      bigint NOT NULL REFERENCES sentinel.webhook_events ON DELETE CASCADE,
    source_id     bigint NOT NULL REFERENCES sentinel.webhook_sources ON DELETE CASCADE,
    content_hash  bytea NOT NULL,
    seen_count    bigint NOT NULL DEFAULT 1,
    first_seen_at timestamptz NOT NULL,
    last_seen_at  timestamptz NOT NULL,
    body_bytes    integer NOT NULL,
    raw           bytea NOT NULL,
    UNIQUE (event_id, content_hash)
);
CREATE INDEX webhook_conflicts_newest ON sentinel.webhook_conflicts (source_id, id DESC);

-- Deliveries that were refused: some of each hour and reason, and all of them counted. No headers, no bodies.
CREATE TABLE sentinel.webhook_attempts (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id      text NOT NULL REFERENCES sentinel.tenants,
    source_id      bigint NOT NULL REFERENCES sentinel.webhook_sources ON DELETE CASCADE,
    reason         text NOT NULL,
    received_at    timestamptz NOT NULL,
    caller_address text NOT NULL,
    body_bytes     integer NOT NULL,
    body_hash      bytea NOT NULL
);
CREATE INDEX webhook_attempts_newest ON sentinel.webhook_attempts (source_id, id DESC);

CREATE TABLE sentinel.webhook_attempt_counts (
    source_id     bigint NOT NULL REFERENCES sentinel.webhook_sources ON DELETE CASCADE,
    hour          timestamptz NOT NULL,
    reason        text NOT NULL,
    tenant_id     text NOT NULL REFERENCES sentinel.tenants,
    attempt_count bigint NOT NULL,
    PRIMARY KEY (source_id, hour, reason)
) WITH (fillfactor = 50);

-- With which key a provider is asked for events that it could not deliver, and how far that is. cursor: the last event that
-- was taken in. Whoever holds it works on it until held_until.
CREATE TABLE sentinel.webhook_backfills (
    source_id     bigint PRIMARY KEY REFERENCES sentinel.webhook_sources ON DELETE CASCADE,
    tenant_id     text NOT NULL REFERENCES sentinel.tenants,
    sealed        bytea NOT NULL,
    is_encrypted  boolean NOT NULL,
    hint          text NOT NULL,
    key_added_by  text NOT NULL DEFAULT '',
    key_added_at  timestamptz NOT NULL DEFAULT now(),
    range_start   timestamptz,
    range_end     timestamptz,
    only_failed   boolean NOT NULL DEFAULT true,
    cursor        text,
    is_complete   boolean NOT NULL DEFAULT false,
    stored        bigint NOT NULL DEFAULT 0,
    duplicate     bigint NOT NULL DEFAULT 0,
    conflict      bigint NOT NULL DEFAULT 0,
    refused       bigint NOT NULL DEFAULT 0,
    covered_until timestamptz,
    updated_at    timestamptz,
    holder        text,
    held_until    timestamptz
);

-- ---------------------------------------------------------------- notifications

-- What happened to alerts and is still to be told, written in the transaction in which it happens.
CREATE TABLE sentinel.alert_outbox (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  text NOT NULL,
    alert_id   bigint NOT NULL,
    event      text NOT NULL
               CHECK (event IN ('fired', 'amended', 'acknowledged', 'resolved', 'suppressed', 'reopened')),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX alert_outbox_tenant_id ON sentinel.alert_outbox (tenant_id, id);

CREATE FUNCTION sentinel.notify_alert_outbox() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_notify('sentinel_alert_outbox', ''); RETURN NULL; END $$;
CREATE TRIGGER alert_outbox_notify AFTER INSERT ON sentinel.alert_outbox
    FOR EACH STATEMENT EXECUTE FUNCTION sentinel.notify_alert_outbox();

-- Where a tenant's notifications may go. options are public; what is secret is in channel_secrets.
CREATE TABLE sentinel.notification_channels (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id       text NOT NULL REFERENCES sentinel.tenants,
    name            text COLLATE "C" NOT NULL CHECK (name ~ '^[a-z][a-z0-9-]{0,62}$'),
    kind            text NOT NULL CHECK (kind IN ('slack', 'webhook', 'email', 'pagerduty', 'teams', 'apprise')),
    options         jsonb NOT NULL DEFAULT '{}',
    status          text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
    disabled_reason text NOT NULL DEFAULT '',
    rate_per_minute integer CHECK (rate_per_minute > 0),
    version         bigint NOT NULL DEFAULT 1,
    created_by      text NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, name)
);

-- What channels sign or log in with. Sending takes the secret itself: it is encrypted where a key is configured, else in
-- clear. One whose time has come is not used any more.
CREATE TABLE sentinel.channel_secrets (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    text NOT NULL REFERENCES sentinel.tenants,
    channel_id   bigint NOT NULL REFERENCES sentinel.notification_channels ON DELETE CASCADE,
    sealed       bytea NOT NULL,
    is_encrypted boolean NOT NULL,
    hint         text NOT NULL,
    added_by     text NOT NULL DEFAULT '',
    added_at     timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz
);
CREATE INDEX channel_secrets_channel_id ON sentinel.channel_secrets (channel_id);

-- Who is told of what. Versions never change; the newest counts.
CREATE TABLE sentinel.notification_policies (
    tenant_id  text NOT NULL REFERENCES sentinel.tenants,
    version    integer NOT NULL,
    document   jsonb NOT NULL,
    comment    text NOT NULL DEFAULT '',
    created_by text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, version)
);

-- Alerts with certain labels of which nobody is told for a while.
CREATE TABLE sentinel.silences (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  text NOT NULL REFERENCES sentinel.tenants,
    matchers   text[] NOT NULL,
    starts_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL,
    comment    text NOT NULL,
    created_by text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz,
    ended_by   text,
    CHECK (starts_at < ends_at)
);
CREATE INDEX silences_in_force ON sentinel.silences (tenant_id, ends_at) WHERE ended_at IS NULL;

-- Alerts of one rule about the same entities: how often it fired, and when somebody was last told.
CREATE TABLE sentinel.alert_fingerprints (
    tenant_id      text NOT NULL,
    fingerprint    bytea NOT NULL,
    labels         jsonb NOT NULL,
    fire_count     bigint NOT NULL,
    first_alert_id bigint NOT NULL,
    last_alert_id  bigint NOT NULL,
    first_fired_at timestamptz NOT NULL,
    last_fired_at  timestamptz NOT NULL,
    told_at        timestamptz,
    resolved_at    timestamptz,
    -- Channel and target -> when an alert of it was last sent on its way there.
    told_to        jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, fingerprint)
) WITH (fillfactor = 70);
CREATE INDEX alert_fingerprints_newest ON sentinel.alert_fingerprints (tenant_id, last_fired_at DESC);

-- Alerts that are told together on one channel. flush_at: when what waits is told; NULL: nothing waits.
CREATE TABLE sentinel.notification_groups (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    text NOT NULL REFERENCES sentinel.tenants,
    group_key    bytea NOT NULL,
    channel_id   bigint NOT NULL REFERENCES sentinel.notification_channels ON DELETE CASCADE,
    target       text NOT NULL DEFAULT '',
    route        text NOT NULL,
    labels       jsonb NOT NULL,
    plan         jsonb NOT NULL,
    state        text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'acknowledged', 'resolved')),
    thread       text,
    flush_at     timestamptz,
    is_deferred  boolean NOT NULL DEFAULT false,
    last_told_at timestamptz,
    repeat_at    timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, group_key)
);
CREATE INDEX notification_groups_channel_id ON sentinel.notification_groups (channel_id);
CREATE INDEX notification_groups_flush ON sentinel.notification_groups (tenant_id, flush_at, id) WHERE flush_at IS NOT NULL;
CREATE INDEX notification_groups_repeat ON sentinel.notification_groups (tenant_id, repeat_at, id) WHERE repeat_at IS NOT NULL;
CREATE INDEX notification_groups_created_at ON sentinel.notification_groups (tenant_id, created_at);

-- Alerts that wait to be told.
CREATE TABLE sentinel.group_members (
    group_id    bigint NOT NULL REFERENCES sentinel.notification_groups ON DELETE CASCADE,
    alert_id    bigint NOT NULL,
    tenant_id   text NOT NULL,
    severity    text NOT NULL,
    labels      jsonb NOT NULL,
    is_deferred boolean NOT NULL DEFAULT false,
    PRIMARY KEY (group_id, alert_id)
);
CREATE INDEX group_members_alert_id ON sentinel.group_members (tenant_id, alert_id);

-- What is sent, once per target. next_attempt_at: when it is due; while it is being sent, when whoever sends it counts as
-- gone.
CREATE TABLE sentinel.deliveries (
    id              text COLLATE "C" PRIMARY KEY,
    tenant_id       text NOT NULL REFERENCES sentinel.tenants,
    channel_id      bigint NOT NULL REFERENCES sentinel.notification_channels ON DELETE CASCADE,
    target          text NOT NULL DEFAULT '',
    group_id        bigint REFERENCES sentinel.notification_groups ON DELETE SET NULL,
    kind            text NOT NULL,
    severity        text NOT NULL,
    state           text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending', 'sent', 'dead')),
    content         jsonb NOT NULL,
    alert_count     integer NOT NULL,
    attempt_count   integer NOT NULL DEFAULT 0,
    round_attempts  integer NOT NULL DEFAULT 0,
    round_began_at  timestamptz NOT NULL,
    next_attempt_at timestamptz NOT NULL,
    is_limited      boolean NOT NULL DEFAULT false,
    redrive_count   integer NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    -- Of the last try; empty where it succeeded or there was none.
    last_reason     text NOT NULL DEFAULT ''
);
CREATE INDEX deliveries_due ON sentinel.deliveries (channel_id, next_attempt_at, id) WHERE state IN ('queued', 'sending');
CREATE INDEX deliveries_dead ON sentinel.deliveries (tenant_id, created_at DESC, id DESC) WHERE state = 'dead';
CREATE INDEX deliveries_reason ON sentinel.deliveries (tenant_id, last_reason, created_at DESC, id DESC)
    WHERE last_reason <> '';
CREATE INDEX deliveries_newest ON sentinel.deliveries (tenant_id, created_at DESC, id DESC);
CREATE INDEX deliveries_group_id ON sentinel.deliveries (group_id, created_at DESC, id DESC);
CREATE INDEX deliveries_channel_id ON sentinel.deliveries (channel_id, created_at DESC, id DESC);

CREATE TABLE sentinel.delivery_alerts (
    delivery_id     text COLLATE "C" NOT NULL REFERENCES sentinel.deliveries ON DELETE CASCADE,
    alert_id        bigint NOT NULL,
    tenant_id       text NOT NULL,
    acknowledged_at timestamptz,
    resolved_at     timestamptz,
    -- As that of the delivery: whether a group has open alerts is asked whenever somebody takes one up.
    group_id        bigint,
    PRIMARY KEY (delivery_id, alert_id)
);
CREATE INDEX delivery_alerts_alert_id ON sentinel.delivery_alerts (tenant_id, alert_id);
CREATE INDEX delivery_alerts_open ON sentinel.delivery_alerts (group_id, alert_id)
    WHERE acknowledged_at IS NULL AND resolved_at IS NULL;
CREATE INDEX delivery_alerts_unresolved ON sentinel.delivery_alerts (group_id, alert_id) WHERE resolved_at IS NULL;

-- One row per try. outcome says what was decided after it.
CREATE TABLE sentinel.delivery_attempts (
    delivery_id     text COLLATE "C" NOT NULL REFERENCES sentinel.deliveries ON DELETE CASCADE,
    attempt         integer NOT NULL,
    tenant_id       text NOT NULL,
    outcome         text NOT NULL CHECK (outcome IN ('sent', 'retried', 'dead_lettered', 'disabled')),
    reason          text NOT NULL DEFAULT '',
    detail          text NOT NULL DEFAULT '',
    status          integer,
    started_at      timestamptz NOT NULL,
    seconds         double precision NOT NULL,
    next_attempt_at timestamptz,
    PRIMARY KEY (delivery_id, attempt)
);

-- What was decided about an alert, or about a delivery, apart from its attempts.
CREATE TABLE sentinel.notification_decisions (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   text NOT NULL,
    alert_id    bigint,
    delivery_id text COLLATE "C" REFERENCES sentinel.deliveries ON DELETE CASCADE,
    outcome     text NOT NULL,
    route       text NOT NULL DEFAULT '',
    channel     text NOT NULL DEFAULT '',
    reason      text NOT NULL,
    details     jsonb NOT NULL DEFAULT '{}',
    decided_at  timestamptz NOT NULL,
    CHECK (alert_id IS NOT NULL OR delivery_id IS NOT NULL)
);
CREATE INDEX notification_decisions_alert_id ON sentinel.notification_decisions (tenant_id, alert_id, id);
CREATE INDEX notification_decisions_delivery_id ON sentinel.notification_decisions (delivery_id);
CREATE INDEX notification_decisions_decided_at ON sentinel.notification_decisions USING brin (decided_at);

-- One row per channel that deliveries wait for: when the next is due, whether its circuit is open (not tried until
-- open_until), and from when on its rate allows another.
CREATE TABLE sentinel.channel_queues (
    channel_id    bigint PRIMARY KEY REFERENCES sentinel.notification_channels ON DELETE CASCADE,
    tenant_id     text NOT NULL REFERENCES sentinel.tenants,
    due_at        timestamptz,
    failure_count integer NOT NULL DEFAULT 0,
    open_until    timestamptz,
    rate_free_at  timestamptz
) WITH (fillfactor = 50);
CREATE INDEX channel_queues_due ON sentinel.channel_queues (due_at) WHERE due_at IS NOT NULL;

-- Who else is told while nobody acknowledges. chain is the escalation as it was when it began.
CREATE TABLE sentinel.escalation_runs (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id      text NOT NULL REFERENCES sentinel.tenants,
    group_id       bigint NOT NULL REFERENCES sentinel.notification_groups ON DELETE CASCADE,
    name           text NOT NULL,
    chain          jsonb NOT NULL,
    policy_version integer NOT NULL,
    next_step      integer NOT NULL DEFAULT 0,
    next_at        timestamptz,
    state          text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'stopped', 'done')),
    started_at     timestamptz NOT NULL,
    ended_at       timestamptz
);
CREATE UNIQUE INDEX escalation_runs_active ON sentinel.escalation_runs (group_id) WHERE state = 'active';
CREATE INDEX escalation_runs_next ON sentinel.escalation_runs (tenant_id, next_at, id) WHERE state = 'active';
CREATE INDEX escalation_runs_group_id ON sentinel.escalation_runs (group_id);

-- ---------------------------------------------------------------- what people do about alerts

-- What people did about an alert: who has it, what came of it. No row: open, version 0. alert_timestamp is the alert's, so
-- that lists by status are in the alerts' order.
CREATE TABLE sentinel.alert_states (
    alert_id        bigint PRIMARY KEY REFERENCES sentinel.alerts ON DELETE CASCADE,
    tenant_id       text NOT NULL,
    alert_timestamp timestamptz NOT NULL,
    status          text NOT NULL CHECK (status IN ('open', 'acknowledged', 'resolved', 'suppressed')),
    assignee        text,
    disposition     text CHECK (disposition IN ('true_positive', 'false_positive', 'benign')),
    acknowledged_by text,
    acknowledged_at timestamptz,
    resolved_by     text,
    resolved_at     timestamptz,
    version         integer NOT NULL CHECK (version > 0),
    updated_at      timestamptz NOT NULL
);
-- In the order of the alerts, with what their lists ask for: alerts without a state, or without an assignee, are found by
-- reading both indexes side by side.
CREATE INDEX alert_states_newest ON sentinel.alert_states (tenant_id, alert_timestamp DESC, alert_id DESC)
    INCLUDE (status, assignee);
CREATE INDEX alert_states_status ON sentinel.alert_states (tenant_id, status, alert_timestamp DESC, alert_id DESC);
CREATE INDEX alert_states_assignee ON sentinel.alert_states (tenant_id, assignee, alert_timestamp DESC, alert_id DESC)
    WHERE assignee IS NOT NULL;
CREATE INDEX alert_states_disposition ON sentinel.alert_states (tenant_id, disposition, alert_timestamp DESC, alert_id DESC)
    WHERE disposition IS NOT NULL;

-- What people wrote beside alerts, and every change of a state, with what it made of what. The application role cannot change
-- or delete either.
CREATE TABLE sentinel.alert_notes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  text NOT NULL,
    alert_id   bigint NOT NULL REFERENCES sentinel.alerts ON DELETE CASCADE,
    author     text NOT NULL,
    text       text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX alert_notes_alert_id ON sentinel.alert_notes (alert_id, id);

CREATE TABLE sentinel.alert_changes (
    alert_id   bigint NOT NULL REFERENCES sentinel.alerts ON DELETE CASCADE,
    version    integer NOT NULL,
    tenant_id  text NOT NULL,
    author     text NOT NULL,
    changed_at timestamptz NOT NULL,
    before     jsonb NOT NULL,
    after      jsonb NOT NULL,
    PRIMARY KEY (alert_id, version)
);

-- When the summaries of a policy are told next, and until when the last one told.
CREATE TABLE sentinel.notification_summaries (
    tenant_id  text NOT NULL REFERENCES sentinel.tenants,
    name       text NOT NULL,
    told_until timestamptz NOT NULL,
    next_at    timestamptz,
    PRIMARY KEY (tenant_id, name)
);
CREATE INDEX notification_summaries_next ON sentinel.notification_summaries (next_at) WHERE next_at IS NOT NULL;

-- ---------------------------------------------------------------- detectors

-- A detector of a tenant: a kind with parameters, checked on a schedule. The built-in ones are there for every tenant;
-- mode auto: on as soon as there is what the kind looks at. One that was deleted keeps its row for the alerts it raised.
CREATE TABLE sentinel.detectors (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id       text NOT NULL REFERENCES sentinel.tenants,
    name            text COLLATE "C" NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,63}$'),
    kind            text NOT NULL,
    is_builtin      boolean NOT NULL DEFAULT false,
    description     text NOT NULL DEFAULT '',
    mode            text NOT NULL CHECK (mode IN ('on', 'off', 'auto')),
    parameters      jsonb NOT NULL DEFAULT '{}',
    schedule        jsonb NOT NULL,
    next_run_at     timestamptz NOT NULL,
    -- Every window from evaluates_from on that ends by evaluated_until was evaluated; NULL: no bound, and none was. checked_at
    -- is when the last complete run began: what came since then may change windows that were evaluated.
    evaluates_from  timestamptz,
    evaluated_until timestamptz,
    checked_at      timestamptz,
    version         bigint NOT NULL DEFAULT 1,
    created_by      text NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    deleted_at      timestamptz
);
CREATE UNIQUE INDEX detectors_name ON sentinel.detectors (tenant_id, name) WHERE deleted_at IS NULL;
CREATE INDEX detectors_due ON sentinel.detectors (next_run_at) WHERE mode <> 'off' AND deleted_at IS NULL;

-- Each time a detector was run: which windows it was to evaluate, and what came of it.
CREATE TABLE sentinel.detector_runs (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id     text NOT NULL REFERENCES sentinel.tenants,
    detector_id   bigint NOT NULL REFERENCES sentinel.detectors ON DELETE CASCADE,
    cause         text NOT NULL CHECK (cause IN ('schedule', 'request')),
    requested_by  text NOT NULL DEFAULT '',
    run_at        timestamptz NOT NULL,
    state         text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'failed')),
    window_start  timestamptz,
    window_end    timestamptz,
    window_count  integer NOT NULL DEFAULT 0,
    finding_count integer NOT NULL DEFAULT 0,
    fired_count   integer NOT NULL DEFAULT 0,
    amended_count integer NOT NULL DEFAULT 0,
    error         text,
    started_at    timestamptz NOT NULL,
    finished_at   timestamptz
);
CREATE INDEX detector_runs_newest ON sentinel.detector_runs (detector_id, id DESC);
CREATE INDEX detector_runs_started_at ON sentinel.detector_runs (tenant_id, started_at);
CREATE INDEX detector_runs_running ON sentinel.detector_runs (detector_id) WHERE state = 'running';

-- What an alert of a detector said before late events, or other parameters, made it say something else.
CREATE TABLE sentinel.alert_amendments (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  text NOT NULL,
    alert_id   bigint NOT NULL,
    version    integer NOT NULL,
    severity   text NOT NULL,
    level      text NOT NULL,
    evidence   jsonb NOT NULL,
    reason     text NOT NULL,
    amended_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (alert_id, version)
);

-- What detectors read of webhook events: a few members of each, as columns. Amounts are in the currency's smallest unit.
CREATE TABLE sentinel.webhook_facts (
    event_id        bigint PRIMARY KEY REFERENCES sentinel.webhook_events ON DELETE CASCADE,
    tenant_id       text NOT NULL REFERENCES sentinel.tenants,
    source_id       bigint NOT NULL,
    event_type      text NOT NULL,
    occurred_at     timestamptz NOT NULL,
    received_at     timestamptz NOT NULL,
    read_at         timestamptz NOT NULL DEFAULT now(),
    livemode        boolean,
    object_type     text,
    object_id       text,
    customer        text,
    amount          bigint,
    currency        text,
    status          text,
    previous_status text,
    failure_code    text,
    reason          text,
    subscription    text,
    invoice         text,
    charge          text,
    payment_intent  text
);
CREATE INDEX webhook_facts_occurred_at ON sentinel.webhook_facts (tenant_id, occurred_at, event_type);
CREATE INDEX webhook_facts_received_at ON sentinel.webhook_facts (source_id, received_at);
CREATE INDEX webhook_facts_customer ON sentinel.webhook_facts (tenant_id, customer, occurred_at)
    WHERE customer IS NOT NULL AND amount IS NOT NULL;

-- Webhook events whose facts were not read yet: written with the event, so that none is passed over.
CREATE TABLE sentinel.webhook_unread (
    event_id  bigint PRIMARY KEY REFERENCES sentinel.webhook_events ON DELETE CASCADE,
    tenant_id text NOT NULL
);
CREATE INDEX webhook_unread_tenant_id ON sentinel.webhook_unread (tenant_id, event_id);

CREATE FUNCTION sentinel.note_unread_webhook() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN
        INSERT INTO sentinel.webhook_unread (event_id, tenant_id) VALUES (NEW.id, NEW.tenant_id);
        RETURN NULL;
    END $$;
CREATE TRIGGER webhook_events_unread AFTER INSERT ON sentinel.webhook_events
    FOR EACH ROW EXECUTE FUNCTION sentinel.note_unread_webhook();

-- Refused deliveries by five minutes: hours are too coarse for a detector.
CREATE TABLE sentinel.webhook_attempt_slots (
    source_id     bigint NOT NULL REFERENCES sentinel.webhook_sources ON DELETE CASCADE,
    slot          timestamptz NOT NULL,
    reason        text NOT NULL,
    tenant_id     text NOT NULL REFERENCES sentinel.tenants,
    attempt_count bigint NOT NULL,
    PRIMARY KEY (source_id, slot, reason)
) WITH (fillfactor = 50);

-- Care of the lake: each pipeline's table, from its first commit on. Who cares for it at present, until when; a process that
-- is gone is followed by another. turn_*: whose turn it is to commit to the table, since Spark's commits on S3 would overwrite
-- those of another process. file_count and size_bytes are of looked_at.
CREATE TABLE sentinel.lake_care (
    pipeline_id   bigint PRIMARY KEY REFERENCES sentinel.pipelines ON DELETE CASCADE,
    tenant_id     text NOT NULL REFERENCES sentinel.tenants,
    next_at       timestamptz NOT NULL DEFAULT now(),
    looked_at     timestamptz,
    vacuumed_at   timestamptz,
    failure_count integer NOT NULL DEFAULT 0,
    file_count    bigint,
    size_bytes    bigint,
    claimed_by    text NOT NULL DEFAULT '',
    claimed_until timestamptz,
    turn_kind     text NOT NULL DEFAULT '' CHECK (turn_kind IN ('', 'archive', 'care')),
    turn_of       text NOT NULL DEFAULT '',
    turn_until    timestamptz
) WITH (fillfactor = 50);
CREATE INDEX lake_care_next_at ON sentinel.lake_care (next_at);

-- Each time a table was cared for: files that were merged, files that were deleted, and how many it had before and after.
CREATE TABLE sentinel.lake_care_runs (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id     text NOT NULL REFERENCES sentinel.tenants,
    pipeline_id   bigint NOT NULL REFERENCES sentinel.pipelines ON DELETE CASCADE,
    cause         text NOT NULL CHECK (cause IN ('schedule', 'request')),
    requested_by  text NOT NULL DEFAULT '',
    state         text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'failed')),
    started_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    files_before  bigint NOT NULL,
    bytes_before  bigint NOT NULL,
    files_after   bigint NOT NULL,
    bytes_after   bigint NOT NULL,
    merged_files  bigint NOT NULL DEFAULT 0,
    written_files bigint NOT NULL DEFAULT 0,
    deleted_files bigint NOT NULL DEFAULT 0,
    is_complete   boolean NOT NULL DEFAULT true,
    error         text
);
CREATE INDEX lake_care_runs_newest ON sentinel.lake_care_runs (pipeline_id, id DESC);
CREATE INDEX lake_care_runs_running ON sentinel.lake_care_runs (pipeline_id) WHERE state = 'running';

-- ---------------------------------------------------------------- row-level security and grants

DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = 'sentinel' AND c.relkind = 'r'
    LOOP
        EXECUTE format('ALTER TABLE sentinel.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE sentinel.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON sentinel.%I USING (tenant_id = (SELECT sentinel.current_tenant()))', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON sentinel.%I TO sentinel_app', name);
    END LOOP;
END $$;

REVOKE UPDATE, DELETE ON sentinel.audit_entries FROM sentinel_app;
REVOKE UPDATE, DELETE ON sentinel.alert_notes, sentinel.alert_changes FROM sentinel_app;
-- Dead letters are part of the proof that nothing is lost: what they say of a record stays as the job wrote it.
REVOKE UPDATE, DELETE ON sentinel.dead_letters, sentinel.dead_letter_redrives FROM sentinel_app;
GRANT UPDATE (state, reason, changed_by, changed_at, claim, claimed_until) ON sentinel.dead_letters TO sentinel_app;

-- A key is visible to whoever presents it: that is how its tenant becomes known.
CREATE POLICY presented ON sentinel.api_keys FOR SELECT
    USING (key_hash = decode(nullif(current_setting('app.api_key_hash', true), ''), 'hex'));

-- Whose topic it is, is told to whoever names it: events by HTTP are not written into the topic of another tenant. It is the
-- tenant's whose id it begins with, up to a dot; else the tenant's whose pipeline was the first on it.
CREATE POLICY named ON sentinel.tenants FOR SELECT
    USING (tenant_id = split_part(nullif(current_setting('app.kafka_topic', true), ''), '.', 1));
CREATE POLICY named_topic ON sentinel.pipelines FOR SELECT
    USING (kafka_topic = nullif(current_setting('app.kafka_topic', true), ''));

-- A worker, which serves all tenants, sees which tasks wait. What it does about one happens as the task's tenant.
CREATE POLICY worker ON sentinel.engine_tasks FOR SELECT
    USING (state IN ('queued', 'running') AND nullif(current_setting('app.engine_worker', true), '') IS NOT NULL);

-- A source is visible to whoever names its public id: that is how the tenant of a delivery becomes known.
CREATE POLICY presented ON sentinel.webhook_sources FOR SELECT
    USING (public_id = nullif(current_setting('app.webhook_source', true), ''));

-- The publisher, which serves all tenants, sees which events wait. What it does about them happens as their tenant.
CREATE POLICY publisher ON sentinel.webhook_events FOR SELECT
    USING (published_at IS NULL AND topic IS NOT NULL
           AND nullif(current_setting('app.webhook_publisher', true), '') IS NOT NULL);

-- A notifier, which serves all tenants, sees which there are: it deletes what is old as each of them.
CREATE POLICY notifier ON sentinel.tenants FOR SELECT
    USING (nullif(current_setting('app.notifier', true), '') IS NOT NULL);

-- A notifier, which serves all tenants, sees who waits. What it does about it happens as the tenant.
CREATE POLICY notifier ON sentinel.alert_outbox FOR SELECT
    USING (nullif(current_setting('app.notifier', true), '') IS NOT NULL);

-- A notifier sees where something is due. What it does about it happens as the tenant.
CREATE POLICY notifier ON sentinel.notification_groups FOR SELECT
    USING (nullif(current_setting('app.notifier', true), '') IS NOT NULL);
CREATE POLICY notifier ON sentinel.escalation_runs FOR SELECT
    USING (nullif(current_setting('app.notifier', true), '') IS NOT NULL);
CREATE POLICY notifier ON sentinel.channel_queues FOR SELECT
    USING (nullif(current_setting('app.notifier', true), '') IS NOT NULL);
CREATE POLICY notifier ON sentinel.notification_summaries FOR SELECT
    USING (nullif(current_setting('app.notifier', true), '') IS NOT NULL);

-- The detector loop, which serves all tenants, sees which tenants there are, which detectors are due and whose webhook
-- events are to be read. What it does about them happens as their tenant.
CREATE POLICY detector_loop ON sentinel.tenants FOR SELECT
    USING (nullif(current_setting('app.detector_loop', true), '') IS NOT NULL);
CREATE POLICY detector_loop ON sentinel.detectors FOR SELECT
    USING (next_run_at <= now() AND mode <> 'off' AND deleted_at IS NULL
           AND nullif(current_setting('app.detector_loop', true), '') IS NOT NULL);
CREATE POLICY detector_loop ON sentinel.webhook_unread FOR SELECT
    USING (nullif(current_setting('app.detector_loop', true), '') IS NOT NULL);

-- The loop that cares for the lake, which serves all tenants, sees which tables are due. What it does happens as their tenant.
CREATE POLICY lake_care ON sentinel.lake_care FOR SELECT
    USING (next_at <= now() AND nullif(current_setting('app.lake_care', true), '') IS NOT NULL);

-- ---------------------------------------------------------------- the views that people query

CREATE VIEW public.pipelines WITH (security_invoker = true) AS
    SELECT id, tenant_id, name, kafka_topic, status, schema_version, rule_set_version, created_at, updated_at
    FROM sentinel.pipelines;

CREATE VIEW public.rules WITH (security_invoker = true) AS
    SELECT r.id, r.tenant_id, r.pipeline_id, v.rule_expression, v.severity, v.description, r.is_active,
           r.current_version AS version, r.created_at, r.updated_at
    FROM sentinel.rules r
    JOIN sentinel.rule_versions v ON v.rule_id = r.id AND v.version = r.current_version;

-- The texts of the rule are subqueries, not a join: a query that leaves them out can read an index alone.
CREATE VIEW public.fraud_alerts WITH (security_invoker = true) AS
    SELECT a.id, a.tenant_id, a.pipeline_id, a.rule_id, a.severity,
           (SELECT v.description FROM sentinel.rule_versions v WHERE v.id = a.rule_version_id) AS rule_description,
           (SELECT v.rule_expression FROM sentinel.rule_versions v WHERE v.id = a.rule_version_id) AS rule_expression,
           a.alert_timestamp, a.transaction_data, a.event_id, a.score, a.rule_version_id, a.generation_id,
           a.kafka_partition, a.kafka_offset, a.kafka_timestamp, a.refill_id,
           (SELECT d.name FROM sentinel.detectors d WHERE d.id = a.detector_id) AS detector,
           a.window_start, a.window_end, a.subject, a.version
    FROM sentinel.alerts a;

-- What a detector that is written as SQL may read: these views, as its tenant.
CREATE SCHEMA detector_views;

CREATE VIEW detector_views.alerts WITH (security_invoker = true) AS
    SELECT a.id, a.alert_timestamp, a.severity, a.score, a.pipeline_id, a.rule_id, a.event_id, a.entities,
           a.transaction_data, a.kafka_timestamp, a.detector_id, a.window_start, a.window_end, a.subject
    FROM sentinel.alerts a;

CREATE VIEW detector_views.webhook_events WITH (security_invoker = true) AS
    SELECT f.event_id AS id, e.provider_event_id AS event_id, s.name AS source, f.event_type, f.occurred_at,
           f.received_at, f.livemode, f.object_type, f.object_id, f.customer, f.amount, f.currency, f.status,
           f.previous_status, f.failure_code, f.reason, f.subscription, f.invoice, f.charge, f.payment_intent
    FROM sentinel.webhook_facts f
    JOIN sentinel.webhook_events e ON e.id = f.event_id
    JOIN sentinel.webhook_sources s ON s.id = f.source_id;

CREATE VIEW detector_views.webhook_attempts WITH (security_invoker = true) AS
    SELECT s.name AS source, a.slot, a.reason, a.attempt_count
    FROM sentinel.webhook_attempt_slots a JOIN sentinel.webhook_sources s ON s.id = a.source_id;

CREATE VIEW detector_views.dead_letters WITH (security_invoker = true) AS
    SELECT id, pipeline_id, kafka_topic, kafka_partition, kafka_offset, kafka_timestamp, cause, field, raw_size_bytes,
           created_at
    FROM sentinel.dead_letters;

CREATE VIEW detector_views.rule_outcomes WITH (security_invoker = true) AS
    SELECT rule_id, rule_version_id, hour, evaluated_count, unknown_count, is_trial FROM sentinel.rule_outcomes;

CREATE VIEW detector_views.rule_hours WITH (security_invoker = true) AS
    SELECT pipeline_id, rule_id, hour, alert_count FROM sentinel.rule_hours;

GRANT USAGE ON SCHEMA detector_views TO sentinel_app;
GRANT SELECT ON ALL TABLES IN SCHEMA detector_views TO sentinel_app;

GRANT USAGE ON SCHEMA sentinel TO sentinel_app;
GRANT SELECT ON public.pipelines, public.rules, public.fraud_alerts TO sentinel_app;

-- ---------------------------------------------------------------- which migration this corresponds to

CREATE TABLE public.alembic_version (
    version_num varchar(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO public.alembic_version VALUES ('0025');
GRANT SELECT ON public.alembic_version TO sentinel_app;
