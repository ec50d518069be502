//! Components built against a frozen version of the contract, kept as they were: every later host must run them.
//!
//! Nobody builds these files again. A host that fails here has broken plugins that are out there.

use railhead_model::Outcome;
use railhead_plugin_harness::{Answer, Connector, Harness, HttpPeer, TcpPeer, event, events};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

const WEBHOOK: &[u8] = include_bytes!("frozen/0.1.0/webhook.wasm");
const S3: &[u8] = include_bytes!("frozen/0.1.0/s3.wasm");
const POSTGRES: &[u8] = include_bytes!("frozen/0.1.0/postgres.wasm");

/// SHA-256 of what `wit/0.1.0/plugin.wit` says, comments and blanks aside.
const CONTRACT: &str = "ae574a7eb218a427807d1b61b539b8b834ae499d1fd06470028c7a5f85ac7098";

async fn loaded(component: &[u8]) -> (Harness, Arc<Connector>) {
    let harness = Harness::new().unwrap();
    let connector = harness.load(component).await.unwrap();
    assert_eq!(connector.manifest.contract, "0.1.0");
    (harness, connector)
}

#[tokio::test]
async fn the_webhook_of_then_delivers_signed_and_previews() {
    let (harness, connector) = loaded(WEBHOOK).await;
    let peer = HttpPeer::answering(Answer::status(200)).unwrap();
    let destination = harness
        .destination(&connector, json!({ "url": peer.url("/hook") }))
        .credential("signing_secret", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3");
    let previewed = destination.preview(vec![event(b"{}")]).await.unwrap();
    assert_eq!((previewed.len(), peer.received().len()), (1, 0));
    for settled in destination.deliver(events(3)).await {
        assert!(matches!(settled.outcome, Outcome::Delivered(_)), "{:?}", settled.outcome);
    }
    let received = peer.received();
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|request| request.header("webhook-signature").starts_with("v1,")));
}

#[tokio::test]
async fn the_s3_of_then_puts_one_signed_object_for_a_batch() {
    let (harness, connector) = loaded(S3).await;
    let peer = HttpPeer::answering(Answer::status(200).header("etag", "\"1\"")).unwrap();
    let config = json!({ "bucket": "events", "region": "eu-west-1", "endpoint": peer.origin(), "path_style": true });
    let keys = r#"{"access_key_id": "AKIARAILHEADTEST", "secret_access_key": "railhead/test+secret/0123456789"}"#;
    let destination = harness.destination(&connector, config).credential("keys", keys).batched();
    for settled in destination.deliver(events(5)).await {
        assert!(matches!(settled.outcome, Outcome::Delivered(_)), "{:?}", settled.outcome);
    }
    let request = peer.only();
    assert!(request.line.starts_with("PUT /events/"), "{}", request.line);
    assert!(request.header("authorization").starts_with("AWS4-HMAC-SHA256 Credential=AKIARAILHEADTEST/"));
}

#[tokio::test]
async fn the_postgres_of_then_shows_its_statement_and_opens_nothing_for_it() {
    let (harness, connector) = loaded(POSTGRES).await;
    let server = TcpPeer::serving(|_| Ok(())).unwrap();
    let config = json!({ "host": "127.0.0.1", "port": server.port(), "database": "db", "user": "railhead" });
    let destination = harness.destination(&connector, config).credential("password", "a long password");
    let shown = destination.preview(events(2)).await.unwrap();
    assert!(!shown.is_empty());
    assert_eq!(server.connections(), 0);
    // It ends every connection at once: whatever becomes of the events, none is lost.
    for settled in destination.deliver(events(2)).await {
        let kept = !matches!(settled.outcome, Outcome::Delivered(_) | Outcome::Permanent(_));
        assert!(kept, "{:?}", settled.outcome);
    }
    assert!(server.connections() > 0);
}

#[test]
fn the_contract_is_what_it_was() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit/0.1.0/plugin.wit");
    let text = std::fs::read_to_string(path).unwrap();
    let code = |line: &str| line.split("//").next().unwrap_or_default().split_whitespace().collect::<String>();
    let said: String = text.lines().map(code).collect();
    let digest = hex(&Sha256::digest(said.as_bytes()));
    assert_eq!(digest, CONTRACT, "0.1.0 is frozen: what is new goes into a folder of its own");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
