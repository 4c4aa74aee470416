//! Instances: rows of registers. Each register keeps the earliest or the latest value by stamp, so that
//! the order in which facts arrive does not matter. The attributes are registers of `attributes`.

use jiff::Timestamp;

use super::fact::{self, Content, Fact};
use super::launch::first_launch;
use super::rows::Instance;
use super::stamp::{Stamp, advance, earliest, move_back};
use crate::event::nova::evidence::{Attribute, Rank};
use crate::event::nova::{Notification, Subject};
use crate::event::recipe::RecipeEvent;

/// Nova's formats. Each may report a failure to find a host.
const FORMATS: usize = 2;

impl Instance {
    /// Creates the row of an instance without any attributes; `fact` is yet to be recorded.
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
            state_at: None,
            evidence: Vec::new(),
            evidence_at: Vec::new(),
            evidence_id: Vec::new(),
            evidence_request: Vec::new(),
            evidence_value: Vec::new(),
            first_at: fact.stamp.0,
            last_at: fact.stamp.0,
            last_id: fact.stamp.1,
            last_kind: fact.kind.clone(),
            reported_at: None,
            building_reported_at: None,
            running_reported_at: None,
            first_launched_at: None,
            relaunched_at: None,
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
            ttm_start_at: None,
            ttm_start_id: None,
            ttm_end_at: None,
            ttm_end_id: None,
            ttm_start_time: None,
            ttm_end_time: None,
            build_status: None,
            build_started_at: None,
            bootstrap_started_at: None,
            build_ended_at: None,
            build_end_inferred: false,
            build_duration_us: None,
            spawn_us: None,
            attempts: 0,
            build_error: None,
            skewed: false,
        }
    }

    /// Updates the registers by a fact.
    pub fn record(&mut self, fact: &Fact) {
        let stamp = fact.stamp;
        self.first_at = self.first_at.min(stamp.0);
        if stamp > (self.last_at, self.last_id) {
            (self.last_at, self.last_id) = stamp;
            self.last_kind.clone_from(&fact.kind);
        }
        match &fact.content {
            Content::Nova(notification) => self.record_notification(stamp, notification),
            Content::Recipe(event) => {
                self.reported_at = earliest(self.reported_at, Some(stamp.0));
                self.record_recipe_event(stamp, event);
            }
        }
    }

    /// The time of the report that decides its state.
    pub fn state_at(&self) -> Option<Timestamp> {
        self.state_at
    }

    fn record_notification(&mut self, stamp: Stamp, notification: &Notification) {
        self.record_launch(stamp, notification);
        // An instance that was launched once has been built; an error is another operation's.
        if notification.state.as_deref() == Some("error") && notification.launched_at.is_none() {
            self.error_said_at = earliest(self.error_said_at, Some(stamp.0));
        }
        let is_deleted = notification.state.as_deref() == Some("deleted");
        if is_deleted {
            self.deletion_said_at = earliest(self.deletion_said_at, Some(stamp.0));
        }
        // The API reports the end of a failed deletion too.
        if notification.rank_of(Attribute::State) == Some(Rank::Deletion) {
            self.deletion_ended_at = earliest(self.deletion_ended_at, Some(stamp.0));
        }
        let format = notification.format as usize;
        if notification.subject == Subject::BuildFailed
            && advance(&mut self.no_host_at[format], &mut self.no_host_id[format], Some(stamp))
        {
            self.no_host_error[format] = notification.fault.as_ref().and_then(fact::error_text);
        }
    }

    fn record_recipe_event(&mut self, stamp: Stamp, event: &RecipeEvent) {
        match event {
            RecipeEvent::BuildStarted { .. } => {
                self.announced_at = earliest(self.announced_at, Some(stamp.0));
            }
            RecipeEvent::BootstrapStarted { .. } => {
                self.bootstrap_at = earliest(self.bootstrap_at, Some(stamp.0));
            }
            RecipeEvent::BuildEnded { outcome, .. } => {
                if advance(&mut self.ended_at, &mut self.ended_id, Some(stamp)) {
                    self.ended_outcome = *outcome;
                }
            }
            RecipeEvent::TtmTimeNow { .. } => {
                move_back(&mut self.ttm_first_at, &mut self.ttm_first_id, Some(stamp));
                advance(&mut self.ttm_last_at, &mut self.ttm_last_id, Some(stamp));
            }
            RecipeEvent::TtmMetrics { start_time, end_time, .. } => {
                // An empty start is unknown, and does not replace a known one.
                let is_start = start_time.as_deref().is_some_and(|time| !time.is_empty());
                let start = is_start.then_some(stamp);
                if advance(&mut self.ttm_start_at, &mut self.ttm_start_id, start) {
                    self.ttm_start_time.clone_from(start_time);
                }
                // An empty end is none yet, and takes a known one back.
                let end = end_time.is_some().then_some(stamp);
                if advance(&mut self.ttm_end_at, &mut self.ttm_end_id, end) {
                    self.ttm_end_time.clone_from(end_time);
                }
            }
            RecipeEvent::RecipeStarted { .. }
            | RecipeEvent::RecipeEnded { .. }
            | RecipeEvent::TtmRecipe { .. } => {}
        }
    }

    /// Merges in the registers of other facts about the same instance. The attributes have to be written and
    /// the build has to be derived again afterwards.
    pub fn merge(&mut self, other: Instance) {
        // Names each column, so that a new one cannot be forgotten here.
        let Instance {
            instance_id: _,
            name: _,
            project_id: _,
            host: _,
            flavor: _,
            image: _,
            state: _,
            state_at: _,
            launched_at: _,
            deleted_at: _,
            evidence: _,
            evidence_at: _,
            evidence_id: _,
            evidence_request: _,
            evidence_value: _,
            first_at,
            last_at,
            last_id,
            last_kind,
            reported_at,
            building_reported_at,
            running_reported_at,
            first_launched_at,
            relaunched_at,
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
            ttm_start_at,
            ttm_start_id,
            ttm_end_at,
            ttm_end_id,
            ttm_start_time,
            ttm_end_time,
            build_status: _,
            build_started_at: _,
            bootstrap_started_at: _,
            build_ended_at: _,
            build_end_inferred: _,
            build_duration_us: _,
            spawn_us: _,
            attempts: _,
            build_error: _,
            skewed: _,
        } = other;
        self.first_at = self.first_at.min(first_at);
        if (last_at, last_id) > (self.last_at, self.last_id) {
            (self.last_at, self.last_id, self.last_kind) = (last_at, last_id, last_kind);
        }
        self.reported_at = earliest(self.reported_at, reported_at);
        self.building_reported_at = earliest(self.building_reported_at, building_reported_at);
        self.running_reported_at = earliest(self.running_reported_at, running_reported_at);
        self.first_launched_at = first_launch(self.first_launched_at, first_launched_at);
        self.relaunched_at = earliest(self.relaunched_at, relaunched_at);
        self.error_said_at = earliest(self.error_said_at, error_said_at);
        self.deletion_ended_at = earliest(self.deletion_ended_at, deletion_ended_at);
        self.deletion_said_at = earliest(self.deletion_said_at, deletion_said_at);
        self.announced_at = earliest(self.announced_at, announced_at);
        self.bootstrap_at = earliest(self.bootstrap_at, bootstrap_at);
        if advance(&mut self.ended_at, &mut self.ended_id, ended_at.zip(ended_id)) {
            self.ended_outcome = ended_outcome;
        }
        for (format, error) in no_host_error.into_iter().enumerate() {
            let stamp = no_host_at[format].zip(no_host_id[format]);
            if advance(&mut self.no_host_at[format], &mut self.no_host_id[format], stamp) {
                self.no_host_error[format] = error;
            }
        }
        let first = ttm_first_at.zip(ttm_first_id);
        move_back(&mut self.ttm_first_at, &mut self.ttm_first_id, first);
        advance(&mut self.ttm_last_at, &mut self.ttm_last_id, ttm_last_at.zip(ttm_last_id));
        let start = ttm_start_at.zip(ttm_start_id);
        if advance(&mut self.ttm_start_at, &mut self.ttm_start_id, start) {
            self.ttm_start_time = ttm_start_time;
        }
        if advance(&mut self.ttm_end_at, &mut self.ttm_end_id, ttm_end_at.zip(ttm_end_id)) {
            self.ttm_end_time = ttm_end_time;
        }
    }
}
