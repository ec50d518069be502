//! `railhead demo`: a host in a temporary folder, a receiver that misbehaves on purpose, two tenants, real events.
//!
//! Everything that it shows of the host is read over the public API; what counts at the end is what the receiver got.

mod api;
mod events;
mod latency;
mod receiver;
mod screen;
mod setup;
mod story;

use crate::cli::DemoArgs;
use crate::config::Config;
pub use api::DemoError;
use receiver::Receiver;
use screen::Screen;
use setup::Stage;
use std::io::Write as _;

/// Runs the demo to its summary.
///
/// # Errors
/// [`DemoError`]: the host failed, or something is missing at the end.
#[allow(clippy::print_stdout)] // what a command prints is its purpose
pub async fn run(args: &DemoArgs) -> Result<(), DemoError> {
    let mut screen = Screen::new(args.json);
    let folder = tempfile::tempdir().map_err(|error| DemoError::Host(error.to_string()))?;
    let stage = Stage::build(folder.path(), args.ledger.is_some()).await?;
    if args.keep {
        story::print_pages(&stage, &screen);
    }
    let summary = story::tell(&stage, &mut screen, args.events).await?;
    if let Some(path) = &args.ledger {
        write_ledger(path, &stage).await?;
    }
    if args.json {
        println!("{summary}");
    }
    if args.keep {
        story::print_curls(&stage, &screen);
        story::print_pages(&stage, &screen);
        let _ = tokio::signal::ctrl_c().await;
    }
    stage.app.shutdown().await;
    Ok(())
}

/// The demo's own configuration: a temporary folder, free ports, loopback allowed.
fn config(folder: &std::path::Path, api_key: &str) -> Result<Config, DemoError> {
    let setting = |name: &str| match name {
        "RAILHEAD_DATA" => Some(folder.display().to_string()),
        "RAILHEAD_LISTEN" | "RAILHEAD_METRICS_LISTEN" => Some("127.0.0.1:0".to_owned()),
        "RAILHEAD_EGRESS_ALLOW" => Some("127.0.0.0/8".to_owned()),
        "RAILHEAD_API_KEY" => Some(api_key.to_owned()),
        _ => None,
    };
    Config::load(None, setting).map_err(|error| DemoError::Host(error.to_string()))
}

/// Writes what the receiver got, and the secrets to verify it with: one JSON object a line.
async fn write_ledger(path: &std::path::Path, stage: &Stage) -> Result<(), DemoError> {
    let failed = |error: std::io::Error| DemoError::Host(format!("{}: {error}", path.display()));
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).map_err(failed)?);
    for destination in &stage.destinations {
        let secret = stage
            .api
            .post(&format!("{}/credentials/signing_secret/reveal", destination.resource()), &serde_json::json!({}))
            .await?;
        let line = serde_json::json!({"path": destination.path(), "secret": secret["value"]});
        writeln!(file, "{line}").map_err(failed)?;
    }
    for request in stage.receiver.ledger() {
        let line = serde_json::json!({
            "path": request.path, "headers": request.headers, "status": request.status,
            "body": String::from_utf8_lossy(&request.body),
        });
        writeln!(file, "{line}").map_err(failed)?;
    }
    file.flush().map_err(failed)
}

/// The receiver's entry point for [`setup`].
pub(crate) async fn receiver(
    clock: std::sync::Arc<dyn railhead_model::Clock>,
    keep: bool,
) -> Result<Receiver, DemoError> {
    Receiver::start(clock, keep).await.map_err(|error| DemoError::Host(error.to_string()))
}
