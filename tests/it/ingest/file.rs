//! Writing and reading files: `simulate --output` and `import`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::support::database::database;
use crate::support::process::{command, run, succeed};
use crate::support::unique;

fn file() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("file"))
}

/// The same seed and end give the same bytes and the same truth; another seed or end gives others.
#[tokio::test]
async fn a_simulated_file_depends_on_seed_and_end_alone() {
    let db = database().await;
    let mut simulated = Vec::new();
    for (seed, end) in [
        ("5", "2026-11-01T12:00:00Z"),
        ("5", "2026-11-01T12:00:00Z"),
        ("6", "2026-11-01T12:00:00Z"),
        ("5", "2026-11-01T13:00:00Z"),
    ] {
        let file = file();
        let mut simulate = command(&db, None);
        simulate.args(["simulate", "--instances", "5", "--duplicates", "30", "--shuffle", "30"]);
        simulate.args(["--seed", seed, "--end", end, "--output"]).arg(&file);
        let truth: serde_json::Value = serde_json::from_str(&succeed(simulate).await).unwrap();
        let bodies = std::fs::read(&file).unwrap();
        assert_eq!(
            truth["messages"]["published"],
            bodies.iter().filter(|byte| **byte == b'\n').count()
        );
        std::fs::remove_file(file).unwrap();
        simulated.push((truth, bodies));
    }
    assert!(simulated[0] == simulated[1]);
    assert!(simulated[0].1 != simulated[2].1 && simulated[0].1 != simulated[3].1);
}

#[tokio::test]
async fn import_reads_stdin() {
    let db = database().await;
    let file = file();
    let mut simulate = command(&db, None);
    simulate.args(["simulate", "--instances", "5", "--output"]).arg(&file);
    let truth: serde_json::Value = serde_json::from_str(&succeed(simulate).await).unwrap();
    let events = truth["messages"]["unique"].as_i64().unwrap();
    for (new, known) in [(events, 0), (0, events)] {
        let mut import = command(&db, None);
        import.args(["import", "-"]).stdin(std::fs::File::open(&file).unwrap());
        assert_eq!(
            succeed(import).await,
            format!(
                "-: {events} lines, {new} new events, {known} known already, 0 kept as dead letters\n"
            )
        );
    }
    std::fs::remove_file(file).unwrap();
    assert_eq!(db.number("SELECT position FROM log.head").await, events);
}

/// Blank lines are skipped, the last line needs no newline, and unreadable lines and files are reported.
#[tokio::test]
async fn import_of_odd_lines_and_missing_files() {
    let db = database().await;
    let mut import = command(&db, None);
    import
        .args(["import", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut importing = import.spawn().unwrap();
    let good = crate::support::events::fixture("instance/delete-start.json");
    let good = serde_json::to_vec(&serde_json::from_slice::<serde_json::Value>(&good).unwrap());
    let lines = [b"\n  \r\n".to_vec(), good.unwrap(), b"\r\nnot json".to_vec()].concat();
    importing.stdin.take().unwrap().write_all(&lines).unwrap();
    let output = importing.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "-: 2 lines, 1 new events, 0 known already, 1 kept as dead letters\n"
    );
    assert_eq!(
        db.rows("SELECT origin FROM log.dead_letter").await,
        [r#"{"origin": "stdin, line 4"}"#]
    );
    let mut missing = command(&db, None);
    missing.args(["import", "/does/not/exist.jsonl"]);
    let output = run(missing).await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "stackledger: reading /does/not/exist.jsonl: No such file or directory (os error 2)\n"
    );
}
