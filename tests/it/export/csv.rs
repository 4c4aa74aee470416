//! `stackledger export --format csv`

use super::export;
use crate::support::metering::metering_database;
use crate::support::process::{run, succeed};
use crate::support::unique;

const HEADER: &str = "counter_name,counter_type,counter_unit,counter_volume,message_id,project_id,\
                      resource_id,source,timestamp";

#[tokio::test]
async fn every_sample_is_a_line() {
    let mut from = metering_database().await;
    from.add_samples(40, 16).await;
    from.supersede(5).await;
    let csv = succeed(export(&from, "batch = 50", &["--once", "--format", "csv"])).await;
    assert!(csv.ends_with("\r\n"));
    let mut lines = csv.split_terminator("\r\n");
    assert_eq!(lines.next(), Some(HEADER));
    let mut lines: Vec<&str> = lines.collect();
    lines.sort_unstable();
    let rows = from
        .db
        .client()
        .await
        .query(
            r#"SELECT concat_ws(',', counter_name, counter_type, coalesce(counter_unit, ''), counter_volume,
                      message_id, coalesce(project_id, ''), resource_id, source,
                      replace(to_char("timestamp" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS'), ' ', '')
                          || rtrim(to_char("timestamp", '.US'), '0') || 'Z')
               FROM metering.sample"#,
            &[],
        )
        .await
        .unwrap();
    let mut expected: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    expected.sort();
    assert_eq!(lines, expected);
}

/// A sample that was superseded after the export began is written as it was then.
#[tokio::test]
async fn a_file_is_as_of_one_position() {
    let mut from = metering_database().await;
    from.add_samples(40, 16).await;
    let csv = || export(&from, "batch = 50", &["--format", "csv"]);
    let before = succeed(csv()).await;
    from.supersede(100).await;
    // As if the export had begun before.
    from.db
        .superuser()
        .await
        .execute("UPDATE projection.checkpoint SET position = 40", &[])
        .await
        .unwrap();
    assert_eq!(succeed(export(&from, "batch = 50", &["--format", "csv"])).await, before);
}

#[tokio::test]
async fn a_file_is_complete_or_does_not_exist() {
    let mut from = metering_database().await;
    from.add_samples(3, 2).await;
    let name = format!("{}/{}.csv", env!("CARGO_TARGET_TMPDIR"), unique("samples"));
    let disks = "[[export.select]]\nmeters = ['disk*']";
    let to_file = ["--format", "csv", "--output", &name];
    assert_eq!(succeed(export(&from, disks, &to_file)).await, "");
    let written = std::fs::read_to_string(&name).unwrap();
    assert_eq!(written.lines().count(), 1 + from.rows("counter_name LIKE 'disk%'").await.len());
    std::fs::remove_file(&name).unwrap();

    let nowhere = ["--format", "csv", "--output", "/no/such/folder/file.csv"];
    let output = run(export(&from, disks, &nowhere)).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("file.csv could not be written"));
}
