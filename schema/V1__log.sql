-- The log: what a cloud reported, in commit order, append-only and hash-chained.
-- The tables belong to the role that migrates; everything else runs as stackledger_app (grants.sql).

CREATE SCHEMA log;
COMMENT ON SCHEMA log IS 'The immutable event log, its hash chain and the dead letters';

-- Partitioned by what differs in volume and retention. The indexes stand on the leaves (see
-- log.create_leaf): a unique index of the whole would have to repeat the partition keys.
CREATE TABLE log.event (
    position       bigint      NOT NULL,
    id             uuid        NOT NULL,
    family         text        NOT NULL,
    kind           text        NOT NULL,
    stream         text,
    project_id     text,
    occurred_at    timestamptz CHECK (isfinite(occurred_at)),
    key_at         timestamptz NOT NULL CHECK (isfinite(key_at)),
    recorded_at    timestamptz NOT NULL CHECK (isfinite(recorded_at)),
    source         text        NOT NULL,
    redacted       boolean     NOT NULL,
    bad_signatures integer[],
    hash           bytea       NOT NULL,
    body           bytea       NOT NULL
) PARTITION BY LIST (family);

COMMENT ON TABLE  log.event                IS 'One row per event; never updated, deleted or truncated';
COMMENT ON COLUMN log.event.position       IS 'Place in the log: contiguous from 1, visible in order';
COMMENT ON COLUMN log.event.id             IS 'The message''s identity: the sender''s id, or one derived from it';
COMMENT ON COLUMN log.event.family         IS 'instance, recipe, perf, meter, deployment, billing or other';
COMMENT ON COLUMN log.event.kind           IS 'Type string as on the wire';
COMMENT ON COLUMN log.event.stream         IS 'The entity: instance id, host, deployment id or project';
COMMENT ON COLUMN log.event.project_id     IS 'Tenant, where the header names one';
COMMENT ON COLUMN log.event.occurred_at    IS 'Sender''s clock; null where the sender gave no usable time';
COMMENT ON COLUMN log.event.key_at         IS 'The time within the identity; 1970-01-01 where the identity has none';
COMMENT ON COLUMN log.event.recorded_at    IS 'When it was appended, by the appending process''s clock';
COMMENT ON COLUMN log.event.source         IS 'publisher_id of a notification, source of a CloudEvent';
COMMENT ON COLUMN log.event.redacted       IS 'Whether secrets in the body were replaced by null';
COMMENT ON COLUMN log.event.bad_signatures IS 'Indexes, from 0, of samples whose HMAC signature is missing or wrong; null where none was checked';
COMMENT ON COLUMN log.event.hash           IS 'BLAKE3 of this row, keyed with the hash of the row before it in its batch';
COMMENT ON COLUMN log.event.body           IS 'The message as it arrived, without compression, envelope and secrets';

-- Bodies beyond 2 kB are compressed; lz4 costs a third of the default. A server built without it
-- keeps the default.
DO $$
BEGIN
    ALTER TABLE log.event ALTER COLUMN body SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    RAISE NOTICE 'this server has no lz4: bodies are compressed with pglz';
END
$$;

CREATE TABLE log.event_perf  PARTITION OF log.event FOR VALUES IN ('perf')  PARTITION BY RANGE (key_at);
CREATE TABLE log.event_meter PARTITION OF log.event FOR VALUES IN ('meter') PARTITION BY RANGE (key_at);

-- What one append put into one leaf: a run of contiguous positions, and a link of the chain.
CREATE TABLE log.batch (
    batch          bigint      PRIMARY KEY,
    leaf           text        NOT NULL,
    family         text        NOT NULL,
    first_position bigint      NOT NULL,
    last_position  bigint      NOT NULL CHECK (last_position >= first_position),
    bytes          bigint      NOT NULL,
    digest         bytea       NOT NULL,
    hash           bytea       NOT NULL,
    recorded_at    timestamptz NOT NULL
);
CREATE UNIQUE INDEX batch_last_position ON log.batch (last_position);

COMMENT ON TABLE  log.batch        IS 'One row per append and leaf; the hash chain. Stays when a leaf is dropped';
COMMENT ON COLUMN log.batch.batch  IS 'Contiguous from 1, in the order of positions';
COMMENT ON COLUMN log.batch.leaf   IS 'Name of the partition that holds the rows';
COMMENT ON COLUMN log.batch.bytes  IS 'Size of the bodies: what a reader needs to bound its memory';
COMMENT ON COLUMN log.batch.digest IS 'Hash of the batch''s last row, which covers the rows before it';
COMMENT ON COLUMN log.batch.hash   IS 'BLAKE3 of this row, keyed with the hash of the batch before: the chain';

-- The one row that orders all appends: whoever holds its lock gives out the next positions.
-- Being locked by every append, it also holds what no append may miss: the families' horizons.
CREATE TABLE log.head (
    id            boolean PRIMARY KEY DEFAULT true CHECK (id),
    position      bigint  NOT NULL,
    batch         bigint  NOT NULL,
    hash          bytea   NOT NULL,
    perf_horizon  timestamptz CHECK (isfinite(perf_horizon)
        AND perf_horizon AT TIME ZONE 'UTC' = date_trunc('day', perf_horizon AT TIME ZONE 'UTC')),
    meter_horizon timestamptz CHECK (isfinite(meter_horizon)
        AND meter_horizon AT TIME ZONE 'UTC' = date_trunc('day', meter_horizon AT TIME ZONE 'UTC'))
) WITH (fillfactor = 10);
INSERT INTO log.head (position, batch, hash) VALUES (0, 0, '\x0000000000000000000000000000000000000000000000000000000000000000');

COMMENT ON TABLE  log.head               IS 'The last position and batch, the chain''s hash there, and the horizons';
COMMENT ON COLUMN log.head.perf_horizon  IS 'Events of perf whose key_at is before it are not accepted any more, and may be dropped; the beginning of a UTC day';
COMMENT ON COLUMN log.head.meter_horizon IS 'Likewise of meter; never beyond the end of any tenant''s last order';

-- What could not be decoded, byte for byte. Not part of the log: it may be purged.
CREATE TABLE log.dead_letter (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sha256      bytea       NOT NULL UNIQUE,
    reason      text        NOT NULL,
    origin      text        NOT NULL,
    received_at timestamptz NOT NULL,
    status      text        NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'redriven', 'discarded')),
    compression text,
    body        bytea       NOT NULL
);
CREATE INDEX dead_letter_open ON log.dead_letter (id) WHERE status = 'open';

COMMENT ON TABLE  log.dead_letter             IS 'Deliveries without a readable header; for administrators only';
COMMENT ON COLUMN log.dead_letter.sha256      IS 'Of compression and body: the same delivery is one dead letter';
COMMENT ON COLUMN log.dead_letter.origin      IS 'Queue, exchange and routing key, or the file and line';
COMMENT ON COLUMN log.dead_letter.compression IS 'What the transport said the body is compressed with';

-- What no two orders may do: cover the same time of the same tenant. The extension lets a GiST index
-- compare texts for equality; PostgreSQL brings it along, and whoever may create may install it.
CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA log;
CREATE TABLE log.sales_order (
    order_id  uuid             PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL,
    during    tstzrange        NOT NULL,
    position  bigint           NOT NULL UNIQUE,
    CONSTRAINT sales_order_during_is_a_span CHECK (
        NOT isempty(during) AND lower_inc(during) AND NOT upper_inc(during)
        AND coalesce(isfinite(lower(during)) AND isfinite(upper(during)), false)
    ),
    CONSTRAINT sales_order_once EXCLUDE USING gist (tenant_id WITH =, during WITH &&)
);

COMMENT ON TABLE  log.sales_order          IS 'One row per issued sales order, appended with its event: a time is billed once';
COMMENT ON COLUMN log.sales_order.during   IS 'What it is for, half-open; ranges of one tenant do not overlap';
COMMENT ON COLUMN log.sales_order.position IS 'Place of its event, billing.sales_order.issued, in the log';

-- Promise 3: the database itself refuses. The triggers are ENABLE ALWAYS, so that
-- session_replication_role does not switch them off, and stand on every leaf, because a statement
-- on a leaf does not fire its parent's.
CREATE FUNCTION log.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only: % on %.% is refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation',
              HINT = 'events are corrected by later events; retention drops whole partitions';
END
$$;

CREATE FUNCTION log.guard(target regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON %s
                    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse()', target);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER refuse', target);
END
$$;

SELECT log.guard('log.event'), log.guard('log.event_perf'), log.guard('log.event_meter'), log.guard('log.batch'),
       log.guard('log.sales_order');

-- A horizon moves only together with the position: with the event that says so.
CREATE FUNCTION log.head_only_forward() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    billed_to timestamptz;
BEGIN
    IF TG_OP <> 'UPDATE' OR NEW.position <= OLD.position OR NEW.batch <= OLD.batch
       OR NOT coalesce(NEW.perf_horizon >= OLD.perf_horizon, OLD.perf_horizon IS NULL)
       OR NOT coalesce(NEW.meter_horizon >= OLD.meter_horizon, OLD.meter_horizon IS NULL) THEN
        RAISE EXCEPTION 'the log''s head only moves forward: % on log.head is refused', TG_OP
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF greatest(NEW.perf_horizon, NEW.meter_horizon) > now() THEN
        -- A process whose clock is wrong must not let go of everything.
        RAISE EXCEPTION 'a horizon does not lie in the future: % on log.head is refused', TG_OP
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.meter_horizon IS DISTINCT FROM OLD.meter_horizon THEN
        -- What comes after a tenant's last order is still to be billed.
        SELECT min(last_end) INTO billed_to
        FROM (SELECT max(upper(during)) AS last_end FROM log.sales_order GROUP BY tenant_id) AS orders;
        IF NEW.meter_horizon > billed_to THEN
            RAISE EXCEPTION 'the horizon of meter may not pass %, where a tenant''s last order ends', billed_to
                USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER only_forward BEFORE UPDATE OR DELETE ON log.head
    FOR EACH ROW EXECUTE FUNCTION log.head_only_forward();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON log.head
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse();
ALTER TABLE log.head ENABLE ALWAYS TRIGGER only_forward;
ALTER TABLE log.head ENABLE ALWAYS TRIGGER refuse_truncate;

-- A leaf holds rows and indexes:
--   key       the identity; key_at comes first, so that inserts touch the recent end only
--   position  what projections read by
--   stream    one entity's events
CREATE FUNCTION log.create_leaf(leaf text, parent text, bounds text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- Made aside and attached: PARTITION OF would lock readers of the parent out.
    EXECUTE format('CREATE TABLE log.%I (LIKE log.event INCLUDING ALL)', leaf);
    EXECUTE format('CREATE UNIQUE INDEX %I ON log.%I (key_at, id)', leaf || '_key', leaf);
    EXECUTE format('CREATE INDEX %I ON log.%I (position)', leaf || '_position', leaf);
    EXECUTE format('CREATE INDEX %I ON log.%I (stream, position)', leaf || '_stream', leaf);
    PERFORM log.guard(format('log.%I', leaf)::regclass);
    EXECUTE format('ALTER TABLE log.%I ATTACH PARTITION log.%I FOR VALUES %s', parent, leaf, bounds);
END
$$;

SELECT log.create_leaf('event_' || family, 'event', format('IN (%L)', family))
FROM unnest(ARRAY['instance', 'recipe', 'deployment', 'billing', 'other']) AS family;

-- What has no usable time goes to a leaf of its own; retention by day never touches it.
SELECT log.create_leaf('event_' || family || '_undated', 'event_' || family, 'FROM (MINVALUE) TO (''2000-01-01 00:00:00+00'')')
FROM unnest(ARRAY['perf', 'meter']) AS family;

-- The family's horizon; null where it has none.
CREATE FUNCTION log.horizon(family text) RETURNS timestamptz LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE family WHEN 'perf' THEN perf_horizon WHEN 'meter' THEN meter_horizon END FROM log.head
$$;

CREATE FUNCTION log.day_leaf(family text, day date) RETURNS text LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF family NOT IN ('perf', 'meter') OR day < DATE '2000-01-01' OR day >= DATE '2100-01-01' THEN
        RAISE EXCEPTION 'no partition of % for %', family, day USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN 'event_' || family || '_' || to_char(day, 'YYYYMMDD');
END
$$;

-- Days are made ahead and on demand, by the application's role too, hence SECURITY DEFINER. False:
-- the day lies before the horizon, and there is no leaf for it to be had.
CREATE FUNCTION log.ensure_day(family text, day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    leaf text := log.day_leaf(family, day);
BEGIN
    IF coalesce(day < (log.horizon(family) AT TIME ZONE 'UTC')::date, false) THEN
        RETURN false;
    END IF;
    IF to_regclass('log.' || leaf) IS NOT NULL THEN
        RETURN true;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('log.ensure_day'));
    IF to_regclass('log.' || leaf) IS NULL THEN
        PERFORM log.create_leaf(leaf, 'event_' || family,
            format('FROM (%L) TO (%L)', to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00',
                                        to_char(day + 1, 'YYYY-MM-DD') || ' 00:00:00+00'));
    END IF;
    RETURN true;
END
$$;

-- The one way to get rid of events: a whole day that lies before the horizon. How long it waits for
-- who reads the leaf is the caller's lock_timeout. False: there is no such leaf (any more).
CREATE FUNCTION log.drop_day(family text, day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    leaf text := log.day_leaf(family, day);
BEGIN
    IF NOT coalesce(day < (log.horizon(family) AT TIME ZONE 'UTC')::date, false) THEN
        RAISE EXCEPTION '% of % does not lie before its horizon', day, family
            USING ERRCODE = 'restrict_violation';
    END IF;
    -- Who checks the whole log holds it shared (log::verify).
    IF NOT pg_try_advisory_xact_lock(hashtext('log.drop_day')) THEN
        RAISE EXCEPTION 'the log is being verified' USING ERRCODE = 'lock_not_available';
    END IF;
    IF to_regclass('log.' || leaf) IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('ALTER TABLE log.%I DETACH PARTITION log.%I', 'event_' || family, leaf);
    EXECUTE format('DROP TABLE log.%I', leaf);
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION log.ensure_day(text, date) FROM PUBLIC;
REVOKE ALL ON FUNCTION log.drop_day(text, date) FROM PUBLIC;
REVOKE ALL ON FUNCTION log.create_leaf(text, text, text) FROM PUBLIC;
