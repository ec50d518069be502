//! End-to-end latency: from the publish call to the receiver's answer, by one clock.

use super::api::DemoError;
use super::events;
use super::setup::Stage;
use railhead_model::Timestamp;
use serde_json::Value;
use std::time::Duration;

/// Milliseconds at the 50th and 99th percentile, and the worst.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Latency {
    /// Events measured.
    pub events: usize,
    /// Half of them were faster.
    pub p50_ms: i64,
    /// 99 of 100 were faster.
    pub p99_ms: i64,
    /// The slowest.
    pub max_ms: i64,
}

/// Publishes events `from..from + count` of acme, one at a time at 100 a second, and measures them at `/acme/audit`.
///
/// # Errors
/// [`DemoError`].
pub async fn measure(stage: &Stage, from: u32, count: u32) -> Result<Latency, DemoError> {
    let clock = stage.app.clock();
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    let mut published: Vec<(String, Timestamp)> = Vec::new();
    let mut answers = tokio::task::JoinSet::new();
    for n in from..from + count {
        pace.tick().await;
        published.push((events::id("acme", n), clock.now()));
        let (api, event) = (stage.api.clone(), events::event("acme", n));
        answers.spawn(async move { api.post("/v1/events", &event).await });
    }
    while let Some(answer) = answers.join_next().await {
        let _: Value = answer.map_err(|error| DemoError::Host(error.to_string()))??;
    }
    let arrival = |id: &str| stage.receiver.entry("/acme/audit", id).first_accepted_at;
    for _ in 0..600 {
        if published.iter().all(|(id, _)| arrival(id).is_some()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut times: Vec<i64> = published.iter().filter_map(|(id, at)| Some(arrival(id)?.since(*at))).collect();
    times.sort_unstable();
    if times.len() < published.len() {
        return Err(DemoError::Outcome(format!(
            "{} of {} measured events did not arrive",
            published.len() - times.len(),
            published.len()
        )));
    }
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len() - 1)).copied().unwrap_or(0);
    Ok(Latency { events: times.len(), p50_ms: at(50), p99_ms: at(99), max_ms: at(100) })
}
