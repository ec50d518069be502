//! Numbers as they are printed.

use serde_json::{Value, json};

/// Median and tails of microseconds, in milliseconds.
#[must_use]
pub fn percentiles(us: &mut [u64]) -> Value {
    us.sort_unstable();
    json!({"p50": at(us, 500), "p99": at(us, 990), "p99_9": at(us, 999)})
}

/// One of them, in milliseconds; `sorted` is in microseconds.
#[must_use]
pub fn at(sorted: &[u64], permille: usize) -> f64 {
    let index = (sorted.len() * permille / 1_000).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(0.0, |us| *us as f64 / 1_000.0)
}

/// Rounded to so many decimals.
#[must_use]
pub fn round(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}

/// A report as lines: `load_1.host.cpu_s_per_1000  0.107`.
pub fn lines(prefix: &str, value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                lines(&path, value, out);
            }
        }
        other => out.push(format!("{prefix:<48} {other}")),
    }
}
