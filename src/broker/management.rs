//! The management API of a broker. It reports what AMQP does not: which policies apply to a queue.

use std::fmt;
use std::time::Duration;

use lapin::uri::AMQPUri;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::version::{BrokerVersion, RABBITMQ};
use crate::secret::ConnectionString;

/// How long the API may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the API may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The beginning of the names of our queues.
const OUR_QUEUES: &str = "stackledger.";

/// Port of the management API where none is configured.
const PORT: u16 = 15672;

/// A broker's management API.
#[derive(Clone, Debug)]
pub struct Management {
    url: ConnectionString,
    http: reqwest::Client,
}

/// After how many deliveries a broker drops a message of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryLimit {
    /// It drops none.
    Off,
    /// It drops a message that it has delivered more often than this again.
    Limited {
        /// The greatest number of redeliveries; a negative one is as 0.
        limit: i64,
        /// Where the limit comes from, and how to take it off.
        origin: LimitOrigin,
    },
    /// The API does not report it yet: it learns of a new queue within about ten seconds.
    Unknown,
}

/// Where a limit comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitOrigin {
    /// The policies of these names; the flag is whether the broker accepts -1 in a policy.
    Policy(String, bool),
    /// The queue's own argument, which is fixed when the queue is declared.
    Argument,
    /// RabbitMQ 4's default.
    Default,
}

impl fmt::Display for LimitOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LimitOrigin::Policy(names, true) => {
                write!(f, "of the policy {names}: set delivery-limit to -1 there")
            }
            LimitOrigin::Policy(names, false) => {
                write!(f, "of the policy {names}: remove delivery-limit from it")
            }
            LimitOrigin::Argument => f.write_str(
                "of the queue's argument x-delivery-limit: delete the queue when it is empty, and it is \
                 declared without one",
            ),
            LimitOrigin::Default => {
                f.write_str("by the broker's default: set a policy with delivery-limit -1")
            }
        }
    }
}

/// The error that the management API does not answer, or refuses.
#[derive(Debug, thiserror::Error)]
pub enum ManagementError {
    /// It cannot be reached, or sends something else.
    #[error("the management API at {url} does not answer ({reason})")]
    Away {
        /// Its URL, without the password.
        url: String,
        /// The cause.
        reason: String,
    },
    /// It refuses the user.
    #[error(
        "the management API at {url} refuses the user ({status}): give it the tag `management`, or `policymaker` to set a policy"
    )]
    Refused {
        /// Its URL, without the password.
        url: String,
        /// The answer's status.
        status: StatusCode,
    },
}

/// The part of the broker's description that concerns its version.
#[derive(Debug, Deserialize)]
struct Overview {
    product_name: Option<String>,
    rabbitmq_version: Option<String>,
}

/// What is in a queue, and who takes it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct QueueSummary {
    /// The queue's name.
    pub name: String,
    /// The number of its messages; 0 until the queue has reported its statistics.
    #[serde(default)]
    pub messages: u64,
    /// The number of its consumers; 0 until the queue has reported its statistics.
    #[serde(default)]
    pub consumers: u64,
}

impl QueueSummary {
    /// Whether the queue has the name of one of ours, and nobody consumes it.
    pub fn is_left(&self) -> bool {
        self.name.starts_with(OUR_QUEUES) && self.consumers == 0
    }
}

/// What becomes of messages that an exchange routes to no queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnroutedFate {
    /// They go to another exchange.
    Kept,
    /// They are dropped, and this policy, which says nothing of them, keeps ours from counting.
    Dropped {
        /// The policy's name.
        policy: String,
    },
}

/// The part of an exchange's description that concerns its alternate exchange.
#[derive(Debug, Deserialize)]
struct ExchangeDescription {
    #[serde(default)]
    arguments: Value,
    policy: Option<String>,
}

/// A policy, as far as it concerns exchanges.
#[derive(Debug, Deserialize)]
struct Policy {
    definition: Value,
}

/// The key of arguments and policies that names the exchange to which unrouted messages go.
const ALTERNATE_EXCHANGE: &str = "alternate-exchange";

/// A binding of a queue.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Binding {
    /// The exchange.
    #[serde(rename = "source")]
    pub exchange: String,
    /// The routing key, with the wildcards of a topic exchange.
    #[serde(default)]
    pub routing_key: String,
}

/// The part of a queue's description that concerns its limit.
#[derive(Debug, Deserialize)]
struct Description {
    #[serde(rename = "type")]
    queue_type: Option<String>,
    #[serde(default)]
    arguments: Value,
    policy: Option<String>,
    operator_policy: Option<String>,
    /// Absent until the queue has reported its statistics. If no policy applies, an empty object or array.
    effective_policy_definition: Option<Value>,
    /// The effective limit, or `unlimited`; absent before RabbitMQ 4.
    delivery_limit: Option<Value>,
}

impl Management {
    /// Creates a client of the API at this URL, or of the one on the broker's host, with the broker's user.
    ///
    /// # Errors
    ///
    /// When the broker's URL is malformed.
    pub fn new(
        given: Option<&ConnectionString>,
        broker: &ConnectionString,
    ) -> Result<Self, String> {
        let url = match given {
            Some(url) => url.clone(),
            None => {
                let AMQPUri { authority, .. } = broker.expose().parse()?;
                let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
                let (user, password) =
                    (encoded(&authority.userinfo.username), encoded(&authority.userinfo.password));
                ConnectionString::new(format!("http://{user}:{password}@{}:{PORT}", authority.host))
            }
        };
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Management { url, http })
    }

    /// Reads the limit of a queue.
    ///
    /// # Errors
    ///
    /// When the API is away or refuses.
    pub async fn read_delivery_limit(
        &self,
        vhost: &str,
        queue: &str,
    ) -> Result<DeliveryLimit, ManagementError> {
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let path = format!("queues/{}/{}", encoded(vhost), encoded(queue));
        let description: Option<Description> = self.get(&path).await?;
        Ok(description.map_or(DeliveryLimit::Unknown, |description| description.delivery_limit()))
    }

    /// Reads the queues of a vhost.
    ///
    /// # Errors
    ///
    /// When the API is away or refuses.
    pub async fn list_queues(&self, vhost: &str) -> Result<Vec<QueueSummary>, ManagementError> {
        let vhost = utf8_percent_encode(vhost, NON_ALPHANUMERIC);
        let path = format!("queues/{vhost}?columns=name,messages,consumers");
        Ok(self.get(&path).await?.unwrap_or_default())
    }

    /// Reads the bindings of a queue, without the one to the default exchange, which every queue has.
    ///
    /// # Errors
    ///
    /// When the API is away or refuses.
    pub async fn list_bindings(
        &self,
        vhost: &str,
        queue: &str,
    ) -> Result<Vec<Binding>, ManagementError> {
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let path = format!("queues/{}/{}/bindings", encoded(vhost), encoded(queue));
        let mut bindings: Vec<Binding> = self.get(&path).await?.unwrap_or_default();
        bindings.retain(|binding| !binding.exchange.is_empty());
        Ok(bindings)
    }

    /// Makes messages that an exchange routes to no queue go to the exchange `alternate`, by a policy, unless they go to
    /// another one already. The policy has a lower priority than the default: where another one applies, it does not.
    /// It is no argument of the exchange, because then publishers that declare the exchange without it would fail.
    ///
    /// # Errors
    ///
    /// When the API is away, or refuses: the user needs the tag `policymaker`.
    pub async fn keep_unrouted(
        &self,
        vhost: &str,
        exchange: &str,
        alternate: &str,
    ) -> Result<UnroutedFate, ManagementError> {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let path = format!("exchanges/{}/{}", encoded(vhost), encoded(exchange));
        let found: Option<ExchangeDescription> = self.get(&path).await?;
        let found =
            found.ok_or_else(|| self.no_answer(format!("it has no exchange {exchange}")))?;
        if found.arguments.get(ALTERNATE_EXCHANGE).is_some() {
            return Ok(UnroutedFate::Kept);
        }
        let policy = |name: &str| format!("policies/{}/{}", encoded(vhost), encoded(name));
        match found.policy {
            Some(name) => {
                let found: Option<Policy> = self.get(&policy(&name)).await?;
                let keeps = found.is_some_and(|it| it.definition.get(ALTERNATE_EXCHANGE).is_some());
                Ok(if keeps { UnroutedFate::Kept } else { UnroutedFate::Dropped { policy: name } })
            }
            None => {
                let body = unrouted_policy(exchange, alternate);
                self.put(&policy(&format!("{exchange}-unrouted")), &body).await?;
                Ok(UnroutedFate::Kept)
            }
        }
    }

    /// Reads the broker's version.
    ///
    /// # Errors
    ///
    /// When the API is away or refuses, or the broker is another product than RabbitMQ.
    pub async fn read_version(&self) -> Result<BrokerVersion, ManagementError> {
        match self.get("overview").await? {
            Some(Overview { product_name: Some(product), rabbitmq_version: Some(version) })
                if product == RABBITMQ =>
            {
                Ok(BrokerVersion::of_rabbitmq(version))
            }
            _ => Err(self.no_answer("it does not report a version".to_owned())),
        }
    }

    /// Reads one object of the API; `None` if there is none.
    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, ManagementError> {
        let answer = self.http.get(self.url_of(path)).send().await;
        let answer = answer.map_err(|error| self.away(error))?;
        match answer.status() {
            StatusCode::OK => answer.json().await.map(Some).map_err(|error| self.away(error)),
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(self.refused(status)),
        }
    }

    /// Writes one object of the API.
    async fn put(&self, path: &str, object: &Value) -> Result<(), ManagementError> {
        let request = self.http.put(self.url_of(path)).body(object.to_string());
        let answer = request.header(CONTENT_TYPE, "application/json").send().await;
        match answer.map_err(|error| self.away(error))?.status() {
            status if status.is_success() => Ok(()),
            status => Err(self.refused(status)),
        }
    }

    fn url_of(&self, path: &str) -> String {
        format!("{}/api/{path}", self.url.expose().trim_end_matches('/'))
    }

    fn refused(&self, status: StatusCode) -> ManagementError {
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                ManagementError::Refused { url: self.url.to_string(), status }
            }
            status => self.no_answer(status.to_string()),
        }
    }

    fn away(&self, error: reqwest::Error) -> ManagementError {
        // The innermost cause is the one that an administrator can act on.
        let mut reason: &dyn std::error::Error = &error;
        while let Some(cause) = reason.source() {
            reason = cause;
        }
        self.no_answer(reason.to_string())
    }

    fn no_answer(&self, reason: String) -> ManagementError {
        ManagementError::Away { url: self.url.to_string(), reason }
    }
}

/// The policy that keeps the messages of an exchange that are routed to no queue.
fn unrouted_policy(exchange: &str, alternate: &str) -> Value {
    let mut pattern = String::from("^");
    for character in exchange.chars() {
        // The pattern is a regular expression, and the exchange's name is not.
        if !character.is_alphanumeric() {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('$');
    json!({
        "pattern": pattern, "definition": {ALTERNATE_EXCHANGE: alternate}, "priority": -1,
        "apply-to": "exchanges",
    })
}

impl Description {
    fn delivery_limit(&self) -> DeliveryLimit {
        let empty = Map::new();
        let argument = self.arguments.get("x-delivery-limit").and_then(Value::as_i64);
        if self.queue_type.as_deref() != Some("quorum") {
            return DeliveryLimit::Off;
        }
        let Some(definition) = &self.effective_policy_definition else {
            return DeliveryLimit::Unknown;
        };
        let definition = definition.as_object().unwrap_or(&empty);
        let policy = definition.get("delivery-limit").and_then(Value::as_i64);
        let (limit, accepts_off) = match &self.delivery_limit {
            // RabbitMQ 4 reports the effective limit, with its default and all exceptions.
            Some(reported) => (reported.as_i64().filter(|limit| *limit >= 0), true),
            // RabbitMQ 3 has no default, takes the lower one of two, and drops at the first redelivery if it is
            // negative.
            None => (policy.into_iter().chain(argument).min(), false),
        };
        let Some(limit) = limit else { return DeliveryLimit::Off };
        let origin = if policy == Some(limit) {
            let names = [&self.policy, &self.operator_policy].into_iter().flatten();
            let names: Vec<&str> = names.map(String::as_str).collect();
            LimitOrigin::Policy(names.join(" or "), accepts_off)
        } else if argument == Some(limit) {
            LimitOrigin::Argument
        } else {
            LimitOrigin::Default
        };
        DeliveryLimit::Limited { limit, origin }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(description: Value) -> String {
        match serde_json::from_value::<Description>(description).unwrap().delivery_limit() {
            DeliveryLimit::Off => "off".to_owned(),
            DeliveryLimit::Unknown => "unknown".to_owned(),
            DeliveryLimit::Limited { limit, origin } => format!("{limit} {origin}"),
        }
    }

    /// Descriptions as RabbitMQ 3.10.8, 4.0.5 and 4.3.6 send them.
    #[test]
    fn the_limit_is_that_of_policy_argument_and_default() {
        let low = |arguments: Value| {
            json!({"type": "quorum", "arguments": arguments, "policy": "low", "operator_policy": null,
                   "effective_policy_definition": {"delivery-limit": 3}})
        };
        let plain = |arguments: Value| {
            json!({"type": "quorum", "arguments": arguments, "policy": null, "operator_policy": null,
                   "effective_policy_definition": {}})
        };
        let four = |mut description: Value, limit: Value| {
            description["delivery_limit"] = limit;
            description
        };
        let five = json!({"x-queue-type": "quorum", "x-delivery-limit": 5});
        let off = json!({"x-queue-type": "quorum", "x-delivery-limit": -1});
        for (description, expected) in [
            (json!({"type": "classic", "arguments": {}}), "off"),
            (json!({"type": "quorum", "arguments": {}}), "unknown"),
            // RabbitMQ 3.
            (plain(json!({})), "off"),
            (json!({"type": "quorum", "arguments": {}, "effective_policy_definition": []}), "off"),
            (low(json!({})), "3 of the policy low: remove"),
            (low(five.clone()), "3 of the policy low: remove"),
            (plain(five.clone()), "5 of the queue's argument"),
            (plain(off.clone()), "-1 of the queue's argument"),
            (low(off.clone()), "-1 of the queue's argument"),
            // RabbitMQ 4.
            (four(plain(json!({})), json!(20)), "20 by the broker's default"),
            (four(plain(off.clone()), json!("unlimited")), "off"),
            (four(plain(five.clone()), json!(5)), "5 of the queue's argument"),
            (four(low(off), json!(3)), "3 of the policy low: set delivery-limit to -1"),
        ] {
            let found = limit(description);
            assert!(found.starts_with(expected), "{found} is not {expected}");
        }
    }

    #[test]
    fn the_api_is_on_the_broker_s_host_with_its_user_unless_another_is_given() {
        let broker = ConnectionString::new("amqp://us%40er:p%2Fw@h:5673/v");
        let derived = Management::new(None, &broker).unwrap();
        assert_eq!(derived.url.expose(), "http://us%40er:p%2Fw@h:15672");
        let given = ConnectionString::new("http://u:p@h:1");
        assert_eq!(Management::new(Some(&given), &broker).unwrap().url, given);
    }
}
