//! The properties of an AMQP message that decide how its body is read.

use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use crate::broker::SUBSTITUTE;
use crate::event::{Attributes, Compression};

/// A message as it is decoded.
pub(super) struct Message {
    /// The body; that of a CloudEvent in binary mode is the event in structured JSON.
    pub body: Vec<u8>,
    /// The name of its compression, which oslo.messaging puts into the header `compression`.
    pub compression: Option<String>,
    /// For the origin of a dead letter: the attributes of a CloudEvent that could not be put into the body.
    pub attributes: String,
}

/// Reads a message. A CloudEvent in binary mode has its attributes in the headers: `ce-…` by the binding for RabbitMQ,
/// `cloudEvents_…` or `cloudEvents:…` by the one for AMQP, whose properties RabbitMQ makes headers of.
pub(super) fn read(properties: &BasicProperties, body: Vec<u8>) -> Message {
    let compression = find_compression(properties);
    let mut message = Message { body, compression, attributes: String::new() };
    let Some(headers) = properties.headers() else { return message };
    let mut attributes = Attributes::default();
    for (header, value) in headers.inner() {
        if let Some(name) = Attributes::name(header.as_str())
            && let Some(value) = attribute(&name, value)
        {
            attributes.put(name, value);
        }
    }
    let content_type = properties.content_type().as_ref().map(ShortString::as_str);
    if !attributes.is_event(content_type) {
        return message;
    }
    let compression = message.compression.as_deref().map(Compression::from_header);
    let structured = match compression {
        // The decoder names the compression that it does not know.
        Some(None) => None,
        known => attributes.to_structured(content_type, &message.body, known.flatten()).ok(),
    };
    match structured {
        Some(structured) => {
            message.body = structured;
            message.compression = None;
        }
        None => message.attributes = format!(", CloudEvent {attributes}"),
    }
    message
}

/// Returns the name of the body's compression.
pub(super) fn find_compression(properties: &BasicProperties) -> Option<String> {
    let mut headers = properties.headers().as_ref()?.inner().iter();
    let (_, value) = headers.find(|(name, _)| name.as_str() == "compression")?;
    text(value).filter(|name| !name.is_empty())
}

/// Returns why a message cannot be read because of its properties: one of their short strings is not UTF-8, so that it is
/// unknown what it is or belongs to. The transport marks these ([`SUBSTITUTE`]).
pub(super) fn find_unreadable(properties: &BasicProperties) -> Option<String> {
    let texts = [
        ("content_type", properties.content_type()),
        ("content_encoding", properties.content_encoding()),
        ("correlation_id", properties.correlation_id()),
        ("reply_to", properties.reply_to()),
        ("expiration", properties.expiration()),
        ("message_id", properties.message_id()),
        ("type", properties.kind()),
        ("user_id", properties.user_id()),
        ("app_id", properties.app_id()),
        ("cluster_id", properties.cluster_id()),
    ];
    let is_unreadable = |text: &ShortString| text.as_str().contains(SUBSTITUTE);
    let property = texts.into_iter().find(|(_, text)| text.as_ref().is_some_and(is_unreadable));
    match property {
        Some((name, _)) => Some(format!("the property {name} is not UTF-8")),
        None => {
            let has = properties.headers().as_ref().is_some_and(has_unreadable_name);
            has.then(|| "the name of a header is not UTF-8".to_owned())
        }
    }
}

fn has_unreadable_name(table: &FieldTable) -> bool {
    table.inner().iter().any(|(name, value)| {
        name.as_str().contains(SUBSTITUTE) || has_unreadable_name_within(value)
    })
}

fn has_unreadable_name_within(value: &AMQPValue) -> bool {
    match value {
        AMQPValue::FieldTable(table) => has_unreadable_name(table),
        AMQPValue::FieldArray(values) => values.as_slice().iter().any(has_unreadable_name_within),
        _ => false,
    }
}

/// Returns the value as a text, if it is one.
fn text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

/// Returns the value of an attribute as its text. A time may be an integer: milliseconds since 1970, as in AMQP 1.0,
/// from which RabbitMQ makes a timestamp of seconds.
fn attribute(name: &str, value: &AMQPValue) -> Option<String> {
    let integer = match value {
        AMQPValue::Boolean(value) => return Some(value.to_string()),
        AMQPValue::Timestamp(seconds) => {
            return Some(Timestamp::from_second(i64::try_from(*seconds).ok()?).ok()?.to_string());
        }
        AMQPValue::ShortShortInt(value) => i64::from(*value),
        AMQPValue::ShortShortUInt(value) => i64::from(*value),
        AMQPValue::ShortInt(value) => i64::from(*value),
        AMQPValue::ShortUInt(value) => i64::from(*value),
        AMQPValue::LongInt(value) => i64::from(*value),
        AMQPValue::LongUInt(value) => i64::from(*value),
        AMQPValue::LongLongInt(value) => *value,
        other => return text(other),
    };
    match name {
        "time" => Some(Timestamp::from_millisecond(integer).ok()?.to_string()),
        _ => Some(integer.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event;

    /// As pika sends what `to_binary_event` of the Python SDK 2.2.0 returns: a text of RabbitMQ's binding, and the
    /// integers of AMQP's.
    fn message(prefix: &str, time: AMQPValue, content_type: Option<&str>) -> Message {
        let mut headers = FieldTable::default();
        for (name, value) in [
            ("type", "recipe.started"),
            ("source", "//installer/vm-1 \"č\""),
            ("id", "e-sdk-1"),
            ("specversion", "1.0"),
        ] {
            let value = AMQPValue::LongString(value.into());
            headers.insert(format!("{prefix}{name}").into(), value);
        }
        headers.insert(format!("{prefix}time").into(), time);
        headers.insert(format!("{prefix}sequence").into(), AMQPValue::LongInt(7));
        let mut properties = BasicProperties::default().with_headers(headers);
        if let Some(content_type) = content_type {
            properties = properties.with_content_type(content_type.into());
        }
        read(&properties, br#"{"instance_id": "i", "recipe": "r"}"#.to_vec())
    }

    #[test]
    fn an_event_in_binary_mode_is_the_same_by_every_binding() {
        let text = AMQPValue::LongString("2026-11-20T03:05:54.580Z".into());
        let expected = message("ce-", text.clone(), Some("application/json")).body;
        let event = event::decode(expected.clone(), None).unwrap();
        assert_eq!(event.stream.as_deref(), Some("i"));
        assert_eq!(event.source, "//installer/vm-1 \"č\"");
        assert_eq!(event.occurred_at.unwrap().to_string(), "2026-11-20T03:05:54.58Z");
        let millis = AMQPValue::LongLongInt(1_795_143_954_580);
        let again = message("cloudEvents_", millis.clone(), Some("application/json")).body;
        let again = event::decode(again, None).unwrap();
        assert_eq!((again.id, again.occurred_at), (event.id, event.occurred_at));
        let seconds = message("cloudEvents:", AMQPValue::Timestamp(1_795_143_954), None).body;
        let seconds = event::decode(seconds, None).unwrap();
        assert_eq!(seconds.occurred_at.unwrap().to_string(), "2026-11-20T03:05:54Z");
        assert_eq!(seconds.id, event.id);
        // In structured mode the body is the event.
        let structured = message("ce-", text, Some("application/cloudevents+json"));
        assert_eq!(structured.body, br#"{"instance_id": "i", "recipe": "r"}"#);
    }

    #[test]
    fn a_compressed_body_that_is_damaged_keeps_its_bytes_and_attributes() {
        for name in ["application/x-gzip", "application/unknown"] {
            let mut headers = FieldTable::default();
            for (header, value) in
                [("ce-specversion", "1.0"), ("ce-id", "1"), ("compression", name)]
            {
                headers.insert(header.into(), AMQPValue::LongString(value.into()));
            }
            let message = read(&BasicProperties::default().with_headers(headers), b"{}".to_vec());
            assert_eq!((&*message.body, message.compression.as_deref()), (&b"{}"[..], Some(name)));
            assert_eq!(message.attributes, r#", CloudEvent {"id":"1","specversion":"1.0"}"#);
        }
    }
}
