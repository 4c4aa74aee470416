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
                self.reported_at = earliest(self.reported_at, Some(by.0));
                self.note_recipe(by, said);
            }
        }
    }

    /// When its state was last said to be what it is.
    pub fn state_at(&self) -> Option<Timestamp> {
        self.stamp_at[STATE]
    }

    fn note_notification(&mut self, by: Stamp, said: &Notification) {
        if self.is_news(NAME, said.name.is_some().then_some(by)) {
            self.name.clone_from(&said.name);
        }
        if self.is_news(PROJECT_ID, said.project_id.is_some().then_some(by)) {
            self.project_id.clone_from(&said.project_id);
        }
        if self.is_news(HOST, said.host.is_some().then_some(by)) {
            self.host.clone_from(&said.host);
        }
        if self.is_news(FLAVOR, said.flavor.is_some().then_some(by)) {
            self.flavor.clone_from(&said.flavor);
        }
        if self.is_news(IMAGE, said.image.is_some().then_some(by)) {
            self.image.clone_from(&said.image);
        }
        if self.is_news(STATE, said.state.is_some().then_some(by)) {
            self.state.clone_from(&said.state);
        }
        if self.is_news(LAUNCHED_AT, said.launched_at.is_some().then_some(by)) {
            self.launched_at = said.launched_at;
        }
        if self.is_news(DELETED_AT, said.tells_deletion.then_some(by)) {
            self.deleted_at = said.deleted_at;
        }
        // One that was launched once has been built; its error is that of another operation.
        if said.state.as_deref() == Some("error") && said.launched_at.is_none() {
            self.error_said_at = earliest(self.error_said_at, Some(by.0));
        }
        let is_deleted = said.state.as_deref() == Some("deleted");
        if is_deleted {
            self.deletion_said_at = earliest(self.deletion_said_at, Some(by.0));
        }
        // The API tells of the end of a deletion that failed too, and then of no time of it.
        if ends_deletion(&said.subject) && (is_deleted || said.deleted_at.is_some()) {
            self.deletion_ended_at = earliest(self.deletion_ended_at, Some(by.0));
        }
        let format = said.format as usize;
        if said.subject == Subject::BuildFailed
            && later(&mut self.no_host_at[format], &mut self.no_host_id[format], Some(by))
        {
            self.no_host_error[format] = said.fault.as_ref().and_then(fact::error);
        }
    }

    fn note_recipe(&mut self, by: Stamp, said: &RecipeEvent) {
        match said {
            RecipeEvent::BuildStarted { instance_name, .. } => {
                self.note_name(by, instance_name);
                self.announced_at = earliest(self.announced_at, Some(by.0));
            }
            RecipeEvent::BootstrapStarted { .. } => {
                self.bootstrap_at = earliest(self.bootstrap_at, Some(by.0));
            }
            RecipeEvent::BuildEnded { instance_name, outcome, .. } => {
                self.note_name(by, instance_name);
                if later(&mut self.ended_at, &mut self.ended_id, Some(by)) {
                    self.ended_outcome = *outcome;
                }
            }
            RecipeEvent::TtmTimeNow { .. } => {
                sooner(&mut self.ttm_first_at, &mut self.ttm_first_id, Some(by));
                later(&mut self.ttm_last_at, &mut self.ttm_last_id, Some(by));
            }
            RecipeEvent::TtmMetrics { instance_name, start_time, end_time, .. } => {
                self.note_name(by, instance_name);
                if later(&mut self.ttm_end_at, &mut self.ttm_end_id, Some(by)) {
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
        if self.is_news(NAME, name.is_some().then_some(by)) {
            self.name.clone_from(name);
        }
    }

    /// Takes in what other facts said of the same instance; its build has to be set anew.
    pub fn merge(&mut self, other: Instance) {
        // Each column by its name, so that none is forgotten here.
        let Instance {
            instance_id: _,
            name,
            project_id,
            host,
            flavor,
            image,
            state,
            launched_at,
            deleted_at,
            stamp_at,
            stamp_id,
            first_at,
            last_at,
            last_id,
            last_kind,
            reported_at,
            error_said_at,
            deletion_ended_at,
            deletion_said_at,
            announced_at,
            bootstrap_at,
            ended_at,
            ended_id,
            ended_outcome,
            no_host_at,
            no_host_id,
            no_host_error,
            ttm_first_at,
            ttm_first_id,
            ttm_last_at,
            ttm_last_id,
            ttm_end_at,
            ttm_end_id,
            ttm_start_time,
            ttm_end_time,
            build_status: _,
            build_started_at: _,
            bootstrap_started_at: _,
            build_ended_at: _,
            build_duration_us: _,
            spawn_us: _,
            attempts: _,
            build_error: _,
            skewed: _,
        } = other;
        let said = |attribute: usize| stamp_at[attribute].zip(stamp_id[attribute]);
        if self.is_news(NAME, said(NAME)) {
            self.name = name;
        }
        if self.is_news(PROJECT_ID, said(PROJECT_ID)) {
            self.project_id = project_id;
        }
        if self.is_news(HOST, said(HOST)) {
            self.host = host;
        }
        if self.is_news(FLAVOR, said(FLAVOR)) {
            self.flavor = flavor;
        }
        if self.is_news(IMAGE, said(IMAGE)) {
            self.image = image;
        }
        if self.is_news(STATE, said(STATE)) {
            self.state = state;
        }
        if self.is_news(LAUNCHED_AT, said(LAUNCHED_AT)) {
            self.launched_at = launched_at;
        }
        if self.is_news(DELETED_AT, said(DELETED_AT)) {
            self.deleted_at = deleted_at;
        }
        self.first_at = self.first_at.min(first_at);
        if (last_at, last_id) > (self.last_at, self.last_id) {
            (self.last_at, self.last_id, self.last_kind) = (last_at, last_id, last_kind);
        }
        self.reported_at = earliest(self.reported_at, reported_at);
        self.error_said_at = earliest(self.error_said_at, error_said_at);
        self.deletion_ended_at = earliest(self.deletion_ended_at, deletion_ended_at);
        self.deletion_said_at = earliest(self.deletion_said_at, deletion_said_at);
        self.announced_at = earliest(self.announced_at, announced_at);
        self.bootstrap_at = earliest(self.bootstrap_at, bootstrap_at);
        if later(&mut self.ended_at, &mut self.ended_id, ended_at.zip(ended_id)) {
            self.ended_outcome = ended_outcome;
        }
        for (format, error) in no_host_error.into_iter().enumerate() {
            let by = no_host_at[format].zip(no_host_id[format]);
            if later(&mut self.no_host_at[format], &mut self.no_host_id[format], by) {
                self.no_host_error[format] = error;
            }
        }
        let first = ttm_first_at.zip(ttm_first_id);
        sooner(&mut self.ttm_first_at, &mut self.ttm_first_id, first);
        later(&mut self.ttm_last_at, &mut self.ttm_last_id, ttm_last_at.zip(ttm_last_id));
        if later(&mut self.ttm_end_at, &mut self.ttm_end_id, ttm_end_at.zip(ttm_end_id)) {
            (self.ttm_start_time, self.ttm_end_time) = (ttm_start_time, ttm_end_time);
        }
    }

    /// Whether an attribute was said, and later than what is known of it. If so, it now is known.
    fn is_news(&mut self, attribute: usize, said: Option<Stamp>) -> bool {
        later(&mut self.stamp_at[attribute], &mut self.stamp_id[attribute], said)
    }
}

fn ends_deletion(subject: &Subject) -> bool {
    matches!(subject, Subject::Operation { operation, phase: Phase::End }
        if matches!(operation.as_str(), "delete" | "force_delete"))
}

/// Moves a stamp forward, if there is one to move it to; whether it moved.
fn later(at: &mut Option<Timestamp>, id: &mut Option<Uuid>, to: Option<Stamp>) -> bool {
    move_to(at, id, to, |to, known| to > known)
}

/// Moves a stamp backward, if there is one to move it to; whether it moved.
fn sooner(at: &mut Option<Timestamp>, id: &mut Option<Uuid>, to: Option<Stamp>) -> bool {
    move_to(at, id, to, |to, known| to < known)
}

fn move_to(
    at: &mut Option<Timestamp>,
    id: &mut Option<Uuid>,
    to: Option<Stamp>,
    is_better: impl Fn(Stamp, Stamp) -> bool,
) -> bool {
    let Some(to) = to else { return false };
    let moves = at.zip(*id).is_none_or(|known| is_better(to, known));
    if moves {
        (*at, *id) = (Some(to.0), Some(to.1));
    }
    moves
}

fn earliest(known: Option<Timestamp>, at: Option<Timestamp>) -> Option<Timestamp> {
    [known, at].into_iter().flatten().min()
}
