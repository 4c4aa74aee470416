//! The figures as a Markdown table, and as JSON in `bench.json`.

use anyhow::Result;
use serde_json::{Value, json};

/// One case: its rates, one a round.
pub struct Case {
    pub name: &'static str,
    pub per_s: Vec<f64>,
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Prints each case with its ratio to the baseline, round by round: the first case is the baseline.
pub fn print(title: &str, unit: &str, cases: &[Case]) -> Result<()> {
    println!("\n### {title}\n\n| case | {unit}/s | ratio | min – max |\n|---|---|---|---|");
    let mut report = Vec::new();
    for case in cases {
        let ratios: Vec<f64> =
            case.per_s.iter().zip(&cases[0].per_s).map(|(rate, base)| rate / base).collect();
        let (low, high) = ratios
            .iter()
            .fold((f64::INFINITY, 0.0_f64), |(low, high), ratio| (low.min(*ratio), high.max(*ratio)));
        println!(
            "| {} | {:.0} | {:.2} | {low:.2} – {high:.2} |",
            case.name, median(&case.per_s), median(&ratios)
        );
        report.push(json!({"case": case.name, "per_s": case.per_s, "ratio": median(&ratios)}));
    }
    let mut all: Value = std::fs::read_to_string("bench.json")
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_else(|| json!({}));
    all[title] = json!({"unit": unit, "cases": report});
    std::fs::write("bench.json", format!("{all:#}\n"))?;
    Ok(())
}
