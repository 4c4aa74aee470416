//! One mapping for each transformer, and samples for them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::database::TestDatabase;
use crate::support::process::{command, succeed};
use crate::support::server::Server;
use crate::support::unique;

/// One mapping for each transformer, on a meter of the same name.
pub const MAPPINGS: &str = r#"
    [metering]
    trust_sources = ["openstack"]

    [[usage]]
    meter = "uptime"
    transformer = "uptime"
    max_gap_s = 3600
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

/// A sample of the resource `r` of a tenant, on a day in November.
pub fn sample(meter: &str, tenant: &str, time: &str, volume: Value, metadata: Value) -> Value {
    json!({
        "counter_name": meter, "counter_type": "gauge", "counter_unit": "", "counter_volume": volume,
        "user_id": "u", "project_id": tenant, "resource_id": "r", "source": "openstack",
        "timestamp": format!("2026-11-20T{time}"), "message_id": format!("{tenant} {time}"),
        "resource_metadata": metadata,
    })
}

/// `service volume` of all resources in the answer.
pub fn used(answer: &Value) -> Vec<String> {
    let resources = answer["usage"]["resources"].as_object().unwrap().values();
    let services = resources.flat_map(|resource| resource["services"].as_array().unwrap());
    let shown =
        |service: &Value| ["name", "volume"].map(|key| service[key].as_str().unwrap()).join(" ");
    services.map(shown).collect()
}

impl Server {
    /// The answer about the tenant's usage on that day in November.
    pub async fn used(&self, tenant: &str, from: &str, to: &str) -> Value {
        let day = "2026-11-20T";
        let tenant = tenant.replace(' ', "%20");
        self.ok(&format!("/get_usage?tenant={tenant}&start={day}{from}&end={day}{to}")).await
    }
}

pub fn a_file() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("usage"))
}

/// Imports messages of `each` samples with the program itself.
pub async fn import(db: &TestDatabase, samples: &[Value], each: usize) {
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
