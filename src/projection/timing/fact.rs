//! Facts: the parts of an event that the projection uses, without the event's body.

use crate::event::nova::{self, Fault, Notification};
use crate::event::recipe::{self, RecipeEvent};
use crate::event::{Family, ID_MAX, PayloadFault, Recorded, TEXT_MAX};

use super::stamp::Stamp;

/// The longest error text that is stored, in characters.
const ERROR_MAX: usize = 1000;

/// An event, reduced to the values that rows are made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fact {
    pub stamp: Stamp,
    pub kind: String,
    pub source: String,
    pub content: Content,
}

/// The decoded body of an event.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    /// A notification of Nova's.
    Nova(Box<Notification>),
    /// A report of a recipe or a bootstrap, or a call of one of TTM's routes.
    Recipe(RecipeEvent),
}

/// The reason why an event that should have been a fact cannot be one.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnusableEvent {
    /// No event of this family has its kind.
    #[error("no event of the family recipe has the type {0}")]
    UnknownKind(String),
    /// A field is missing or wrong.
    #[error(transparent)]
    Payload(#[from] PayloadFault),
    /// It has no place among the others.
    #[error("it has no time from 2000 to 2099")]
    NoTime,
    /// No index holds its id or its recipe's name.
    #[error("its instance's id or its recipe's name is too long")]
    Overlong,
}

impl Fact {
    /// Reads an event. Returns `None` if it does not concern timing.
    pub fn read(Recorded { event, .. }: Recorded) -> Result<Option<Self>, UnusableEvent> {
        let content = match event.family {
            Family::Recipe => match recipe::decode(&event.kind, &event.body)? {
                Some(recipe) => Content::Recipe(recipe),
                None => return Err(UnusableEvent::UnknownKind(event.kind)),
            },
            _ => match nova::decode(&event.kind, &event.body)? {
                Some(notification) => Content::Nova(Box::new(notification)),
                None => return Ok(None),
            },
        };
        // Without a time it has no place among the others, and a projection does not read the clock.
        let at = event.occurred_at.ok_or(UnusableEvent::NoTime)?;
        let is_id = content.instance_id().len() <= ID_MAX;
        if !is_id || content.recipe().is_some_and(|name| name.len() > TEXT_MAX) {
            return Err(UnusableEvent::Overlong);
        }
        Ok(Some(Fact { stamp: (at, event.id), kind: event.kind, source: event.source, content }))
    }

    /// The id of the instance that the fact is about.
    pub fn instance_id(&self) -> &str {
        self.content.instance_id()
    }
}

impl Content {
    fn instance_id(&self) -> &str {
        match self {
            Content::Nova(notification) => &notification.instance_id,
            Content::Recipe(event) => event.instance_id(),
        }
    }

    /// The name of the recipe, if there is one.
    fn recipe(&self) -> Option<&str> {
        match self {
            Content::Nova(_) => None,
            Content::Recipe(event) => event.recipe(),
        }
    }

    /// Drops indexed values that are too long for an index. Returns whether there were any. Real names are
    /// shorter, and one such value must not stop the projection.
    pub fn drop_overlong_values(&mut self) -> bool {
        if let Content::Nova(notification) = self
            && notification.host.as_ref().is_some_and(|host| host.len() > TEXT_MAX)
        {
            notification.reports_host = false;
        }
        let indexed: &mut [&mut Option<String>] = match self {
            Content::Nova(notification) => &mut [
                &mut notification.request_id,
                &mut notification.publisher_host,
                &mut notification.project_id,
                &mut notification.host,
                &mut notification.flavor,
                &mut notification.image,
            ],
            Content::Recipe(_) => &mut [],
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

/// Returns the reason of a failure as one text of at most [`ERROR_MAX`] characters.
pub(super) fn error_text(fault: &Fault) -> Option<String> {
    let text = match (&fault.class, &fault.message) {
        (Some(class), Some(message)) if message.starts_with(class.as_str()) => message.clone(),
        (Some(class), Some(message)) => format!("{class}: {message}"),
        (class, message) => class.clone().or_else(|| message.clone())?,
    };
    match text.char_indices().nth(ERROR_MAX) {
        // The last character makes room for the mark of a text that was cut.
        Some(_) => Some(text.chars().take(ERROR_MAX - 1).chain(['…']).collect()),
        None => Some(text),
    }
}
