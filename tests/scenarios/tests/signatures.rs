//! What leaves verifies with an independent library, byte for byte as published.

use base64::Engine as _;
use railhead_harness::{Client, Host, HostOptions, Received, Sink};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Spacing, key order, escapes, numbers that floats cannot hold: nothing may be touched.
const RAW: &str = "{ \"z\":1.0,\n\t\"a\" : 12345678901234567890123, \"u\":\"\\u00e9\\/<é>\", \"z\":2e0 }";

async fn reveal(client: &Client, destination: &str) -> String {
    let path = format!("/v1/tenants/acme/destinations/{destination}/credentials/signing_secret/reveal");
    let (status, body) = client.post(&path, &json!({})).await;
    assert_eq!(status, 200, "{body}");
    body["value"].as_str().expect("a value").to_owned()
}

/// Runs `tests/verify.py`: how many requests verified, and how many changed ones were refused.
fn verify(requests: &[Received], secrets: &BTreeMap<String, String>) -> (u64, u64) {
    let python = std::env::var("RAILHEAD_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../verify.py");
    let mut checker = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs; tests/run.sh installs what it needs");
    let mut input = checker.stdin.take().expect("piped");
    for (path, secret) in secrets {
        writeln!(input, "{}", json!({"path": path, "secret": secret})).expect("written");
    }
    for one in requests {
        let body = base64::engine::general_purpose::STANDARD.encode(&one.body);
        writeln!(input, "{}", json!({"path": one.path, "headers": one.headers, "body_base64": body})).expect("written");
    }
    drop(input);
    let out = checker.wait_with_output().expect("ends");
    assert!(out.status.success(), "the independent library refuses a webhook (see standard error)");
    let counts: Value = serde_json::from_slice(&out.stdout).expect("its counts");
    (counts["verified"].as_u64().expect("a number"), counts["refused"].as_u64().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_verify_with_an_independent_library_and_raw_bytes_are_untouched() {
    let (folder, sink) = (tempfile::tempdir().expect("a folder"), Sink::start().await);
    let host = Host::start(folder.path(), &HostOptions::default()).await;
    let client = host.client();
    client.make_tenant("acme").await;
    let modes = ["standard", "raw", "cloudevents-structured", "cloudevents-binary"];
    let mut secrets = BTreeMap::new();
    for mode in modes {
        let body = json!({"connector": "webhook", "config": {"url": sink.url(&format!("/{mode}")), "mode": mode}});
        client.make_destination("acme", mode, &body).await;
        secrets.insert(format!("/{mode}"), reveal(&client, mode).await);
    }
    let event = format!("{{\"tenant\":\"acme\",\"type\":\"order.created\",\"id\":\"e-1\",\"data\":{RAW}}}");
    let (status, body) = client.send("POST", "/v1/events", "application/json", event.into_bytes()).await;
    assert_eq!((status, &body["deliveries"]), (202, &json!(4)), "{body}");
    assert!(sink.wait(Duration::from_secs(20), |received| received.len() >= 4).await, "{}", host.log());

    let received = sink.received();
    assert_eq!(verify(&received, &secrets), (4, 4));
    let body_at = |path: &str| String::from_utf8(sink.received_at(path)[0].body.to_vec()).expect("utf-8");
    assert_eq!(body_at("/raw"), RAW);
    assert_eq!(body_at("/cloudevents-binary"), RAW);
    assert!(body_at("/standard").contains(&format!("\"data\":{RAW}")), "{}", body_at("/standard"));
    assert!(body_at("/cloudevents-structured").contains(&format!("\"data\":{RAW}")));
    let headers = &sink.received_at("/cloudevents-binary")[0].headers;
    assert_eq!((headers["ce-type"].as_str(), headers["ce-id"].as_str()), ("order.created", "e-1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_secret_rotates_both_verify_and_afterwards_only_the_new_one() {
    let (folder, sink) = (tempfile::tempdir().expect("a folder"), Sink::start().await);
    let host = Host::start(folder.path(), &HostOptions::default()).await;
    let client = host.client();
    client.make_tenant("acme").await;
    client
        .make_destination("acme", "hook", &json!({"connector": "webhook", "config": {"url": sink.url("/hook")}}))
        .await;
    let old = reveal(&client, "hook").await;
    let new = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let path = "/v1/tenants/acme/destinations/hook/credentials/signing_secret";
    let publish = async |id: &str| {
        let event = json!({"tenant": "acme", "type": "t", "id": id, "data": {}});
        assert_eq!(client.post("/v1/events", &event).await.0, 202);
        assert!(sink.wait(Duration::from_secs(20), |all| all.iter().any(|one| one.headers["webhook-id"] == id)).await);
        let mut found = sink.received_at("/hook");
        found.retain(|one| one.headers["webhook-id"] == id);
        found
    };
    let both = BTreeMap::from([("/hook".to_owned(), format!("{old} {new}"))]);
    let only_new = BTreeMap::from([("/hook".to_owned(), new.to_owned())]);

    let (status, body) = client.put(path, &json!({"value": new, "overlap_ms": 3_600_000})).await;
    assert!(matches!(status, 200 | 204), "{status}: {body}");
    assert_eq!(verify(&publish("overlap").await, &both), (2, 2));
    let (status, body) = client.put(path, &json!({"value": new, "overlap_ms": 0})).await;
    assert!(matches!(status, 200 | 204), "{status}: {body}");
    let after = publish("after").await;
    assert_eq!(verify(&after, &only_new), (1, 1));
    assert_eq!(after[0].headers["webhook-signature"].split(' ').count(), 1, "the old secret still signs");
}

/// The demo's own traffic, as its `--ledger` keeps it.
#[test]
fn the_demos_webhooks_verify() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = folder.path().join("ledger.jsonl");
    let out = Command::new(railhead_harness::host::binary())
        .args(["demo", "--json", "--events", "300", "--ledger"])
        .arg(&ledger)
        .output()
        .expect("the demo runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let summary: Value = serde_json::from_slice(&out.stdout).expect("its summary");
    assert_eq!(summary["missing"], 0, "{summary}");
    let python = std::env::var("RAILHEAD_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let checked = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../verify.py"))
        .stdin(std::fs::File::open(&ledger).expect("the ledger"))
        .output()
        .expect("python runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let counts: Value = serde_json::from_slice(&checked.stdout).expect("its counts");
    assert!(counts["verified"].as_u64() > Some(900), "{counts}");
}
