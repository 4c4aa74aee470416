-- How large the log, the read models and the database were, noted every hour: status derives their growth from it.

CREATE TABLE projection.size (
    name  text        NOT NULL,
    at    timestamptz NOT NULL,
    bytes bigint      NOT NULL CHECK (bytes >= 0),
    PRIMARY KEY (name, at)
);

COMMENT ON TABLE  projection.size       IS 'One row per size and hour, kept for five weeks';
COMMENT ON COLUMN projection.size.name  IS 'database, log of FAMILY, or a read model';
COMMENT ON COLUMN projection.size.bytes IS 'Size of tables and indexes on disk';
