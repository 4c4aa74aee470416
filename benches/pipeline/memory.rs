//! The memory of the consumer while it consumes a backlog of large messages at full speed.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lapin::options::{ConfirmSelectOptions, QueuePurgeOptions};
use lapin::{Connection, ConnectionProperties};
use stackledger::log;

use super::ingest::{declare, publish};
use super::{fresh_database, is_nova, nova, sibling};

/// The consumer's queue for notifications of Nova.
const QUEUE: &str = "stackledger.instance";
const DATABASE: &str = "bench_memory";
/// The size of a body in bytes: larger than Nova's largest.
const BODY_BYTES: usize = 100_000;

pub async fn run(database_url: &str, amqp_url: &str, count: u32) -> Result<()> {
    let broker = Connection::connect(amqp_url, ConnectionProperties::default()).await?;
    let channel = broker.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    declare(&channel, QUEUE).await?;
    channel.queue_purge(QUEUE.into(), QueuePurgeOptions::default()).await?;
    let plan = nova(count);
    let messages = plan.messages().filter(is_nova).take(count as usize);
    publish(&channel, QUEUE, messages.map(|message| pad(message.body))).await?;

    let database = fresh_database(database_url, DATABASE).await?;
    let client = database.connect(None).await?;
    let mut consumer = ChildGuard(
        Command::new(env!("CARGO_BIN_EXE_stackledger"))
            .arg("consume")
            .env("DATABASE_URL", sibling(database_url, DATABASE)?)
            .env("AMQP_URL", amqp_url)
            .env("LOG", "warn")
            .stdin(Stdio::null())
            .spawn()?,
    );
    while log::read_head(&client).await?.0 < i64::from(count) {
        if let Some(status) = consumer.0.try_wait()? {
            bail!("the consumer ended: {status}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let peak_kib = peak_kib(consumer.0.id())?;
    println!(
        "\n### memory of the consumer\n\n{count} messages of {BODY_BYTES} bytes: at most {} MiB resident",
        peak_kib / 1024
    );
    Ok(())
}

/// Adds a key to the message in a body, so that the body has [`BODY_BYTES`] bytes or a little more.
fn pad(body: Vec<u8>) -> Vec<u8> {
    let mut body = String::from_utf8(body).expect("simulate writes UTF-8");
    let filler = "x".repeat(BODY_BYTES.saturating_sub(body.len()));
    let envelope = r#""oslo.message": "{"#;
    match body.find(envelope) {
        Some(at) => body.insert_str(at + envelope.len(), &format!(r#"\"filler\": \"{filler}\", "#)),
        None => body.insert_str(1, &format!(r#""filler": "{filler}", "#)),
    }
    body.into_bytes()
}

/// Returns the largest resident memory that a process ever had, from /proc.
pub(super) fn peak_kib(id: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))
        .context("the memory of a process is read from /proc, which is not available")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("no VmHWM")?;
    line.split_whitespace().nth(1).context("no figure")?.parse().context("not a figure")
}

/// A process that is killed when the benchmark ends.
pub(super) struct ChildGuard(pub Child);

impl Drop for ChildGuard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
