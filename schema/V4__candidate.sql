-- Candidates: the processes that would project a read model. Processes with different configurations would make
-- different rows of the same events, and replay them against each other.

CREATE TABLE projection.candidate (
    name     text        NOT NULL,
    holder   text        NOT NULL,
    process  text        NOT NULL,
    version  integer     NOT NULL,
    config   text        NOT NULL,
    began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (name, holder)
);

COMMENT ON TABLE  projection.candidate         IS 'One row per projection and process that would project it';
COMMENT ON COLUMN projection.candidate.holder  IS 'As in checkpoint: the process';
COMMENT ON COLUMN projection.candidate.process IS 'The process, for people: its pid and host';
COMMENT ON COLUMN projection.candidate.config  IS 'As in checkpoint: the configuration that it makes rows with';
COMMENT ON COLUMN projection.candidate.seen_at IS 'Its last sign of life';
