-- The rights of the application's role; every `migrate` runs this file after the migrations.
-- The role reads the log, appends to it and owns the read models; it cannot change events once they are appended.

GRANT USAGE ON SCHEMA log, projection TO stackledger_app;
GRANT SELECT ON ALL TABLES IN SCHEMA log TO stackledger_app;
GRANT INSERT ON log.event, log.batch, log.sales_order TO stackledger_app;
GRANT UPDATE (position, batch, hash, perf_horizon, meter_horizon) ON log.head TO stackledger_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON log.dead_letter TO stackledger_app;
GRANT EXECUTE ON FUNCTION log.ensure_day(text, date), log.drop_day(text, date) TO stackledger_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON projection.checkpoint, projection.export, projection.set_aside,
    projection.candidate, projection.size TO stackledger_app;
GRANT SELECT ON refinery_schema_history TO stackledger_app;

-- Rows are copied straight into the leaves. Leaves that are created later get these rights from the default
-- privileges.
DO $$
DECLARE leaf regclass;
BEGIN
    FOR leaf IN SELECT relid FROM pg_partition_tree('log.event') LOOP
        EXECUTE format('GRANT SELECT, INSERT ON %s TO stackledger_app', leaf);
    END LOOP;
    EXECUTE format('GRANT CREATE ON DATABASE %I TO stackledger_app', current_database());
END
$$;
ALTER DEFAULT PRIVILEGES IN SCHEMA log GRANT SELECT, INSERT ON TABLES TO stackledger_app;
