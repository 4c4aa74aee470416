//! CloudEvents in binary mode: the attributes are headers of the transport, and the body is only the data.
//!
//! The same event is one in either mode, so it is put together as structured JSON before it is decoded.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::{Compression, DecodeError};
use super::data;

/// The prefixes of an attribute's header, in any case: of HTTP and of RabbitMQ's binding, and the two of AMQP's.
const PREFIXES: [&str; 3] = ["ce-", "cloudevents:", "cloudevents_"];

/// Attributes that are written before all others, in the order of CloudEvents' specification.
const FIRST: [&str; 5] = ["specversion", "id", "source", "type", "time"];

/// The attributes of a CloudEvent that its transport carries beside its data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes(BTreeMap<String, String>);

impl Attributes {
    /// The attribute that a header of this name contains, if it is one's.
    pub fn name(header: &str) -> Option<String> {
        let header = header.to_ascii_lowercase();
        let name = PREFIXES.iter().find_map(|prefix| header.strip_prefix(prefix))?;
        // The members of the data have no headers.
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (is_name && name != "data").then(|| name.to_owned())
    }

    /// Adds an attribute.
    pub fn put(&mut self, name: String, value: String) {
        self.0.insert(name, value);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether they make an event of a message whose own type is `content_type`: in structured mode, the headers
    /// repeat at most what the body contains.
    pub fn is_event(&self, content_type: Option<&str>) -> bool {
        self.0.contains_key("specversion") && !is_structured(content_type)
    }

    /// Returns the event in structured JSON, with `content_type` as the type of its data. Data that is not JSON
    /// becomes base64.
    ///
    /// # Errors
    ///
    /// When the body is not compressed as the transport claims.
    pub fn to_structured(
        &self,
        content_type: Option<&str>,
        body: &[u8],
        compression: Option<Compression>,
    ) -> Result<Vec<u8>, DecodeError> {
        let body: Cow<'_, [u8]> = match compression {
            Some(compression) => compression.decompress(body)?.into(),
            None => body.into(),
        };
        let mut attributes = self.0.clone();
        if let Some(content_type) = content_type.filter(|name| !name.trim().is_empty()) {
            attributes.insert("datacontenttype".to_owned(), content_type.to_owned());
        }
        let content_type = attributes.get("datacontenttype").cloned();
        let mut event = Vec::with_capacity(body.len() + 512);
        let first = FIRST.map(|name| attributes.remove_entry(name));
        for (name, value) in first.into_iter().flatten().chain(attributes) {
            write_member(&mut event, &name);
            serde_json::to_writer(&mut event, &value).expect("a Vec takes every byte");
        }
        if let Some(data) = data::as_json(&body, content_type.as_deref()) {
            write_member(&mut event, "data");
            event.extend_from_slice(data);
        } else if !body.is_empty() {
            write_member(&mut event, "data_base64");
            event.push(b'"');
            event.extend_from_slice(STANDARD.encode(&body).as_bytes());
            event.push(b'"');
        }
        event.extend_from_slice(if event.is_empty() { b"{}" } else { b"}" });
        Ok(event)
    }
}

/// Whether a body of this content type is a whole event, or a list of them.
pub fn is_structured(content_type: Option<&str>) -> bool {
    let prefix = "application/cloudevents";
    content_type
        .and_then(|name| name.trim().get(..prefix.len()))
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

impl fmt::Display for Attributes {
    /// Writes them as a JSON object.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(&self.0).map_err(|_| fmt::Error)?)
    }
}

/// Writes the name of the next member of an object, and what is between it and the last one.
fn write_member(object: &mut Vec<u8>, name: &str) {
    object.push(if object.is_empty() { b'{' } else { b',' });
    serde_json::to_writer(&mut *object, name).expect("a Vec takes every byte");
    object.push(b':');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::decode;

    fn attributes(headers: &[(&str, &str)]) -> Attributes {
        let mut attributes = Attributes::default();
        for (header, value) in headers {
            if let Some(name) = Attributes::name(header) {
                attributes.put(name, (*value).to_owned());
            }
        }
        attributes
    }

    const HEADERS: [(&str, &str); 5] = [
        ("ce-type", "build.started"),
        ("cloudEvents_source", "//i/\"1\""),
        ("cloudEvents:id", "1"),
        ("Ce-SpecVersion", "1.0"),
        ("ce-traceparent", "00-1"),
    ];

    fn structured(content_type: Option<&str>, body: &[u8]) -> String {
        let event = attributes(&HEADERS).to_structured(content_type, body, None).unwrap();
        String::from_utf8(event).unwrap()
    }

    #[test]
    fn only_attributes_have_names() {
        for header in ["ce-", "ce-data", "ce-a_b", "host", "ce", "xce-id", "cloudevents-id"] {
            assert_eq!(Attributes::name(header), None, "{header}");
        }
        assert_eq!(Attributes::name("CE-Id").as_deref(), Some("id"));
    }

    #[test]
    fn an_event_in_binary_mode_is_the_event_in_structured_mode() {
        let start = r#"{"specversion":"1.0","id":"1","source":"//i/\"1\"","type":"build.started""#;
        assert_eq!(structured(None, b""), format!(r#"{start},"traceparent":"00-1"}}"#));
        assert_eq!(
            structured(Some("application/json"), b" {\"instance_id\": \"i\", \"n\": 1.10}\n"),
            format!(
                r#"{start},"datacontenttype":"application/json","traceparent":"00-1","data":{{"instance_id": "i", "n": 1.10}}}}"#
            )
        );
        let png = structured(Some("image/png"), b"\x89PNG");
        assert!(png.ends_with(r#","data_base64":"iVBORw=="}"#), "{png}");
        // A text that is JSON without a type, and a text that is none.
        assert!(structured(None, b"5").ends_with(r#","data":5}"#));
        assert!(structured(Some("text/plain"), b"5").ends_with(r#","data_base64":"NQ=="}"#));
        let event = decode(structured(None, b"{\"instance_id\": NaN}").into_bytes(), None).unwrap();
        assert_eq!((event.kind.as_str(), event.source.as_str()), ("build.started", "//i/\"1\""));
    }

    #[test]
    fn a_structured_event_and_a_message_without_a_version_are_not_in_binary_mode() {
        let all = attributes(&HEADERS);
        assert!(all.is_event(None) && all.is_event(Some("application/json")));
        for structured in ["application/cloudevents+json; charset=utf-8", "Application/CloudEvents"]
        {
            assert!(!all.is_event(Some(structured)));
        }
        assert!(!attributes(&HEADERS[..3]).is_event(None));
    }

    proptest! {
        #[test]
        fn any_message_becomes_an_event(
            headers: Vec<(String, String)>,
            content_type: Option<String>,
            body: Vec<u8>,
        ) {
            let mut all = attributes(&HEADERS);
            for (name, value) in headers {
                all.put(Attributes::name(&name).unwrap_or_else(|| "x".to_owned()), value);
            }
            let event = all.to_structured(content_type.as_deref(), &body, None).unwrap();
            prop_assert!(decode(event, None).is_ok());
        }
    }
}
