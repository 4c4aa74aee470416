//! What is known of an instance: registers, each of which keeps the first or the last thing said, so
//! that the order in which things are heard does not matter.

use jiff::Timestamp;
use uuid::Uuid;

use super::fact::{self, Fact, Said};
use super::rows::{Instance, Stamp};
use crate::event::nova::{Notification, Phase, Subject};
use crate::event::recipe::RecipeEvent;

/// Places of the attributes in `stamp_at` and `stamp_id`.
const NAME: usize = 0;
const PROJECT_ID: usize = 1;
const HOST: usize = 2;
const FLAVOR: usize = 3;
const IMAGE: usize = 4;
const STATE: usize = 5;
const LAUNCHED_AT: usize = 6;
const DELETED_AT: usize = 7;
const ATTRIBUTES: usize = 8;

/// Of Nova's formats, in each of which a failure to find a host may be told.
const FORMATS: usize = 2;

impl Instance {
    /// An instance that was just heard of.
    pub fn new(fact: &Fact) -> Self {
        Instance {
            instance_id: fact.instance_id().to_owned(),
            name: None,
            project_id: None,
            host: None,
            flavor: None,
            image: None,
            state: None,
            launched_at: None,
            deleted_at: None,
            stamp_at: vec![None; ATTRIBUTES],
            stamp_id: vec![None; ATTRIBUTES],
            first_at: fact.by.0,
            last_at: fact.by.0,
            last_id: fact.by.1,
            last_kind: fact.kind.clone(),
            reported_at: None,
            error_said_at: None,
            deletion_ended_at: None,
            deletion_said_at: None,
            announced_at: None,
            bootstrap_at: None,
            ended_at: None,
            ended_id: None,
            ended_outcome: None,
            no_host_at: vec![None; FORMATS],
            no_host_id: vec![None; FORMATS],
            no_host_error: vec![None; FORMATS],
            ttm_first_at: None,
            ttm_first_id: None,
            ttm_last_at: None,
            ttm_last_id: None,
            ttm_end_at: None,
            ttm_end_id: None,
            ttm_start_time: None,
            ttm_end_time: None,
            build_status: None,
            build_started_at: None,
            bootstrap_started_at: None,
            build_ended_at: None,
            build_duration_us: None,
            spawn_us: None,
            attempts: 0,
            build_error: None,
            skewed: false,
        }
    }

    /// Takes note of what a fact says.
    pub fn note(&mut self, fact: &Fact) {
        let by = fact.by;
        self.first_at = self.first_at.min(by.0);
        if by > (self.last_at, self.last_id) {
            (self.last_at, self.last_id) = by;
            self.last_kind.clone_from(&fact.kind);
        }
        match &fact.said {
            Said::Nova(said) => self.note_notification(by, said),
            Said::Recipe(said) => {
                self.reported_at = earliest(self.reported_at, by.0);
                self.note_recipe(by, said);
            }
        }
    }

    /// When its state was last said to be what it is.
    pub fn state_at(&self) -> Option<Timestamp> {
        self.stamp_at[STATE]
    }

    fn note_notification(&mut self, by: Stamp, said: &Notification) {
        if self.is_news(NAME, said.name.is_some(), by) {
            self.name.clone_from(&said.name);
        }
        if self.is_news(PROJECT_ID, said.project_id.is_some(), by) {
            self.project_id.clone_from(&said.project_id);
        }
        if self.is_news(HOST, said.host.is_some(), by) {
            self.host.clone_from(&said.host);
        }
        if self.is_news(FLAVOR, said.flavor.is_some(), by) {
            self.flavor.clone_from(&said.flavor);
        }
        if self.is_news(IMAGE, said.image.is_some(), by) {
            self.image.clone_from(&said.image);
        }
        if self.is_news(STATE, said.state.is_some(), by) {
            self.state.clone_from(&said.state);
        }
        if self.is_news(LAUNCHED_AT, said.launched_at.is_some(), by) {
            self.launched_at = said.launched_at;
        }
        if self.is_news(DELETED_AT, said.tells_deletion, by) {
            self.deleted_at = said.deleted_at;
        }
        // One that was launched once has been built; its error is that of another operation.
        if said.state.as_deref() == Some("error") && said.launched_at.is_none() {
            self.error_said_at = earliest(self.error_said_at, by.0);
        }
        let is_deleted = said.state.as_deref() == Some("deleted");
        if is_deleted {
            self.deletion_said_at = earliest(self.deletion_said_at, by.0);
        }
        // The API tells of the end of a deletion that failed too, and then of no time of it.
        if ends_deletion(&said.subject) && (is_deleted || said.deleted_at.is_some()) {
            self.deletion_ended_at = earliest(self.deletion_ended_at, by.0);
        }
        let format = said.format as usize;
        if said.subject == Subject::BuildFailed
            && later(&mut self.no_host_at[format], &mut self.no_host_id[format], by)
        {
            self.no_host_error[format] = said.fault.as_ref().and_then(fact::error);
        }
    }

    fn note_recipe(&mut self, by: Stamp, said: &RecipeEvent) {
        match said {
            RecipeEvent::BuildStarted { instance_name, .. } => {
                self.note_name(by, instance_name);
                self.announced_at = earliest(self.announced_at, by.0);
            }
            RecipeEvent::BootstrapStarted { .. } => {
                self.bootstrap_at = earliest(self.bootstrap_at, by.0);
            }
            RecipeEvent::BuildEnded { instance_name, outcome, .. } => {
                self.note_name(by, instance_name);
                if later(&mut self.ended_at, &mut self.ended_id, by) {
                    self.ended_outcome = *outcome;
                }
            }
            RecipeEvent::TtmTimeNow { .. } => {
                let first = self.ttm_first_at.zip(self.ttm_first_id);
                if first.is_none_or(|first| by < first) {
                    (self.ttm_first_at, self.ttm_first_id) = (Some(by.0), Some(by.1));
                }
                later(&mut self.ttm_last_at, &mut self.ttm_last_id, by);
            }
            RecipeEvent::TtmMetrics { instance_name, start_time, end_time, .. } => {
                self.note_name(by, instance_name);
                if later(&mut self.ttm_end_at, &mut self.ttm_end_id, by) {
                    self.ttm_start_time.clone_from(start_time);
                    self.ttm_end_time.clone_from(end_time);
                }
            }
            RecipeEvent::RecipeStarted { .. }
            | RecipeEvent::RecipeEnded { .. }
            | RecipeEvent::TtmRecipe { .. } => {}
        }
    }

    fn note_name(&mut self, by: Stamp, name: &Option<String>) {
        if self.is_news(NAME, name.is_some(), by) {
            self.name.clone_from(name);
        }
    }

    /// Whether an attribute was said, and later than what is known of it. If so, it now is known.
    fn is_news(&mut self, attribute: usize, said: bool, by: Stamp) -> bool {
        said && later(&mut self.stamp_at[attribute], &mut self.stamp_id[attribute], by)
    }
}

fn ends_deletion(subject: &Subject) -> bool {
    matches!(subject, Subject::Operation { operation, phase: Phase::End }
        if matches!(operation.as_str(), "delete" | "force_delete"))
}

/// Moves a stamp forward; whether it moved.
fn later(at: &mut Option<Timestamp>, id: &mut Option<Uuid>, by: Stamp) -> bool {
    let moves = at.zip(*id).is_none_or(|known| by > known);
    if moves {
        (*at, *id) = (Some(by.0), Some(by.1));
    }
    moves
}

fn earliest(known: Option<Timestamp>, at: Timestamp) -> Option<Timestamp> {
    Some(known.map_or(at, |known| known.min(at)))
}
