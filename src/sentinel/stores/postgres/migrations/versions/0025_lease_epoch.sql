-- An update of a column of a unique index waits for FOR KEY SHARE, any other does not: a transaction that holds its lease so
-- keeps another driver from taking it (epoch), while its own driver extends it (expires_at).
ALTER TABLE sentinel.leases ADD UNIQUE (pipeline_id, epoch);
