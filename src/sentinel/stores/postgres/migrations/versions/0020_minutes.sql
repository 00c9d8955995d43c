-- What detection went through in a minute of the clock of PostgreSQL, for eight days. lag_records: the most that waited, as the job
-- said when it renewed its lease; NULL where it said nothing.
CREATE TABLE sentinel.detection_minutes (
    pipeline_id   bigint NOT NULL,
    tenant_id     text NOT NULL,
    minute        timestamptz NOT NULL,
    decided_count integer NOT NULL,
    dead_count    integer NOT NULL,
    lag_records   bigint,
    PRIMARY KEY (pipeline_id, minute)
) WITH (fillfactor = 50);
CREATE INDEX detection_minutes_newest ON sentinel.detection_minutes (tenant_id, minute);

-- Alerts that were raised in a minute, kept by a trigger of alerts, for eight days. pipeline_id 0: by detectors.
CREATE TABLE sentinel.alert_minutes (
    tenant_id      text NOT NULL,
    pipeline_id    bigint NOT NULL,
    minute         timestamptz NOT NULL,
    critical_count integer NOT NULL,
    warning_count  integer NOT NULL,
    info_count     integer NOT NULL,
    PRIMARY KEY (tenant_id, pipeline_id, minute)
) WITH (fillfactor = 50);
CREATE INDEX alert_minutes_newest ON sentinel.alert_minutes (tenant_id, minute);

-- What was raised until now. The owner is bound to a tenant as everybody is, and the rows are those of all tenants. Nothing
-- is raised between the count and the new trigger.
LOCK TABLE sentinel.alerts IN SHARE ROW EXCLUSIVE MODE;
ALTER TABLE sentinel.alerts NO FORCE ROW LEVEL SECURITY;
INSERT INTO sentinel.alert_minutes (tenant_id, pipeline_id, minute, critical_count, warning_count, info_count)
SELECT tenant_id, coalesce(pipeline_id, 0), date_bin('1 minute', alert_timestamp, 'epoch'),
       count(*) FILTER (WHERE severity = 'critical'), count(*) FILTER (WHERE severity = 'warning'),
       count(*) FILTER (WHERE severity = 'info')
FROM sentinel.alerts WHERE alert_timestamp > now() - interval '8 days' GROUP BY 1, 2, 3;
ALTER TABLE sentinel.alerts FORCE ROW LEVEL SECURITY;

CREATE OR REPLACE FUNCTION sentinel.count_inserted_alerts() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN
        INSERT INTO sentinel.alert_counts AS c (pipeline_id, tenant_id, severity, alert_count)
        SELECT pipeline_id, tenant_id, severity, count(*) FROM changed WHERE pipeline_id IS NOT NULL
        GROUP BY 1, 2, 3 ORDER BY 1, 3
        ON CONFLICT (pipeline_id, severity) DO UPDATE SET alert_count = c.alert_count + excluded.alert_count;
        INSERT INTO sentinel.rule_hours AS h (pipeline_id, tenant_id, rule_id, hour, alert_count)
        SELECT pipeline_id, tenant_id, rule_id, date_bin('1 hour', kafka_timestamp, 'epoch'), count(*)
        FROM changed WHERE pipeline_id IS NOT NULL GROUP BY 1, 2, 3, 4 ORDER BY 1, 3, 4
        ON CONFLICT (pipeline_id, rule_id, hour) DO UPDATE SET alert_count = h.alert_count + excluded.alert_count;
        INSERT INTO sentinel.alert_minutes AS m
            (tenant_id, pipeline_id, minute, critical_count, warning_count, info_count)
        SELECT tenant_id, coalesce(pipeline_id, 0), date_bin('1 minute', alert_timestamp, 'epoch'),
               count(*) FILTER (WHERE severity = 'critical'), count(*) FILTER (WHERE severity = 'warning'),
               count(*) FILTER (WHERE severity = 'info')
        FROM changed GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        ON CONFLICT (tenant_id, pipeline_id, minute) DO UPDATE
        SET critical_count = m.critical_count + excluded.critical_count,
            warning_count = m.warning_count + excluded.warning_count, info_count = m.info_count + excluded.info_count;
        RETURN NULL;
    END $$;

ALTER TABLE sentinel.detection_minutes ENABLE ROW LEVEL SECURITY;
ALTER TABLE sentinel.detection_minutes FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sentinel.detection_minutes USING (tenant_id = (SELECT sentinel.current_tenant()));
GRANT SELECT, INSERT, UPDATE, DELETE ON sentinel.detection_minutes TO sentinel_app;

ALTER TABLE sentinel.alert_minutes ENABLE ROW LEVEL SECURITY;
ALTER TABLE sentinel.alert_minutes FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sentinel.alert_minutes USING (tenant_id = (SELECT sentinel.current_tenant()));
GRANT SELECT, INSERT, UPDATE, DELETE ON sentinel.alert_minutes TO sentinel_app;
