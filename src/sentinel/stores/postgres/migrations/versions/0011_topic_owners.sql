-- Whose topic it is, the tenant's whose pipeline was the first on it, is told to whoever names the topic: events by HTTP are
-- not written into the topic of another tenant.
CREATE POLICY named_topic ON sentinel.pipelines FOR SELECT
    USING (kafka_topic = nullif(current_setting('app.kafka_topic', true), ''));
