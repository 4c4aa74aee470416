#![doc = include_str!("../README.md")]

// In reading order: the events, the log of them, the ways into it, the read models made of it,
// the answers; then the leaves that all others use.
pub mod event;
pub mod log;

pub mod ingest;
pub mod projection;
pub mod retention;

pub mod billing;
pub mod sales;

pub mod agent;
pub mod api;
pub mod cli;
pub mod export;
pub mod simulate;

pub mod broker;
pub mod capacity;
pub mod config;
pub mod db;
pub mod health;
pub mod http;
pub mod lifecycle;
pub mod secret;
pub mod sketch;
pub mod supervise;
pub mod telemetry;

// A replay spends a quarter of its time on short-lived allocations with the C library's allocator;
// this one also gives memory back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
