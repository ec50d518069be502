//! All checks, in order.

use crate::checks;
use crate::findings::{Finding, Findings, Verdict};
use crate::log::Log;
use crate::manifest;
use crate::plan::Server;
use crate::plugin::Plugin;
use crate::report::{Limit, Report};
use crate::stage::{NOW, Stage};
use railhead_plugin_harness::{Harness, HarnessError};
use railhead_sandbox::LoadError;

/// Runs all checks on a connector.
///
/// # Errors
/// If the machine does not give what a sandbox or a peer needs: nothing is said of the connector then.
pub async fn run(plugin: &Plugin) -> Result<Report, HarnessError> {
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
    findings.holds("M1", "there is one manifest, at the outermost level", true, String::new);
    findings.holds("M5", "the manifest has no unknown fields", true, String::new);
    findings.holds("N1", "the contract is one that the host speaks", true, String::new);
    findings.holds("N3", "the imports are those that the host has", true, String::new);
    manifest::check(&manifest, &plugin.example, &plugin.component, &mut findings);
    let stage = Stage::new(harness, connector, plugin.example.clone(), plugin.plan.clone());
    let findings = match stage {
        // A configuration that fits no schema cannot be delivered to.
        Ok(_) if findings.has_failed(manifest::EXAMPLE) => findings.into_inner(),
        Ok(mut stage) => {
            stage.findings = findings.into();
            let failed = dynamic(&mut stage).await.err();
            let mut findings = stage.findings.into_inner();
            if let Some(error) = failed {
                findings.skip("D1", "deliveries", &format!("A peer could not be started: {error}"));
            }
            findings.into_inner()
        }
        Err(error) => {
            findings.skip("D1", "deliveries", &format!("A peer could not be started: {error}"));
            findings.into_inner()
        }
    };
    let limits = log.map(|log| used(&log.lines_of(&manifest.name))).unwrap_or_default();
    let mut findings = findings;
    findings.extend(limits.iter().map(near));
    Ok(Report { plugin: name, findings, limits })
}

async fn dynamic(stage: &mut Stage) -> std::io::Result<()> {
    let origins = serde_json::to_value(&stage.connector.manifest.origins).unwrap_or_default();
    let all = origins.as_array().cloned().unwrap_or_default();
    let (streams, others): (Vec<_>, Vec<_>) = all.iter().partition(|origin| origin.get("tcp").is_some());
    if !others.is_empty() && stage.plan.server != Some(Server::Real) {
        checks::http(stage).await?;
    }
    if !streams.is_empty() {
        checks::stream(stage).await?;
    }
    checks::secrets::nowhere(stage);
    for way in std::mem::take(&mut stage.plan.ways) {
        stage.set_way(way);
        checks::secrets::way(stage).await?;
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
