-- The read model of deployments: what was said of them, and what is concluded of each as a whole.
-- Unqualified: the projection's schema is first in the search path.

-- One row per event; reports are concluded from these.
CREATE TABLE fact (
    event_id      uuid        NOT NULL,
    occurred_at   timestamptz NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('declared', 'deleted', 'registered', 'contacted',
                                                       'provided', 'started', 'ended', 'abandoned', 'stack')),
    deployment_id text COLLATE "C",
    instance_id   text COLLATE "C",
    said          jsonb       NOT NULL,
    -- The time is part of a notification's identity, so an id alone may stand twice.
    PRIMARY KEY (event_id, occurred_at)
);
COMMENT ON COLUMN fact.kind IS 'What the event is, in one word; stack: a notification of Heat''s';
COMMENT ON COLUMN fact.deployment_id IS 'The deployment it names; null for what instances report';
COMMENT ON COLUMN fact.instance_id IS 'The instance it is about; null where it is about a deployment as a whole';
COMMENT ON COLUMN fact.said IS 'What it said, values of parameters included';

CREATE INDEX fact_deployment ON fact (deployment_id) WHERE deployment_id IS NOT NULL;
CREATE INDEX fact_instance ON fact (instance_id) WHERE kind <> 'contacted';
-- Of contacts only the first and the last of a stretch of time are read.
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
COMMENT ON COLUMN deployment.generation IS 'How often it was there: one that was deleted and is declared again counts anew';
COMMENT ON COLUMN deployment.status IS 'The worst of its services'' configurations; null where it has none';
COMMENT ON COLUMN deployment.state IS 'How far it is, but for silence: whether it was abandoned without a word depends on the time of asking';
COMMENT ON COLUMN deployment.registered_at IS 'When its last instance was registered; else when it was declared, or first heard of';
COMMENT ON COLUMN deployment.first_at IS 'The first thing heard of it';
COMMENT ON COLUMN deployment.last_at IS 'The last thing heard of it and its instances';
COMMENT ON COLUMN deployment.missing IS 'Declared instances that are not registered';

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
COMMENT ON COLUMN instance.deployment_id IS 'The one it was last registered with';
COMMENT ON COLUMN instance.attempt IS 'How often it was registered';
COMMENT ON COLUMN instance.state IS 'But for silence; deleted where its deployment was, after it was registered';
