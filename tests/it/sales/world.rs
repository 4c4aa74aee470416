//! A tenant with an instance, an address and traffic, in few words.

use std::sync::Arc;

use serde_json::{Value, json};
use stackledger::config::File;
use stackledger::event::Event;
use stackledger::sales::{Report, SalesOrders, verify};
use tokio_util::sync::CancellationToken;

use crate::support::events::append;
use crate::support::samples::{polled, sample, with};
use crate::support::server::{Server, answer};

/// The mappings; the rates come after them.
pub const USAGE: &str = "
[[usage]]
meter = 'vcpus'
transformer = 'uptime'
max_gap_s = 3600
type = 'Virtual Machine'
metadata = { name = ['display_name'] }
[[usage]]
meter = 'ip.floating'
transformer = 'count'
service = 'ip'
type = 'Address'
unit = 'hour'
[[usage]]
meter = 'network.outgoing.bytes'
transformer = 'cumulative'
service = 'traffic'
type = 'Port'
unit = 'byte'
";

pub fn rate(service: &str, unit: &str, rate: &str, more: &str) -> String {
    format!("[[rate]]\nservice = '{service}'\nunit = '{unit}'\nrate = '{rate}'\n{more}\n")
}

/// A rate for every service of the mappings.
pub fn rates() -> String {
    [("m1", "hour", "0.5"), ("ip", "hour", "0.01"), ("traffic", "gigabyte", "1")]
        .map(|(service, unit, price)| rate(service, unit, price, ""))
        .concat()
}

pub fn file(text: &str) -> File {
    text.parse().unwrap()
}

/// The billing section, the mappings, and the usual rates.
pub fn config(billing: &str) -> File {
    file(&format!("[billing]\n{billing}\n{USAGE}{}", rates()))
}

/// A sample at a time of UTC such as `2026-11-02T10:00`.
fn sample_at(
    tenant: &str,
    resource: &str,
    meter: &str,
    at: &str,
    volume: Value,
    metadata: Value,
) -> Value {
    with(
        sample(0, resource, volume),
        &json!({
            "counter_name": meter, "counter_type": "gauge", "project_id": tenant,
            "timestamp": format!("{at}:00Z"), "message_id": format!("{tenant}-{resource}-{meter}-{at}"),
            "resource_metadata": metadata,
        }),
    )
}

pub fn vm(tenant: &str, resource: &str, at: &str, state: &str) -> Value {
    let metadata = json!({"status": state, "flavor": {"name": "m1"}, "display_name": format!("name of {resource}")});
    sample_at(tenant, resource, "vcpus", at, json!(1), metadata)
}

pub fn ip(tenant: &str, resource: &str, at: &str) -> Value {
    sample_at(tenant, resource, "ip.floating", at, json!(1), json!({}))
}

pub fn traffic(tenant: &str, resource: &str, at: &str, bytes: u64) -> Value {
    sample_at(tenant, resource, "network.outgoing.bytes", at, json!(bytes), json!({}))
}

/// The event of a number, with samples.
pub fn event(number: u128, samples: &[Value]) -> Event {
    polled(number, samples)
}

/// The samples of a tenant's instance that is up from 10:00 to 12:30 on each of these days, and of an
/// address at 10:15.
pub fn days(tenant: &str, days: &[&str]) -> Vec<Value> {
    let of = |day: &&str| {
        let at = |time: &str| format!("{day}T{time}");
        vec![
            vm(tenant, "vm", &at("10:00"), "active"),
            vm(tenant, "vm", &at("11:00"), "active"),
            vm(tenant, "vm", &at("12:00"), "active"),
            vm(tenant, "vm", &at("12:30"), "stopped"),
            ip(tenant, "address", &at("10:15")),
        ]
    };
    days.iter().flat_map(of).collect()
}

/// Starts a server and a projector of this configuration, with samples in the log.
pub async fn serving(file: File, samples: &[Value]) -> Server {
    let server = Server::with_projector_of(file).await;
    append(&server.db.database, &[event(1, samples)]).await;
    server
}

impl Server {
    /// Requests an order or a draft.
    pub async fn ask(&self, path: &str, body: Value) -> (u16, Value) {
        answer(self.http.post(self.url(path)).json(&body)).await
    }

    /// Requests an order or a draft, and expects success.
    pub async fn made(&self, path: &str, body: Value) -> Value {
        let (status, json) = self.ask(path, body.clone()).await;
        assert_eq!(status, 200, "{path} {body}: {json}");
        json
    }

    /// Makes a request that is refused with this status, and returns the problem.
    pub async fn refuses(&self, path: &str, body: Value, status: u16) -> Value {
        let problem =
            crate::support::server::refused(self.http.post(self.url(path)).json(&body)).await;
        assert_eq!(problem["status"], status, "{body}: {problem}");
        problem
    }

    /// Returns the bytes of an answer.
    pub async fn bytes(&self, path: &str) -> Vec<u8> {
        let response = self.http.get(self.url(path)).send().await.unwrap();
        assert!(response.status().is_success(), "{path}");
        response.bytes().await.unwrap().to_vec()
    }

    /// Returns a service on the same database, with another configuration.
    pub fn sales_orders(&self, file: File) -> SalesOrders {
        SalesOrders::new(self.db.database.clone(), Arc::new(file))
    }

    /// Runs `verify --orders` with this configuration.
    pub async fn verified(&self, file: &File) -> Report {
        verify(&self.db.database, file, &CancellationToken::new(), |_| {}).await.unwrap()
    }
}

/// `resource service volume amount` of each line.
pub fn lines(order: &Value) -> Vec<String> {
    shown(&order["lines"], &["resource_id", "service", "volume", "amount"])
}

/// These members of each item, as text.
pub fn shown(items: &Value, members: &[&str]) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let items = items.as_array().unwrap().iter();
    let of = |item: &Value| members.iter().map(|it| text(&item[*it])).collect::<Vec<_>>().join(" ");
    items.map(of).collect()
}
