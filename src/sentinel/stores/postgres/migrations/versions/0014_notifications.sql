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
CREATE INDEX notification_groups_flush ON sentinel.notification_groups (flush_at, tenant_id) WHERE flush_at IS NOT NULL;
CREATE INDEX notification_groups_repeat ON sentinel.notification_groups (repeat_at, tenant_id) WHERE repeat_at IS NOT NULL;

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
    finished_at     timestamptz
);
CREATE INDEX deliveries_due ON sentinel.deliveries (channel_id, next_attempt_at, id) WHERE state IN ('queued', 'sending');
CREATE INDEX deliveries_dead ON sentinel.deliveries (tenant_id, finished_at DESC, id DESC) WHERE state = 'dead';
CREATE INDEX deliveries_newest ON sentinel.deliveries (tenant_id, created_at DESC, id DESC);
CREATE INDEX deliveries_group_id ON sentinel.deliveries (group_id);

CREATE TABLE sentinel.delivery_alerts (
    delivery_id     text COLLATE "C" NOT NULL REFERENCES sentinel.deliveries ON DELETE CASCADE,
    alert_id        bigint NOT NULL,
    tenant_id       text NOT NULL,
    acknowledged_at timestamptz,
    resolved_at     timestamptz,
    PRIMARY KEY (delivery_id, alert_id)
);
CREATE INDEX delivery_alerts_alert_id ON sentinel.delivery_alerts (tenant_id, alert_id);

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
CREATE INDEX escalation_runs_next ON sentinel.escalation_runs (next_at, tenant_id) WHERE state = 'active';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['notification_policies', 'silences', 'alert_fingerprints', 'notification_groups',
                               'group_members', 'deliveries', 'delivery_alerts', 'delivery_attempts',
                               'notification_decisions', 'channel_queues', 'escalation_runs']
    LOOP
        EXECUTE format('ALTER TABLE sentinel.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE sentinel.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON sentinel.%I USING (tenant_id = (SELECT sentinel.current_tenant()))', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON sentinel.%I TO sentinel_app', name);
    END LOOP;
END $$;

-- A notifier sees where something is due. What it does about it happens as the tenant.
CREATE POLICY notifier ON sentinel.notification_groups FOR SELECT
    USING (nullif(current_setting('app.notifier', true), '') IS NOT NULL);
CREATE POLICY notifier ON sentinel.escalation_runs FOR SELECT
    USING (nullif(current_setting('app.notifier', true), '') IS NOT NULL);
CREATE POLICY notifier ON sentinel.channel_queues FOR SELECT
    USING (nullif(current_setting('app.notifier', true), '') IS NOT NULL);
