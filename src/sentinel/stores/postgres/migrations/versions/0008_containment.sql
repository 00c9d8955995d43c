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

-- Commits that were there before anybody counted are not counted.
ALTER TABLE sentinel.archive_commits ADD COLUMN is_observed boolean NOT NULL DEFAULT true;
ALTER TABLE sentinel.archive_commits ALTER COLUMN is_observed SET DEFAULT false;
CREATE INDEX archive_commits_unobserved ON sentinel.archive_commits (pipeline_id, seq) WHERE NOT is_observed;

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

CREATE OR REPLACE FUNCTION sentinel.count_inserted_alerts() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN
        INSERT INTO sentinel.alert_counts AS c (pipeline_id, tenant_id, severity, alert_count)
        SELECT pipeline_id, tenant_id, severity, count(*) FROM changed GROUP BY 1, 2, 3 ORDER BY 1, 3
        ON CONFLICT (pipeline_id, severity) DO UPDATE SET alert_count = c.alert_count + excluded.alert_count;
        INSERT INTO sentinel.rule_hours AS h (pipeline_id, tenant_id, rule_id, hour, alert_count)
        SELECT pipeline_id, tenant_id, rule_id, date_bin('1 hour', kafka_timestamp, 'epoch'), count(*)
        FROM changed GROUP BY 1, 2, 3, 4 ORDER BY 1, 3, 4
        ON CONFLICT (pipeline_id, rule_id, hour) DO UPDATE SET alert_count = h.alert_count + excluded.alert_count;
        RETURN NULL;
    END $$;
CREATE OR REPLACE FUNCTION sentinel.count_deleted_alerts() RETURNS trigger
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

-- Alerts that are there already count from the start.
INSERT INTO sentinel.rule_hours (pipeline_id, tenant_id, rule_id, hour, alert_count)
SELECT pipeline_id, tenant_id, rule_id, date_bin('1 hour', kafka_timestamp, 'epoch'), count(*)
FROM sentinel.alerts GROUP BY 1, 2, 3, 4;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['rule_quarantines', 'rule_hours', 'rule_outcomes', 'rule_costs', 'trial_counts',
                               'trial_samples']
    LOOP
        EXECUTE format('ALTER TABLE sentinel.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE sentinel.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON sentinel.%I USING (tenant_id = (SELECT sentinel.current_tenant()))', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON sentinel.%I TO sentinel_app', name);
    END LOOP;
END $$;
