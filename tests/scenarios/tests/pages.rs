//! The pages of a real host in a real browser: Debian's chromium, with data of every kind, hostile texts among it.

#[path = "pages/callers.rs"]
mod callers;
#[path = "pages/person.rs"]
mod person;

use railhead_harness::{Client, Host, HostOptions, Script, Sink};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Would run, load or end something if any page took it for HTML.
const EVIL: &str = "\"'><script>window.pwned=1</script><img src=x onerror='window.pwned=1'>{{7*7}}</title></textarea>";
/// Turns text around, hides, moves a terminal's cursor.
const CONTROLS: &str = "\u{202e}gnirts\u{200b}\u{1b}[2J\u{0}\r\n";

async fn put(client: &Client, path: &str, body: &Value) {
    let (status, answer) = client.put(path, body).await;
    assert!(matches!(status, 200 | 201), "{path}: {status} {answer}");
}

async fn post(client: &Client, path: &str, body: &Value) -> Value {
    let (status, answer) = client.post(path, body).await;
    assert!((200..300).contains(&status), "{path}: {status} {answer}");
    answer
}

/// Two tenants, destinations in every state, credentials, answers that attack their reader.
async fn destinations(client: &Client, sink: &Sink) {
    put(client, "/v1/tenants/acme", &json!({"name": format!("Acme {EVIL}")})).await;
    put(client, "/v1/tenants/globex", &json!({})).await;
    let html = vec![("content-type".to_owned(), "text/html".to_owned()), ("x-evil".to_owned(), EVIL.to_owned())];
    let page = format!("<html><body>{EVIL}{CONTROLS}</body></html>");
    sink.script("/crm", Script::Answer(422, html.clone(), page.into()));
    sink.script("/busy", Script::Status(503));
    sink.script("/binary", Script::Answer(200, html, vec![0, 159, 146, 150, 255].into()));
    let destination = |path: &str, more: Value| {
        let mut body = json!({"connector": "webhook", "config": {"url": sink.url(path)}, "event_types": ["order.*"]});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        body
    };
    let hostile = json!({
        "name": format!("CRM {EVIL}"), "metadata": {"note": EVIL, "owner": CONTROLS.trim_end().replace('\0', "")},
        "config": {"url": sink.url("/crm"), "headers": {"x-shop": EVIL}},
        "filter": {"data": {"total": [{"numeric": [">", 10]}]}, "type": [{"prefix": "order."}]},
        "credentials": {"bearer_token": "a-token-of-some-length"},
        "fields": {"exclude": ["/secret"]}, "rate_limit": {"per_second": 50.0, "burst": 100},
    });
    for (id, path, more) in [
        ("orders", "/orders", json!({})),
        ("crm", "/crm", hostile),
        ("busy", "/busy", json!({"retry": {"schedule_ms": [60_000, 60_000]}, "jitter": "none"})),
        ("flaky", "/flaky", json!({"retry": {"schedule_ms": [10]}, "jitter": "none"})),
        ("binary", "/binary", json!({"config": {"url": sink.url("/binary"), "mode": "raw"}})),
        ("billing", "/billing", json!({"event_types": ["payment.*"]})),
        ("paused", "/paused", json!({})),
        ("off", "/off", json!({})),
        ("gone.example", "/x", json!({"config": {"url": "http://127.0.0.1:9/closed"}, "retry": {"schedule_ms": []}})),
    ] {
        put(client, &format!("/v1/tenants/acme/destinations/{id}"), &destination(path, more)).await;
    }
    sink.script("/flaky", Script::FirstFails(500, 6));
    for (id, verb) in [("paused", "pause"), ("off", "disable")] {
        post(client, &format!("/v1/tenants/acme/destinations/{id}/{verb}"), &json!({})).await;
    }
    let rotated = json!({"overlap_ms": 3_600_000});
    put(client, "/v1/tenants/acme/destinations/orders/credentials/signing_secret", &rotated).await;
}

/// Events of every kind: plain, hostile in each field, not JSON, large, and one that nobody takes.
async fn events(client: &Client) {
    let data = json!({"total": 99, "secret": "x", "note": EVIL, "more": CONTROLS, "list": [[], {}, 1.50]});
    let mut plain = json!({"tenant": "acme", "type": "order.created", "id": "ord-1", "data": data});
    post(client, "/v1/events", &plain).await;
    plain["id"] = format!("{EVIL}../../%2e%2e/?#&").into();
    plain["subject"] = EVIL.into();
    plain["attributes"] = json!({"note": EVIL});
    post(client, "/v1/events", &plain).await;
    for n in 0..70 {
        let total = if n % 9 == 0 { 99 } else { 1 };
        let event =
            json!({"tenant": "acme", "type": "order.paid", "id": format!("more-{n}"), "data": {"total": total}});
        post(client, "/v1/events", &event).await;
    }
    let binary = json!({"tenant": "acme", "type": "order.blob", "id": "blob", "data_base64": "AJ+Slv8=",
        "datacontenttype": "application/octet-stream"});
    post(client, "/v1/events", &binary).await;
    let large =
        json!({"tenant": "acme", "type": "order.large", "id": "large", "data": {"text": "ü<b>".repeat(30_000)}});
    post(client, "/v1/events", &large).await;
    let nobody = json!({"tenant": "globex", "type": "order.created", "id": "nobody", "data": {}});
    post(client, "/v1/events", &nobody).await;
}

/// Waits until what can end has ended: the pages must not change while they are looked at.
async fn settled(client: &Client) {
    let path = "/v1/tenants/acme/deliveries?state=pending,retrying";
    for _ in 0..600 {
        let waiting = client.list(path).await;
        let untried = |row: &Value| {
            !["busy", "paused", "gone.example"].contains(&row["destination"].as_str().unwrap_or_default())
        };
        let (_, first) = client.get("/v1/tenants/acme/events/ord-1").await;
        let tried = first["destinations"].as_array().into_iter().flatten().any(|one| one["state"] == "retrying");
        if tried && !waiting.iter().any(untried) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("deliveries still wait: {:#?}", client.list(path).await);
}

/// Runs `tests/browser/check.py`; what it looked at.
fn check(ask: &Value) -> Value {
    let python = std::env::var("RAILHEAD_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../browser");
    let mut checker = Command::new(python)
        .arg("check.py")
        .current_dir(folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python runs; tests/run.sh installs what it needs");
    let mut input = checker.stdin.take().expect("piped");
    write!(input, "{ask}").expect("written");
    drop(input);
    let out = checker.wait_with_output().expect("ends");
    let (told, faults) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{told}\n{faults}");
    serde_json::from_str(&told).expect("what it looked at")
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_stand_in_a_real_browser_with_and_without_javascript_and_by_keyboard() {
    let (folder, sink) = (tempfile::tempdir().expect("a folder"), Sink::start().await);
    let host = Host::start(folder.path(), &HostOptions::default()).await;
    let client = host.client();
    destinations(&client, &sink).await;
    events(&client).await;
    settled(&client).await;
    let few = post(&client, "/v1/keys", &json!({"scopes": ["tenants", "events:read"]})).await;
    let ask = json!({
        "base": format!("http://{}", host.address), "key": railhead_harness::host::API_KEY,
        "admin": railhead_harness::host::ADMIN_KEY, "few": few["secret"], "tenant": "acme",
        "never": ["<script>window", "<img src=\"x\"", "<img src=x", "<b>"],
    });
    let looked = tokio::task::spawn_blocking(move || check(&ask)).await.expect("runs");
    for (what, least) in [("pages", 12), ("looks", 80), ("rules_passed", 1_000), ("stops", 1_000), ("used", 250)] {
        assert!(looked[what].as_u64() >= Some(least), "{what}: {looked}");
    }
}
