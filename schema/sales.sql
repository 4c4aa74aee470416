-- The read model of sales orders: each as it was issued, copied from its event.
-- Unqualified: the projection's schema is first in the search path.

CREATE TABLE sales_order (
    order_id    uuid             PRIMARY KEY,
    tenant_id   text COLLATE "C" NOT NULL,
    "from"      timestamptz      NOT NULL,
    "to"        timestamptz      NOT NULL,
    total       numeric          NOT NULL,
    currency    text             NOT NULL,
    lines       integer          NOT NULL,
    unrated     integer          NOT NULL,
    adjustments integer          NOT NULL,
    as_of       bigint           NOT NULL,
    issued_at   timestamptz      NOT NULL,
    body        text             NOT NULL,
    event_id    uuid             NOT NULL,
    position    bigint           NOT NULL
);

COMMENT ON COLUMN sales_order."from"    IS 'What it is for, half-open, up to "to"';
COMMENT ON COLUMN sales_order.total     IS 'What is to be paid, adjustments among it';
COMMENT ON COLUMN sales_order.lines     IS 'How many it has; unrated and adjustments likewise';
COMMENT ON COLUMN sales_order.as_of     IS 'Position of the log up to which it knew samples';
COMMENT ON COLUMN sales_order.body      IS 'The order as JSON, byte by byte as it was answered';
COMMENT ON COLUMN sales_order.position  IS 'Where its event stands in the log';
