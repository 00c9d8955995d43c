-- name: list
-- All routes, by event type.
SELECT event_type, pipeline_id FROM sentinel.event_routes ORDER BY event_type

-- name: put
-- Say where a type of events goes.
INSERT INTO sentinel.event_routes (tenant_id, event_type, pipeline_id)
VALUES (sentinel.current_tenant(), %(event_type)s, %(pipeline_id)s)
ON CONFLICT (tenant_id, event_type) DO UPDATE SET pipeline_id = excluded.pipeline_id

-- name: remove
-- Forget a route.
DELETE FROM sentinel.event_routes WHERE event_type = %(event_type)s RETURNING event_type, pipeline_id
