//! What must be survived. While messages flow, something fails: a process is killed, a server is stopped, crashes, has
//! no room or no memory, or hands over to another one. Afterwards every published message is exactly one event, no queue
//! holds anything, the answers equal the truth, read models equal a fresh replay, and `verify` passes
//! (`support::cloud::assert_consistent`).
//!
//! Other faults have their tests beside what survives them: poison in `ingest::poison`, queues that could lose messages
//! in `ingest::delivery_limit`, near misses in `ingest::unrouted` and `projection::engine::unused`, logs that cannot be
//! written in `cli::logging`, processes with different configurations in `projection::engine::candidate`, changes behind
//! the log's back in `log::verify`, orders at once in `sales::concurrent`, hostile requests in `api::hostile`.

mod cluster;
mod disk;
mod interruptions;
mod memory_alarm;
mod outages;
mod standby;
