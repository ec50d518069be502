//! The verification code of `host/RECEIVING.md`, run by its interpreter on requests that a real host sent.

use super::page;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use railhead_harness::{Client, Host, HostOptions, Received, Sink};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The block's name on the page, its file, the program that runs it, and how that is started.
const LANGUAGES: [(&str, &str, &str, &[&str]); 5] = [
    ("python verify", "verify.py", "main.py", &["python3", "main.py"]),
    ("js verify", "verify.mjs", "main.mjs", &["node", "main.mjs"]),
    ("go verify", "verify.go", "main.go", &["go", "run", "verify.go", "main.go"]),
    ("ruby verify", "verify.rb", "main.rb", &["ruby", "main.rb"]),
    ("php verify", "verify.php", "main.php", &["php", "main.php"]),
];
const NEW_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A request, and what a verification has to say of it.
struct Case {
    what: &'static str,
    secret: String,
    request: Received,
    /// Seconds between the request's own time and the receiver's.
    later: i64,
    verifies: bool,
}

/// What a real host sent: text, bytes that are none, a batch; with one signature, and with two while a secret rotated.
struct Sent {
    plain: Received,
    bytes: Received,
    rotating: Received,
    secret: String,
    batch: Received,
    batch_secret: String,
    ed25519: Received,
    public_key: String,
}

async fn reveal(client: &Client, destination: &str) -> String {
    let path = format!("/v1/tenants/acme/destinations/{destination}/credentials/signing_secret/reveal");
    let (status, body) = client.post(&path, &json!({})).await;
    assert_eq!(status, 200, "{body}");
    body["value"].as_str().expect("a value").to_owned()
}

async fn publish(client: &Client, sink: &Sink, id: &str, data: Value) -> Received {
    let mut event = json!({"tenant": "acme", "type": format!("to.{id}"), "id": id});
    event.as_object_mut().expect("an object").extend(data.as_object().expect("an object").clone());
    let (status, body) = client.post("/v1/events", &event).await;
    assert_eq!((status, &body["deliveries"]), (202, &json!(1)), "{body}");
    let is_it = |one: &&Received| one.headers.get("webhook-id").is_some_and(|own| own == id);
    assert!(sink.wait(Duration::from_secs(20), |all| all.iter().any(|one| is_it(&one))).await, "{id} never came");
    sink.received().iter().find(is_it).expect("it came").clone()
}

async fn send() -> Sent {
    let (folder, sink) = (tempfile::tempdir().expect("a folder"), Sink::start().await);
    let host = Host::start(folder.path(), &HostOptions::default()).await;
    let client = host.client();
    client.make_tenant("acme").await;
    let hook = json!({"connector": "webhook", "config": {"url": sink.url("/hook"), "mode": "raw"},
                      "event_types": ["to.plain", "to.bytes", "to.rotating"]});
    client.make_destination("acme", "hook", &hook).await;
    let keyed = json!({"connector": "webhook", "config": {"url": sink.url("/keyed")}, "event_types": ["to.keyed"],
                       "credentials": {"ed25519_key": "generate"}});
    let keyed = client.make_destination("acme", "keyed", &keyed).await;
    let batched = json!({"connector": "webhook", "config": {"url": sink.url("/batched")}, "event_types": ["to.batch"],
                         "batch": {"max_events": 3, "max_bytes": 100_000, "linger_ms": 600_000}});
    client.make_destination("acme", "batched", &batched).await;
    let (secret, batch_secret) = (reveal(&client, "hook").await, reveal(&client, "batched").await);
    let plain = publish(&client, &sink, "plain", json!({"data": {"name": "Zoë", "n": 12.50}})).await;
    let no_text = STANDARD.encode([0, 159, 146, 150, b'\r', b'\n', 255, 0]);
    let bytes = json!({"data_base64": no_text, "datacontenttype": "application/octet-stream"});
    let bytes = publish(&client, &sink, "bytes", bytes).await;
    let ed25519 = publish(&client, &sink, "keyed", json!({"data": {}})).await;
    let batch = publish_batch(&client, &sink).await;
    let path = "/v1/tenants/acme/destinations/hook/credentials/signing_secret";
    let (status, body) = client.put(path, &json!({"value": NEW_SECRET, "overlap_ms": 3_600_000})).await;
    assert_eq!(status, 200, "{body}");
    let rotating = publish(&client, &sink, "rotating", json!({"data": {}})).await;
    assert_eq!(rotating.headers["webhook-signature"].split(' ').count(), 2, "{:?}", rotating.headers);
    let public_key = keyed["credentials"]["ed25519_key"]["public_key"].as_str().expect("a key").to_owned();
    Sent { plain, bytes, rotating, secret, batch, batch_secret, ed25519, public_key }
}

/// Three events, which fill a batch of three: an array in one request.
async fn publish_batch(client: &Client, sink: &Sink) -> Received {
    let three: Vec<_> = (0..3).map(|n| json!({"tenant": "acme", "type": "to.batch", "data": {"n": n}})).collect();
    let (status, body) = client.post("/v1/events", &json!(three)).await;
    assert_eq!(status, 202, "{body}");
    let came = sink.wait(Duration::from_secs(20), |all| all.iter().any(|one| one.path == "/batched"));
    assert!(came.await, "the batch never came");
    let batch = sink.received_at("/batched").remove(0);
    assert_eq!(batch.headers["webhook-batch-size"], "3");
    let members: Vec<Value> = serde_json::from_slice(&batch.body).expect("an array");
    assert!(members.len() == 3 && members.iter().all(|one| one["type"] == "to.batch"), "{members:?}");
    batch
}

/// The request as it came, and each way in which it could be another one.
fn cases(secret: &str, wrong: &str, request: &Received) -> Vec<Case> {
    let case = |what, secret: &str, later, verifies, change: &dyn Fn(&mut Received)| {
        let mut request = request.clone();
        change(&mut request);
        Case { what, secret: secret.to_owned(), request, later, verifies }
    };
    let set = |name: &'static str, to: fn(&str) -> String| {
        move |request: &mut Received| {
            let new = to(&request.headers[name]);
            request.headers.insert(name.to_owned(), new);
        }
    };
    let add_a_byte = |request: &mut Received| request.body = [request.body.as_ref(), b" "].concat().into();
    let no_header = |request: &mut Received| drop(request.headers.remove("webhook-signature"));
    let same = |_: &mut Received| {};
    vec![
        case("as it came", secret, 0, true, &same),
        case("almost five minutes old", secret, 290, true, &same),
        case("with a signature of a later version before it", secret, 0, true, &|request| {
            set("webhook-signature", |own| format!("v9,AAAA {own}"))(request);
        }),
        case("an old timestamp", secret, 301, false, &same),
        case("a timestamp of the future", secret, -301, false, &same),
        case("a timestamp that was moved", secret, 60, false, &|request| {
            set("webhook-timestamp", |own| (own.parse::<i64>().expect("seconds") + 60).to_string())(request);
        }),
        case("no timestamp", secret, 0, false, &|request| set("webhook-timestamp", |_| String::new())(request)),
        case("a changed body", secret, 0, false, &add_a_byte),
        case("a changed id", secret, 0, false, &|request| set("webhook-id", |own| format!("{own}x"))(request)),
        case("a changed signature", secret, 0, false, &|request| set("webhook-signature", flipped)(request)),
        case("half of each signature", secret, 0, false, &|request| set("webhook-signature", halved)(request)),
        case("no signature", secret, 0, false, &no_header),
        case("a wrong secret", wrong, 0, false, &same),
    ]
}

/// Every signature with another first character after its version.
fn flipped(signatures: &str) -> String {
    let flip = |one: &str| {
        let (version, rest) = one.split_once(',').expect("a version");
        format!("{version},{}{}", if rest.starts_with('A') { 'B' } else { 'A' }, &rest[1..])
    };
    signatures.split(' ').map(flip).collect::<Vec<_>>().join(" ")
}

fn halved(signatures: &str) -> String {
    signatures.split(' ').map(|one| &one[..one.len() / 2]).collect::<Vec<_>>().join(" ")
}

/// Runs one block in a folder of its own, and compares what it says of each case.
fn judge(name: &str, code: &str, (file, main, command): (&str, &str, &[&str]), cases: &[Case]) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(file), code).expect("written");
    std::fs::copy(page::path("tests/samples").join(main), folder.path().join(main)).expect("copied");
    let input: Vec<Value> = cases
        .iter()
        .map(|case| {
            let sent_at = case.request.headers["webhook-timestamp"].parse::<i64>().unwrap_or_default();
            json!({
                "secret": case.secret,
                "headers": case.request.headers,
                "body_base64": STANDARD.encode(&case.request.body),
                "now": sent_at + case.later,
            })
        })
        .collect();
    let said = run(folder.path(), command, &Value::from(input));
    assert_eq!(said.len(), cases.len(), "{name}");
    let mut wrong = String::new();
    for (case, said) in cases.iter().zip(said) {
        if said != case.verifies {
            let _ = writeln!(wrong, "{name}: {} ({}): {said}", case.what, case.request.path);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn run(folder: &Path, command: &[&str], input: &Value) -> Vec<bool> {
    let mut child = Command::new(command[0])
        .args(&command[1..])
        .current_dir(folder)
        .env("GO111MODULE", "off")
        .env("GOCACHE", concat!(env!("CARGO_TARGET_TMPDIR"), "/go"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}; tests/run.sh installs it", command[0]));
    let stdin = child.stdin.take().expect("piped");
    serde_json::to_writer(stdin, input).expect("written");
    let out = child.wait_with_output().expect("ends");
    assert!(out.status.success(), "{command:?} ended with {} (see standard error)", out.status);
    serde_json::from_slice(&out.stdout).expect("an array")
}

/// The interpreter that has the libraries of `tests/requirements.txt`.
pub fn python() -> String {
    std::env::var("RAILHEAD_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_of_the_page_verifies_what_a_host_sent_and_refuses_what_was_changed() {
    let (page, sent) = (page::read("host/RECEIVING.md"), send().await);
    let mut all = cases(&sent.secret, NEW_SECRET, &sent.plain);
    all.extend(cases(&sent.secret, NEW_SECRET, &sent.bytes));
    all.extend(cases(&sent.batch_secret, NEW_SECRET, &sent.batch));
    // While it rotates, the old secret fits and so does the new one; a third one does not.
    for secret in [&sent.secret, NEW_SECRET] {
        all.extend(cases(secret, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &sent.rotating));
    }
    for (name, file, main, command) in LANGUAGES {
        judge(name, &page::block(&page, name), (file, main, command), &all);
    }

    let wrong = "whpk_GEcbp2Av5fz7RixCLKiYqcD0oYk5LeZvaVlDvbVdUt0=";
    let keyed = cases(&sent.public_key, wrong, &sent.ed25519);
    judge("js ed25519", &page::block(&page, "js ed25519"), ("verify.mjs", "main.mjs", &["node", "main.mjs"]), &keyed);

    // Libraries take the time from the machine, and a body for JSON: they get the cases that are about neither.
    let python = python();
    let mut now = cases(&sent.secret, NEW_SECRET, &sent.plain);
    now.extend(cases(&sent.batch_secret, NEW_SECRET, &sent.batch));
    now.retain(|case| case.later == 0);
    let blocks = page::blocks(&page, "python library");
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        judge("python library", &block, ("verify.py", "main.py", &[&python, "main.py"]), &now);
    }
}
