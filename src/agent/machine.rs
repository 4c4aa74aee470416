//! What the node says about itself. A metric's name says what, then the unit, then which:
//! `disk.used_percent:/home`. `cpu` and `mem` are percentages, and called as Lizmon called them.

use std::time::{Duration, Instant};

use serde_json::{Map, Number, Value};
use sysinfo::{
    CpuRefreshKind, Disk, DiskRefreshKind, Disks, MemoryRefreshKind, Networks, RefreshKind, System,
};

use super::rates::Rates;

/// How long to wait between two looks at least: sooner, processors have no new percentage.
pub(super) const PAUSE_MIN: Duration = sysinfo::MINIMUM_CPU_UPDATE_INTERVAL;

/// What was seen at one look, by the metrics' names.
pub(super) type Metrics = Map<String, Value>;

/// Which disks and network interfaces are looked at.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Mount points; none: all that are local and hold files.
    pub disks: Vec<String>,
    /// Interfaces; none: all but the loopback and the host's ends of containers' cables.
    pub interfaces: Vec<String>,
}

/// A node, and its counters as they stood at the look before.
pub(super) struct Machine {
    selection: Selection,
    system: System,
    disks: Disks,
    networks: Networks,
    rates: Rates,
    looked: Instant,
}

impl Machine {
    /// Takes the first look, which gives nothing but what the next one's rates are counted from.
    pub fn new(selection: Selection) -> Machine {
        let mut machine = Machine {
            selection,
            system: System::new_with_specifics(refreshed()),
            disks: Disks::new_with_refreshed_list_specifics(storage()),
            networks: Networks::new_with_refreshed_list(),
            rates: Rates::default(),
            looked: Instant::now(),
        };
        machine.told(0.0);
        machine
    }

    /// Looks again.
    pub fn read(&mut self) -> Metrics {
        let elapsed_s = self.looked.elapsed().as_secs_f64();
        self.looked = Instant::now();
        self.system.refresh_specifics(refreshed());
        self.disks.refresh_specifics(true, storage());
        self.networks.refresh(true);
        self.told(elapsed_s)
    }

    fn told(&mut self, elapsed_s: f64) -> Metrics {
        let mut metrics = Metrics::new();
        self.processors_and_memory(&mut metrics);
        self.storage(&mut metrics, elapsed_s);
        self.network(&mut metrics, elapsed_s);
        self.rates.turn();
        metrics
    }

    fn processors_and_memory(&self, metrics: &mut Metrics) {
        let (used, total) = (self.system.used_memory(), self.system.total_memory());
        let load = System::load_average();
        metrics.extend(
            [
                ("cpu", hundredths(self.system.global_cpu_usage().into())),
                ("mem", percent(used, total)),
                ("mem.used_bytes", used.into()),
                ("mem.total_bytes", total.into()),
                ("load1", hundredths(load.one)),
                ("load5", hundredths(load.five)),
                ("load15", hundredths(load.fifteen)),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
    }

    fn storage(&mut self, metrics: &mut Metrics, elapsed_s: f64) {
        for disk in chosen(&self.disks, &self.selection.disks) {
            let mount = disk.mount_point().to_string_lossy();
            let (total, free) = (disk.total_space(), disk.available_space());
            let used = total.saturating_sub(free);
            metrics.insert(format!("disk.used_percent:{mount}"), percent(used, total));
            metrics.insert(format!("disk.used_bytes:{mount}"), used.into());
            let usage = disk.usage();
            if usage.total_read_bytes + usage.total_written_bytes == 0 {
                // Nobody counts here: no device of the kernel's own.
                continue;
            }
            for (what, total) in
                [("read", usage.total_read_bytes), ("written", usage.total_written_bytes)]
            {
                let name = format!("disk.{what}_bytes_per_s:{mount}");
                if let Some(rate) = self.rates.rate(&name, total, elapsed_s) {
                    metrics.insert(name, rate.into());
                }
            }
        }
    }

    fn network(&mut self, metrics: &mut Metrics, elapsed_s: f64) {
        for (interface, counted) in &self.networks {
            if !is_chosen(interface, &self.selection.interfaces) {
                continue;
            }
            for (what, total) in
                [("received", counted.total_received()), ("sent", counted.total_transmitted())]
            {
                let name = format!("net.{what}_bytes_per_s:{interface}");
                if let Some(rate) = self.rates.rate(&name, total, elapsed_s) {
                    metrics.insert(name, rate.into());
                }
            }
        }
    }
}

fn refreshed() -> RefreshKind {
    RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing().with_cpu_usage())
        .with_memory(MemoryRefreshKind::nothing().with_ram())
}

fn storage() -> DiskRefreshKind {
    DiskRefreshKind::nothing().with_storage().with_io_usage()
}

/// The disks that were asked for; else each device once, by the shortest of the folders it is
/// mounted on. Single files are mounted, too, by containers: those are no disks.
fn chosen<'a>(disks: &'a Disks, asked: &[String]) -> Vec<&'a Disk> {
    let mut found: Vec<&Disk> = disks.iter().filter(|disk| disk.total_space() > 0).collect();
    if !asked.is_empty() {
        found.retain(|disk| asked.iter().any(|mount| disk.mount_point() == mount.as_str()));
        return found;
    }
    found.retain(|disk| disk.mount_point().is_dir());
    found.sort_by_key(|disk| (disk.name(), disk.mount_point().as_os_str().len()));
    found.dedup_by_key(|disk| disk.name());
    found
}

fn is_chosen(interface: &str, asked: &[String]) -> bool {
    match asked.is_empty() {
        true => interface != "lo" && !interface.starts_with("veth"),
        false => asked.iter().any(|name| name == interface),
    }
}

fn percent(part: u64, whole: u64) -> Value {
    hundredths(if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 })
}

/// A number with two decimals; what is none is `null`, which whoever reads it sets aside.
fn hundredths(value: f64) -> Value {
    Number::from_f64((value * 100.0).round() / 100.0).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_two_decimals() {
        assert_eq!(hundredths(12.345_678).to_string(), "12.35");
        assert_eq!(hundredths(0.1_f32.into()).to_string(), "0.1");
        assert_eq!(percent(1, 3).to_string(), "33.33");
        assert_eq!(percent(1, 0).to_string(), "0.0");
        assert_eq!(hundredths(f64::NAN), Value::Null);
    }

    #[test]
    fn interfaces_are_chosen_by_name() {
        assert!(is_chosen("eth0", &[]) && !is_chosen("lo", &[]) && !is_chosen("veth1a2b", &[]));
        assert!(is_chosen("lo", &["lo".to_owned()]) && !is_chosen("eth0", &["lo".to_owned()]));
    }

    #[test]
    fn a_machine_tells_what_the_documentation_says() {
        let mut machine = Machine::new(Selection {
            disks: vec!["/".to_owned()],
            interfaces: vec!["lo".to_owned()],
        });
        let metrics = machine.read();
        for name in ["cpu", "mem", "disk.used_percent:/"] {
            let value = metrics[name].as_f64().unwrap();
            assert!((0.0..=100.0).contains(&value), "{name} {value}");
        }
        for name in [
            "load1",
            "load5",
            "load15",
            "mem.used_bytes",
            "mem.total_bytes",
            "disk.used_bytes:/",
            "net.received_bytes_per_s:lo",
            "net.sent_bytes_per_s:lo",
        ] {
            assert!(metrics[name].as_f64().unwrap() >= 0.0, "{name} {}", metrics[name]);
        }
        let of = |prefix: &str| metrics.keys().filter(|name| name.starts_with(prefix)).count();
        assert_eq!(
            (of("disk.used_percent:"), of("net.")),
            (1, 2),
            "nothing that was not asked for"
        );
    }
}
