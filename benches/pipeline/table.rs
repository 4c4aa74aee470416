//! The figures: as a Markdown table on stdout, and as JSON in `bench.json`.

use std::time::Instant;

use anyhow::Result;
use serde_json::{Value, json};

/// A case and its runs, one per round.
pub struct Case {
    name: &'static str,
    runs: Vec<Run>,
}

impl Case {
    pub fn new(name: &'static str) -> Case {
        Case { name, runs: Vec::new() }
    }

    pub fn push(&mut self, run: Run) {
        eprintln!("{}: {:.0}/s", self.name, run.per_s);
        self.runs.push(run);
    }

    fn rates(&self) -> Vec<f64> {
        self.runs.iter().map(|run| run.per_s).collect()
    }
}

/// The rate of a run, and the processor time that it took.
pub struct Run {
    per_s: f64,
    /// Processor time of all processes per item, in µs. It shows whether the rate could be higher on this
    /// machine at all. `None` if /proc does not contain it.
    cpu_us: Option<f64>,
}

/// Measures a run from its start.
pub struct Stopwatch {
    started: Instant,
    busy_s: Option<f64>,
}

impl Stopwatch {
    pub fn start() -> Stopwatch {
        Stopwatch { busy_s: busy_s(), started: Instant::now() }
    }

    /// Ends a run in which that many items were processed.
    pub fn stop(self, done: usize) -> Run {
        let per_s = done as f64 / self.started.elapsed().as_secs_f64();
        let busy_s = self.busy_s.zip(busy_s()).map(|(before, after)| after - before);
        Run { per_s, cpu_us: busy_s.map(|busy| busy * 1e6 / done as f64) }
    }
}

/// Returns the seconds for which all processors together have been busy, from /proc/stat: everything except
/// idling and waiting for a disk.
fn busy_s() -> Option<f64> {
    const TICKS_PER_S: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<f64> =
        stat.lines().next()?.split_whitespace().skip(1).flat_map(str::parse).collect();
    let busy = [0, 1, 2, 5, 6].iter().map(|at| ticks.get(*at)).sum::<Option<f64>>()?;
    Some(busy / TICKS_PER_S)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Prints the rate of each case and its ratio to the first case, the baseline, of the same rounds. Adds the
/// figures to `bench.json`.
pub fn print(title: &str, unit: &str, cases: &[Case]) -> Result<()> {
    let cores = std::thread::available_parallelism()?;
    println!(
        "\n### {title}, on {cores} processors\n\n\
         | case | {unit}/s | ratio | min – max | µs of all processors for one | processors busy |\n\
         |---|---|---|---|---|---|"
    );
    let mut report = Vec::new();
    for case in cases {
        let rates = case.rates();
        let ratios: Vec<f64> =
            rates.iter().zip(&cases[0].rates()).map(|(rate, base)| rate / base).collect();
        let cpu_us: Vec<f64> = case.runs.iter().filter_map(|run| run.cpu_us).collect();
        let busy: Vec<f64> = cpu_us.iter().zip(&rates).map(|(us, rate)| us * rate / 1e6).collect();
        let (low, high) = ratios.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), ratio| {
            (low.min(*ratio), high.max(*ratio))
        });
        println!(
            "| {} | {:.0} | {:.2} | {low:.2} – {high:.2} | {:.1} | {:.2} |",
            case.name,
            median(&rates),
            median(&ratios),
            median(&cpu_us),
            median(&busy)
        );
        report.push(json!({
            "case": case.name, "per_s": rates, "ratio": median(&ratios), "cpu_us": cpu_us,
        }));
    }
    let mut all: Value = std::fs::read_to_string("bench.json")
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_else(|| json!({}));
    all[title] = json!({"unit": unit, "cases": report});
    std::fs::write("bench.json", format!("{all:#}\n"))?;
    Ok(())
}
