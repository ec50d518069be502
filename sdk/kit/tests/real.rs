//! A connector whose server nobody plays, judged at the real one.

use railhead_harness::Postgres;
use railhead_plugin_kit::{Address, Given, Plugin, Verdict, run};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

const PASSWORD: &str = "correct-horse-battery-staple";
/// The test itself comes without a password; the connector does not.
const HBA: &str = "
local all all                     trust
host  all railhead 127.0.0.1/32   trust
host  all writer   127.0.0.1/32   scram-sha-256
";
const TABLE: &str = "
CREATE TABLE events (
  event_id text PRIMARY KEY, id text NOT NULL, event_type text NOT NULL, occurred_at timestamptz NOT NULL,
  tenant text NOT NULL, source text NOT NULL, payload jsonb, metadata jsonb NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now());
GRANT INSERT, SELECT (event_id) ON events TO writer";

/// A server that wants a password, and its table.
async fn server() -> Option<Postgres> {
    let mut server = Postgres::start(&["fsync=off"]).await?;
    let data = server.ask("SHOW data_directory");
    std::fs::write(Path::new(&data).join("pg_hba.conf"), HBA).unwrap();
    server.stop();
    server.resume().await;
    let _ = server.ask(&format!("CREATE ROLE writer LOGIN PASSWORD '{PASSWORD}'"));
    let _ = server.ask(TABLE);
    Some(server)
}

#[tokio::test]
async fn the_postgres_connector_keeps_the_contract_at_a_postgresql() {
    let Some(server) = server().await else { return };
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/postgres"));
    let mut plugin = Plugin::in_folder(railhead_plugins::POSTGRES.to_vec(), folder).unwrap();
    plugin.plan.config = json!({ "sslmode": "disable", "user": "writer", "database": "postgres" });
    // That one is with TLS and without a login.
    plugin.plan.dialogue.clear();
    plugin.plan.credentials = BTreeMap::from([("password".to_owned(), Given::Value(PASSWORD.to_owned()))]);
    plugin.server = Some(Address { host: "127.0.0.1".to_owned(), port: server.address.port() });
    let report = run(&plugin).await.unwrap();
    let made = |rule: &str, check: &str| {
        report.findings.iter().any(|found| found.rule == rule && found.check == check && found.verdict == Verdict::Ok)
    };
    assert!(report.is_ok() && report.skipped().next().is_none(), "{}", report.table());
    for (rule, check) in [
        ("O3", "a batch that a server takes is delivered"),
        ("D10", "odd events of a batch are settled"),
        ("C2", "the right value is used after a wrong one"),
        ("O1", "a wrong credential waits for a person"),
        ("C7", "no secret comes back in outcomes, records, previews and checks"),
        ("V1", "check tells what it finds"),
    ] {
        assert!(made(rule, check), "{rule} {check}: {}", report.table());
    }
    // Three events and eleven odd ones, however often they were delivered: the first three have one row each.
    assert_eq!(server.ask("SELECT count(DISTINCT id) FROM events WHERE id IN ('ord_1', 'ord_2', 'ord_3')"), "3");
    assert_eq!(server.ask("SELECT count(*) - count(DISTINCT event_id) FROM events"), "0");
}
