//! Deployments: the status of each service, instance and deployment, and the number of unresolved parameters.

use serde_json::Value;

use crate::simulate::truth::DeploymentTruth;

/// Compares an answer of `/v1/deployments/{uuid}` with the truth. Returns a line for each difference.
pub fn compare_deployment(truth: &DeploymentTruth, answer: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut expect = |field: &str, expected: &Value, answered: &Value| {
        if expected != answered {
            found.push(format!("{} {field}: {answered}, expected {expected}", truth.deployment_id));
        }
    };
    expect("name", &truth.name.as_str().into(), &answer["name"]);
    expect("status", &truth.status.as_str().into(), &answer["status"]);
    let unresolved = answer["unresolved"].as_array().map(Vec::len);
    expect("unresolved", &truth.unresolved_parameters.into(), &unresolved.into());
    let instances = list(&answer["instances"]);
    expect("instances", &truth.instances.len().into(), &instances.len().into());
    for member in &truth.instances {
        let instance = find(instances, "instance_id", &member.instance_id);
        let name = |field: &str| format!("instance {} {field}", member.instance_id);
        expect(&name("assembly"), &member.assembly.as_str().into(), &instance["assembly"]);
        expect(&name("status"), &member.status.as_str().into(), &instance["status"]);
        let services = list(&instance["services"]);
        expect(&name("services"), &member.services.len().into(), &services.len().into());
        for service in &member.services {
            let status = &find(services, "service", &service.name)["status"];
            expect(&name(&service.name), &service.status.as_str().into(), status);
        }
    }
    found
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Returns the item whose field has this value; `null` if there is none.
fn find<'a>(items: &'a [Value], field: &str, value: &str) -> &'a Value {
    items.iter().find(|item| item[field] == value).unwrap_or(&Value::Null)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::simulate::truth::{MemberTruth, ServiceTruth};

    #[test]
    fn each_difference_is_named() {
        let truth = DeploymentTruth {
            deployment_id: "d".to_owned(),
            name: "blog".to_owned(),
            status: "incomplete".to_owned(),
            instances: vec![MemberTruth {
                instance_id: "i".to_owned(),
                assembly: "mysql".to_owned(),
                status: "incomplete".to_owned(),
                services: vec![ServiceTruth {
                    name: "mysql".to_owned(),
                    status: "incomplete".to_owned(),
                }],
            }],
            unresolved_parameters: 1,
        };
        let mut answer = json!({
            "deployment_id": "d", "name": "blog", "status": "incomplete", "state": "configuring",
            "instances": [{"instance_id": "i", "assembly": "mysql", "status": "incomplete",
                "services": [{"service": "mysql", "status": "incomplete"}]}],
            "unresolved": [{"parameter": "p"}],
        });
        assert_eq!(compare_deployment(&truth, &answer), [""; 0]);
        answer["instances"][0]["services"][0]["status"] = json!("success");
        answer["unresolved"] = json!([]);
        assert_eq!(
            compare_deployment(&truth, &answer),
            [
                "d unresolved: 0, expected 1",
                r#"d instance i mysql: "success", expected "incomplete""#
            ]
        );
        assert_eq!(compare_deployment(&truth, &Value::Null).len(), 8);
    }
}
