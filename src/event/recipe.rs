//! Events of family `recipe`: `recipe.*`, `build.*`, `bootstrap.*`, and the neutral `ttm.*` events
//! that TTM's own routes append.

use std::borrow::Cow;

use super::fields::{Value, raw_object};
use super::{PayloadFault, Problem, json};

/// Outcome of a recipe or a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It did what it should.
    Success,
    /// It did not.
    Failure,
}

/// What an event of family `recipe` says. Texts that are `""` or `null` are `None`.
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
    /// `GET …/time/now` was called; whether it began the build or the bootstrap is the projection's to say.
    TtmTimeNow {
        instance_id: String,
    },
    /// `POST …/recipe[/NAME]` was called; `recipe` is `None` for the form without a name.
    TtmRecipe {
        instance_id: String,
        recipe: Option<String>,
        message: Option<String>,
    },
    /// `POST …/metrics` was called. The times are the texts as sent (`""` means none: not started,
    /// not ended yet).
    TtmMetrics {
        instance_id: String,
        instance_name: Option<String>,
        start_time: Option<String>,
        end_time: Option<String>,
    },
}

/// Reads the `data` of an event of family `recipe`. `None` for a kind that is not known.
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
    /// What is wanted of a CloudEvent.
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

/// Reads what an event of that kind has for `data`.
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
            outcome: outcome(data.outcome)?,
        },
        "build.ended" => RecipeEvent::BuildEnded {
            instance_id: instance_id()?,
            instance_name: instance_name()?,
            outcome: outcome(data.outcome)?,
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

/// The outcome, if it is told.
fn outcome(value: Value<'_>) -> Result<Option<Outcome>, PayloadFault> {
    match value.optional("data.outcome")?.as_deref() {
        None => Ok(None),
        Some("success") => Ok(Some(Outcome::Success)),
        Some("failure") => Ok(Some(Outcome::Failure)),
        Some(_) => Err(PayloadFault::new("data.outcome", Problem::NotAnOutcome)),
    }
}

/// A time as it was sent, `""` included; callers send anything here, and what is neither text nor
/// number is as if it was not sent.
fn as_sent(value: Value<'_>) -> Option<String> {
    if value.raw().is_some_and(|raw| raw.get() == "\"\"") {
        return Some(String::new());
    }
    value.id().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(kind: &str, data: &str) -> Result<Option<RecipeEvent>, PayloadFault> {
        decode(kind, format!(r#"{{"type": "{kind}", "data": {data}}}"#).as_bytes())
    }

    fn end_time(value: &str) -> Option<String> {
        let data = format!(r#"{{"instance_id": "i", "end_time": {value}}}"#);
        let Ok(Some(RecipeEvent::TtmMetrics { end_time, .. })) = decoded("ttm.metrics", &data)
        else {
            panic!("{data} is a ttm.metrics")
        };
        end_time
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let error = |kind, data| decoded(kind, data).unwrap_err().to_string();
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
        assert_eq!(decoded("recipe.paused", "{}").unwrap(), None);
    }

    #[test]
    fn numbers_may_stand_for_ids_and_empty_texts_for_nothing() {
        let event = decoded("ttm.recipe", r#"{"instance_id": 7, "recipe": "", "message": null}"#);
        let expected =
            RecipeEvent::TtmRecipe { instance_id: "7".to_owned(), recipe: None, message: None };
        assert_eq!(event.unwrap(), Some(expected));
    }

    #[test]
    fn an_end_time_of_any_type_is_kept_as_far_as_it_is_a_text() {
        assert_eq!(end_time("\"\"").as_deref(), Some(""));
        assert_eq!(end_time("\"soon\"").as_deref(), Some("soon"));
        assert_eq!(end_time("12.50").as_deref(), Some("12.50"));
        for other in ["null", "true", "[]", "{\"a\": 1}"] {
            assert_eq!(end_time(other), None, "{other}");
        }
    }
}
