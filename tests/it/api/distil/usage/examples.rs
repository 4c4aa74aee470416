//! Examples worked out by hand, one at least of every transformer, through the real pipeline.

use serde_json::{Value, json};

use super::world::*;
use crate::support::process::{command, succeed};
use crate::support::projector::wait_until_applied;
use crate::support::server::Server;

fn state(time: &str, state: &str, flavor: &str) -> (String, Value, Value) {
    (time.to_owned(), json!(1), json!({"status": state, "flavor": {"name": flavor}}))
}

fn volume(time: &str, volume: Value) -> (String, Value, Value) {
    (time.to_owned(), volume, json!({}))
}

fn described(time: &str, volume: Value, metadata: Value) -> (String, Value, Value) {
    (time.to_owned(), volume, metadata)
}

/// Samples of a meter, and the usage between two times: `service volume` of each service.
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

/// One at least of every transformer.
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
        // At any distance and across restarts, in the window of the reading.
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
                described("10:10:00", json!(10), json!({"volume_type": "t1"})),
                described("10:20:00", json!(12), json!({"volume_type": "t2"})),
            ],
            &["fast 12"],
        ),
        example(
            "storagemax",
            vec![described("10:10:00", json!(10), json!({"volume_type": "t1"}))],
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
                described("10:10:00", json!(1), json!({"image_ref": "i", "root_gb": 20})),
                described("10:20:00", json!(1), json!({"image_ref": "i", "root_gb": "60"})),
            ],
            &["b1.root 60"],
        ),
        example(
            "fromimage",
            vec![described("10:10:00", json!(1), json!({"image_ref": "None", "root_gb": 20}))],
            &[],
        ),
        example(
            "count",
            vec![
                described("10:10:00", json!(1), json!({"status": "active"})),
                described("10:20:00", json!(1), json!({"status": "down"})),
            ],
            &["count 1"],
        ),
        example("count", vec![described("10:10:00", json!(1), json!({"status": "down"}))], &[]),
    ]
}

/// The samples of all examples. Each example has its own tenant and resource.
fn samples(examples: &[Example]) -> Vec<Value> {
    let of = |(number, example): (usize, &Example)| {
        let tenant = format!("tenant {number}");
        let sample = move |(time, volume, metadata): &(String, Value, Value)| {
            let mut sample = sample(example.meter, &tenant, time, volume.clone(), metadata.clone());
            sample["resource_id"] = json!(format!("r of {tenant}"));
            sample
        };
        example.samples.iter().map(sample).collect::<Vec<_>>()
    };
    examples.iter().enumerate().flat_map(of).collect()
}

/// In both orders, all at once and one by one. Rebuilt, the rows are the same.
#[tokio::test]
async fn every_example() {
    let examples = examples();
    let (forward, mut backward) = (samples(&examples), samples(&examples));
    backward.reverse();
    for (samples, each) in [(forward, 1000), (backward, 1)] {
        let server = Server::with_projector_of(MAPPINGS.parse().unwrap()).await;
        import(&server.db, &samples, each).await;
        wait_until_applied(&server.db).await;
        for (number, example) in examples.iter().enumerate() {
            let tenant = format!("tenant {number}");
            let answer = server.used(&tenant, example.from, example.to).await;
            assert_eq!(used(&answer), example.used, "{tenant}, {}: {answer}", example.meter);
        }
        let mappings = a_file();
        std::fs::write(&mappings, MAPPINGS).unwrap();
        let mut verify = command(&server.db, None);
        verify.args(["verify", "--read-models"]).env("STACKLEDGER_CONFIG", &mappings);
        let output = succeed(verify).await;
        assert!(
            output.contains("metering: ") && output.contains("the same when rebuilt"),
            "{output}"
        );
        std::fs::remove_file(mappings).unwrap();
    }
}
