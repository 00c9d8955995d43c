-- What people do about dead letters: the rows stay, a state and what was sent again are beside them.
ALTER TABLE sentinel.dead_letters
    ADD COLUMN state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'redriven', 'discarded')),
    ADD COLUMN reason text NOT NULL DEFAULT '',
    ADD COLUMN changed_by text NOT NULL DEFAULT '',
    ADD COLUMN changed_at timestamptz,
    ADD COLUMN claim text,
    ADD COLUMN claimed_until timestamptz;
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

ALTER TABLE sentinel.dead_letter_redrives ENABLE ROW LEVEL SECURITY;
ALTER TABLE sentinel.dead_letter_redrives FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sentinel.dead_letter_redrives USING (tenant_id = (SELECT sentinel.current_tenant()));
GRANT SELECT, INSERT ON sentinel.dead_letter_redrives TO sentinel_app;

REVOKE UPDATE, DELETE ON sentinel.dead_letters FROM sentinel_app;
GRANT UPDATE (state, reason, changed_by, changed_at, claim, claimed_until) ON sentinel.dead_letters TO sentinel_app;
