//! The tests that need a PostgreSQL and a RabbitMQ. They run in parallel, each with a database and a vhost of
//! its own. `scripts/test` starts the services; without them a test fails with a message that names it. The
//! folders mirror `src`; `cases` has messages of real clouds and the answers they must lead to.

mod agent;
mod api;
mod architecture;
mod cases;
mod cli;
mod export;
mod faults;
mod ingest;
mod lifecycle;
mod log;
mod projection;
mod retention;
mod sales;
mod simulate;
mod soak;
mod support;
