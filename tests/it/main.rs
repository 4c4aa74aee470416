//! The tests that need a PostgreSQL and a RabbitMQ, each with a database and a vhost of its own, in
//! parallel. `scripts/test` brings the services; a test that finds none fails and says so.

mod agent;
mod architecture;
mod cli;
mod client;
mod dead_letters;
mod deployments;
mod export;
mod faults;
mod files;
mod http;
mod ingest;
mod log_append;
mod log_verify;
mod metering;
mod migrate;
mod outages;
mod poison;
mod projection;
mod replay;
mod retention;
mod rollup;
mod sales;
mod signatures;
mod simulate;
mod sink;
mod support;
mod topology;
mod usage;
