//! The component that was built when the contract was frozen, against the real server: TLS, SCRAM, rows.

use crate::run::{events, short};
use crate::server::{LEAST, PASSWORD, Server, USER};
use railhead_plugin_harness::Harness;
use serde_json::json;

const FROZEN: &[u8] = include_bytes!("../frozen/0.1.0/postgres.wasm");

#[tokio::test]
async fn the_postgres_of_then_writes_rows_behind_tls_and_scram() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    let harness = Harness::new().unwrap();
    let connector = harness.load(FROZEN).await.unwrap();
    assert_eq!(connector.manifest.contract, "0.1.0");
    let config = json!({
        "host": "localhost", "port": server.port, "database": "postgres", "user": USER, "schema": schema.name,
    });
    let credentials = [("password", PASSWORD), ("tls_identity", &server.authority.pem())];
    let destination = harness.destination(&connector, config).credentials(&credentials).batched();
    let told = destination.check().await.unwrap();
    let told: Vec<String> = told.into_iter().map(Result::unwrap).collect();
    assert!(told.iter().any(|step| step.contains("with SCRAM-SHA-256 and channel binding")), "{told:?}");
    for expected in ["delivered inserted", "delivered duplicate"] {
        for settled in destination.deliver(events(20)).await {
            assert_eq!(short(&settled.outcome), expected);
        }
    }
    assert_eq!(schema.ids().await.len(), 20);
}
