//! Rank of evidence: how far a notification is to be believed about each attribute of an instance.
//!
//! A cloud's processes have clocks of their own and copies of an instance that grow old while they work, so
//! the newest message is not always right. The last message of a live migration is the source's
//! `live_migration_post.end`, with the host as it was before. The rank of a message depends on what its
//! sender did; `docs/timing.md` contains the tables with their sources. The functions here know notifications
//! only: no rows, and no order of arrival.

use super::{Notification, Phase, Subject};

/// An attribute of an instance that notifications report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attribute {
    /// `display_name`.
    Name,
    /// The project that owns it.
    ProjectId,
    /// The host it is on; empty while it is on none.
    Host,
    /// The flavor's name.
    Flavor,
    /// The image's id.
    Image,
    /// Nova's `vm_state`.
    State,
    /// When it was last launched.
    LaunchedAt,
    /// When it was deleted; empty unless it is.
    DeletedAt,
}

impl Attribute {
    /// Every attribute.
    pub const ALL: [Attribute; 8] = [
        Attribute::Name,
        Attribute::ProjectId,
        Attribute::Host,
        Attribute::Flavor,
        Attribute::Image,
        Attribute::State,
        Attribute::LaunchedAt,
        Attribute::DeletedAt,
    ];
}

/// The rank of a report, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// The end of the deletion, with the attributes as they were then.
    Deletion,
    /// Another message of the service that shows the instance as deleted.
    Deleted,
    /// An audit that shows the instance as deleted.
    DeletedByAudit,
    /// The message of the process that set the attribute.
    Change,
    /// Any other message of the service.
    Mention,
    /// An audit, or a message whose sender's copy may be old: only good for what nothing else reports.
    Filler,
}

impl Rank {
    /// Every rank, the strongest first.
    pub const ALL: [Rank; 6] = [
        Rank::Deletion,
        Rank::Deleted,
        Rank::DeletedByAudit,
        Rank::Change,
        Rank::Mention,
        Rank::Filler,
    ];

    /// Whether the report is about an instance that is deleted: nothing comes after it.
    pub fn is_final(self) -> bool {
        self <= Rank::DeletedByAudit
    }
}

/// Whether a [`Rank::Mention`] that is later than a [`Rank::Change`] counts more, by the requests of both. A
/// process that works on another request has read the instance anew: the message of a later change was lost.
/// One that works on the same request may still have its old copy.
pub fn outweighs<T: PartialEq>(mention: Option<T>, change: Option<T>) -> bool {
    mention.is_none() || mention != change
}

impl Notification {
    /// The rank of what the notification reports about an attribute; `None` if it reports nothing about it.
    /// An attribute that is sent empty on purpose is reported (see [`Notification::reports_host`] and
    /// [`Notification::reports_deletion`]); one that is not sent is not.
    pub fn rank_of(&self, attribute: Attribute) -> Option<Rank> {
        let ends_life = self.ends_life();
        let is_reported = match attribute {
            Attribute::Name => self.name.is_some(),
            Attribute::ProjectId => self.project_id.is_some(),
            Attribute::Host => self.host.is_some() || self.reports_host,
            Attribute::Flavor => self.flavor.is_some(),
            Attribute::Image => self.image.is_some(),
            Attribute::State => self.state.is_some() || ends_life,
            Attribute::LaunchedAt => self.launched_at.is_some(),
            Attribute::DeletedAt => self.deleted_at.is_some() || self.reports_deletion,
        };
        is_reported.then(|| self.rank_of_reported(attribute, ends_life)).flatten()
    }

    /// Whether it shows that the instance is deleted for good. The API sends the end of a deletion even if
    /// the deletion failed, and a soft-deleted instance has a time of deletion too: then only the time of
    /// termination shows that a deletion has ended.
    pub fn ends_life(&self) -> bool {
        self.state.as_deref() == Some("deleted")
            || self.is_end_of_deletion()
                && (self.terminated_at.is_some()
                    || self.deleted_at.is_some() && self.state.as_deref() != Some("soft-delete"))
    }

    fn is_end_of_deletion(&self) -> bool {
        matches!(&self.subject, Subject::Operation { operation, phase: Phase::End }
            if matches!(operation.as_str(), "delete" | "force_delete"))
    }

    fn rank_of_reported(&self, attribute: Attribute, ends_life: bool) -> Option<Rank> {
        if ends_life {
            return Some(match self.subject {
                Subject::Exists | Subject::InterimExists => Rank::DeletedByAudit,
                _ if self.is_end_of_deletion() => Rank::Deletion,
                _ => Rank::Deleted,
            });
        }
        match &self.subject {
            Subject::Exists | Subject::InterimExists => Some(Rank::Filler),
            Subject::Operation { operation, phase } => {
                rank_in_operation(operation, *phase, attribute)
            }
            Subject::Update if attribute == Attribute::State && self.changes_state => {
                Some(Rank::Change)
            }
            // The conductor sets the state before it sends this.
            Subject::BuildFailed if attribute == Attribute::State => Some(Rank::Change),
            _ => Some(Rank::Mention),
        }
    }
}

/// The rank of an attribute in the messages of an operation.
fn rank_in_operation(operation: &str, phase: Phase, attribute: Attribute) -> Option<Rank> {
    if phase == Phase::End && sets(operation, attribute) {
        return Some(Rank::Change);
    }
    if attribute == Attribute::Host && operation.starts_with("live_migration") {
        // The source sends this last, with the host as it was before.
        let is_known_to_be_old = operation == "live_migration_post" && phase == Phase::End;
        return (!is_known_to_be_old).then_some(Rank::Filler);
    }
    Some(Rank::Mention)
}

/// Whether the process that sends the end of this operation has just set the attribute.
fn sets(operation: &str, attribute: Attribute) -> bool {
    use Attribute::{DeletedAt, Flavor, Host, Image, LaunchedAt, State};
    match operation {
        "create" => matches!(attribute, Host | Flavor | Image | State | LaunchedAt),
        "resize_finish" | "resize_revert" => {
            matches!(attribute, Host | Flavor | State | LaunchedAt)
        }
        // An evacuation is a rebuild on another host.
        "rebuild" => matches!(attribute, Host | Image | State | LaunchedAt),
        "unshelve" => matches!(attribute, Host | State | LaunchedAt),
        "rescue" => matches!(attribute, State | LaunchedAt),
        "shelve_offload" => matches!(attribute, Host | State),
        "live_migration_post_dest" | "live_migration_rollback" => attribute == Host,
        "soft_delete" | "restore" => matches!(attribute, State | DeletedAt),
        "power_off" | "power_on" | "reboot" | "pause" | "unpause" | "suspend" | "resume"
        | "unrescue" | "shelve" | "resize_confirm" => attribute == State,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::nova::decode;

    /// A notification with these members in its payload beside the instance's id.
    fn notification(kind: &str, members: &str) -> Notification {
        let payload = format!(r#"{{"instance_id": "i", {members}}}"#);
        let body = format!(r#"{{"priority": "INFO", "payload": {payload}}}"#);
        decode(kind, body.as_bytes()).unwrap().unwrap()
    }

    #[track_caller]
    fn ranks(kind: &str, members: &str, attribute: Attribute, expected: Option<Rank>) {
        let legacy = notification(&format!("compute.instance.{kind}"), members);
        assert_eq!(legacy.rank_of(attribute), expected, "{kind} {members}");
    }

    #[test]
    fn a_host_is_the_one_that_took_the_instance() {
        let host = r#""host": "h", "state": "active""#;
        for kind in [
            "create.end",
            "finish_resize.end",
            "resize.revert.end",
            "rebuild.end",
            "unshelve.end",
            "shelve_offload.end",
            "live_migration.post.dest.end",
            "live_migration._rollback.end",
        ] {
            ranks(kind, host, Attribute::Host, Some(Rank::Change));
        }
        ranks("live_migration._post.end", host, Attribute::Host, None);
        for kind in [
            "live_migration.pre.start",
            "live_migration._post.start",
            "live_migration.post.dest.start",
            "live_migration.rollback.dest.end",
            "live.migration.force.complete.end",
            "exists",
        ] {
            ranks(kind, host, Attribute::Host, Some(Rank::Filler));
        }
        for kind in ["update", "create.start", "resize.prep.end", "resize.end", "power_on.end"] {
            ranks(kind, host, Attribute::Host, Some(Rank::Mention));
        }
    }

    #[test]
    fn a_state_is_set_by_an_end_or_by_an_update_that_reports_the_change() {
        for kind in ["power_off.end", "shelve.end", "resize.confirm.end", "restore.end"] {
            ranks(kind, r#""state": "x""#, Attribute::State, Some(Rank::Change));
        }
        for (members, rank) in [
            (r#""state": "error", "old_state": "active""#, Rank::Change),
            (r#""state": "active", "old_state": "active""#, Rank::Mention),
            (r#""state": "active", "old_state": null"#, Rank::Mention),
            (r#""state": "active""#, Rank::Mention),
        ] {
            ranks("update", members, Attribute::State, Some(rank));
        }
        ranks("resize.end", r#""state": "active""#, Attribute::State, Some(Rank::Mention));
        ranks("power_off.start", r#""state": "active""#, Attribute::State, Some(Rank::Mention));
        ranks("exists", r#""state": "active""#, Attribute::State, Some(Rank::Filler));
        ranks("exists", r#""host": "h""#, Attribute::State, None);
    }

    #[test]
    fn a_deletion_is_an_end_with_its_effect() {
        let at = r#""deleted_at": "2026-11-20T11:00:04""#;
        for (kind, members, rank) in [
            ("delete.end", r#""state": "deleted", "host": "h""#, Rank::Deletion),
            ("delete.end", &format!(r#""state": "building", {at}"#), Rank::Deletion),
            ("force_delete.end", at, Rank::Deletion),
            // Without the compute host a soft deletion is a deletion.
            (
                "delete.end",
                r#""state": "soft-delete", "terminated_at": "2026-11-20T11:00:04""#,
                Rank::Deletion,
            ),
            ("update", r#""state": "deleted""#, Rank::Deleted),
            ("exists", r#""state": "deleted""#, Rank::DeletedByAudit),
            ("delete.end", r#""state": "active", "deleted_at": """#, Rank::Mention),
            ("delete.end", &format!(r#""state": "soft-delete", {at}"#), Rank::Mention),
            ("delete.start", &format!(r#""state": "active", {at}"#), Rank::Mention),
            ("soft_delete.end", &format!(r#""state": "soft-delete", {at}"#), Rank::Change),
        ] {
            ranks(kind, members, Attribute::State, Some(rank));
        }
    }

    #[test]
    fn a_field_that_is_sent_empty_is_a_report_and_one_that_is_not_sent_is_none() {
        ranks("shelve_offload.end", r#""host": null"#, Attribute::Host, Some(Rank::Change));
        ranks("shelve_offload.end", r#""host": """#, Attribute::Host, Some(Rank::Change));
        ranks("shelve_offload.end", r#""state": "x""#, Attribute::Host, None);
        ranks("update", r#""host": {"a": 1}"#, Attribute::Host, None);
        for attribute in
            [Attribute::Name, Attribute::Flavor, Attribute::Image, Attribute::LaunchedAt]
        {
            let empty = r#""display_name": "", "instance_type": null, "image_ref_url": null,
                "launched_at": """#;
            ranks("update", empty, attribute, None);
        }
    }

    #[test]
    fn both_formats_have_the_same_ranks() {
        let body = |state: &str| {
            format!(
                r#"{{"payload": {{"nova_object.data": {{"uuid": "i", "host": null,
                "state": "error", "state_update": {{"nova_object.data": {state}}}}}}}}}"#
            )
        };
        let versioned =
            |state: &str| decode("instance.update", body(state).as_bytes()).unwrap().unwrap();
        let changed = versioned(r#"{"old_state": "active", "state": "error"}"#);
        assert_eq!(changed.rank_of(Attribute::State), Some(Rank::Change));
        assert_eq!(changed.rank_of(Attribute::Host), Some(Rank::Mention));
        let same = versioned(r#"{"old_state": "error", "state": "error"}"#);
        assert_eq!(same.rank_of(Attribute::State), Some(Rank::Mention));
    }

    #[test]
    fn a_mention_of_the_same_request_does_not_outweigh() {
        assert!(!outweighs(Some("r"), Some("r")));
        assert!(outweighs(Some("s"), Some("r")));
        assert!(outweighs(None, Some("r")));
        assert!(outweighs::<&str>(None, None));
        assert!(outweighs(Some("s"), None));
    }
}
