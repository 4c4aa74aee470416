//! The rate from a filled durable queue to the durable log.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::{BufMut, BytesMut};
use futures_util::{SinkExt, StreamExt};
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use stackledger::broker;
use stackledger::config::{Config, File, Queue, QueueType, Source};
use stackledger::db::Database;
use stackledger::health::Health;
use stackledger::ingest::amqp;
use stackledger::log;
use stackledger::secret::ConnectionString;
use tokio_util::sync::CancellationToken;

use super::table::{Case, Run, Stopwatch, print};
use super::{fresh_database, is_nova, nova};

const QUEUE: &str = "stackledger.bench";
/// The number of messages of the case with one insert, one commit and one ack per message, which is slow.
const ROW_AT_A_TIME: usize = 3_000;

pub async fn run(
    database_url: &str,
    amqp_url: &str,
    count: u32,
    context_after: usize,
    rounds: usize,
) -> Result<()> {
    let plan = nova(count);
    let bodies = plan.messages().filter(is_nova).take(count as usize);
    let bodies: Vec<Vec<u8>> = bodies.map(|message| shorten(message.body, context_after)).collect();
    let bytes: usize = bodies.iter().map(Vec::len).sum();
    println!(
        "{} messages, {} bytes on average, {rounds} rounds",
        bodies.len(),
        bytes / bodies.len()
    );
    let broker = Connection::connect(amqp_url, ConnectionProperties::default()).await?;
    let ours = broker::connect(&ConnectionString::new(amqp_url), "stackledger bench").await?;
    let channel = broker.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;

    let mut cases = ["drain", "drain over our connection", "stackledger", "copy", "row at a time"]
        .map(Case::new);
    for _ in 0..rounds {
        fill(&channel, &bodies).await?;
        cases[0].push(drain(&broker, bodies.len()).await?);

        fill(&channel, &bodies).await?;
        cases[1].push(drain(&ours, bodies.len()).await?);

        fill(&channel, &bodies).await?;
        let database = fresh_database(database_url, "bench_ingest").await?;
        cases[2].push(consume(&database, amqp_url, bodies.len()).await?);

        cases[3].push(copy(&database, &bodies).await?);

        let few = &bodies[..ROW_AT_A_TIME.min(bodies.len())];
        fill(&channel, few).await?;
        cases[4].push(row_at_a_time(&broker, &database, few.len()).await?);
    }
    channel.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await?;
    print("ingest: RabbitMQ to durable log", "messages", &cases)
}

/// Cuts a notification after its first `bytes` bytes, before the next key of its request's context. The
/// context is at the end, and its size differs from cloud to cloud. Everything before the context stays,
/// whatever its size.
fn shorten(mut body: Vec<u8>, bytes: usize) -> Vec<u8> {
    for (key, end) in [(r#", \"_context_"#, r#"}"}"#), (r#", "_context_"#, "}")] {
        let found = |at: &usize| body[*at..].starts_with(key.as_bytes());
        let first = (bytes.min(body.len())..body.len()).find(found);
        if let Some(at) = first {
            body.truncate(at);
            body.extend_from_slice(end.as_bytes());
            break;
        }
    }
    body
}

async fn fill(channel: &Channel, bodies: &[Vec<u8>]) -> Result<()> {
    channel.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await?;
    declare(channel, QUEUE).await?;
    publish(channel, QUEUE, bodies).await?;
    // The broker writes the messages to disk before the measurement starts.
    tokio::time::sleep(Duration::from_secs(2)).await;
    Ok(())
}

/// Declares a durable queue, as the consumer does.
pub async fn declare(channel: &Channel, queue: &str) -> Result<()> {
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(queue.into(), durable, FieldTable::default()).await?;
    Ok(())
}

/// Publishes the bodies to a queue. Returns when all of them are persistent and confirmed.
pub async fn publish(
    channel: &Channel,
    queue: &str,
    bodies: impl IntoIterator<Item = impl AsRef<[u8]>>,
) -> Result<()> {
    let properties = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions::default();
    let mut confirms = Vec::new();
    for body in bodies {
        let body = body.as_ref();
        confirms.push(
            channel
                .basic_publish("".into(), queue.into(), options, body, properties.clone())
                .await?,
        );
        if confirms.len() == 1000 {
            for confirm in confirms.drain(..) {
                confirm.await?;
            }
        }
    }
    for confirm in confirms {
        confirm.await?;
    }
    Ok(())
}

/// Consumes and acks with the same client, and does nothing else: the broker's ceiling.
async fn drain(broker: &Connection, count: usize) -> Result<Run> {
    let channel = broker.create_channel().await?;
    channel.basic_qos(3000, BasicQosOptions::default()).await?;
    let stopwatch = Stopwatch::start();
    let mut deliveries = channel
        .basic_consume(
            QUEUE.into(),
            "drain".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    for received in 1..=count {
        let delivery = deliveries.next().await.context("the consumer ended")??;
        if received % 1000 == 0 || received == count {
            channel.basic_ack(delivery.delivery_tag, BasicAckOptions { multiple: true }).await?;
        }
    }
    let run = stopwatch.stop(count);
    channel.close(200, "done".into()).await?;
    Ok(run)
}

/// Does the work of `stackledger consume` in this process.
async fn consume(database: &Database, amqp_url: &str, count: usize) -> Result<Run> {
    let tuning = ["PREFETCH", "BATCH_SIZE", "LINGER_MS"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
    let url = [("AMQP_URL".to_owned(), amqp_url.to_owned())];
    let mut config = Config::from_vars(url.into_iter().chain(tuning))?;
    let queue = Queue {
        name: QUEUE.to_owned(),
        keys: Vec::new(),
        queue_type: QueueType::Classic,
        prefetch: None,
        max_length_bytes: None,
        check_delivery_limit: true,
    };
    let source = Source { exchange: "amq.topic".to_owned(), ours: false, queues: vec![queue] };
    config.file = Arc::new(File { sources: vec![source], ..File::default() });
    let client = database.connect(None).await?;
    let stop = CancellationToken::new();
    let stopwatch = Stopwatch::start();
    let consuming = tokio::spawn(amqp::run(
        database.clone(),
        Arc::new(config),
        Arc::new(Health::default()),
        stop.clone(),
    ));
    while log::read_head(&client).await?.0 < count as i64 {
        // Polling takes processor time from the consumer, so it is rare.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let run = stopwatch.stop(count);
    stop.cancel();
    consuming.await??;
    Ok(run)
}

/// Copies the same bodies by binary COPY into a logged table without indexes: the database's ceiling.
async fn copy(database: &Database, bodies: &[Vec<u8>]) -> Result<Run> {
    let client = database.connect_as_given().await?;
    client
        .batch_execute("CREATE TABLE bench_copy (position bigint, id uuid, kind text, occurred_at timestamptz, body bytea COMPRESSION lz4)")
        .await?;
    let stopwatch = Stopwatch::start();
    for (batch, bodies) in bodies.chunks(1000).enumerate() {
        let mut rows = BytesMut::with_capacity(4 << 20);
        rows.put_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
        for (n, body) in bodies.iter().enumerate() {
            rows.put_i16(5);
            rows.put_i32(8);
            rows.put_i64((batch * 1000 + n) as i64);
            rows.put_i32(16);
            rows.put_u128(
                ((batch * 1000 + n) as u128)
                    .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835),
            );
            rows.put_i32(27);
            rows.put_slice(b"compute.instance.create.end");
            rows.put_i32(8);
            rows.put_i64(n as i64);
            rows.put_i32(body.len() as i32);
            rows.put_slice(body);
        }
        rows.put_i16(-1);
        let mut sink =
            std::pin::pin!(client.copy_in("COPY bench_copy FROM STDIN (FORMAT binary)").await?);
        sink.send(rows.freeze()).await?;
        sink.finish().await?;
    }
    let run = stopwatch.stop(bodies.len());
    client.batch_execute("DROP TABLE bench_copy").await?;
    Ok(run)
}

/// Stores messages in the obvious way: one insert, one commit and one ack per message.
async fn row_at_a_time(broker: &Connection, database: &Database, count: usize) -> Result<Run> {
    let client = database.connect_as_given().await?;
    client.batch_execute("CREATE TABLE bench_rows (id bigserial PRIMARY KEY, body text)").await?;
    let insert = client.prepare("INSERT INTO bench_rows (body) VALUES ($1)").await?;
    let channel = broker.create_channel().await?;
    channel.basic_qos(100, BasicQosOptions::default()).await?;
    let stopwatch = Stopwatch::start();
    let mut deliveries = channel
        .basic_consume(
            QUEUE.into(),
            "rows".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    for _ in 0..count {
        let delivery = deliveries.next().await.context("the consumer ended")??;
        client.execute(&insert, &[&std::str::from_utf8(&delivery.data)?]).await?;
        channel.basic_ack(delivery.delivery_tag, BasicAckOptions::default()).await?;
    }
    let run = stopwatch.stop(count);
    channel.close(200, "done".into()).await?;
    client.batch_execute("DROP TABLE bench_rows").await?;
    Ok(run)
}
