-- The read model of sales orders: each order as it was issued, copied from its event.
-- Names are unqualified: the projection's schema is first in the search path.

CREATE TABLE sales_order (
    order_id    uuid             PRIMARY KEY,
    tenant_id   text COLLATE "C" NOT NULL,
    name        text,
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

COMMENT ON COLUMN sales_order.name        IS 'The tenant''s name when the order was issued; null if none had been reported';
COMMENT ON COLUMN sales_order."from"    IS 'Start of the billed time, inclusive; "to" is its end, exclusive';
COMMENT ON COLUMN sales_order.total     IS 'Amount to be paid, adjustments included';
COMMENT ON COLUMN sales_order.lines     IS 'Number of its lines; unrated and adjustments are numbers, too';
COMMENT ON COLUMN sales_order.as_of     IS 'Position of the log up to which its samples were read';
COMMENT ON COLUMN sales_order.body      IS 'The order as JSON, byte for byte as the answer contained it';
COMMENT ON COLUMN sales_order.position  IS 'Position of its event in the log';
