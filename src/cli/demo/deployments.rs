//! Deployments, and the parameters that they wait for.

use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::answer::{REQUESTS_MAX, get, to_cell};
use crate::cli::client::Client;
use crate::cli::output::{printable, say};
use crate::simulate::compare_deployment;
use crate::simulate::truth::Truth;

/// The answers about this cloud's deployments.
pub(super) struct Deployments {
    answers: Vec<Value>,
}

impl Deployments {
    pub async fn ask(client: &Client, truth: &Truth) -> Result<Deployments> {
        let answers = stream::iter(&truth.deployments).map(|deployment| async {
            get(client, &format!("/v1/deployments/{}", deployment.deployment_id), &[]).await
        });
        Ok(Deployments { answers: answers.buffered(REQUESTS_MAX).try_collect().await? })
    }

    /// Returns the differences to the published messages, each in a line.
    pub fn differences(&self, truth: &Truth) -> Vec<String> {
        let pairs = truth.deployments.iter().zip(&self.answers);
        pairs.flat_map(|(truth, answer)| compare_deployment(truth, answer)).collect()
    }

    /// Prints one of them: the first with a parameter that has no value, else the first.
    pub fn print(&self) {
        let waits = |answer: &&Value| {
            answer["unresolved"].as_array().is_some_and(|waits| !waits.is_empty())
        };
        if let Some(answer) = self.answers.iter().find(waits).or(self.answers.first()) {
            say!("\nA deployment (/v1/deployments/ID; as XML: /reports/deployment/ID)");
            to_tree(answer).iter().for_each(|line| say!("  {}", printable(line)));
            say!("  … and {} more", self.answers.len() - 1);
        }
    }
}

/// Returns a deployment as lines: its instances with their services, and below each service the
/// parameters that it waits for.
fn to_tree(answer: &Value) -> Vec<String> {
    let mut lines = vec![line(0, &answer["name"], answer)];
    for instance in list(&answer["instances"]) {
        lines.push(line(1, &instance["assembly"], instance));
        for service in list(&instance["services"]) {
            lines.push(line(2, &service["service"], service));
            let waits = list(&answer["unresolved"]).iter().filter(|wait| {
                (&wait["instance_id"], &wait["service"])
                    == (&instance["instance_id"], &service["service"])
            });
            lines.extend(waits.map(|wait| wait_line(answer, wait)));
        }
    }
    lines
}

/// Returns a line of the tree: name, status, and the state if there is one.
fn line(depth: usize, name: &Value, node: &Value) -> String {
    let state = node["state"].as_str().map_or(String::new(), |state| format!(" ({state})"));
    format!(
        "{:indent$}{}: {}{state}",
        "",
        to_cell(name),
        to_cell(&node["status"]),
        indent = depth * 2
    )
}

/// Returns the line of a parameter without a value, with the instance that is to provide it.
fn wait_line(answer: &Value, wait: &Value) -> String {
    let from = &wait["waits_for"];
    let is_source = |instance: &&Value| instance["instance_id"] == from["instance_id"];
    let source = list(&answer["instances"]).iter().find(is_source);
    let source = source.map_or(&from["instance_id"], |instance| &instance["assembly"]);
    let awaited = match from["service"].as_str() {
        Some(service) => format!("service {service}"),
        None => format!("parameter {}", to_cell(&from["parameter"])),
    };
    let (name, source, state) =
        (to_cell(&wait["parameter"]), to_cell(source), to_cell(&from["state"]));
    format!("      {name} waits for {awaited} of {source} ({state})")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tree_shows_the_parameters_without_a_value() {
        let service = |name: &str, status: &str| json!({"service": name, "status": status});
        let answer = json!({
            "name": "shop-1", "status": "incomplete", "state": "configuring",
            "instances": [
                {"instance_id": "1", "assembly": "mysql", "status": "success", "state": "complete",
                 "services": [service("mysql", "success")]},
                {"instance_id": "2", "assembly": "wordpress", "status": "incomplete",
                 "state": "contacted", "services": [service("wordpress", "incomplete")]},
            ],
            "unresolved": [
                {"instance_id": "2", "service": "wordpress", "parameter": "mysql_ip",
                 "waits_for": {"instance_id": "1", "parameter": "ipaddress", "service": null,
                               "state": "contacted"}},
                {"instance_id": "2", "service": "wordpress", "parameter": "cache",
                 "waits_for": {"instance_id": "9", "parameter": null, "service": "memcached",
                               "state": "not_registered"}},
            ],
        });
        assert_eq!(
            to_tree(&answer),
            [
                "shop-1: incomplete (configuring)",
                "  mysql: success (complete)",
                "    mysql: success",
                "  wordpress: incomplete (contacted)",
                "    wordpress: incomplete",
                "      mysql_ip waits for parameter ipaddress of mysql (contacted)",
                "      cache waits for service memcached of 9 (not_registered)",
            ]
        );
        assert_eq!(to_tree(&Value::Null), ["-: -"], "the deployment does not exist yet");
    }
}
