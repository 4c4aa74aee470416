//! Volume types: what a sample reports of a volume's type, and the names of their ids.
//!
//! Cinder's notifications have the id of a type as `volume_type`, its API, which Ceilometer polls, the name. Since
//! 2025 both kinds of samples have the id as `volume_type_id` as well.

use std::borrow::Cow;
use std::collections::BTreeMap;

use uuid::Uuid;

use super::metadata::Metadata;

/// A volume's type as one sample reports it: its id, its name, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeType<'m> {
    /// The id.
    pub id: Option<Cow<'m, str>>,
    /// The name.
    pub name: Option<Cow<'m, str>>,
}

impl<'m> VolumeType<'m> {
    /// Reads the type from a sample's metadata. `None` if they contain neither an id nor a name. A `volume_type`
    /// that is a UUID, or equal to `volume_type_id`, is an id: no name is reported then.
    pub fn read(metadata: &'m Metadata) -> Option<Self> {
        let get = |key| metadata.get(key).filter(|text| !matches!(&**text, "None" | "null"));
        let text = get("volume_type");
        let id = get("volume_type_id").or_else(|| text.clone().filter(|text| is_uuid(text)));
        let name = text.filter(|text| !is_uuid(text) && Some(text) != id.as_ref());
        (id.is_some() || name.is_some()).then_some(VolumeType { id, name })
    }
}

/// Whether the text is a UUID, with hyphens or without.
fn is_uuid(text: &str) -> bool {
    matches!(text.len(), 32 | 36) && Uuid::try_parse(text).is_ok()
}

/// The names of volume types by their ids, as any sample of any resource reported them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeTypeNames(BTreeMap<String, String>);

impl VolumeTypeNames {
    /// Returns the name of an id.
    pub fn get(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(String::as_str)
    }

    /// Adds the names of ids that have none yet.
    pub fn or(mut self, others: VolumeTypeNames) -> Self {
        for (id, name) in others.0 {
            self.0.entry(id).or_insert(name);
        }
        self
    }
}

impl FromIterator<(String, String)> for VolumeTypeNames {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(names: I) -> Self {
        VolumeTypeNames(names.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "7d0f61a2-0b1c-4c77-9f39-5c6e4e1f0a01";

    #[test]
    fn an_id_is_told_from_a_name() {
        for (text, id, name) in [
            (
                format!(r#"{{"volume_type": "ssd", "volume_type_id": "{ID}"}}"#),
                Some(ID),
                Some("ssd"),
            ),
            (format!(r#"{{"volume_type": "{ID}", "volume_type_id": "{ID}"}}"#), Some(ID), None),
            (r#"{"volume_type": "7", "volume_type_id": "7"}"#.to_owned(), Some("7"), None),
            (format!(r#"{{"volume_type": "{ID}"}}"#), Some(ID), None),
            (r#"{"volume_type": "ssd"}"#.to_owned(), None, Some("ssd")),
            (format!(r#"{{"volume_type_id": "{ID}"}}"#), Some(ID), None),
        ] {
            let metadata = Metadata::read(&text);
            let read = VolumeType::read(&metadata).unwrap();
            assert_eq!((read.id.as_deref(), read.name.as_deref()), (id, name), "{text}");
        }
        for text in ["{}", r#"{"volume_type": null}"#, r#"{"volume_type": "None"}"#] {
            assert_eq!(VolumeType::read(&Metadata::read(text)), None, "{text}");
        }
    }
}
