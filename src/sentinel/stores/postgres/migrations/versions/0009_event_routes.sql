-- Which pipeline an event that comes by HTTP belongs to, by its type; with * at its end, all types that begin so.
CREATE TABLE sentinel.event_routes (
    tenant_id   text NOT NULL REFERENCES sentinel.tenants,
    event_type  text NOT NULL CHECK (length(event_type) BETWEEN 1 AND 201),
    pipeline_id bigint NOT NULL REFERENCES sentinel.pipelines ON DELETE CASCADE,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, event_type)
);
CREATE INDEX event_routes_pipeline_id ON sentinel.event_routes (pipeline_id);

ALTER TABLE sentinel.event_routes ENABLE ROW LEVEL SECURITY;
ALTER TABLE sentinel.event_routes FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sentinel.event_routes USING (tenant_id = (SELECT sentinel.current_tenant()));
GRANT SELECT, INSERT, UPDATE, DELETE ON sentinel.event_routes TO sentinel_app;
