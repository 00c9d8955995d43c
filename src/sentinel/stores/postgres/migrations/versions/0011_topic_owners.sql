-- Whose topic it is, is told to whoever names it: events by HTTP are not written into the topic of another tenant. It is the
-- tenant's whose id it begins with, up to a dot; else the tenant's whose pipeline was the first on it.
CREATE POLICY named ON sentinel.tenants FOR SELECT
    USING (tenant_id = split_part(nullif(current_setting('app.kafka_topic', true), ''), '.', 1));
CREATE POLICY named_topic ON sentinel.pipelines FOR SELECT
    USING (kafka_topic = nullif(current_setting('app.kafka_topic', true), ''));
