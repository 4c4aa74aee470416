//! The little a header needs from a payload: whom it is about, and whose that is.

use std::borrow::Cow;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::fields::{OfAny, Value, object, of_any, raw_object, text};

/// What stands under a notification's `payload`, read in the same pass as the notification.
#[derive(Default)]
pub(super) struct Content<'a> {
    /// The object; one without keys if it is anything else.
    pub object: Payload<'a>,
    /// The first element, if it is a list.
    first: Option<&'a RawValue>,
}

impl<'a> Content<'a> {
    /// Takes a value of the key.
    pub fn put(&mut self, value: Content<'a>) {
        *self = value;
    }
}

impl<'de> Deserialize<'de> for Content<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        of_any(from)
    }
}

impl<'de> OfAny<'de> for Content<'de> {
    fn of_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        let object = Payload::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Content { object, first: None })
    }

    fn of_list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let first = list.next_element()?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Content { first, ..Content::default() })
    }
}

raw_object! {
    /// The top level of a notification's payload or of a CloudEvent's `data`.
    Payload {
        instance_id: Value = "instance_id",
        instance_uuid: Value = "instance_uuid",
        data: Value = "nova_object.data",
        instance: Value = "instance",
        exception: Value = "exception",
        args: Value = "args",
        request_spec: Value = "request_spec",
        instance_properties: Value = "instance_properties",
        instance_uuids: Value = "instance_uuids",
        tenant_id: Value = "tenant_id",
        project_id: Value = "project_id",
        samples: Value = "samples",
        counter_name: Value = "counter_name",
        host: Value = "host",
        deployment_id: Value = "deployment_id",
        stack_identity: Value = "stack_identity",
        volume_id: Value = "volume_id",
        id: Value = "id",
    }
}

raw_object! {
    /// Whatever names an instance inside a payload: a versioned object, an instance, a request.
    Inner {
        data: Value = "nova_object.data",
        uuid: Value = "uuid",
        instance_uuid: Value = "instance_uuid",
        instance_id: Value = "instance_id",
        instance_uuids: Value = "instance_uuids",
        instance_properties: Value = "instance_properties",
        instance: Value = "instance",
        kwargs: Value = "kwargs",
        tenant_id: Value = "tenant_id",
        project_id: Value = "project_id",
        request_spec: Value = "request_spec",
    }
}

raw_object! {
    /// What is wanted of a Ceilometer sample.
    Sample {
        counter_name: Value = "counter_name",
        project_id: Value = "project_id",
    }
}

/// A text borrowed from the payload where that is possible.
type Text<'a> = Option<Cow<'a, str>>;

impl<'a> Payload<'a> {
    /// The instance that a notification of Nova is about, from wherever its kind names it.
    ///
    /// # Errors
    ///
    /// When an object on the way to it cannot be read strictly.
    pub fn instance(&self) -> Result<Text<'a>, serde_json::Error> {
        if let Some(id) = self.instance_id.id().or_else(|| self.instance_uuid.id()) {
            return Ok(Some(id));
        }
        let exception: Inner = self.exception.object()?;
        let args: Inner = self.args.object()?;
        for value in [self.data, self.instance, exception.kwargs, args.instance] {
            if let Some(id) = Inner::instance_in(value)? {
                return Ok(Some(id));
            }
        }
        if let Some(id) = args.instance_uuid.id().or_else(|| args.instance_id.id()) {
            return Ok(Some(id));
        }
        for value in [self.instance_properties, self.request_spec] {
            if let Some(id) = Inner::instance_in(value)? {
                return Ok(Some(id));
            }
        }
        Ok(first(self.instance_uuids).and_then(text))
    }

    /// The project the payload names, in either format.
    ///
    /// # Errors
    ///
    /// When the versioned object cannot be read strictly.
    pub fn project(&self) -> Result<Text<'a>, serde_json::Error> {
        if let Some(id) = self.tenant_id.id().or_else(|| self.project_id.id()) {
            return Ok(Some(id));
        }
        let data: Inner = self.data.object()?;
        Ok(data.tenant_id.id().or_else(|| data.project_id.id()))
    }

    /// The project of the instance that the payload describes further down, where it does.
    ///
    /// # Errors
    ///
    /// When an object on the way to it cannot be read strictly.
    pub fn instances_project(&self) -> Result<Text<'a>, serde_json::Error> {
        let args: Inner = self.args.object()?;
        let data: Inner = self.data.object()?;
        for value in [
            args.instance,
            self.instance_properties,
            self.request_spec,
            args.request_spec,
            data.instance,
            data.request_spec,
        ] {
            let inner: Inner = value.object()?;
            let within: [Inner; 2] = [inner.data.object()?, inner.instance_properties.object()?];
            if let Some(id) = [inner].iter().chain(&within).find_map(Inner::project) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// What a notification of no family of its own is about.
    pub fn thing(&self) -> Text<'a> {
        [self.stack_identity, self.volume_id, self.instance_id, self.id]
            .into_iter()
            .find_map(Value::text)
    }

    /// Whether it is what Nova's `wrap_exception` sends: the exception and the call's arguments.
    pub fn is_exception(&self) -> bool {
        self.len == 2 && self.exception.is_there() && self.args.is_there()
    }
}

impl<'a> Inner<'a> {
    /// The instance that the object in `value` is or names; versioned objects hold it one level
    /// further down.
    fn instance_in(value: Value<'a>) -> Result<Text<'a>, serde_json::Error> {
        let inner: Inner = value.object()?;
        if let Some(id) = inner.instance() {
            return Ok(Some(id));
        }
        let data: Inner = inner.data.object()?;
        let properties: Inner = inner.instance_properties.object()?;
        Ok(data.instance().or_else(|| properties.instance()))
    }

    /// The project named at this level.
    fn project(&self) -> Text<'a> {
        self.tenant_id.id().or_else(|| self.project_id.id())
    }

    /// The instance named at this level.
    fn instance(&self) -> Text<'a> {
        self.uuid
            .id()
            .or_else(|| self.instance_uuid.id())
            .or_else(|| self.instance_id.id())
            .or_else(|| first(self.instance_uuids).and_then(text))
    }
}

impl<'a> Sample<'a> {
    /// The first sample in any of Ceilometer's shapes: a list, an object with `samples`, or the
    /// sample itself.
    ///
    /// # Errors
    ///
    /// When the sample cannot be read strictly.
    pub fn first_of(content: &Content<'a>) -> Result<Option<Sample<'a>>, serde_json::Error> {
        let Payload { counter_name, project_id, samples, .. } = content.object;
        if counter_name.is_there() {
            return Ok(Some(Sample { counter_name, project_id, len: content.object.len }));
        }
        let sample = if samples.is_there() { first(samples) } else { content.first };
        sample.map(object).transpose()
    }
}

/// The first element of a list, without reading the rest of it.
fn first(list: Value<'_>) -> Option<&RawValue> {
    let elements = list.get()?.get().strip_prefix('[')?;
    serde_json::Deserializer::from_str(elements).into_iter().next()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(payload: &str) -> Option<String> {
        serde_json::from_str::<Payload>(payload).unwrap().instance().unwrap().map(Cow::into_owned)
    }

    #[test]
    fn an_instance_is_found_wherever_nova_names_it() {
        for payload in [
            r#"{"instance_id": "i", "instance_uuid": "x"}"#,
            r#"{"instance_id": "", "instance_uuid": "i"}"#,
            r#"{"nova_object.data": {"uuid": "i"}}"#,
            r#"{"nova_object.data": {"instance_uuid": "i"}}"#,
            r#"{"instance": {"uuid": "i"}}"#,
            r#"{"exception": {"kwargs": {"uuid": "i"}}}"#,
            r#"{"exception": "x", "args": {"instance": {"uuid": "i"}}}"#,
            r#"{"args": {"instance": {"nova_object.data": {"uuid": "i"}}}}"#,
            r#"{"args": {"instance_uuid": "i"}}"#,
            r#"{"instance_properties": {"uuid": "i"}}"#,
            r#"{"request_spec": {"instance_uuids": ["i", "j"]}}"#,
            r#"{"request_spec": {"instance_properties": {"uuid": "i"}}}"#,
            r#"{"request_spec": {"nova_object.data": {"instance_uuid": "i"}}}"#,
            r#"{"instance_uuids": ["i"]}"#,
        ] {
            assert_eq!(instance(payload).as_deref(), Some("i"), "{payload}");
        }
        assert_eq!(instance(r#"{"instance": 1, "instance_uuids": [1], "args": []}"#), None);
    }

    #[test]
    fn a_payload_may_be_anything() {
        raw_object! { Message { payload: Content = "payload", after: Value = "after", } }
        for payload in ["5", "-1.5e400", "null", "true", "\"counter_name\"", "[]", "[5, []]", "{}"]
        {
            let text = format!(r#"{{"payload": {payload}, "after": 1}}"#);
            let message: Message = serde_json::from_str(&text).unwrap();
            assert!(message.after.is_there(), "{payload}");
            assert!(!message.payload.object.counter_name.is_there(), "{payload}");
            assert_eq!(message.payload.first.is_some(), payload.starts_with("[5"), "{payload}");
        }
    }

    #[test]
    fn the_first_sample_is_found_in_every_shape() {
        for payload in [
            r#"{"payload": [{"counter_name": "cpu", "project_id": "p"}, 2]}"#,
            r#"{"payload": {"samples": [{"counter_name": "cpu", "project_id": "p"}]}}"#,
            r#"{"payload": {"counter_name": "cpu", "project_id": "p"}}"#,
        ] {
            raw_object! { Message { payload: Content = "payload", } }
            let message: Message = serde_json::from_str(payload).unwrap();
            let sample = Sample::first_of(&message.payload).unwrap().unwrap();
            assert_eq!(sample.project_id.text().as_deref(), Some("p"), "{payload}");
        }
    }
}
