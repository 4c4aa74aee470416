//! Names of projects and users: what a notification's request context calls the caller and its project, and
//! which texts are names at all.

use super::fields::{Value, is_written_null, raw_object};
use super::json;

/// An id, and a name that a message reports for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdName {
    /// The id of a project or a user.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// The names in the request context of a notification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContextNames {
    /// The project on whose behalf the request was made; not always the one that owns the resource.
    pub project: Option<IdName>,
    /// The user who made it.
    pub user: Option<IdName>,
}

raw_object! {
    /// The keys of oslo's context in a notification. Nova 34 (`nova/context.py`, `to_dict`) has both names,
    /// Cinder 29 (`cinder/context.py`) the project's.
    Context {
        user_id: Value = "_context_user_id",
        user: Value = "_context_user",
        user_name: Value = "_context_user_name",
        project_id: Value = "_context_project_id",
        tenant: Value = "_context_tenant",
        project_name: Value = "_context_project_name",
    }
}

impl IdName {
    /// Pairs an id with the name reported for it. `None` if one of them is missing, or the name is no name:
    /// a null that became a text, or the id once more.
    pub fn new(id: Option<&str>, name: Option<&str>) -> Option<Self> {
        let (id, name) = (id?, name?.trim());
        let is_name = !name.is_empty() && !is_written_null(name) && name != id;
        is_name.then(|| IdName { id: id.to_owned(), name: name.to_owned() })
    }
}

/// Returns the names in the request context of an event's body. A body that has none, or cannot be read, gives
/// none.
pub fn context_names(body: &[u8]) -> ContextNames {
    // Messages with samples have an empty context: a look for a key is much cheaper than reading the object.
    if std::str::from_utf8(body).is_ok_and(|text| !text.contains("\"_context_")) {
        return ContextNames::default();
    }
    let names = json::read(body, |text| {
        let context: Context = serde_json::from_str(text)?;
        let named = |ids: [Value<'_>; 2], name: Value<'_>| {
            let id = ids.into_iter().find_map(Value::owner_id);
            IdName::new(id.as_deref(), name.text().as_deref())
        };
        Ok::<_, serde_json::Error>(ContextNames {
            project: named([context.project_id, context.tenant], context.project_name),
            user: named([context.user_id, context.user], context.user_name),
        })
    });
    names.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_names_its_project_and_user() {
        let body =
            br#"{"event_type": "compute.instance.create.end", "payload": {"tenant_id": "other"},
            "_context_project_id": "p", "_context_project_name": "Blue Whale Ltd",
            "_context_user": "u", "_context_user_id": null, "_context_user_name": "None"}"#;
        let project = IdName { id: "p".into(), name: "Blue Whale Ltd".into() };
        let names = context_names(body);
        assert_eq!(names, ContextNames { project: Some(project), user: None });
        for body in ["", "[]", r#"{"payload": {"_context_project_name": "x"}}"#, "{\"a_name\": 1}"]
        {
            assert_eq!(context_names(body.as_bytes()), ContextNames::default(), "{body}");
        }
    }

    #[test]
    fn a_name_is_more_than_the_id_or_a_null() {
        let name = |name| IdName::new(Some("p"), Some(name)).map(|named| named.name);
        assert_eq!(name(" Blue Whale "), Some("Blue Whale".to_owned()));
        for text in ["", " ", "None", "null", "p"] {
            assert_eq!(name(text), None, "{text}");
        }
        assert_eq!(IdName::new(None, Some("Blue Whale")), None);
    }
}
