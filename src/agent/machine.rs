//! Metrics of the node. A metric's name consists of the quantity, its unit, and after a colon the device:
//! `disk.used_percent:/home`. `cpu` and `mem` are percentages, with the names that Lizmon gave them.

use std::time::{Duration, Instant};

use serde_json::{Map, Number, Value};
use sysinfo::{
    CpuRefreshKind, Disk, DiskRefreshKind, Disks, MemoryRefreshKind, Networks, RefreshKind, System,
};

use super::rates::Rates;

/// The shortest pause between two readings: sooner, the processors' usage is not updated.
pub(super) const PAUSE_MIN: Duration = sysinfo::MINIMUM_CPU_UPDATE_INTERVAL;

/// The values of one reading, by the metrics' names.
pub(super) type Metrics = Map<String, Value>;

/// The disks and network interfaces that are sampled.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Mount points; if empty, all local ones that contain files.
    pub disks: Vec<String>,
    /// Interfaces; if empty, all except the loopback and the host's ends of containers' virtual cables.
    pub interfaces: Vec<String>,
}

/// A node, and its counters at the previous reading.
pub(super) struct Machine {
    selection: Selection,
    system: System,
    disks: Disks,
    networks: Networks,
    rates: Rates,
    read_at: Instant,
}

impl Machine {
    /// Takes the first reading, whose counters are the base of the next one's rates.
    pub fn new(selection: Selection) -> Machine {
        let mut machine = Machine {
            selection,
            system: System::new_with_specifics(system_refresh_kind()),
            disks: Disks::new_with_refreshed_list_specifics(disk_refresh_kind()),
            networks: Networks::new_with_refreshed_list(),
            rates: Rates::default(),
            read_at: Instant::now(),
        };
        machine.collect(0.0);
        machine
    }

    /// Refreshes the counters and returns the metrics.
    pub fn read(&mut self) -> Metrics {
        let elapsed_s = self.read_at.elapsed().as_secs_f64();
        self.read_at = Instant::now();
        self.system.refresh_specifics(system_refresh_kind());
        self.disks.refresh_specifics(true, disk_refresh_kind());
        self.networks.refresh(true);
        self.collect(elapsed_s)
    }

    fn collect(&mut self, elapsed_s: f64) -> Metrics {
        let mut metrics = Metrics::new();
        self.add_processors_and_memory(&mut metrics);
        self.add_storage(&mut metrics, elapsed_s);
        self.add_network(&mut metrics, elapsed_s);
        self.rates.finish_reading();
        metrics
    }

    fn add_processors_and_memory(&self, metrics: &mut Metrics) {
        let (used, total) = (self.system.used_memory(), self.system.total_memory());
        let load = System::load_average();
        metrics.extend(
            [
                ("cpu", round_to_hundredths(self.system.global_cpu_usage().into())),
                ("mem", to_percent(used, total)),
                ("mem.used_bytes", used.into()),
                ("mem.total_bytes", total.into()),
                ("load1", round_to_hundredths(load.one)),
                ("load5", round_to_hundredths(load.five)),
                ("load15", round_to_hundredths(load.fifteen)),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
    }

    fn add_storage(&mut self, metrics: &mut Metrics, elapsed_s: f64) {
        for disk in select_disks(&self.disks, &self.selection.disks) {
            let mount = disk.mount_point().to_string_lossy();
            let (total, free) = (disk.total_space(), disk.available_space());
            let used = total.saturating_sub(free);
            metrics.insert(format!("disk.used_percent:{mount}"), to_percent(used, total));
            metrics.insert(format!("disk.used_bytes:{mount}"), used.into());
            let usage = disk.usage();
            if usage.total_read_bytes + usage.total_written_bytes == 0 {
                // The kernel keeps no counters for this mount: it is not one of its own devices.
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

    fn add_network(&mut self, metrics: &mut Metrics, elapsed_s: f64) {
        for (interface, counted) in &self.networks {
            if !is_selected(interface, &self.selection.interfaces) {
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

/// Selects the usage of processors and memory for refreshing.
fn system_refresh_kind() -> RefreshKind {
    RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing().with_cpu_usage())
        .with_memory(MemoryRefreshKind::nothing().with_ram())
}

/// Selects the space and the transferred bytes of disks for refreshing.
fn disk_refresh_kind() -> DiskRefreshKind {
    DiskRefreshKind::nothing().with_storage().with_io_usage()
}

/// Returns the selected disks. Without a selection, returns each device once, at its mount point with the
/// shortest path. Containers also mount single files; these are not disks.
fn select_disks<'a>(disks: &'a Disks, selection: &[String]) -> Vec<&'a Disk> {
    let mut found: Vec<&Disk> = disks.iter().filter(|disk| disk.total_space() > 0).collect();
    if !selection.is_empty() {
        found.retain(|disk| selection.iter().any(|mount| disk.mount_point() == mount.as_str()));
        return found;
    }
    found.retain(|disk| disk.mount_point().is_dir());
    found.sort_by_key(|disk| (disk.name(), disk.mount_point().as_os_str().len()));
    found.dedup_by_key(|disk| disk.name());
    found
}

/// Whether an interface is selected; without a selection, whether it is sampled by default.
fn is_selected(interface: &str, selection: &[String]) -> bool {
    match selection.is_empty() {
        true => interface != "lo" && !interface.starts_with("veth"),
        false => selection.iter().any(|name| name == interface),
    }
}

fn to_percent(part: u64, whole: u64) -> Value {
    round_to_hundredths(if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 })
}

/// Rounds a number to two decimal places. Infinity and NaN become `null`, which readers reject.
fn round_to_hundredths(value: f64) -> Value {
    Number::from_f64((value * 100.0).round() / 100.0).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_two_decimals() {
        assert_eq!(round_to_hundredths(12.345_678).to_string(), "12.35");
        assert_eq!(round_to_hundredths(0.1_f32.into()).to_string(), "0.1");
        assert_eq!(to_percent(1, 3).to_string(), "33.33");
        assert_eq!(to_percent(1, 0).to_string(), "0.0");
        assert_eq!(round_to_hundredths(f64::NAN), Value::Null);
    }

    #[test]
    fn interfaces_are_selected_by_name() {
        assert!(
            is_selected("eth0", &[]) && !is_selected("lo", &[]) && !is_selected("veth1a2b", &[])
        );
        assert!(is_selected("lo", &["lo".to_owned()]) && !is_selected("eth0", &["lo".to_owned()]));
    }

    #[test]
    fn a_machine_has_the_documented_metrics() {
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
        assert_eq!((of("disk.used_percent:"), of("net.")), (1, 2), "nothing beyond the selection");
    }
}
