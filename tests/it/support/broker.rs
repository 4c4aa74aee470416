//! A vhost for each test, created through the broker's management API.

use std::collections::BTreeMap;

use lapin::{Channel, Connection, ConnectionProperties};

use super::{unique, variable};

/// A vhost of one test alone. It is deleted when the test ends.
pub struct TestBroker {
    pub url: String,
    pub management: String,
    vhost: String,
}

/// Creates a vhost.
pub async fn broker() -> TestBroker {
    broker_at(&variable("AMQP_URL"), &variable("AMQP_MANAGEMENT_URL")).await
}

/// As [`broker`], on the RabbitMQ of this URL.
pub async fn broker_at(base: &str, management: &str) -> TestBroker {
    let vhost = unique("sl_test");
    let http = reqwest::Client::new();
    let created = http.put(format!("{management}/api/vhosts/{vhost}")).send().await;
    let created = created.unwrap_or_else(|error| {
        panic!("no RabbitMQ management answers ({error}): run the tests with scripts/test")
    });
    assert!(created.status().is_success(), "{created:?}");
    let everything = serde_json::json!({"configure": ".*", "write": ".*", "read": ".*"});
    let granted = http
        .put(format!("{management}/api/permissions/{vhost}/guest"))
        .json(&everything)
        .send()
        .await
        .unwrap();
    assert!(granted.status().is_success(), "{granted:?}");
    let (server, _) = base.rsplit_once('/').expect("AMQP_URL ends in /vhost");
    TestBroker { url: format!("{server}/{vhost}"), vhost, management: management.to_owned() }
}

impl TestBroker {
    pub async fn channel(&self) -> (Connection, Channel) {
        let connection =
            Connection::connect(&self.url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        (connection, channel)
    }

    /// Returns the objects of a kind in this vhost, e.g. `queues` or `exchanges`, from the management API.
    pub async fn ask(&self, kind: &str) -> serde_json::Value {
        let url = format!("{}/api/{kind}/{}", self.management, self.vhost);
        reqwest::get(url).await.unwrap().json().await.unwrap()
    }

    /// Creates an object of a kind in this vhost, e.g. of `policies`.
    pub async fn put(&self, kind: &str, name: &str, object: &serde_json::Value) {
        let url = format!("{}/api/{kind}/{}/{name}", self.management, self.vhost);
        let put = reqwest::Client::new().put(url).json(object).send().await.unwrap();
        assert!(put.status().is_success(), "{put:?}");
    }

    /// Deletes an object of a kind in this vhost.
    pub async fn delete(&self, kind: &str, name: &str) {
        let url = format!("{}/api/{kind}/{}/{name}", self.management, self.vhost);
        let deleted = reqwest::Client::new().delete(url).send().await.unwrap();
        assert!(deleted.status().is_success(), "{deleted:?}");
    }

    /// Sets the type of queues that are declared in this vhost without one.
    pub async fn set_default_queue_type(&self, queue_type: &str) {
        let url = format!("{}/api/vhosts/{}", self.management, self.vhost);
        let vhost = serde_json::json!({"default_queue_type": queue_type});
        let put = reqwest::Client::new().put(url).json(&vhost).send().await.unwrap();
        assert!(put.status().is_success(), "{put:?}");
    }

    /// Returns the number of messages in each of our queues, unacked ones included, as of some moment in the
    /// last seconds: the management API is not exact.
    pub async fn depths(&self) -> BTreeMap<String, i64> {
        let queues = self.ask("queues").await;
        let depth = |queue: &serde_json::Value| {
            (queue["name"].as_str().unwrap().to_owned(), queue["messages"].as_i64().unwrap_or(-1))
        };
        queues.as_array().unwrap().iter().map(depth).collect()
    }

    /// Returns the exact number of messages in all queues. Once the consumers are gone, it includes the
    /// messages that they did not ack.
    pub async fn left(&self) -> u32 {
        let (_connection, channel) = self.channel().await;
        let options = lapin::options::QueueDeclareOptions { passive: true, ..Default::default() };
        let mut left = 0;
        for name in self.depths().await.keys() {
            let queue = channel.queue_declare(name.as_str().into(), options, Default::default());
            left += queue.await.unwrap().message_count();
        }
        left
    }

    /// Returns the connections of this vhost, as the management API tells of them.
    pub async fn connections(&self) -> Vec<serde_json::Value> {
        let url = format!("{}/api/vhosts/{}/connections", self.management, self.vhost);
        reqwest::Client::new().get(url).send().await.unwrap().json().await.unwrap()
    }

    /// Closes all connections of this vhost from the broker's side. Returns their names.
    pub async fn close_connections(&self) -> Vec<String> {
        let mut closed = Vec::new();
        for connection in self.connections().await {
            let name = connection["name"].as_str().unwrap();
            let path = name.replace(' ', "%20").replace('>', "%3E");
            let url = format!("{}/api/connections/{path}", self.management);
            reqwest::Client::new().delete(url).send().await.unwrap();
            closed.push(name.to_owned());
        }
        closed
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        let url = format!("{}/api/vhosts/{}", self.management, self.vhost);
        let deleted = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let _ = runtime.block_on(reqwest::Client::new().delete(url).send());
        });
        let _ = deleted.join();
    }
}

/// Declares an exchange as oslo.messaging does by default: a transient topic exchange.
pub async fn declare_as_oslo(channel: &Channel, exchange: &str) {
    let options = lapin::options::ExchangeDeclareOptions::default();
    declare(channel, exchange, options).await;
}

/// Declares a topic exchange.
pub async fn declare(
    channel: &Channel,
    exchange: &str,
    options: lapin::options::ExchangeDeclareOptions,
) {
    channel
        .exchange_declare(exchange.into(), lapin::ExchangeKind::Topic, options, Default::default())
        .await
        .unwrap();
}

/// Publishes a body with oslo's properties and these headers.
pub async fn publish(
    channel: &Channel,
    exchange: &str,
    key: &str,
    body: &[u8],
    headers: &[(&str, &str)],
) {
    let mut table = lapin::types::FieldTable::default();
    for (name, value) in headers {
        table.insert((*name).into(), lapin::types::AMQPValue::LongString((*value).into()));
    }
    let properties = lapin::BasicProperties::default()
        .with_content_type("application/json".into())
        .with_content_encoding("utf-8".into())
        .with_delivery_mode(2)
        .with_headers(table);
    channel
        .basic_publish(exchange.into(), key.into(), Default::default(), body, properties)
        .await
        .unwrap()
        .await
        .unwrap();
}
