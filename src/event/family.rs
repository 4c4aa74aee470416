//! Families: the parts of the log, and the event types that belong to each.

/// Defines [`Family`] with its names: the one list of all families.
macro_rules! families {
    ($($(#[$about:meta])* $variant:ident = $name:literal,)*) => {
        /// A group of events with partitions of the log of its own, because its volume and retention
        /// differ from the others'. A function of the body alone.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Family {
            $($(#[$about])* $variant,)*
        }

        impl Family {
            /// All families, in the order of their names in the schema.
            pub const ALL: [Family; [$($name),*].len()] = [$(Family::$variant),*];

            /// The family's name, as in SQL, JSON and metrics.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Family::$variant => $name,)*
                }
            }
        }
    };
}

families! {
    /// Nova's notifications about instances, legacy and versioned.
    Instance = "instance",
    /// `recipe.*`, `build.*`, `bootstrap.*` and the neutral `ttm.*` events of the HTTP intake.
    Recipe = "recipe",
    /// `perf.*`: samples of hosts.
    Perf = "perf",
    /// Ceilometer's samples, in every shape.
    Meter = "meter",
    /// `deployment.*`, `instance.*`, `service.*` CloudEvents, and Heat's notifications about stacks.
    Deployment = "deployment",
    /// `billing.*`: our own decisions about money, which are accepted from nobody else.
    Billing = "billing",
    /// All other events, logged until a projection reads them.
    Other = "other",
}

impl Family {
    /// The family of this name.
    pub fn parse(name: &str) -> Option<Family> {
        Family::ALL.into_iter().find(|family| family.as_str() == name)
    }

    /// Whether the family's part of the log is split by day of `key_at`, so that old days can be
    /// dropped without touching the rest.
    pub const fn is_by_day(self) -> bool {
        matches!(self, Family::Perf | Family::Meter)
    }

    /// The family of a notification of this type. `is_exception` is whether its payload is that of
    /// Nova's `wrap_exception`, which sends the failed function's name for a type.
    pub(super) fn of_notification(kind: &str, is_exception: bool) -> Family {
        let is = |name| kind.strip_prefix(name).is_some_and(|rest: &str| !rest.is_empty());
        let is_or_within = |name| {
            kind.strip_prefix(name)
                .is_some_and(|rest: &str| rest.is_empty() || rest.starts_with('.'))
        };
        match kind {
            "metering" | "telemetry.polling" | "telemetry.api" => Family::Meter,
            "compute.exception" => Family::Instance,
            _ if is("compute.instance.") || is("instance.") || is("compute_task.") => {
                Family::Instance
            }
            _ if is("orchestration.stack.") => Family::Deployment,
            _ if is_or_within("scheduler.run_instance") => Family::Instance,
            _ if is_or_within("scheduler.select_destinations") => Family::Instance,
            _ if is_exception => Family::Instance,
            _ => Family::Other,
        }
    }

    /// The family of a CloudEvent of this type.
    pub(super) fn of_cloud_event(kind: &str) -> Family {
        match kind.split_once('.') {
            Some(("recipe" | "build" | "bootstrap" | "ttm", _)) => Family::Recipe,
            Some(("perf", _)) => Family::Perf,
            Some(("deployment" | "instance" | "service", _)) => Family::Deployment,
            Some(("billing", _)) => Family::Billing,
            _ => Family::Other,
        }
    }
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_found_by_its_name() {
        for family in Family::ALL {
            assert_eq!(Family::parse(family.as_str()), Some(family));
        }
        assert_eq!(Family::parse("Perf"), None);
    }
}
