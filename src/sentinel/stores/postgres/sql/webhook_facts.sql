-- name: unread_tenants
-- Tenants of which events were not read yet, visible to the detector loop.
SELECT DISTINCT tenant_id FROM sentinel.webhook_unread

-- name: lock
-- One reader per tenant at a time: who waits for it finds its events read.
SELECT pg_advisory_xact_lock(hashtextextended('webhook_facts/' || sentinel.current_tenant(), 0))

-- name: unread
-- Events that were not read yet, oldest first.
SELECT e.id, e.source_id, e.event_type, e.occurred_at, e.received_at, e.raw, s.kind
FROM sentinel.webhook_unread u
JOIN sentinel.webhook_events e ON e.id = u.event_id
JOIN sentinel.webhook_sources s ON s.id = e.source_id
WHERE u.tenant_id = sentinel.current_tenant()
ORDER BY u.event_id
LIMIT %(limit)s

-- name: add
-- Keep what an event says.
INSERT INTO sentinel.webhook_facts
    (event_id, tenant_id, source_id, event_type, occurred_at, received_at, livemode, object_type, object_id, customer,
     amount, currency, status, previous_status, failure_code, reason, subscription, invoice, charge, payment_intent)
VALUES
    (%(event_id)s, sentinel.current_tenant(), %(source_id)s, %(event_type)s, %(occurred_at)s, %(received_at)s,
     %(livemode)s, %(object_type)s, %(object_id)s, %(customer)s, %(amount)s, %(currency)s, %(status)s,
     %(previous_status)s, %(failure_code)s, %(reason)s, %(subscription)s, %(invoice)s, %(charge)s, %(payment_intent)s)
ON CONFLICT (event_id) DO NOTHING

-- name: forget
-- Events that were read.
DELETE FROM sentinel.webhook_unread WHERE event_id = ANY(%(ids)s) AND tenant_id = sentinel.current_tenant()
