//! From a broker's exchanges, or from files, to answers that equal the truth.

use std::io::Write;

use crate::support::broker::broker;
use crate::support::cloud::{all_is_well, cloud, publish, read_models, settled};
use crate::support::database::database;
use crate::support::is_long;
use crate::support::process::{Process, command, succeed};

/// Published through RabbitMQ, a fifth of it twice and a fifth out of order; then the same bodies
/// by `import`, in another order: the same read models.
#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_s_answers_equal_its_truth_by_queue_and_by_file() {
    let (db, broker) = (database().await, broker().await);
    let plan = cloud(if is_long() { 2000 } else { 200 }, 7);
    let process = Process::start("up", &db, &broker);
    process.ready().await;
    publish(&plan, &broker).await;
    settled(&db, plan.truth()).await;
    all_is_well(&db, &process, plan.truth()).await;
    let live = read_models(&db).await;

    let mut replay = command(&db, Some(&broker));
    replay.args(["replay", "--all"]);
    succeed(replay).await;
    assert_eq!(read_models(&db).await, live);
    drop(process);

    // The same bodies, last first.
    let mut bodies: Vec<Vec<u8>> = plan.messages().map(|message| message.body).collect();
    bodies.reverse();
    let file =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(crate::support::unique("import"));
    let mut lines = std::fs::File::create(&file).unwrap();
    lines.write_all(&bodies.join(&b'\n')).unwrap();
    let imported = database().await;
    for expected in [plan.truth().messages.unique, 0] {
        let mut import = command(&imported, None);
        import.arg("import").arg(&file);
        let said = succeed(import).await;
        assert!(said.contains(&format!("{expected} new events")), "{said}");
    }
    std::fs::remove_file(&file).unwrap();
    let process = Process::start("project", &imported, &broker);
    settled(&imported, plan.truth()).await;
    drop(process);
    assert!(
        read_models(&imported).await == live,
        "imported in another order, the read models differ"
    );
}

/// A batch is as large as it gets: more messages than a batch, fewer than a batch, and one alone.
#[tokio::test(flavor = "multi_thread")]
async fn one_message_alone_is_not_kept_waiting() {
    let (db, broker) = (database().await, broker().await);
    let process = Process::start("up", &db, &broker);
    process.ready().await;
    let plan = cloud(1, 3);
    publish(&plan, &broker).await;
    settled(&db, plan.truth()).await;
    all_is_well(&db, &process, plan.truth()).await;
}
