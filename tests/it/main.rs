//! The tests that need a PostgreSQL and a RabbitMQ, each with a database and a vhost of its own, in
//! parallel. `scripts/test` brings the services; a test that finds none fails and says so. The folders
//! are those of `src`.

mod agent;
mod api;
mod architecture;
mod cli;
mod export;
mod ingest;
mod log;
mod projection;
mod retention;
mod sales;
mod simulate;
mod support;
