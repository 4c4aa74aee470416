//! A cluster of three nodes with quorum queues, of which one is killed.

use stackledger::config::DEFAULTS;

use crate::support::cloud::{assert_consistent, cloud_at, wait_until_complete};
use crate::support::database::database;
use crate::support::process::Process;
use crate::support::services::{PrivateServer, Shutdown};
use crate::support::{eventually, is_long, unique};

/// The node that delivers to the process is killed while messages flow, and comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_loses_nothing() {
    let db = database().await;
    let first = PrivateServer::rabbitmq().await;
    let (second, third) = tokio::join!(first.beside(), first.beside());
    let broker = first.broker().await;
    let vhost = broker.url.rsplit_once('/').unwrap().1.to_owned();
    let mut urls = Vec::new();
    for node in [&second, &third, &first] {
        urls.push(node.amqp_url(&vhost).await);
    }
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("quorum") + ".toml");
    let queue = "[[source.queue]]\n";
    assert!(DEFAULTS.contains(queue));
    let file_text = DEFAULTS
        .replace("type = \"classic\"\n", "")
        .replace(queue, "[[source.queue]]\ntype = 'quorum'\n");
    std::fs::write(&file, file_text).unwrap();
    let variables =
        [("AMQP_URL", urls.join(";")), ("STACKLEDGER_CONFIG", file.to_str().unwrap().to_owned())];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let process = Process::start_with("up", &db, &broker, &variables);
    process.wait_until_ready().await;
    eventually("all queues are quorum queues", || async {
        let queues = broker.ask("queues").await;
        let types = queues.as_array().unwrap().iter().map(|queue| queue["type"].clone());
        types.clone().count() >= 6 && types.clone().all(|it| it == "quorum")
    })
    .await;

    let (instances, rate) = if is_long() { (2000, 4000) } else { (60, 300) };
    let plan = cloud_at(instances, 91, rate);
    let publishing = tokio::spawn({
        let (plan, url) = (plan.clone(), urls[1].clone());
        async move { stackledger::simulate::publish(&url, &plan, false).await.unwrap() }
    });
    let quarter = plan.truth().messages.unique as i64 / 4;
    eventually("a part is stored", || async {
        db.number("SELECT position FROM log.head").await > quarter
    })
    .await;
    second.stop(Shutdown::Immediate).await;
    publishing.await.unwrap();
    wait_until_complete(&db, plan.truth()).await;
    process.wait_until_ready().await;
    second.start().await;
    assert_consistent(&db, &process, plan.truth()).await;
    assert_eq!(process.terminate().await.0, Some(0));
    eventually("nothing is left", || async { broker.left().await == 0 }).await;
    std::fs::remove_file(file).unwrap();
}
