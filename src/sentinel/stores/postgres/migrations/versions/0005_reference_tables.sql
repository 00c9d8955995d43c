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

ALTER TABLE sentinel.rule_versions ADD COLUMN list_names text[] NOT NULL DEFAULT '{}';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['lists', 'list_versions', 'list_rows'] LOOP
        EXECUTE format('ALTER TABLE sentinel.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE sentinel.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON sentinel.%I USING (tenant_id = (SELECT sentinel.current_tenant()))', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON sentinel.%I TO sentinel_app', name);
    END LOOP;
END $$;
