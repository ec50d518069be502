//! What leaves verifies with independent libraries, byte for byte as published.

use base64::Engine as _;
use railhead_harness::{Client, Received, Sink, Store};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Spacing, key order, escapes, numbers that floats cannot hold: nothing may be touched.
const RAW: &str = "{ \"z\":1.0,\n\t\"a\" : 12345678901234567890123, \"u\":\"\\u00e9\\/<é>\", \"z\":2e0 }";

railhead_harness::on_both_stores! {
    webhooks_verify_with_an_independent_library_and_raw_bytes_are_untouched,
    receivers_of_svix_stripe_and_outpost_verify_through_a_rotation,
}

async fn reveal(client: &Client, destination: &str) -> String {
    let path = format!("/v1/tenants/acme/destinations/{destination}/credentials/signing_secret/reveal");
    let (status, body) = client.post(&path, &json!({})).await;
    assert_eq!(status, 200, "{body}");
    body["value"].as_str().expect("a value").to_owned()
}

/// One way to verify what comes at a path.
struct Way {
    path: String,
    verifier: &'static str,
    /// Each must verify.
    secrets: Vec<String>,
    /// None may.
    former: Vec<String>,
}

impl Way {
    fn new(path: &str, verifier: &'static str, secrets: &[&str]) -> Self {
        let secrets = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        Self { path: path.to_owned(), verifier, secrets, former: Vec::new() }
    }

    fn former(self, secret: &str) -> Self {
        Self { former: vec![secret.to_owned()], ..self }
    }
}

/// Runs `tests/verify.py`: how many requests verified. It refused each with a changed body, with a secret of nobody, and with
/// every former one.
fn verify(requests: &[Received], ways: &[Way]) -> u64 {
    let python = std::env::var("RAILHEAD_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../verify.py");
    let mut checker = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs; tests/run.sh installs what it needs");
    let mut input = checker.stdin.take().expect("piped");
    for Way { path, verifier, secrets, former } in ways {
        let way = json!({"path": path, "verifier": verifier, "secret": secrets.join(" "), "former": former.join(" ")});
        writeln!(input, "{way}").expect("written");
    }
    for one in requests {
        let body = base64::engine::general_purpose::STANDARD.encode(&one.body);
        writeln!(input, "{}", json!({"path": one.path, "headers": one.headers, "body_base64": body})).expect("written");
    }
    drop(input);
    let out = checker.wait_with_output().expect("ends");
    assert!(out.status.success(), "an independent library refuses a webhook (see standard error)");
    let counts: Value = serde_json::from_slice(&out.stdout).expect("its counts");
    let verified = counts["verified"].as_u64().expect("a number");
    assert_eq!(counts["refused_bodies"].as_u64(), Some(verified), "{counts}");
    let tried = |way: &Way| requests.iter().filter(|one| one.path == way.path).count() * way.secrets.len();
    let others: usize = ways.iter().map(|way| tried(way) * (1 + way.former.len())).sum();
    assert_eq!(counts["refused_secrets"].as_u64(), Some(others as u64), "{counts}");
    verified
}

async fn webhooks_verify_with_an_independent_library_and_raw_bytes_are_untouched(store: &Store) {
    let (host, sink) = (store.start().await, Sink::start().await);
    let client = host.client();
    client.make_tenant("acme").await;
    let modes = ["standard", "raw", "cloudevents-structured", "cloudevents-binary"];
    let mut ways = Vec::new();
    for mode in modes {
        let body = json!({"connector": "webhook", "config": {"url": sink.url(&format!("/{mode}")), "mode": mode}});
        client.make_destination("acme", mode, &body).await;
        ways.push(Way::new(&format!("/{mode}"), "standard", &[&reveal(&client, mode).await]));
    }
    let event = format!("{{\"tenant\":\"acme\",\"type\":\"order.created\",\"id\":\"e-1\",\"data\":{RAW}}}");
    let (status, body) = client.send("POST", "/v1/events", "application/json", event.into_bytes()).await;
    assert_eq!((status, &body["deliveries"]), (202, &json!(4)), "{body}");
    assert!(sink.wait(Duration::from_secs(60), |received| received.len() >= 4).await, "{}", host.log());

    let received = sink.received();
    assert_eq!(verify(&received, &ways), 4);
    let body_at = |path: &str| String::from_utf8(sink.received_at(path)[0].body.to_vec()).expect("utf-8");
    assert_eq!(body_at("/raw"), RAW);
    assert_eq!(body_at("/cloudevents-binary"), RAW);
    assert!(body_at("/standard").contains(&format!("\"data\":{RAW}")), "{}", body_at("/standard"));
    assert!(body_at("/cloudevents-structured").contains(&format!("\"data\":{RAW}")));
    let headers = &sink.received_at("/cloudevents-binary")[0].headers;
    assert_eq!((headers["ce-type"].as_str(), headers["ce-id"].as_str()), ("order.created", "e-1"));
}

const NEW: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Destinations as other webhook servers' receivers want them, and how each is verified.
fn shapes() -> [(&'static str, Value, &'static [&'static str]); 5] {
    let stripe = json!({"scheme": "custom", "header": "stripe-signature", "content": "{timestamp}.{body}",
        "each": "v1={signature}", "join": ",", "value": "t={timestamp},{signatures}", "encoding": "hex",
        "secret_encoding": "utf8"});
    let outpost = json!({"scheme": "custom", "header": "x-outpost-signature", "content": "{body}",
        "each": "{signature}", "join": ",", "value": "v0={signatures}", "encoding": "hex", "secret_encoding": "utf8"});
    let together = json!([{"scheme": "standard"}, stripe, outpost]);
    [
        ("standard", json!({}), &["standard"]),
        ("svix", json!({"header_prefix": "svix-"}), &["svix"]),
        ("stripe", json!({"mode": "raw", "signatures": [stripe]}), &["stripe"]),
        ("outpost", json!({"mode": "raw", "signatures": [outpost]}), &["outpost"]),
        ("together", json!({"header_prefix": "svix-", "signatures": together}), &["svix", "stripe", "outpost"]),
    ]
}

/// Publishes an event; what came of it at every shape's path.
async fn publish(client: &Client, sink: &Sink, id: &str) -> Vec<Received> {
    let event = json!({"tenant": "acme", "type": "t", "id": id, "data": {"id": id}});
    let (status, body) = client.post("/v1/events", &event).await;
    assert_eq!((status, &body["deliveries"]), (202, &json!(shapes().len())), "{body}");
    let own =
        |one: &Received| [one.headers.get("webhook-id"), one.headers.get("svix-id")].contains(&Some(&id.to_owned()));
    let all = |received: &[Received]| received.iter().filter(|one| own(one)).count() >= shapes().len();
    assert!(sink.wait(Duration::from_secs(60), all).await, "{id} did not arrive everywhere");
    let mut received = sink.received();
    received.retain(own);
    received
}

/// One event before, one while both secrets are in force, one after.
async fn receivers_of_svix_stripe_and_outpost_verify_through_a_rotation(store: &Store) {
    let (host, sink) = (store.start().await, Sink::start().await);
    let client = host.client();
    client.make_tenant("acme").await;
    let mut old = BTreeMap::new();
    for (name, mut config, _) in shapes() {
        config["url"] = sink.url(&format!("/{name}")).into();
        client.make_destination("acme", name, &json!({"connector": "webhook", "config": config})).await;
        old.insert(name, reveal(&client, name).await);
    }
    let ways = |way: &dyn Fn(String, &'static str, &str) -> Way| {
        let of = |(name, verifiers): (&'static str, &'static [&'static str])| {
            verifiers.iter().map(move |verifier| (name, *verifier))
        };
        let all = shapes().into_iter().map(|(name, _, verifiers)| (name, verifiers)).flat_map(of);
        all.map(|(name, verifier)| way(format!("/{name}"), verifier, &old[name])).collect::<Vec<_>>()
    };
    let rotate = async |overlap_ms: u32| {
        for (name, ..) in shapes() {
            let path = format!("/v1/tenants/acme/destinations/{name}/credentials/signing_secret");
            let (status, body) = client.put(&path, &json!({"value": NEW, "overlap_ms": overlap_ms})).await;
            assert_eq!(status, 200, "{body}");
        }
    };

    let before = ways(&|path, verifier, old| Way::new(&path, verifier, &[old]).former(NEW));
    assert_eq!(verify(&publish(&client, &sink, "before").await, &before), 7);
    rotate(3_600_000).await;
    let during = ways(&|path, verifier, old| Way::new(&path, verifier, &[NEW, old]));
    assert_eq!(verify(&publish(&client, &sink, "during").await, &during), 14);
    rotate(0).await;
    let after = ways(&|path, verifier, old| Way::new(&path, verifier, &[NEW]).former(old));
    assert_eq!(verify(&publish(&client, &sink, "after").await, &after), 7);
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
    assert_eq!(counts["refused_bodies"], counts["verified"], "{counts}");
    assert!(counts["refused_secrets"].as_u64() >= counts["verified"].as_u64(), "{counts}");
}
