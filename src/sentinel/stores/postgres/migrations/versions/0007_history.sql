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

ALTER TABLE sentinel.label_sets ENABLE ROW LEVEL SECURITY;
ALTER TABLE sentinel.label_sets FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sentinel.label_sets USING (tenant_id = (SELECT sentinel.current_tenant()));
GRANT SELECT, INSERT, UPDATE, DELETE ON sentinel.label_sets TO sentinel_app;

ALTER TABLE sentinel.refills ENABLE ROW LEVEL SECURITY;
ALTER TABLE sentinel.refills FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sentinel.refills USING (tenant_id = (SELECT sentinel.current_tenant()));
GRANT SELECT, INSERT, UPDATE, DELETE ON sentinel.refills TO sentinel_app;

-- The refill that made an alert; NULL: live detection did.
ALTER TABLE sentinel.alerts ADD COLUMN refill_id bigint;

CREATE OR REPLACE VIEW public.fraud_alerts WITH (security_invoker = true) AS
    SELECT a.id, a.tenant_id, a.pipeline_id, a.rule_id, a.severity,
           (SELECT v.description FROM sentinel.rule_versions v WHERE v.id = a.rule_version_id) AS rule_description,
           (SELECT v.rule_expression FROM sentinel.rule_versions v WHERE v.id = a.rule_version_id) AS rule_expression,
           a.alert_timestamp, a.transaction_data, a.event_id, a.score, a.rule_version_id, a.generation_id,
           a.kafka_partition, a.kafka_offset, a.kafka_timestamp, a.refill_id
    FROM sentinel.alerts a;
