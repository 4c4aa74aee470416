//! Events of family `recipe`: `recipe.*`, `build.*`, `bootstrap.*`, and the neutral `ttm.*` events
//! that TTM's own routes append.

use std::borrow::Cow;

use super::fields::{Value, raw_object};
use super::{FieldFault, PayloadFault, json};

/// The outcome of a recipe or a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It succeeded.
    Success,
    /// It failed.
    Failure,
}

/// An event of family `recipe`. Texts that are `""` or `null` are `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of `data`, by the same names")]
pub enum RecipeEvent {
    BuildStarted {
        instance_id: String,
        instance_name: Option<String>,
        deployment_id: Option<String>,
    },
    BootstrapStarted {
        instance_id: String,
    },
    RecipeStarted {
        instance_id: String,
        recipe: String,
        run_id: Option<String>,
        message: Option<String>,
    },
    RecipeEnded {
        instance_id: String,
        recipe: String,
        run_id: Option<String>,
        message: Option<String>,
        outcome: Option<Outcome>,
    },
    BuildEnded {
        instance_id: String,
        instance_name: Option<String>,
        outcome: Option<Outcome>,
    },
    /// A call of `GET …/time/now`. Whether it began the build or the bootstrap is the projection's decision.
    TtmTimeNow {
        instance_id: String,
    },
    /// A call of `POST …/recipe[/NAME]`; `recipe` is `None` for the form without a name.
    TtmRecipe {
        instance_id: String,
        recipe: Option<String>,
        message: Option<String>,
    },
    /// A call of `POST …/metrics`. The times are texts as sent; `""` means not started or not ended
    /// yet.
    TtmMetrics {
        instance_id: String,
        instance_name: Option<String>,
        start_time: Option<String>,
        end_time: Option<String>,
    },
}

impl RecipeEvent {
    /// The instance it is about.
    pub fn instance_id(&self) -> &str {
        match self {
            Self::BuildStarted { instance_id, .. }
            | Self::BootstrapStarted { instance_id }
            | Self::RecipeStarted { instance_id, .. }
            | Self::RecipeEnded { instance_id, .. }
            | Self::BuildEnded { instance_id, .. }
            | Self::TtmTimeNow { instance_id }
            | Self::TtmRecipe { instance_id, .. }
            | Self::TtmMetrics { instance_id, .. } => instance_id,
        }
    }

    /// The instance it is about, for tests that change it.
    #[cfg(test)]
    pub(crate) fn instance_id_mut(&mut self) -> &mut String {
        match self {
            Self::BuildStarted { instance_id, .. }
            | Self::BootstrapStarted { instance_id }
            | Self::RecipeStarted { instance_id, .. }
            | Self::RecipeEnded { instance_id, .. }
            | Self::BuildEnded { instance_id, .. }
            | Self::TtmTimeNow { instance_id }
            | Self::TtmRecipe { instance_id, .. }
            | Self::TtmMetrics { instance_id, .. } => instance_id,
        }
    }

    /// The recipe it names.
    pub fn recipe(&self) -> Option<&str> {
        match self {
            Self::RecipeStarted { recipe, .. } | Self::RecipeEnded { recipe, .. } => Some(recipe),
            Self::TtmRecipe { recipe, .. } => recipe.as_deref(),
            Self::BuildStarted { .. }
            | Self::BootstrapStarted { .. }
            | Self::BuildEnded { .. }
            | Self::TtmTimeNow { .. }
            | Self::TtmMetrics { .. } => None,
        }
    }
}

/// Reads the `data` of an event of family `recipe`. `None` for an unknown kind.
///
/// # Errors
///
/// When a field is missing or of the wrong type.
pub fn decode(kind: &str, body: &[u8]) -> Result<Option<RecipeEvent>, PayloadFault> {
    json::read(body, |text| {
        let unreadable = PayloadFault::unreadable("data");
        let event: CloudEvent = serde_json::from_str(text).map_err(&unreadable)?;
        read(kind, &event.data.object().map_err(&unreadable)?)
    })
}

raw_object! {
    /// The members of a CloudEvent that are read.
    CloudEvent { data: Value = "data", }
}

raw_object! {
    /// The fields of every kind's `data`.
    Data {
        instance_id: Value = "instance_id",
        instance_name: Value = "instance_name",
        deployment_id: Value = "deployment_id",
        recipe: Value = "recipe",
        run_id: Value = "run_id",
        message: Value = "message",
        outcome: Value = "outcome",
        start_time: Value = "start_time",
        end_time: Value = "end_time",
    }
}

/// Reads the `data` of an event of this kind.
fn read(kind: &str, data: &Data<'_>) -> Result<Option<RecipeEvent>, PayloadFault> {
    let instance_id = || data.instance_id.required("data.instance_id");
    let instance_name = || data.instance_name.optional("data.instance_name");
    let recipe = || data.recipe.required("data.recipe");
    let run_id = || data.run_id.optional("data.run_id");
    let message = || data.message.optional("data.message");
    Ok(Some(match kind {
        "build.started" => RecipeEvent::BuildStarted {
            instance_id: instance_id()?,
            instance_name: instance_name()?,
            deployment_id: data.deployment_id.optional("data.deployment_id")?,
        },
        "bootstrap.started" => RecipeEvent::BootstrapStarted { instance_id: instance_id()? },
        "recipe.started" => RecipeEvent::RecipeStarted {
            instance_id: instance_id()?,
            recipe: recipe()?,
            run_id: run_id()?,
            message: message()?,
        },
        "recipe.ended" => RecipeEvent::RecipeEnded {
            instance_id: instance_id()?,
            recipe: recipe()?,
            run_id: run_id()?,
            message: message()?,
            outcome: read_outcome(data.outcome)?,
        },
        "build.ended" => RecipeEvent::BuildEnded {
            instance_id: instance_id()?,
            instance_name: instance_name()?,
            outcome: read_outcome(data.outcome)?,
        },
        "ttm.time_now" => RecipeEvent::TtmTimeNow { instance_id: instance_id()? },
        "ttm.recipe" => RecipeEvent::TtmRecipe {
            instance_id: instance_id()?,
            recipe: data.recipe.optional("data.recipe")?,
            message: message()?,
        },
        "ttm.metrics" => RecipeEvent::TtmMetrics {
            instance_id: instance_id()?,
            instance_name: instance_name()?,
            start_time: as_sent(data.start_time),
            end_time: as_sent(data.end_time),
        },
        _ => return Ok(None),
    }))
}

/// Reads an outcome, which may be missing.
fn read_outcome(value: Value<'_>) -> Result<Option<Outcome>, PayloadFault> {
    match value.optional("data.outcome")?.as_deref() {
        None => Ok(None),
        Some("success") => Ok(Some(Outcome::Success)),
        Some("failure") => Ok(Some(Outcome::Failure)),
        Some(_) => Err(PayloadFault::new("data.outcome", FieldFault::NotAnOutcome)),
    }
}

/// A time as it was sent, `""` included. Callers send anything here; a value that is neither a text nor
/// a number counts as missing.
fn as_sent(value: Value<'_>) -> Option<String> {
    if value.raw().is_some_and(|raw| raw.get() == "\"\"") {
        return Some(String::new());
    }
    value.id().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode_data(kind: &str, data: &str) -> Result<Option<RecipeEvent>, PayloadFault> {
        decode(kind, format!(r#"{{"type": "{kind}", "data": {data}}}"#).as_bytes())
    }

    fn end_time(value: &str) -> Option<String> {
        let data = format!(r#"{{"instance_id": "i", "end_time": {value}}}"#);
        let Ok(Some(RecipeEvent::TtmMetrics { end_time, .. })) = decode_data("ttm.metrics", &data)
        else {
            panic!("{data} is a ttm.metrics")
        };
        end_time
    }

    #[test]
    fn a_missing_or_wrong_field_is_named() {
        let error = |kind, data| decode_data(kind, data).unwrap_err().to_string();
        assert_eq!(error("build.started", "{}"), "data.instance_id is missing");
        assert_eq!(error("build.started", "[1]"), "data.instance_id is missing");
        assert_eq!(
            error("build.started", r#"{"instance_id": {}}"#),
            "data.instance_id is not a string"
        );
        assert_eq!(error("recipe.started", r#"{"instance_id": "i"}"#), "data.recipe is missing");
        assert_eq!(
            error("build.ended", r#"{"instance_id": "i", "outcome": "maybe"}"#),
            "data.outcome is neither success nor failure"
        );
        assert_eq!(decode_data("recipe.paused", "{}").unwrap(), None);
    }

    #[test]
    fn ids_may_be_numbers_and_empty_texts_are_none() {
        let event =
            decode_data("ttm.recipe", r#"{"instance_id": 7, "recipe": "", "message": null}"#);
        let expected =
            RecipeEvent::TtmRecipe { instance_id: "7".to_owned(), recipe: None, message: None };
        assert_eq!(event.unwrap(), Some(expected));
    }

    #[test]
    fn an_end_time_is_kept_if_it_is_a_text_or_a_number() {
        assert_eq!(end_time("\"\"").as_deref(), Some(""));
        assert_eq!(end_time("\"soon\"").as_deref(), Some("soon"));
        assert_eq!(end_time("12.50").as_deref(), Some("12.50"));
        for other in ["null", "true", "[]", "{\"a\": 1}"] {
            assert_eq!(end_time(other), None, "{other}");
        }
    }
}
