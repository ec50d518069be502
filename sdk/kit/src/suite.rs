//! All checks, in order.

use crate::checks;
use crate::findings::{Finding, Findings, Verdict};
use crate::log::Log;
use crate::manifest;
use crate::plan::Server;
use crate::plugin::Plugin;
use crate::report::{Limit, Report};
use crate::stage::{NOW, Stage};
use railhead_model::manifest::{Origin, Place};
use railhead_plugin_harness::{Harness, HarnessError};
use railhead_sandbox::LoadError;

/// Why nothing can be said of a connector: the machine does not give what the suite needs.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No sandbox.
    #[error("the sandbox cannot be set up: {0}")]
    Sandbox(#[from] HarnessError),
    /// No peer: no port, no thread.
    #[error("a peer of the suite cannot be started: {0}")]
    Peer(#[from] std::io::Error),
}

/// Runs all checks on a connector. What the loader refuses is a finding too; of a component that it takes, M1, M5, N1 and N3
/// hold, and no check says so.
///
/// # Errors
/// See [`RunError`].
pub async fn run(plugin: &Plugin) -> Result<Report, RunError> {
    let log = Log::installed();
    let harness = Harness::new()?;
    harness.clock().stop_at(NOW);
    let connector = match harness.load(&plugin.component).await {
        Ok(connector) => connector,
        Err(error) => return Ok(unloadable(&error)),
    };
    let name = format!("{} {}", connector.manifest.name, connector.manifest.version);
    let manifest = connector.manifest.clone();
    let mut findings = Findings::default();
    manifest::check(&manifest, &plugin.example, &plugin.component, &mut findings);
    let mut stage = Stage::new(harness, connector, plugin)?;
    // A configuration that fits no schema cannot be delivered to.
    if !findings.has_failed(manifest::EXAMPLE) {
        stage.findings = findings.into();
        dynamic(&mut stage).await?;
        findings = stage.findings.take();
    }
    let limits = log.map(|log| used(&log.lines_of(&manifest.name))).unwrap_or_default();
    let mut findings = findings.into_inner();
    findings.extend(limits.iter().map(near));
    Ok(Report { plugin: name, findings, limits })
}

async fn dynamic(stage: &mut Stage) -> std::io::Result<()> {
    let origins = &stage.connector.manifest.origins;
    let is_stream = |origin: &&Origin| matches!(origin.place, Place::Tcp(_));
    let (streams, requests) = (origins.iter().any(|it| is_stream(&it)), origins.iter().any(|it| !is_stream(&it)));
    let is_judged = stage.plan.server != Some(Server::Real);
    if requests && is_judged {
        checks::http(stage).await?;
    } else if requests {
        let why = "test.json says that only the real server can answer its requests: its own tests are to show this.";
        checks::unjudged(stage, why);
    }
    if streams {
        checks::stream(stage).await?;
    }
    checks::secrets::nowhere(stage);
    for way in std::mem::take(&mut stage.plan.ways) {
        let check = format!("the way {:?} of test.json delivers", way.name);
        stage.set_way(way);
        if requests && is_judged {
            checks::secrets::way(stage, &check).await?;
        } else if streams {
            checks::stream_way(stage, &check).await?;
        } else {
            stage.findings.borrow_mut().skip("O3", &check, "Only the real server can answer its requests.");
        }
    }
    Ok(())
}

/// A component that does not get as far as to run.
fn unloadable(error: &LoadError) -> Report {
    let (rule, check) = match error {
        LoadError::Manifest(why) if why.contains("custom sections") => {
            ("M1", "there is one manifest, at the outermost level")
        }
        LoadError::Manifest(why) if why.starts_with("contract:") => ("N1", "the contract is one that the host speaks"),
        LoadError::Manifest(why) if why.contains("does not go with its kind") => ("M8", "uses go with kinds"),
        LoadError::Manifest(why) if why.contains("is the operator's") => {
            ("M10", "what is the operator's goes where no tenant chooses")
        }
        LoadError::Manifest(why) if why.starts_with("credentials:") || why.starts_with("origins:") => {
            ("M7", "what the manifest points at is there")
        }
        LoadError::Manifest(_) => ("M5", "the manifest can be read"),
        LoadError::UnknownImport(_) => ("N3", "the imports are those that the host has"),
        _ => ("N1", "the component is one that the host runs"),
    };
    let finding = Finding { rule, check: check.to_owned(), verdict: Verdict::Failed(error.to_string()) };
    Report { plugin: "a component that cannot be loaded".to_owned(), findings: vec![finding], limits: Vec::new() }
}

/// A SHOULD: half of a limit is near.
fn near(limit: &Limit) -> Finding {
    let Limit { what, used, allowed, unit, at } = limit;
    let words = format!("{used} of {allowed} {unit} were used for {at}.");
    let verdict = if used.saturating_mul(2) > *allowed { Verdict::Advice(words) } else { Verdict::Ok };
    Finding { rule: "L3", check: format!("{what} stays far below the limit"), verdict }
}

/// The most that one call used, as the sandbox tells it in its log.
fn used(lines: &[String]) -> Vec<Limit> {
    let calls: Vec<&String> = lines.iter().filter(|line| line.contains("a call ended")).collect();
    let cpu_ms = u64::from(railhead_sandbox::SandboxConfig::default().cpu_budget_ms);
    let cpu = most(&calls, |line| Some(micros(&value(line, "cpu")?)? / 1000), "CPU of one call", cpu_ms, "ms");
    let memory = u64::try_from(railhead_sandbox::limits::MAX_MEMORY).unwrap_or(u64::MAX);
    let memory = most(&calls, |line| value(line, "memory")?.parse().ok(), "memory", memory, "bytes");
    cpu.into_iter().chain(memory).collect()
}

fn most(
    calls: &[&String],
    of: impl Fn(&str) -> Option<u64>,
    what: &'static str,
    allowed: u64,
    unit: &'static str,
) -> Option<Limit> {
    let (used, line) = calls.iter().filter_map(|line| Some((of(line)?, line))).max_by_key(|(used, _)| *used)?;
    let at = format!("{} events", value(line, "events").unwrap_or_default());
    Some(Limit { what, used, allowed, unit, at })
}

/// A field of a line of the log.
fn value(line: &str, name: &str) -> Option<String> {
    line.split(&format!(" {name}=")).nth(1)?.split(' ').next().map(str::to_owned)
}

/// Microseconds of a duration as Rust prints it: `1.5ms`.
fn micros(text: &str) -> Option<u64> {
    let units = [("ns", 0.001), ("µs", 1.0), ("ms", 1_000.0), ("s", 1_000_000.0)];
    let (number, unit) = units.into_iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
    let value = number.parse::<f64>().ok()? * unit;
    // Durations are positive and short.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
    Some(value as u64)
}
