//! `examples/compose/try.sh` without a container engine: two hosts, one PostgreSQL, a host killed, nothing lost.

use railhead_harness::host::{binary, free_port};
use std::process::Command;

#[tokio::test]
async fn the_steps_of_the_compose_example_lose_nothing() {
    let postgres = [15, 16, 17, 18].map(|version| format!("/usr/lib/postgresql/{version}/bin"));
    if !postgres.iter().any(|bin| std::path::Path::new(bin).exists()) {
        assert!(std::env::var_os("RAILHEAD_REQUIRE_POSTGRES").is_none(), "PostgreSQL is not installed");
        return skipped("PostgreSQL is not installed");
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/compose/try.sh");
    let mut command = Command::new(script);
    command.arg("processes").env("RAILHEAD_BIN", binary()).env("EVENTS", "50");
    for name in ["POSTGRES", "A", "B", "METRICS_A", "METRICS_B", "RECEIVER"] {
        command.env(format!("PORT_{name}"), free_port().port().to_string());
    }
    let output = tokio::task::spawn_blocking(move || command.output().expect("sh runs")).await.expect("runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("none is missing"), "{said}");
}

#[allow(clippy::print_stderr)] // whoever reads a run should know what it left out
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}
