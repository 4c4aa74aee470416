//! stub
use crate::{db::Database,ingest::intake::Intake,health::Health,config::Config};
use std::sync::Arc;
/// x
pub struct State;
impl State { /// x
pub fn new(_: &Database, _: Intake, _: Arc<Health>, _: &Config) -> anyhow::Result<State> { Ok(State) } }
/// x
pub async fn serve(_l: tokio::net::TcpListener, _s: State, stop: tokio_util::sync::CancellationToken) -> anyhow::Result<()> { stop.cancelled().await; Ok(()) }
