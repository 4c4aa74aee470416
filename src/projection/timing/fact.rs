//! Facts: what the projection needs of an event, without its body.

use crate::event::nova::{self, Fault, Notification};
use crate::event::recipe::{self, RecipeEvent};
use crate::event::{Family, Recorded, TEXT_MAX};
use crate::projection::{Decode, Decoded};

use super::instance_facts::ByInstance;
use super::rows::Stamp;

/// The longest error text that is shown, in characters.
const ERROR_MAX: usize = 1000;

/// One event, as this projection sees it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fact {
    pub by: Stamp,
    pub kind: String,
    pub source: String,
    pub said: Said,
}

/// What was said.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    /// By Nova.
    Nova(Box<Notification>),
    /// By recipes, bootstraps, and TTM's routes.
    Recipe(RecipeEvent),
}

/// Takes facts from the events of a stretch of the log.
#[derive(Default)]
pub(super) struct Decoder {
    heard: ByInstance,
    skipped: u64,
}

impl Decode for Decoder {
    fn read(&mut self, recorded: Recorded) {
        match read(recorded) {
            Ok(Some(mut fact)) => {
                self.skipped += u64::from(fact.said.drop_what_is_too_long());
                self.heard.add(fact);
            }
            Ok(None) => {}
            Err(Unusable) => self.skipped += 1,
        }
    }

    fn finish(self: Box<Self>) -> Decoded {
        Decoded { facts: Box::new(self.heard.finish()), skipped: self.skipped }
    }
}

/// Why a notification reports a failure, as one text.
pub(super) fn error(fault: &Fault) -> Option<String> {
    let text = match (&fault.class, &fault.message) {
        (Some(class), Some(message)) if message.starts_with(class.as_str()) => message.clone(),
        (Some(class), Some(message)) => format!("{class}: {message}"),
        (class, message) => class.clone().or_else(|| message.clone())?,
    };
    match text.char_indices().nth(ERROR_MAX) {
        // The last character makes room for the mark that there was more.
        Some(_) => Some(text.chars().take(ERROR_MAX - 1).chain(['…']).collect()),
        None => Some(text),
    }
}

impl Fact {
    /// The instance it is about.
    pub fn instance_id(&self) -> &str {
        self.said.instance_id()
    }
}

impl Said {
    fn instance_id(&self) -> &str {
        match self {
            Said::Nova(said) => &said.instance_id,
            Said::Recipe(
                RecipeEvent::BuildStarted { instance_id, .. }
                | RecipeEvent::BootstrapStarted { instance_id }
                | RecipeEvent::RecipeStarted { instance_id, .. }
                | RecipeEvent::RecipeEnded { instance_id, .. }
                | RecipeEvent::BuildEnded { instance_id, .. }
                | RecipeEvent::TtmTimeNow { instance_id }
                | RecipeEvent::TtmRecipe { instance_id, .. }
                | RecipeEvent::TtmMetrics { instance_id, .. },
            ) => instance_id,
        }
    }

    /// The recipe it names.
    fn recipe(&self) -> Option<&str> {
        match self {
            Said::Recipe(
                RecipeEvent::RecipeStarted { recipe, .. }
                | RecipeEvent::RecipeEnded { recipe, .. }
                | RecipeEvent::TtmRecipe { recipe: Some(recipe), .. },
            ) => Some(recipe),
            Said::Nova(_)
            | Said::Recipe(
                RecipeEvent::BuildStarted { .. }
                | RecipeEvent::BootstrapStarted { .. }
                | RecipeEvent::BuildEnded { .. }
                | RecipeEvent::TtmTimeNow { .. }
                | RecipeEvent::TtmRecipe { recipe: None, .. }
                | RecipeEvent::TtmMetrics { .. },
            ) => None,
        }
    }

    /// Forgets values that no index could hold; whether there were any. They are nobody's names, and
    /// one of them must not stop the projection.
    pub fn drop_what_is_too_long(&mut self) -> bool {
        let indexed: &mut [&mut Option<String>] = match self {
            Said::Nova(said) => &mut [
                &mut said.request_id,
                &mut said.publisher_host,
                &mut said.project_id,
                &mut said.host,
                &mut said.flavor,
                &mut said.image,
            ],
            Said::Recipe(_) => &mut [],
        };
        let mut dropped = false;
        for value in indexed {
            if value.as_ref().is_some_and(|value| value.len() > TEXT_MAX) {
                **value = None;
                dropped = true;
            }
        }
        dropped
    }
}

/// The event should have been a fact and cannot be.
struct Unusable;

/// The fact an event is; `None` for events that do not concern timing.
fn read(Recorded { event, .. }: Recorded) -> Result<Option<Fact>, Unusable> {
    let said = match event.family {
        Family::Recipe => {
            recipe::decode(&event.kind, &event.body).map(|said| said.map(Said::Recipe))
        }
        _ => nova::decode(&event.kind, &event.body)
            .map(|said| said.map(|said| Said::Nova(Box::new(said)))),
    };
    let Some(said) = said.map_err(|_| Unusable)? else { return Ok(None) };
    // Without a time it has no place among the others, and the clock is not ours to ask.
    let at = event.occurred_at.ok_or(Unusable)?;
    if said.instance_id().len() > TEXT_MAX || said.recipe().is_some_and(|r| r.len() > TEXT_MAX) {
        return Err(Unusable);
    }
    Ok(Some(Fact { by: (at, event.id), kind: event.kind, source: event.source, said }))
}
