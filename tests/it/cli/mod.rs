//! The command line: its help, its exit codes and its errors.

mod client;
mod logging;
mod migrate;
mod roles;

use std::process::{Command, Output};

use clap::CommandFactory;
use jiff::SignedDuration;
use serde_json::Value;
use stackledger::config::File;
use stackledger::event::Family;
use stackledger::{capacity, lifecycle, projection};

use crate::support::broker::broker;
use crate::support::cloud::{append, cloud};
use crate::support::database::{TestDatabase, database};
use crate::support::events::{self, event};
use crate::support::process::{command, run, succeed};
use crate::support::projector::{project, wait_until_applied};

/// Returns a command with an empty environment, so that nothing in it can change the output.
fn bare(arguments: &[&str]) -> Command {
    let mut bare = Command::new(env!("CARGO_BIN_EXE_stackledger"));
    bare.args(arguments).env_clear();
    bare
}

/// Returns the exit code, stdout and stderr.
fn parts(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// The help of every command that `--help` lists is pinned: a new command needs a snapshot.
#[tokio::test]
async fn help() {
    async fn check(command: &clap::Command, path: &[&str]) {
        let mut arguments = path.to_vec();
        arguments.push("--help");
        let help = succeed(bare(&arguments)).await;
        insta::assert_snapshot!(["help", &path.join("_")].join("_").trim_end_matches('_'), help);
        let visible = command.get_subcommands().filter(|command| !command.is_hide_set());
        for command in visible {
            Box::pin(check(command, &[path, &[command.get_name()]].concat())).await;
        }
    }
    check(&stackledger::cli::Cli::command(), &[]).await;
}

/// Without a configuration, even where the environment has a wrong one.
#[tokio::test]
async fn every_command_has_a_manual_page_and_completions() {
    let run = |arguments: &[&str]| {
        let mut command = bare(arguments);
        command.env("LISTEN", "nonsense");
        succeed(command)
    };
    let folder =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(crate::support::unique("man"));
    run(&["man", folder.to_str().unwrap()]).await;
    let page = |name: &str| std::fs::read_to_string(folder.join(format!("{name}.1"))).unwrap();
    let program = stackledger::cli::Cli::command();
    let visible = program.get_subcommands().filter(|command| !command.is_hide_set());
    for command in visible {
        let name = command.get_name();
        assert!(page(&format!("stackledger-{name}")).contains(".SH SYNOPSIS"), "{name}");
        for shell in ["bash", "zsh", "fish"] {
            assert!(run(&["completions", shell]).await.contains(name), "{name} in {shell}");
        }
    }
    let page = page("stackledger");
    for variable in stackledger::config::VARIABLES {
        assert!(page.contains(&format!("\\fB{}\\fR", variable.name)), "{}", variable.name);
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn wrong_usage_exits_with_2() {
    let wrong: [&[&str]; 19] = [
        &[],
        &["nonsense"],
        &["up", "--nonsense"],
        &["replay"],
        &["import"],
        &["dead-letters"],
        &["dead-letters", "redrive"],
        &["config"],
        &["man"],
        &["completions", "cmd"],
        &["skip", "metering", "1", "--by", "alice"],
        &["verify", "--against", "1:zz"],
        &["simulate", "--duplicates", "101"],
        &["simulate", "--routes", "polling,pigeon"],
        &["simulate", "--samples-per-message", "0"],
        &["agent"],
        &["agent", "--host", " "],
        &["agent", "--host", "h", "--interval", "0"],
        &["agent", "--host", "h", "--buffer", "1"],
    ];
    for arguments in wrong {
        let (code, out, err) = parts(&run(bare(arguments)).await);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(err.contains("Usage: stackledger") || err.contains("try '--help'"), "{err}");
    }
    for anchor in ["", "1", "1:", ":", "x:00", "1:zz", "1:00"] {
        let (code, _, err) = parts(&run(bare(&["verify", "--against", anchor])).await);
        assert!(code == Some(2) && err.contains("POSITION:HASH is expected"), "{anchor:?}: {err}");
    }
}

/// Each error names the variable, the given value and the accepted ones, in one line.
#[tokio::test]
async fn a_wrong_configuration_exits_with_2() {
    let file =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(crate::support::unique("toml"));
    std::fs::write(&file, "[[source]]\nexchnage = 'nova'").unwrap();
    let file = file.to_str().unwrap();
    for (name, given, accepted) in [
        ("LISTEN", "8080", "an address and a port"),
        ("LISTEN", "0.0.0.0:8080", "set TOKENS"),
        ("PREFETCH", "0", "a whole number from 1 to 65535"),
        ("BATCH_SIZE", "many", "a whole number from 1 to 10000"),
        ("LINGER_MS", "-1", "a whole number from 0 to 60000"),
        ("LOG", "stackledger=loud", "error, warn, info, debug, trace"),
        ("LOG_FORMAT", "xml", "text or json"),
        ("AMQP_URL", "http://127.0.0.1", "amqp://user:password@host:port/vhost"),
        ("AMQP_URL", "amqp://a,nonsense", "amqp://user:password@host:port/vhost"),
        ("STACKLEDGER_CONFIG", "/does/not/exist.toml", "No such file"),
        ("STACKLEDGER_CONFIG", file, "unknown field `exchnage`"),
        ("DATABASE_URL", "nonsense", "postgresql://user:password@host:port/database"),
        ("DATABASE_URL", "postgresql://h:port/d", "postgresql://user:password@host:port/database"),
    ] {
        let mut status = bare(&["status"]);
        status.env(name, given);
        let (code, out, err) = parts(&run(status).await);
        let shown = given.rsplit(',').next().unwrap();
        assert!(err.starts_with(&format!("stackledger: {name}={shown}: ")), "{err}");
        assert!(err.contains(accepted), "{err}");
        assert_eq!((code, out.as_str(), err.lines().count()), (Some(2), "", 1), "{err}");
    }
    for unset in [None, Some("")] {
        let mut status = bare(&["status"]);
        status.envs(unset.map(|empty| ("DATABASE_URL", empty)));
        let (code, _, err) = parts(&run(status).await);
        assert!(err.starts_with("stackledger: DATABASE_URL is not set: set it to "), "{err}");
        assert_eq!((code, err.lines().count()), (Some(2), 1), "{err}");
    }
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn passwords_are_never_shown() {
    for (name, given) in [
        ("DATABASE_URL", "postgresql://u:geheim@%2Fnowhere/d"),
        ("DATABASE_URL", "postgresql://u:geheim@h:port/d"),
        ("DATABASE_URL", "postgresql://u:geh@geheim@%2Fnowhere/d"),
        ("DATABASE_URL", "postgresql://u:geheim geheim@%2Fnowhere/d"),
        ("DATABASE_URL", "postgresql://u@%2Fnowhere/d?password=geheim&user=u"),
        ("DATABASE_URL", "host=/nowhere password=geheim user=u"),
        ("DATABASE_URL", "host=/nowhere password = geheim user=u"),
        ("DATABASE_URL", "host=/nowhere password='ge geheim' user=u"),
        ("DATABASE_URL", "host=/nowhere password='ge\\' geheim' user=u"),
        ("DATABASE_URL", "host=/nowhere passwort=geheim user=u"),
        ("DATABASE_URL", "host=/nowhere user=u password='geheim"),
        ("AMQP_URL", "http://u:geheim@h"),
        ("AMQP_URL", "amqp://u:geheim@h:port"),
        ("AMQP_URL", "amqp://u:geheim@a,amqp://u:geheim@b:port"),
        ("AMQP_URL", "amqp://u:geheim@a;amqp://u:geheim@b:port"),
        ("AMQP_URL", "amqp://u:geheim@a,u:geheim@b:port/v"),
        ("AMQP_MANAGEMENT_URL", "amqp://u:geheim@h"),
    ] {
        for arguments in [&["status"][..], &["migrate"], &["up"]] {
            let mut refused = bare(arguments);
            refused.env(name, given);
            let (code, out, err) = parts(&run(refused).await);
            assert!(
                matches!(code, Some(1 | 2)) && err.contains(name) || err.contains("no PostgreSQL"),
                "{err}"
            );
            assert!(!(out + &err).contains("geheim"), "{given}: {err}");
        }
    }
}

#[tokio::test]
async fn the_configuration_is_checked_and_shown_without_a_service() {
    let (code, out, err) = parts(&run(bare(&["config", "check"])).await);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out, "the configuration can be used: 1 brokers, 4 exchanges, 6 queues\n");
    let mut wrong = bare(&["config", "check"]);
    wrong.env("BATCH_SIZE", "0");
    let (code, out, err) = parts(&run(wrong).await);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.starts_with("stackledger: BATCH_SIZE=0: "), "{err}");
    let defaults = succeed(bare(&["config", "defaults"])).await;
    assert_eq!(defaults.parse::<File>().unwrap(), File::default());
    let mut show = bare(&["config", "show"]);
    show.env("DATABASE_URL", "postgresql://u:geheim@h/d").env("TOKENS", "geheim");
    let shown = succeed(show).await;
    assert!(shown.contains("# DATABASE_URL=postgresql://u:***@h/d\n"), "{shown}");
    assert!(shown.contains("# TOKENS=***\n") && !shown.contains("geheim"), "{shown}");
    assert_eq!(shown.parse::<File>().unwrap(), File::default());
}

/// Every command that needs the database reports the address that it tried, in one line.
#[tokio::test]
async fn a_database_that_is_away_is_named() {
    let commands: [&[&str]; 9] = [
        &["up"],
        &["migrate"],
        &["consume"],
        &["project"],
        &["serve"],
        &["replay", "--all"],
        &["verify"],
        &["import", "-"],
        &["dead-letters", "list"],
    ];
    for arguments in commands {
        let mut away = bare(arguments);
        away.env("DATABASE_URL", "postgresql://u@%2Fnowhere/d");
        let (code, out, err) = parts(&run(away).await);
        assert_eq!((code, out.as_str(), err.lines().count()), (Some(1), "", 1), "{err}");
        assert!(
            err.starts_with("stackledger: no PostgreSQL answers at postgresql://u@%2Fnowhere/d")
                && err.contains("No such file or directory"),
            "{err}"
        );
    }
}

/// A server that answers and does not know the database or the user is told apart from one that is away.
#[tokio::test]
async fn a_database_or_user_that_does_not_exist_is_named_with_the_statement_that_creates_it() {
    let db = database().await;
    let (server, name) = db.url.rsplit_once('/').unwrap();
    for arguments in [["migrate"], ["status"]] {
        let mut missing = bare(&arguments);
        missing.env("DATABASE_URL", format!("{server}/{name}_missing"));
        let (code, _, err) = parts(&run(missing).await);
        assert_eq!((code, err.lines().count()), (Some(1), 1), "{err}");
        assert!(err.contains("has no such database"), "{err}");
        assert!(err.contains(&format!("CREATE DATABASE \"{name}_missing\" OWNER ")), "{err}");
    }
    let (_, host) = server.rsplit_once('@').unwrap();
    let mut unknown = bare(&["migrate"]);
    unknown.env("DATABASE_URL", format!("postgresql://no%22body:x@{host}/{name}"));
    let (code, _, err) = parts(&run(unknown).await);
    assert_eq!((code, err.lines().count()), (Some(1), 1), "{err}");
    assert!(err.contains("CREATE ROLE \"no\"\"body\" LOGIN PASSWORD"), "{err}");
}

fn stackledger(db: &TestDatabase, arguments: &[&str]) -> Command {
    let mut command = command(db, None);
    command.args(arguments);
    command
}

#[tokio::test]
async fn status_shows_log_queues_projections_and_dead_letters() {
    let (db, broker) = (database().await, broker().await);
    append(&cloud(2, 1), &db).await;
    let projecting = project(&db);
    wait_until_applied(&db).await;
    let status = |arguments: &[&str]| {
        let mut status = command(&db, Some(&broker));
        status.arg("status").args(arguments);
        succeed(status)
    };
    let json: Value = serde_json::from_str(&status(&["--json"]).await).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        keys(&json),
        [
            "conflicts",
            "days_until_full",
            "dead_letters",
            "exports",
            "faults",
            "growth_per_day",
            "head",
            "horizons",
            "last_events",
            "projections",
            "queues",
            "sizes"
        ]
    );
    assert_eq!(keys(&json["head"]), ["hash", "position"]);
    let position = db.number("SELECT position FROM log.head").await;
    assert_eq!(json["head"]["position"], position);
    assert_eq!(json["dead_letters"], 0);
    let names: Vec<&str> = json["projections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|projection| projection["name"].as_str().unwrap())
        .collect();
    let mut all: Vec<&str> = projection::ALL.iter().map(|projection| projection.name).collect();
    all.sort_unstable();
    assert_eq!(names, all);
    let timing = names.iter().position(|name| *name == "timing").unwrap();
    let timing = &json["projections"][timing];
    assert_eq!(
        keys(timing),
        [
            "checkpoint",
            "error",
            "head",
            "lag_events",
            "lag_s",
            "name",
            "process",
            "skipped",
            "state"
        ]
    );
    assert_eq!((&timing["name"], &timing["state"]), (&"timing".into(), &"running".into()));
    assert_eq!((&timing["checkpoint"], &timing["lag_events"]), (&position.into(), &0.into()));
    let process = format!("pid {} on ", std::process::id());
    assert!(timing["process"].as_str().unwrap().starts_with(&process), "{timing}");
    for of in ["log of instance", "timing", "database"] {
        assert!(json["sizes"][of].as_i64().unwrap() > 0, "{json:#}");
    }
    assert!(json["last_events"]["instance"].as_str().unwrap().ends_with('Z'), "{json:#}");
    assert_eq!(json["queues"].as_array().unwrap().len(), 6);
    assert_eq!(
        keys(&json["queues"][0]),
        ["bindings", "broker", "consumers", "error", "messages", "queue"]
    );
    assert_eq!(json["queues"][0]["error"], "not declared yet");

    let text = status(&[]).await;
    let head = format!("{position}:{}", json["head"]["hash"].as_str().unwrap());
    assert!(text.starts_with(&format!("log head {head}\ndead letters 0\n")), "{text}");
    let row = text.lines().find(|line| line.starts_with("  timing")).unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells[..5], ["timing", "running", &position.to_string(), "0", "0.0"]);
    assert!(text.contains("stackledger.recipe") && text.contains("guest:***@"), "{text}");
    assert!(!text.contains("guest:guest"));
    // Nobody consumes.
    let fault = format!(
        "queue stackledger.instance at {}: not declared yet",
        json["queues"][0]["broker"].as_str().unwrap()
    );
    assert!(json["faults"].as_array().unwrap().contains(&fault.as_str().into()), "{json:#}");
    let mut check = command(&db, Some(&broker));
    check.args(["status", "--check"]);
    let (code, text, err) = parts(&run(check).await);
    assert_eq!((code, err.as_str()), (Some(1), ""));
    assert!(text.contains(&format!("fault: {fault}\n")), "{text}");
    // A broker that is away gives a line, and the command succeeds.
    let mut away = stackledger(&db, &["status"]);
    away.env("AMQP_URL", "amqp://u:geheim@127.0.0.1:1/v");
    let text = succeed(away).await;
    assert!(text.contains("amqp://u:***@127.0.0.1:1/v: ") && !text.contains("geheim"), "{text}");

    // `verify --against` accepts the head that `status` prints.
    succeed(stackledger(&db, &["verify", "--against", &head])).await;
    let other = format!("{position}:{}", "0".repeat(64));
    let (code, out, _) = parts(&run(stackledger(&db, &["verify", "--against", &other])).await);
    assert!(code == Some(1) && out.contains("the chain was written again"), "{out}");
    projecting.stop().await;
}

#[tokio::test]
async fn status_shows_growth_and_when_the_database_is_full() {
    let db = database().await;
    append(&cloud(2, 1), &db).await;
    // As a process that projects does each hour.
    let client = db.database.connect(None).await.unwrap();
    let now = lifecycle::now();
    let hours_ago = |hours| now - SignedDuration::from_hours(hours);
    capacity::note_sizes(&client, hours_ago(24)).await.unwrap();
    capacity::note_sizes(&client, hours_ago(24) + SignedDuration::from_mins(5)).await.unwrap();
    assert_eq!(
        db.number("SELECT count(DISTINCT at) FROM projection.size").await,
        1,
        "once an hour"
    );
    let client = db.superuser().await;
    client
        .batch_execute("UPDATE projection.size SET bytes = bytes - 1000000 WHERE name = 'database'")
        .await
        .unwrap();

    let size = db.number("SELECT pg_database_size(current_database())").await;
    let status = |capacity: i64, arguments: &[&str]| {
        let mut status = stackledger(&db, &["status", "--json"]);
        status.args(arguments).env("DATABASE_CAPACITY", capacity.to_string());
        status.env("AMQP_URL", "amqp://u:p@127.0.0.1:1/v");
        async { serde_json::from_str::<Value>(&succeed(status).await).unwrap() }
    };
    let json = status(size + 100_000_000, &["--tables"]).await;
    let growth = json["growth_per_day"]["database"].as_f64().unwrap();
    assert!((1_000_000.0..2_000_000.0).contains(&growth), "{growth}");
    let days = json["days_until_full"].as_f64().unwrap();
    assert!((50.0..101.0).contains(&days), "{days}");
    assert!(json["tables"]["log.event_instance"].as_i64().unwrap() > 0, "{json:#}");
    let is_full = |json: &Value| json["faults"].to_string().contains("DATABASE_CAPACITY");
    assert!(!is_full(&json), "{json:#}");
    for room in [2_000_000, -1] {
        let json = status(size + room, &[]).await;
        assert!(is_full(&json) && json["tables"].is_null(), "{json:#}");
    }
}

#[tokio::test]
async fn status_goes_on_without_the_database() {
    let broker = broker().await;
    let mut status = bare(&["status"]);
    status.env("DATABASE_URL", "postgresql://u@%2Fnowhere/d").env("AMQP_URL", &broker.url);
    let (code, out, err) = parts(&run(status).await);
    assert_eq!((code, err.lines().count()), (Some(1), 1), "{err}");
    assert!(
        err.starts_with("stackledger: no PostgreSQL answers at postgresql://u@%2Fnowhere/d"),
        "{err}"
    );
    assert!(
        out.contains("stackledger.instance") && out.contains("fault: no PostgreSQL answers"),
        "{out}"
    );
}

#[tokio::test]
async fn verify_names_the_first_position_that_is_wrong() {
    let db = database().await;
    events::append(&db.database, &[event(Family::Other, 0), event(Family::Other, 1)]).await;
    events::append(&db.database, &[event(Family::Other, 2)]).await;
    assert!(succeed(stackledger(&db, &["verify"])).await.contains("3 events in 2 batches"));
    db.superuser()
        .await
        .batch_execute(
            "ALTER TABLE log.event_other DISABLE TRIGGER ALL;
             UPDATE log.event_other SET body = '{}' WHERE position >= 2",
        )
        .await
        .unwrap();
    let (code, out, err) = parts(&run(stackledger(&db, &["verify"])).await);
    assert_eq!((code, err.as_str()), (Some(1), ""));
    assert!(out.starts_with("position 2: the row in event_other is not the one"), "{out}");
}

#[tokio::test]
async fn replay_lists_the_projections_that_exist() {
    let db = database().await;
    let (code, _, err) = parts(&run(stackledger(&db, &["replay", "nonsense"])).await);
    assert_eq!(code, Some(2));
    assert!(err.contains("'nonsense'") && err.contains("there are: timing, metering"), "{err}");
    // No projection has run yet: a replay creates the tables.
    succeed(stackledger(&db, &["replay", "--all"])).await;
    assert_eq!(db.number("SELECT count(*) FROM timing.instance").await, 0);
}
