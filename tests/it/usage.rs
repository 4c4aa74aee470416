//! Usage, from samples that came by whichever way to what is answered.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stackledger::config::File;

use crate::http::server::Server;
use crate::support::database::TestDatabase;
use crate::support::events::append;
use crate::support::process::{command, succeed};
use crate::support::projecting::caught_up;
use crate::support::samples::polled;
use crate::support::unique;

/// One mapping for each transformer; the meter has its name.
const MAPPINGS: &str = r#"
    [metering]
    trust_sources = ["openstack"]

    [[usage]]
    meter = "uptime"
    transformer = "uptime"
    type = "Virtual Machine"
    metadata = { name = ["display_name", "name"], "availability zone" = ["az"] }

    [[usage]]
    meter = "max"
    transformer = "max"
    unit = "gigabyte"

    [[usage]]
    meter = "kept"
    transformer = "max"
    carry_over = true
    unit = "gigabyte"

    [[usage]]
    meter = "average"
    transformer = "average"
    unit = "gigabyte"

    [[usage]]
    meter = "sum"
    transformer = "sum"
    unit = "byte"

    [[usage]]
    meter = "cumulative"
    transformer = "cumulative"
    unit = "byte"

    [[usage]]
    meter = "storagemax"
    transformer = "storagemax"
    service = "b1"
    unit = "gigabyte"
    resource_id = "{}-disk"
    volume_types = { t2 = "fast" }

    [[usage]]
    meter = "networkservice"
    transformer = "networkservice"

    [[usage]]
    meter = "fromimage"
    transformer = "fromimage"
    service = "b1.root"
    unit = "gigabyte"

    [[usage]]
    meter = "count"
    transformer = "count"
    filter = { status = "active" }
"#;

/// A sample of a resource of a tenant that has the meter's name, on a day in November.
fn sample(meter: &str, tenant: &str, time: &str, volume: Value, metadata: Value) -> Value {
    json!({
        "counter_name": meter, "counter_type": "gauge", "counter_unit": "", "counter_volume": volume,
        "user_id": "u", "project_id": tenant, "resource_id": "r", "source": "openstack",
        "timestamp": format!("2026-11-20T{time}"), "message_id": format!("{tenant} {time}"),
        "resource_metadata": metadata,
    })
}

fn state(time: &str, state: &str, flavor: &str) -> (String, Value, Value) {
    (time.to_owned(), json!(1), json!({"status": state, "flavor": {"name": flavor}}))
}

fn volume(time: &str, volume: Value) -> (String, Value, Value) {
    (time.to_owned(), volume, json!({}))
}

fn said(time: &str, of: Value, metadata: Value) -> (String, Value, Value) {
    (time.to_owned(), of, metadata)
}

/// Samples of a meter, and what was used between two times: `service volume` of each.
struct Example {
    meter: &'static str,
    samples: Vec<(String, Value, Value)>,
    from: &'static str,
    to: &'static str,
    used: &'static [&'static str],
}

fn example(
    meter: &'static str,
    samples: Vec<(String, Value, Value)>,
    used: &'static [&'static str],
) -> Example {
    Example { meter, samples, from: "10:00:00", to: "11:00:00", used }
}

/// Those of the specification, and one at least of every transformer.
fn examples() -> Vec<Example> {
    let m1 = |time: &str, of: &str| state(time, of, "m1");
    vec![
        example("uptime", vec![m1("10:00:00", "active"), m1("10:30:00", "stopped")], &["m1 1800"]),
        example("uptime", vec![m1("09:50:00", "active"), m1("10:10:00", "active")], &["m1 3600"]),
        example("uptime", vec![m1("10:10:00", "active")], &["m1 3000"]),
        example(
            "uptime",
            vec![
                m1("10:00:00", "active"),
                m1("10:10:00", "stopped"),
                m1("10:30:00", "active"),
                m1("10:40:00", "ACTIVE"),
            ],
            &["m1 2400"],
        ),
        example("uptime", vec![m1("09:55:00", "stopped"), m1("10:10:00", "active")], &["m1 3000"]),
        example(
            "uptime",
            vec![m1("10:00:00", "active"), state("10:30:00", "active", "m2")],
            &["m1 1800", "m2 1800"],
        ),
        Example {
            from: "10:00:00",
            to: "12:00:00",
            ..example(
                "max",
                vec![volume("10:05:00", json!(3)), volume("11:05:00", json!(8))],
                &["max 11"],
            )
        },
        // A resource whose samples stop is used for max_gap more, and no longer.
        Example {
            to: "14:00:00",
            ..example("uptime", vec![m1("10:30:00", "active")], &["m1 3600"])
        },
        example("max", vec![volume("09:50:00", json!(3))], &[]),
        example("kept", vec![volume("09:50:00", json!("3.50"))], &["kept 3.5"]),
        example(
            "average",
            vec![
                volume("10:00:00", json!(1)),
                volume("10:20:00", json!(2)),
                volume("10:40:00", json!(2.5)),
            ],
            &["average 1.8333333333333333333333333333"],
        ),
        example(
            "sum",
            vec![
                volume("09:59:59", json!(100)),
                volume("10:00:00", json!(1)),
                volume("10:59:59.999", json!(2)),
            ],
            &["sum 3"],
        ),
        // At any distance, across restarts, in the window in which it is told.
        example(
            "cumulative",
            vec![
                volume("01:00:00", json!(10)),
                volume("10:10:00", json!(50)),
                volume("10:20:00", json!(5)),
                volume("10:30:00", json!(20)),
            ],
            &["cumulative 60"],
        ),
        example(
            "cumulative",
            vec![
                volume("09:00:00", json!(1)),
                volume("10:00:00", json!("79228162514264337593543950335")),
            ],
            &["cumulative 79228162514264337593543950334"],
        ),
        example(
            "storagemax",
            vec![
                said("10:10:00", json!(10), json!({"volume_type": "t1"})),
                said("10:20:00", json!(12), json!({"volume_type": "t2"})),
            ],
            &["fast 12"],
        ),
        example(
            "storagemax",
            vec![said("10:10:00", json!(10), json!({"volume_type": "t1"}))],
            &["b1.t1 10"],
        ),
        example(
            "networkservice",
            vec![
                volume("10:10:00", json!(0)),
                volume("10:20:00", json!(1)),
                volume("10:30:00", json!(2)),
            ],
            &["networkservice 1"],
        ),
        example("networkservice", vec![volume("10:10:00", json!(2))], &["networkservice 0"]),
        example(
            "fromimage",
            vec![
                said("10:10:00", json!(1), json!({"image_ref": "i", "root_gb": 20})),
                said("10:20:00", json!(1), json!({"image_ref": "i", "root_gb": "60"})),
            ],
            &["b1.root 60"],
        ),
        example(
            "fromimage",
            vec![said("10:10:00", json!(1), json!({"image_ref": "None", "root_gb": 20}))],
            &[],
        ),
        example(
            "count",
            vec![
                said("10:10:00", json!(1), json!({"status": "active"})),
                said("10:20:00", json!(1), json!({"status": "down"})),
            ],
            &["count 1"],
        ),
        example("count", vec![said("10:10:00", json!(1), json!({"status": "down"}))], &[]),
    ]
}

/// The samples of all examples; each has a tenant of its own.
fn samples(examples: &[Example]) -> Vec<Value> {
    let of = |(number, example): (usize, &Example)| {
        let tenant = format!("tenant {number}");
        let sample = move |(time, volume, metadata): &(String, Value, Value)| {
            sample(example.meter, &tenant, time, volume.clone(), metadata.clone())
        };
        example.samples.iter().map(sample).collect::<Vec<_>>()
    };
    examples.iter().enumerate().flat_map(of).collect()
}

/// `service volume` of all resources in the answer.
fn used(answer: &Value) -> Vec<String> {
    let resources = answer["usage"]["resources"].as_object().unwrap().values();
    let services = resources.flat_map(|resource| resource["services"].as_array().unwrap());
    let shown =
        |service: &Value| ["name", "volume"].map(|key| service[key].as_str().unwrap()).join(" ");
    services.map(shown).collect()
}

impl Server {
    /// What the tenant used on that day in November.
    async fn used(&self, tenant: &str, from: &str, to: &str) -> Value {
        let day = "2026-11-20T";
        let tenant = tenant.replace(' ', "%20");
        self.ok(&format!("/get_usage?tenant={tenant}&start={day}{from}&end={day}{to}")).await
    }
}

fn a_file() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("usage"))
}

/// Messages of so many samples each, imported by the program itself.
async fn import(db: &TestDatabase, samples: &[Value], each: usize) {
    let message = |samples: &[Value]| {
        let id = unique("message");
        json!({
            "message_id": id, "publisher_id": "ceilometer.polling", "priority": "SAMPLE",
            "event_type": "telemetry.polling", "timestamp": "2026-11-20 12:00:00.000001",
            "payload": {"samples": samples},
        })
        .to_string()
    };
    let file = a_file();
    let lines: Vec<String> = samples.chunks(each).map(message).collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    let mut import = command(db, None);
    import.arg("import").arg(&file);
    succeed(import).await;
    std::fs::remove_file(file).unwrap();
}

/// Whichever way round they come, and however many at once; rebuilt, the rows are the same.
#[tokio::test]
async fn every_example_of_the_specification() {
    let examples = examples();
    let (forward, mut backward) = (samples(&examples), samples(&examples));
    backward.reverse();
    for (samples, each) in [(forward, 1000), (backward, 1)] {
        let server = Server::with_projector_of(MAPPINGS.parse().unwrap()).await;
        import(&server.db, &samples, each).await;
        caught_up(&server.db).await;
        for (number, example) in examples.iter().enumerate() {
            let tenant = format!("tenant {number}");
            let answer = server.used(&tenant, example.from, example.to).await;
            assert_eq!(used(&answer), example.used, "{tenant}, {}: {answer}", example.meter);
        }
        let mappings = a_file();
        std::fs::write(&mappings, MAPPINGS).unwrap();
        let mut verify = command(&server.db, None);
        verify.args(["verify", "--read-models"]).env("STACKLEDGER_CONFIG", &mappings);
        let said = succeed(verify).await;
        assert!(said.contains("metering: ") && said.contains("the same when rebuilt"), "{said}");
        std::fs::remove_file(mappings).unwrap();
    }
}

/// Instance `r` of tenant `t`, polled every ten minutes of a day.
async fn polled_for_a_day() -> Server {
    let server = Server::with_projector_of(MAPPINGS.parse().unwrap()).await;
    let active = json!({"status": "active", "flavor": {"name": "m1"}, "name": "vm", "az": "a"});
    let samples: Vec<Value> = (0..144)
        .map(|nth| {
            let time = format!("{:02}:{:02}:00", nth / 6, nth % 6 * 10);
            sample("uptime", "t", &time, json!(1), active.clone())
        })
        .collect();
    append(&server.db.database, &[polled(1, &samples)]).await;
    caught_up(&server.db).await;
    server
}

/// Versions of rows, to tell which were written since.
async fn versions(server: &Server) -> Vec<String> {
    server.db.rows("SELECT tableoid, ctid, xmin::text FROM metering.usage_window").await
}

#[tokio::test]
async fn a_late_sample_touches_its_windows_and_nothing_else() {
    let server = polled_for_a_day().await;
    let before = versions(&server).await;
    assert_eq!(before.len(), 25);
    let stopped = json!({"status": "stopped", "flavor": {"name": "m1"}});
    append(
        &server.db.database,
        &[polled(2, &[sample("uptime", "t", "10:15:00", json!(1), stopped.clone())])],
    )
    .await;
    caught_up(&server.db).await;
    let after = versions(&server).await;
    let written = after.iter().filter(|row| !before.contains(row)).count();
    assert_eq!((written, after.len()), (1, 25));
    assert_eq!(used(&server.used("t", "10:00:00", "11:00:00").await), ["m1 3300"]);
    assert_eq!(used(&server.used("t", "00:00:00", "23:00:00").await), ["m1 82500"]);
    let touched = "SELECT \"window\" FROM metering.usage_window WHERE position > 1";
    assert_eq!(server.db.rows(touched).await, [r#"{"window": "2026-11-20T10:00:00+00:00"}"#]);

    // Told again, and of others: nothing is written.
    let before = versions(&server).await;
    let again = sample("uptime", "t", "10:15:00", json!(1), stopped);
    let other = sample("nothing", "t", "10:15:00", json!(1), json!({}));
    append(&server.db.database, &[polled(3, &[again, other])]).await;
    caught_up(&server.db).await;
    assert_eq!(versions(&server).await, before);
}

#[tokio::test]
async fn a_span_that_does_not_lie_on_hours_is_exact_up_to_its_edges() {
    let server = polled_for_a_day().await;
    for (from, to, expected) in [
        ("09:45:00", "12:10:30", "m1 8730"),
        ("10:05:00", "10:06:00.5", "m1 60.5"),
        ("10:00:00", "10:05:00", "m1 300"),
        ("10:55:00", "11:00:00", "m1 300"),
        ("10:59:59.999999", "11:00:00.000001", "m1 0.000002"),
        ("00:00:00", "23:50:00", "m1 85800"),
    ] {
        assert_eq!(used(&server.used("t", from, to).await), [expected], "{from} to {to}");
    }
}

#[tokio::test]
async fn usage_has_distil_s_nesting_and_our_fields() {
    let server = polled_for_a_day().await;
    let answer = server.used("t", "09:30:00", "11:00:00Z").await;
    assert_eq!(
        answer,
        json!({"usage": {
            "name": null, "tenant_id": "t", "start": "2026-11-20 09:30:00",
            "end": "2026-11-20 11:00:00", "from": "2026-11-20T09:30:00Z",
            "to": "2026-11-20T11:00:00Z", "position": 1,
            "resources": {"r": {
                "type": "Virtual Machine", "name": "vm", "availability zone": "a",
                "services": [{"name": "m1", "volume": "5400", "unit": "second", "meter": "uptime",
                              "windows": 2, "coverage": "1.000000"}],
            }},
        }})
    );
    // A day is one of the billing time zone; its end is a gap in what is known.
    let day = server.ok("/get_usage?tenant=t&start=2026-11-20&end=2026-11-22").await;
    let service = &day["usage"]["resources"]["r"]["services"][0];
    assert_eq!((&service["volume"], &service["windows"]), (&json!("89400"), &json!(25)));
    assert_eq!(service["coverage"], "0.993333");
    let nothing = server.ok("/get_usage?tenant=t&start=2020-01-01&end=2020-01-02").await;
    assert_eq!(nothing["usage"]["resources"], json!({}));
}

#[tokio::test]
async fn what_is_asked_wrongly_is_named() {
    let server = polled_for_a_day().await;
    let whole = "tenant=t&start=2026-11-20&end=2026-11-21";
    for (query, parameter) in [
        ("start=2026-11-20&end=2026-11-21", "tenant"),
        ("tenant=t&end=2026-11-21", "start"),
        ("tenant=t&start=2026-11-20", "end"),
        ("tenant=t&start=soon&end=2026-11-21", "start"),
        ("tenant=t&start=2026-11-20&end=2026-11-31", "end"),
        ("tenant=t&start=2026-11-20&end=2026-11-20", "end"),
        ("tenant=t&start=2026-11-20&end=1960-01-01", "end"),
        (&format!("{whole}&at=now"), "at"),
    ] {
        let problem = server.refused(&format!("/get_usage?{query}")).await;
        assert_eq!((&problem["parameter"], &problem["status"]), (&json!(parameter), &json!(400)));
    }
    let whole = whole.replace("tenant=t", "tenant=nobody");
    let problem = server.refused(&format!("/get_usage?{whole}")).await;
    assert_eq!(problem["status"], 404);
    assert_eq!(problem["detail"], "no sample is of the tenant \"nobody\"");
}

/// Rows of other mappings mean something else: their indexes are those of another list.
#[tokio::test]
async fn usage_by_other_rules_is_not_shown() {
    let server = polled_for_a_day().await;
    server.execute("UPDATE projection.checkpoint SET config = 'other'").await;
    let problem = server.refused("/get_usage?tenant=t&start=2026-11-20&end=2026-11-21").await;
    assert_eq!(problem["status"], 503);
    assert!(problem["detail"].as_str().unwrap().contains("computed anew"), "{problem}");
}

#[tokio::test]
async fn what_is_collected_is_all_that_is_in_the_log() {
    let server = polled_for_a_day().await;
    let many: Vec<Value> = (0..3000)
        .map(|nth| {
            let time = format!("{:02}:{:02}:{:02}", nth / 3600, nth / 60 % 60, nth % 60);
            sample("sum", "s", &time, json!(1), json!({}))
        })
        .collect();
    let events: Vec<_> = (10..).zip(many.chunks(50)).map(|(n, of)| polled(n, of)).collect();
    append(&server.db.database, &events).await;
    let (status, collected) = server.post("/collect_usage", "").await;
    assert_eq!(status, 200, "{collected}");
    assert_eq!(
        collected,
        json!({
            "tenants": [
                {"id": "s", "updated": true, "start": "2026-11-20T00:00:00",
                 "end": "2026-11-20T00:49:59", "first_at": "2026-11-20T00:00:00Z",
                 "last_at": "2026-11-20T00:49:59Z"},
                {"id": "t", "updated": true, "start": "2026-11-20T00:00:00",
                 "end": "2026-11-20T23:50:00", "first_at": "2026-11-20T00:00:00Z",
                 "last_at": "2026-11-20T23:50:00Z"},
            ],
            "errors": 0, "position": 61,
        })
    );
    assert_eq!(used(&server.used("s", "00:00:00", "01:00:00").await), ["sum 3000"]);
    let last = server.ok("/last_collected?at=2026-11-30T10:00:00.25Z").await;
    assert_eq!(
        last,
        json!({"last_collected": "2026-11-30 10:00:00", "at": "2026-11-30T10:00:00.25Z",
               "position": 61, "head": 61})
    );
    let tenants = server.ok("/v1/tenants?limit=1").await;
    assert_eq!(
        tenants["items"],
        json!([{"tenant_id": "s", "resources": 1, "first_at": "2026-11-20T00:00:00Z",
                "last_at": "2026-11-20T00:49:59Z"}])
    );
    let next = tenants["next"].as_str().unwrap();
    let tenants = server.ok(&format!("/v1/tenants?cursor={next}")).await;
    assert_eq!((&tenants["items"][0]["tenant_id"], &tenants["next"]), (&json!("t"), &Value::Null));
}

/// While nobody projects, what is collected cannot be said.
#[tokio::test]
async fn what_is_not_projected_is_not_collected() {
    let server = Server::start().await;
    let problem =
        crate::http::server::refused(server.http.post(server.url("/collect_usage"))).await;
    assert_eq!(problem["status"], 503);
    assert_eq!(server.ok("/last_collected").await["last_collected"], Value::Null);
}

/// What was posted by users, and what is of no tenant, is of no bill.
#[tokio::test]
async fn only_trusted_samples_of_tenants_are_used() {
    let server = Server::with_projector_of(MAPPINGS.parse::<File>().unwrap()).await;
    let mut told = ["10:00:00", "10:10:00", "10:20:00"]
        .map(|time| sample("sum", "t", time, json!(1), json!({})));
    told[1]["source"] = json!("t:openstack");
    told[2]["project_id"] = Value::Null;
    append(&server.db.database, &[polled(1, &told)]).await;
    caught_up(&server.db).await;
    assert_eq!(used(&server.used("t", "10:00:00", "11:00:00").await), ["sum 1"]);
    assert_eq!(server.db.number("SELECT count(*) FROM metering.usage_window").await, 1);
    // The trusted one takes the place of the other.
    told[1]["source"] = json!("openstack");
    append(&server.db.database, &[polled(2, &told)]).await;
    caught_up(&server.db).await;
    assert_eq!(used(&server.used("t", "10:00:00", "11:00:00").await), ["sum 2"]);
}

/// The program's own client asks for it.
#[tokio::test]
async fn the_client_shows_what_the_server_answers() {
    let server = polled_for_a_day().await;
    let client = async |arguments: &[&str]| {
        let mut command = command(&server.db, None);
        command.args(arguments).args(["--url", &server.base]);
        succeed(command).await
    };
    let of_a_day =
        ["usage", "--tenant", "t", "--start", "2026-11-20", "--end", "2026-11-20T23:00:00"];
    let csv = client(&[&of_a_day[..], &["--csv"]].concat()).await;
    let line = "t,r,Virtual Machine,vm,m1,uptime,82800,second,23,1.000000";
    assert_eq!(csv.lines().nth(1), Some(line), "{csv}");
    let collected = client(&["collect-usage", "--csv"]).await;
    let line = "t,true,2026-11-20T00:00:00,2026-11-20T23:50:00,";
    assert_eq!(collected.lines().nth(1), Some(line), "{collected}");
    let everybody =
        ["usage", "--all-tenants", "--start", "2026-11-20", "--end", "2026-11-21", "--csv"];
    assert!(client(&everybody).await.contains("t,r,Virtual Machine,vm,m1,uptime,86400,second,24"));
    assert_eq!(client(&["last-collected"]).await.trim().len(), "2026-11-20 00:00:00".len());
}
