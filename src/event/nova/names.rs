//! Nova's event types, with operations named as in the versioned format.

use super::{Phase, Subject};

/// The subject of an event type. `failed` is whether the notification was sent with the priority
/// `ERROR`, or without one.
pub(super) fn subject_of(kind: &str, failed: bool) -> Subject {
    match kind {
        "compute_task.build_instances" | "scheduler.run_instance" if failed => {
            return Subject::BuildFailed;
        }
        "compute_task.build_instances.error" => return Subject::BuildFailed,
        _ => {}
    }
    if failed && let Some(operations) = operations_of_call(kind) {
        return Subject::CallFailed { operations };
    }
    let Some(name) =
        kind.strip_prefix("compute.instance.").or_else(|| kind.strip_prefix("instance."))
    else {
        return Subject::Other;
    };
    match name {
        "exists" => Subject::Exists,
        "update" => Subject::Update,
        // The legacy format reports these once, when they are done.
        "volume.attach" | "volume.detach" => step(name, Phase::End),
        // Nova once sent this (sic) before the create.error of the same attempt: both are one failure.
        "instance.create.error" => Subject::Other,
        _ => match name.rsplit_once('.') {
            Some((name, "start")) => step(name, Phase::Start),
            Some((name, "end")) => step(name, Phase::End),
            Some((name, "error")) => step(name, Phase::Error),
            _ => Subject::Other,
        },
    }
}

/// A step of an operation, which `name` may name in either format.
fn step(name: &str, phase: Phase) -> Subject {
    let operation = match name {
        "finish_resize" => "resize_finish".to_owned(),
        "create_ip" => "interface_attach".to_owned(),
        "delete_ip" => "interface_detach".to_owned(),
        // `live_migration._post`, `live.migration.abort`.
        _ => name.replace("._", "_").replace('.', "_"),
    };
    Subject::Operation { operation, phase }
}

/// The operations that a call of Nova's compute manager begins and ends, by the name of its function, which
/// is the event type if the call fails (`wrap_exception`). `None` for calls without notifications of their
/// own, such as `get_console_output`. Older names of functions are those of releases before theirs.
fn operations_of_call(function: &str) -> Option<&'static [&'static str]> {
    Some(match function {
        "build_and_run_instance" | "_do_build_and_run_instance" | "run_instance" => {
            &["create", "shutdown"]
        }
        "terminate_instance" => &["delete", "shutdown"],
        "soft_delete_instance" => &["soft_delete"],
        "restore_instance" => &["restore"],
        "stop_instance" => &["power_off"],
        "start_instance" => &["power_on"],
        "reboot_instance" => &["reboot"],
        "pause_instance" => &["pause"],
        "unpause_instance" => &["unpause"],
        "suspend_instance" => &["suspend"],
        "resume_instance" => &["resume"],
        "trigger_crash_dump" => &["trigger_crash_dump"],
        "rebuild_instance" => &["rebuild"],
        "rescue_instance" => &["rescue"],
        "unrescue_instance" => &["unrescue"],
        "snapshot_instance" | "_snapshot_instance" | "backup_instance" => &["snapshot"],
        "shelve_instance" => &["shelve", "shelve_offload"],
        "shelve_offload_instance" => &["shelve_offload"],
        "unshelve_instance" => &["unshelve"],
        "prep_resize" | "prep_snapshot_based_resize_at_dest" => &["resize_prep"],
        "resize_instance" | "prep_snapshot_based_resize_at_source" => &["resize"],
        "finish_resize" | "finish_snapshot_based_resize_at_dest" => &["resize_finish"],
        "confirm_resize" | "confirm_snapshot_based_resize_at_source" => &["resize_confirm"],
        "revert_resize"
        | "finish_revert_resize"
        | "revert_snapshot_based_resize_at_dest"
        | "finish_revert_snapshot_based_resize_at_source" => &["resize_revert"],
        "pre_live_migration" => &["live_migration_pre"],
        "live_migration" | "_post_live_migration" => &["live_migration_post"],
        "_rollback_live_migration" => &["live_migration_rollback"],
        "post_live_migration_at_destination" => &["live_migration_post_dest"],
        "rollback_live_migration_at_destination" => &["live_migration_rollback_dest"],
        "live_migration_force_complete" => &["live_migration_force_complete"],
        "live_migration_abort" => &["live_migration_abort"],
        "attach_volume" => &["volume_attach"],
        "detach_volume" => &["volume_detach"],
        "swap_volume" => &["volume_swap"],
        "attach_interface" | "add_fixed_ip_to_instance" => &["interface_attach"],
        "detach_interface" | "remove_fixed_ip_from_instance" => &["interface_detach"],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The subject of an error, as one text.
    fn error_of(kind: &str) -> String {
        match subject_of(kind, true) {
            Subject::Operation { operation, phase } => format!("{operation} {phase:?}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn both_formats_name_the_same_operations() {
        for (legacy, versioned, both) in [
            ("create.start", "create.start", "create Start"),
            ("create.error", "create.error", "create Error"),
            ("finish_resize.end", "resize_finish.end", "resize_finish End"),
            ("resize.prep.start", "resize_prep.start", "resize_prep Start"),
            ("resize.confirm.end", "resize_confirm.end", "resize_confirm End"),
            ("resize.revert.end", "resize_revert.end", "resize_revert End"),
            ("resize.error", "resize.error", "resize Error"),
            ("live_migration.pre.end", "live_migration_pre.end", "live_migration_pre End"),
            ("live_migration._post.end", "live_migration_post.end", "live_migration_post End"),
            (
                "live_migration.post.dest.end",
                "live_migration_post_dest.end",
                "live_migration_post_dest End",
            ),
            (
                "live_migration._rollback.start",
                "live_migration_rollback.start",
                "live_migration_rollback Start",
            ),
            (
                "live_migration.rollback.dest.end",
                "live_migration_rollback_dest.end",
                "live_migration_rollback_dest End",
            ),
            (
                "live.migration.abort.start",
                "live_migration_abort.start",
                "live_migration_abort Start",
            ),
            (
                "live.migration.force.complete.end",
                "live_migration_force_complete.end",
                "live_migration_force_complete End",
            ),
            ("volume.attach", "volume_attach.end", "volume_attach End"),
            ("volume.detach", "volume_detach.end", "volume_detach End"),
            ("create_ip.start", "interface_attach.start", "interface_attach Start"),
            ("delete_ip.end", "interface_detach.end", "interface_detach End"),
            ("rebuild.scheduled", "rebuild_scheduled", "Other"),
            ("evacuate", "evacuate", "Other"),
            ("exists", "exists", "Exists"),
            ("update", "update", "Update"),
        ] {
            assert_eq!(error_of(&format!("compute.instance.{legacy}")), both, "{legacy}");
            assert_eq!(error_of(&format!("instance.{versioned}")), both, "{versioned}");
        }
    }

    #[test]
    fn builds_without_a_host_are_recognized() {
        assert_eq!(error_of("compute_task.build_instances"), "BuildFailed");
        assert_eq!(error_of("compute_task.build_instances.error"), "BuildFailed");
        assert_eq!(error_of("scheduler.run_instance"), "BuildFailed");
        assert_eq!(subject_of("scheduler.run_instance", false), Subject::Other);
        for other in [
            "scheduler.run_instance.start",
            "compute_task.migrate_server",
            "compute.instance.exists.verified",
            "compute.instance.delete.samples",
            "compute.instance.instance.create.error",
            "get_console_output",
            "unlock_instance",
        ] {
            assert_eq!(error_of(other), "Other", "{other}");
        }
    }

    #[test]
    fn a_call_that_failed_names_its_operations() {
        for (function, operations) in [
            ("rescue_instance", &["rescue"][..]),
            ("terminate_instance", &["delete", "shutdown"]),
            ("_snapshot_instance", &["snapshot"]),
            ("finish_resize", &["resize_finish"]),
        ] {
            assert_eq!(subject_of(function, true), Subject::CallFailed { operations });
            assert_eq!(subject_of(function, false), Subject::Other);
        }
    }
}
