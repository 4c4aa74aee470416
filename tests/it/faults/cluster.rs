//! A cluster of three nodes with quorum queues: any one will do.

use stackledger::config::DEFAULTS;

use crate::support::cloud::{assert_consistent, cloud_at, wait_until_complete};
use crate::support::database::database;
use crate::support::process::Process;
use crate::support::services::{PrivateServer, Shutdown};
use crate::support::{eventually, is_long, unique};

/// The node that delivers to the process is killed while messages flow; later the others are, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_loses_nothing_and_readyz_fails_only_without_any() {
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
    for _ in 0..30 {
        let (status, answer) = process.get("/readyz").await;
        assert_eq!(status, 200, "another node answers: {answer}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    publishing.await.unwrap();
    wait_until_complete(&db, plan.truth()).await;
    assert_consistent(&db, &process, plan.truth()).await;
    eventually("nothing is left", || async { broker.left().await == 0 }).await;

    first.stop(Shutdown::Immediate).await;
    third.stop(Shutdown::Immediate).await;
    eventually("/readyz names all nodes", || async {
        let (status, answer) = process.get("/readyz").await;
        let detail = answer["detail"].as_str().unwrap_or_default();
        let is_named = |url: &String| {
            let node = url.replace("guest:guest@", "guest:***@");
            detail.contains(&format!("{node}: it cannot be reached"))
        };
        status == 503 && urls.iter().all(is_named)
    })
    .await;
    assert_eq!(process.terminate().await.0, Some(0));
    std::fs::remove_file(file).unwrap();
}
