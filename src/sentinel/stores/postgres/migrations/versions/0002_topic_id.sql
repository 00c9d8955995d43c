-- Kafka's id of the topic that the offsets are of: a name can be given again. Empty where it is not known.
ALTER TABLE sentinel.progress ADD COLUMN topic_id text NOT NULL DEFAULT '';
