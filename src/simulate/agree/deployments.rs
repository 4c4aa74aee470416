//! Deployments: how each service, instance and deployment stands, and how much is waited for.

use serde_json::Value;

use crate::simulate::truth::DeploymentTruth;

/// Where `/v1/deployments/{uuid}`'s answer differs from the truth, one line each.
pub fn deployment_differences(truth: &DeploymentTruth, answer: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut expect = |what: &str, expected: &Value, answered: &Value| {
        if expected != answered {
            found.push(format!("{} {what}: {answered}, expected {expected}", truth.deployment_id));
        }
    };
    expect("name", &truth.name.as_str().into(), &answer["name"]);
    expect("status", &truth.status.as_str().into(), &answer["status"]);
    let unresolved = answer["unresolved"].as_array().map(Vec::len);
    expect("unresolved", &truth.unresolved_parameters.into(), &unresolved.into());
    let instances = list(&answer["instances"]);
    expect("instances", &truth.instances.len().into(), &instances.len().into());
    for told in &truth.instances {
        let instance = find(instances, "instance_id", &told.instance_id);
        let what = |field: &str| format!("instance {} {field}", told.instance_id);
        expect(&what("assembly"), &told.assembly.as_str().into(), &instance["assembly"]);
        expect(&what("status"), &told.status.as_str().into(), &instance["status"]);
        let services = list(&instance["services"]);
        expect(&what("services"), &told.services.len().into(), &services.len().into());
        for service in &told.services {
            let status = &find(services, "service", &service.name)["status"];
            expect(&what(&service.name), &service.status.as_str().into(), status);
        }
    }
    found
}

fn list(of: &Value) -> &[Value] {
    of.as_array().map_or(&[], Vec::as_slice)
}

/// The item whose field has this value; `null` where there is none.
fn find<'a>(items: &'a [Value], field: &str, value: &str) -> &'a Value {
    items.iter().find(|item| item[field] == value).unwrap_or(&Value::Null)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::simulate::truth::{MemberTruth, ServiceTruth};

    #[test]
    fn what_stands_otherwise_is_named() {
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
        assert_eq!(deployment_differences(&truth, &answer), [""; 0]);
        answer["instances"][0]["services"][0]["status"] = json!("success");
        answer["unresolved"] = json!([]);
        assert_eq!(
            deployment_differences(&truth, &answer),
            [
                "d unresolved: 0, expected 1",
                r#"d instance i mysql: "success", expected "incomplete""#
            ]
        );
        assert_eq!(deployment_differences(&truth, &Value::Null).len(), 8);
    }
}
