//! Facts for tests, about instance `i` unless changed.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::event::nova::{Fault, Format, Notification, Phase, Subject};
use crate::event::recipe::{Outcome, RecipeEvent};
use crate::projection::timing::fact::{Content, Fact};
use crate::projection::timing::instance_facts::{FactsByInstance, InstanceFacts};

/// Returns a time by its distance from the second 0 of all tests.
pub fn second(second: i64) -> Timestamp {
    "2026-11-19T10:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

/// Creates a notification about instance `i` by host `a` in request `r`.
pub fn nova(at: i64, subject: Subject) -> Fact {
    Fact::new(
        at,
        Content::Nova(Box::new(Notification {
            format: Format::Legacy,
            subject,
            instance_id: "i".to_owned(),
            request_id: Some("r".to_owned()),
            publisher_service: Some("compute".to_owned()),
            publisher_host: Some("a".to_owned()),
            name: None,
            project_id: None,
            host: None,
            reports_host: false,
            flavor: None,
            image: None,
            state: None,
            changes_state: false,
            task_state: None,
            created_at: None,
            launched_at: None,
            deleted_at: None,
            terminated_at: None,
            reports_deletion: false,
            fault: None,
        })),
    )
}

pub fn start(at: i64, operation: &str) -> Fact {
    nova(at, Subject::Operation { operation: operation.to_owned(), phase: Phase::Start })
}

pub fn end(at: i64, operation: &str) -> Fact {
    nova(at, Subject::Operation { operation: operation.to_owned(), phase: Phase::End })
}

pub fn error(at: i64, operation: &str, message: &str) -> Fact {
    nova(at, Subject::Operation { operation: operation.to_owned(), phase: Phase::Error })
        .with(|notification| notification.fault = fault(None, message))
}

pub fn no_host(at: i64) -> Fact {
    nova(at, Subject::BuildFailed).with(|notification| {
        notification.fault = fault(Some("NoValidHost"), "There are not enough hosts")
    })
}

/// A call that failed, which ends these operations.
pub fn failed_call(at: i64, operations: &'static [&'static str], message: &str) -> Fact {
    nova(at, Subject::CallFailed { operations })
        .with(|notification| notification.fault = fault(None, message))
}

/// Reports the state.
pub fn state(at: i64, state: &str) -> Fact {
    nova(at, Subject::Update).with(|notification| notification.state = Some(state.to_owned()))
}

/// Reports a state and the time of the launch.
pub fn launched(at: i64, state_word: &str, launched_at: i64) -> Fact {
    state(at, state_word).with(|notification| notification.launched_at = Some(second(launched_at)))
}

/// Reports a time of deletion, or that there is none.
pub fn deleted_at(at: i64, deleted: Option<i64>) -> Fact {
    nova(at, Subject::Exists).with(|notification| {
        notification.deleted_at = deleted.map(second);
        notification.reports_deletion = true;
    })
}

pub fn recipe_event(at: i64, event: RecipeEvent) -> Fact {
    Fact::new(at, Content::Recipe(event))
}

pub fn build_started(at: i64) -> Fact {
    let (instance_name, deployment_id) = (Some("name".to_owned()), None);
    let instance_id = "i".to_owned();
    recipe_event(at, RecipeEvent::BuildStarted { instance_id, instance_name, deployment_id })
}

pub fn bootstrap_started(at: i64) -> Fact {
    recipe_event(at, RecipeEvent::BootstrapStarted { instance_id: "i".to_owned() })
}

pub fn build_ended(at: i64, outcome: Option<Outcome>) -> Fact {
    let (instance_id, instance_name) = ("i".to_owned(), None);
    recipe_event(at, RecipeEvent::BuildEnded { instance_id, instance_name, outcome })
}

pub fn time_now(at: i64) -> Fact {
    recipe_event(at, RecipeEvent::TtmTimeNow { instance_id: "i".to_owned() })
}

pub fn ttm_metrics(at: i64, start_time: &str, end_time: &str) -> Fact {
    ttm_metrics_of(at, Some(start_time), Some(end_time))
}

/// Creates TTM's metrics with some of the times.
pub fn ttm_metrics_of(at: i64, start_time: Option<&str>, end_time: Option<&str>) -> Fact {
    let instance_id = "i".to_owned();
    let instance_name = Some("of ttm".to_owned());
    let (start_time, end_time) = (start_time.map(str::to_owned), end_time.map(str::to_owned));
    recipe_event(at, RecipeEvent::TtmMetrics { instance_id, instance_name, start_time, end_time })
}

fn fault(class: Option<&str>, message: &str) -> Option<Fault> {
    Some(Fault { class: class.map(str::to_owned), message: Some(message.to_owned()), code: None })
}

impl Fact {
    fn new(at: i64, content: Content) -> Self {
        let mut fact = Fact {
            stamp: (second(at), Uuid::nil()),
            kind: "kind".to_owned(),
            source: "source".to_owned(),
            content,
        };
        fact.identify();
        fact
    }

    /// Sets the id, the same for equal content at the same time.
    fn identify(&mut self) {
        let text = format!("{:?} {:?}", self.stamp.0, self.content);
        self.stamp.1 = Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes());
    }

    pub fn with(mut self, change: impl FnOnce(&mut Notification)) -> Self {
        if let Content::Nova(notification) = &mut self.content {
            change(notification);
        }
        self.identify();
        self
    }

    /// Changes the instance.
    pub fn about(mut self, instance: &str) -> Self {
        match &mut self.content {
            Content::Nova(notification) => instance.clone_into(&mut notification.instance_id),
            Content::Recipe(event) => instance.clone_into(event.instance_id_mut()),
        }
        self.identify();
        self
    }

    /// Changes the host that reports it.
    pub fn on(self, host: &str) -> Self {
        self.with(|notification| notification.publisher_host = Some(host.to_owned()))
    }

    /// Changes the request.
    pub fn by_request(self, request: Option<&str>) -> Self {
        self.with(|notification| notification.request_id = request.map(str::to_owned))
    }

    pub fn versioned(self) -> Self {
        self.with(|notification| notification.format = Format::Versioned)
    }
}

/// Condenses facts instance by instance, like a stretch of the log.
pub fn condense(facts: Vec<Fact>) -> Vec<InstanceFacts> {
    let mut by_instance = FactsByInstance::default();
    facts.into_iter().for_each(|fact| by_instance.add(fact));
    by_instance.finish()
}
