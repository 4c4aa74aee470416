//! Deployments, and what they wait for.

use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::{get, shown};
use crate::cli::client::Client;
use crate::cli::output::{printable, say};
use crate::simulate::deployment_differences;
use crate::simulate::truth::Truth;

/// What is answered about this cloud's deployments.
pub(super) struct Deployments {
    answers: Vec<Value>,
}

impl Deployments {
    pub async fn ask(client: &Client, truth: &Truth) -> Result<Deployments> {
        let asked = stream::iter(&truth.deployments).map(|deployment| async {
            get(client, &format!("/v1/deployments/{}", deployment.deployment_id), &[]).await
        });
        Ok(Deployments { answers: asked.buffered(8).try_collect().await? })
    }

    /// Where they differ from what was published.
    pub fn differences(&self, truth: &Truth) -> Vec<String> {
        let told = truth.deployments.iter().zip(&self.answers);
        told.flat_map(|(told, answer)| deployment_differences(told, answer)).collect()
    }

    /// One of them: the first that waits for something, if any does.
    pub fn show(&self) {
        let waits =
            |answer: &&Value| answer["unresolved"].as_array().is_some_and(|it| !it.is_empty());
        if let Some(answer) = self.answers.iter().find(waits).or(self.answers.first()) {
            say!("\nA deployment (/v1/deployments/ID; as XML: /reports/deployment/ID)");
            tree(answer).iter().for_each(|line| say!("  {}", printable(line)));
            say!("  … and {} more", self.answers.len() - 1);
        }
    }
}

/// A deployment with its instances and services, and below each service what it waits for.
fn tree(answer: &Value) -> Vec<String> {
    let mut lines = vec![line(0, &answer["name"], answer)];
    for instance in list(&answer["instances"]) {
        lines.push(line(1, &instance["assembly"], instance));
        for service in list(&instance["services"]) {
            lines.push(line(2, &service["service"], service));
            let waits = list(&answer["unresolved"]).iter().filter(|waits| {
                (&waits["instance_id"], &waits["service"])
                    == (&instance["instance_id"], &service["service"])
            });
            lines.extend(waits.map(|waits| waiting(answer, waits)));
        }
    }
    lines
}

/// Name, status, and how far it is where that is said.
fn line(depth: usize, name: &Value, of: &Value) -> String {
    let state = of["state"].as_str().map_or(String::new(), |state| format!(" ({state})"));
    format!("{:indent$}{}: {}{state}", "", shown(name), shown(&of["status"]), indent = depth * 2)
}

/// Which parameter has no value, and who is to give it.
fn waiting(answer: &Value, waits: &Value) -> String {
    let from = &waits["waits_for"];
    let is_source = |one: &&Value| one["instance_id"] == from["instance_id"];
    let source = list(&answer["instances"]).iter().find(is_source);
    let source = source.map_or(&from["instance_id"], |instance| &instance["assembly"]);
    let what = match from["service"].as_str() {
        Some(service) => format!("service {service}"),
        None => format!("parameter {}", shown(&from["parameter"])),
    };
    let (name, source, state) = (shown(&waits["parameter"]), shown(source), shown(&from["state"]));
    format!("      {name} waits for {what} of {source} ({state})")
}

fn list(of: &Value) -> &[Value] {
    of.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tree_shows_what_is_waited_for() {
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
            tree(&answer),
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
        assert_eq!(tree(&Value::Null), ["-: -"], "it is not there yet");
    }
}
