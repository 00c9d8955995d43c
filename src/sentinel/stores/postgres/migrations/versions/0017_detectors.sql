-- Columns that only alerts of rules have may be missing in those of detectors; the check says which are needed when. The check
-- and each of the three indexes look through the alerts once, and nobody writes alerts meanwhile.
ALTER TABLE sentinel.alerts
    ALTER COLUMN pipeline_id DROP NOT NULL, ALTER COLUMN rule_id DROP NOT NULL,
    ALTER COLUMN rule_version_id DROP NOT NULL, ALTER COLUMN generation_id DROP NOT NULL,
    ALTER COLUMN kafka_partition DROP NOT NULL, ALTER COLUMN kafka_offset DROP NOT NULL,
    ALTER COLUMN kafka_timestamp DROP NOT NULL,
    ADD COLUMN detector_id bigint,
    ADD COLUMN window_start timestamptz,
    ADD COLUMN window_end timestamptz,
    ADD COLUMN subject text,
    ADD COLUMN version integer NOT NULL DEFAULT 1;
ALTER TABLE sentinel.alerts ADD CONSTRAINT alerts_of_rule_or_detector CHECK (
        CASE WHEN detector_id IS NULL
        THEN pipeline_id IS NOT NULL AND rule_id IS NOT NULL AND rule_version_id IS NOT NULL
             AND generation_id IS NOT NULL AND kafka_partition IS NOT NULL AND kafka_offset IS NOT NULL
             AND kafka_timestamp IS NOT NULL
        ELSE pipeline_id IS NULL AND rule_id IS NULL AND window_end > window_start AND window_start IS NOT NULL
             AND window_end IS NOT NULL AND subject IS NOT NULL END);
-- One anomaly per detector, window and subject. These three hold no row of a rule, so they cost its alerts nothing.
CREATE UNIQUE INDEX alerts_detector_window ON sentinel.alerts (detector_id, window_start, subject)
    WHERE detector_id IS NOT NULL;
CREATE INDEX alerts_detected_newest ON sentinel.alerts (tenant_id, alert_timestamp DESC, id DESC)
    WHERE detector_id IS NOT NULL;
CREATE INDEX alerts_detector_newest ON sentinel.alerts (tenant_id, detector_id, alert_timestamp DESC, id DESC)
    WHERE detector_id IS NOT NULL;

CREATE OR REPLACE FUNCTION sentinel.count_inserted_alerts() RETURNS trigger
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
        RETURN NULL;
    END $$;

-- What a detector of silence counts.
CREATE INDEX archive_commits_committed_at ON sentinel.archive_commits (pipeline_id, committed_at) WHERE state = 'committed';

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

-- Events that are there already are read like new ones.
ALTER TABLE sentinel.webhook_events NO FORCE ROW LEVEL SECURITY;
INSERT INTO sentinel.webhook_unread (event_id, tenant_id) SELECT id, tenant_id FROM sentinel.webhook_events;
ALTER TABLE sentinel.webhook_events FORCE ROW LEVEL SECURITY;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['detectors', 'detector_runs', 'alert_amendments', 'webhook_facts', 'webhook_unread',
                                'webhook_attempt_slots']
    LOOP
        EXECUTE format('ALTER TABLE sentinel.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE sentinel.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON sentinel.%I USING (tenant_id = (SELECT sentinel.current_tenant()))', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON sentinel.%I TO sentinel_app', name);
    END LOOP;
END $$;

-- The detector loop, which serves all tenants, sees which tenants there are, which detectors are due and whose webhook
-- events are to be read. What it does about them happens as their tenant.
CREATE POLICY detector_loop ON sentinel.tenants FOR SELECT
    USING (nullif(current_setting('app.detector_loop', true), '') IS NOT NULL);
CREATE POLICY detector_loop ON sentinel.detectors FOR SELECT
    USING (next_run_at <= now() AND mode <> 'off' AND deleted_at IS NULL
           AND nullif(current_setting('app.detector_loop', true), '') IS NOT NULL);
CREATE POLICY detector_loop ON sentinel.webhook_unread FOR SELECT
    USING (nullif(current_setting('app.detector_loop', true), '') IS NOT NULL);

CREATE OR REPLACE VIEW public.fraud_alerts WITH (security_invoker = true) AS
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
