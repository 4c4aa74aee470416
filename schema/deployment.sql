-- The read model of deployments: the facts that events report, and the state of each deployment that follows
-- from them.
-- Names are unqualified: the projection's schema is first in the search path.

-- One row per event; the reports are derived from these rows.
CREATE TABLE fact (
    event_id      uuid        NOT NULL,
    occurred_at   timestamptz NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('declared', 'deleted', 'registered', 'contacted',
                                                       'provided', 'started', 'ended', 'abandoned', 'stack')),
    deployment_id text COLLATE "C",
    instance_id   text COLLATE "C",
    said          jsonb       NOT NULL,
    -- The time is part of a notification's identity, so an id alone may occur twice.
    PRIMARY KEY (event_id, occurred_at)
);
COMMENT ON COLUMN fact.kind IS 'The kind of event, in one word; stack: a notification of Heat';
COMMENT ON COLUMN fact.deployment_id IS 'The deployment that the event names; null for reports of instances';
COMMENT ON COLUMN fact.instance_id IS 'The instance that the event is about; null if it is about a deployment as a whole';
COMMENT ON COLUMN fact.said IS 'The content of the event, values of parameters included';

CREATE INDEX fact_deployment ON fact (deployment_id) WHERE deployment_id IS NOT NULL;
CREATE INDEX fact_instance ON fact (instance_id) WHERE kind <> 'contacted';
-- Only the first and the last contact of a span of time are read.
CREATE INDEX fact_contact ON fact (instance_id, occurred_at, event_id) WHERE kind = 'contacted';

CREATE TABLE deployment (
    deployment_id text        COLLATE "C" PRIMARY KEY,
    generation    integer     NOT NULL,
    name          text,
    project_id    text,
    status        text        CHECK (status IN ('error', 'incomplete', 'success')),
    state         text        NOT NULL CHECK (state IN ('declared', 'registered', 'contacted', 'configuring',
                                                        'complete', 'failed', 'abandoned', 'deleted')),
    declared_at   timestamptz,
    registered_at timestamptz NOT NULL,
    completed_at  timestamptz,
    deleted_at    timestamptz,
    first_at      timestamptz NOT NULL,
    last_at       timestamptz NOT NULL,
    instances     integer     NOT NULL,
    missing       integer     NOT NULL,
    services      integer     NOT NULL
);
COMMENT ON COLUMN deployment.generation IS 'Number of times it has existed: a deployment that is declared again after its deletion starts a new generation';
COMMENT ON COLUMN deployment.status IS 'The worst status among the configurations of its services; null if it has none';
COMMENT ON COLUMN deployment.state IS 'Its progress, without regard to silence: whether it counts as abandoned because nothing more is reported depends on the time of the query';
COMMENT ON COLUMN deployment.registered_at IS 'When its last instance was registered; if none was, when it was declared, or else the time of its first event';
COMMENT ON COLUMN deployment.first_at IS 'Time of the first event about it';
COMMENT ON COLUMN deployment.last_at IS 'Time of the last event about it or its instances';
COMMENT ON COLUMN deployment.missing IS 'Number of declared instances that are not registered';

CREATE TABLE instance (
    instance_id        text        COLLATE "C" PRIMARY KEY,
    deployment_id      text        COLLATE "C" NOT NULL,
    attempt            integer     NOT NULL,
    assembly           text,
    status             text        CHECK (status IN ('error', 'incomplete', 'success')),
    state              text        NOT NULL CHECK (state IN ('registered', 'contacted', 'configuring', 'complete',
                                                             'failed', 'abandoned', 'deleted')),
    registered_at      timestamptz NOT NULL,
    first_contacted_at timestamptz,
    last_contacted_at  timestamptz,
    completed_at       timestamptz,
    last_at            timestamptz NOT NULL,
    services           integer     NOT NULL
);
COMMENT ON COLUMN instance.deployment_id IS 'The deployment that it was last registered with';
COMMENT ON COLUMN instance.attempt IS 'Number of times it was registered';
COMMENT ON COLUMN instance.state IS 'Its progress, without regard to silence; deleted if its deployment was deleted after it was registered';
