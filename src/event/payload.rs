//! The part of a payload that the header needs: the entity it is about, and that entity's project.

use std::borrow::Cow;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::fields::{Value, first_element, raw_object, text};
use super::nested::{FromAnyValue, deserialize_any_value};

/// The value of a notification's `payload`, read in the same pass as the notification.
#[derive(Default)]
pub(super) struct Content<'a> {
    /// The object; one without keys if the value is not an object.
    pub object: Payload<'a>,
    /// The first element, if the value is a list.
    pub first: Option<&'a RawValue>,
}

impl<'a> Content<'a> {
    /// Takes a value of the key.
    pub fn put(&mut self, value: Content<'a>) {
        *self = value;
    }
}

impl<'de> Deserialize<'de> for Content<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        deserialize_any_value(from)
    }
}

impl<'de> FromAnyValue<'de> for Content<'de> {
    fn from_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        let object = Payload::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Content { object, first: None })
    }

    fn from_list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
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
    /// An object inside a payload that may name an instance: a versioned object, an instance, a
    /// request.
    InnerObject {
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

/// A text, borrowed from the payload if it has no escapes.
type Text<'a> = Option<Cow<'a, str>>;

impl<'a> Payload<'a> {
    /// Finds the id of the instance that a notification of Nova is about, wherever its kind has it.
    ///
    /// # Errors
    ///
    /// When an object on the way to it cannot be read strictly.
    pub fn find_instance_id(&self) -> Result<Text<'a>, serde_json::Error> {
        if let Some(id) = self.instance_id.id().or_else(|| self.instance_uuid.id()) {
            return Ok(Some(id));
        }
        let exception: InnerObject = self.exception.object()?;
        let args: InnerObject = self.args.object()?;
        for value in [self.data, self.instance, exception.kwargs, args.instance] {
            if let Some(id) = InnerObject::find_instance_id(value)? {
                return Ok(Some(id));
            }
        }
        if let Some(id) = args.instance_uuid.id().or_else(|| args.instance_id.id()) {
            return Ok(Some(id));
        }
        for value in [self.instance_properties, self.request_spec] {
            if let Some(id) = InnerObject::find_instance_id(value)? {
                return Ok(Some(id));
            }
        }
        Ok(first_element(self.instance_uuids).and_then(text))
    }

    /// Finds the project that the payload names, in either format.
    ///
    /// # Errors
    ///
    /// When the versioned object cannot be read strictly.
    pub fn find_project_id(&self) -> Result<Text<'a>, serde_json::Error> {
        if let Some(id) = self.tenant_id.owner_id().or_else(|| self.project_id.owner_id()) {
            return Ok(Some(id));
        }
        let data: InnerObject = self.data.object()?;
        Ok(data.project_id())
    }

    /// Finds the project of the instance that the payload describes in an inner object, if any.
    ///
    /// # Errors
    ///
    /// When an object on the way to it cannot be read strictly.
    pub fn find_instance_project_id(&self) -> Result<Text<'a>, serde_json::Error> {
        let args: InnerObject = self.args.object()?;
        let data: InnerObject = self.data.object()?;
        for value in [
            args.instance,
            self.instance_properties,
            self.request_spec,
            args.request_spec,
            data.instance,
            data.request_spec,
        ] {
            let inner: InnerObject = value.object()?;
            let within: [InnerObject; 2] =
                [inner.data.object()?, inner.instance_properties.object()?];
            if let Some(id) = [inner].iter().chain(&within).find_map(InnerObject::project_id) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// The id of the entity that a notification of the family `other` is about: a stack, a volume or
    /// anything else with an id.
    pub fn entity_id(&self) -> Text<'a> {
        [self.stack_identity, self.volume_id, self.instance_id, self.id]
            .into_iter()
            .find_map(Value::text)
    }

    /// Whether it is the payload of Nova's `wrap_exception`: an exception and the call's arguments,
    /// and nothing else.
    pub fn is_exception(&self) -> bool {
        self.len == 2 && self.exception.is_present() && self.args.is_present()
    }
}

impl<'a> InnerObject<'a> {
    /// Finds the instance that the object in `value` is or names; versioned objects and requests have
    /// it one level deeper.
    fn find_instance_id(value: Value<'a>) -> Result<Text<'a>, serde_json::Error> {
        let inner: InnerObject = value.object()?;
        if let Some(id) = inner.instance_id() {
            return Ok(Some(id));
        }
        let data: InnerObject = inner.data.object()?;
        let properties: InnerObject = inner.instance_properties.object()?;
        Ok(data.instance_id().or_else(|| properties.instance_id()))
    }

    /// The project named at this level.
    fn project_id(&self) -> Text<'a> {
        self.tenant_id.owner_id().or_else(|| self.project_id.owner_id())
    }

    /// The instance named at this level.
    fn instance_id(&self) -> Text<'a> {
        self.uuid
            .id()
            .or_else(|| self.instance_uuid.id())
            .or_else(|| self.instance_id.id())
            .or_else(|| first_element(self.instance_uuids).and_then(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance_id(payload: &str) -> Option<String> {
        serde_json::from_str::<Payload>(payload)
            .unwrap()
            .find_instance_id()
            .unwrap()
            .map(Cow::into_owned)
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
            assert_eq!(instance_id(payload).as_deref(), Some("i"), "{payload}");
        }
        assert_eq!(instance_id(r#"{"instance": 1, "instance_uuids": [1], "args": []}"#), None);
    }

    #[test]
    fn a_payload_may_be_anything() {
        raw_object! { Message { payload: Content = "payload", after: Value = "after", } }
        for payload in ["5", "-1.5e400", "null", "true", "\"counter_name\"", "[]", "[5, []]", "{}"]
        {
            let text = format!(r#"{{"payload": {payload}, "after": 1}}"#);
            let message: Message = serde_json::from_str(&text).unwrap();
            assert!(message.after.is_present(), "{payload}");
            assert!(!message.payload.object.counter_name.is_present(), "{payload}");
            assert_eq!(message.payload.first.is_some(), payload.starts_with("[5"), "{payload}");
        }
    }
}
