//! A connector that is none of the house's, in a whole host: the API, the engine, the embedded store, the vault and the
//! sandbox are the real ones. It has a credential field of every kind, uses each as it may be used, gets everything back,
//! and dies with it. Then all that the host wrote or said is searched, in every spelling.

#[path = "../../../scenarios/tests/canaries/echo.rs"]
mod echo;
mod host;
mod kinds;
mod log;
#[path = "../../../scenarios/tests/canaries/places.rs"]
mod places;
#[path = "../../../scenarios/tests/canaries/search.rs"]
mod search;

use echo::Known;
use host::Host;
use kinds::{Kind, kinds};
use places::{Place, check, holds};
use railhead_harness::certificates::Authority;
use search::{Canary, planted, planted_plainly};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_any_kind_outlives_a_connector_that_traps() {
    let (folder, known) = (tempfile::tempdir().expect("a folder"), Known::default());
    let authority = Authority::new("An authority for echoes");
    let plain = echo::start(None, Arc::clone(&known)).await;
    let tls = echo::start(Some(authority.issue("localhost", |_| {}).server(|_| {})), Arc::clone(&known)).await;
    let guest = railhead_test_guests::HOSTILE.iter().find(|guest| guest.name == "credentials-dying").expect("it");
    let host = Host::start(folder.path(), guest.component, authority.pem().as_bytes()).await;
    // Not before: the compiler would write all that it does.
    let log = log::Kept::install();
    let kinds = kinds(&plain, &tls, &known);
    let mut canaries =
        vec![Canary::new("the environment's key", host::KEY), Canary::new("the master key", host.master())];
    canaries.extend(kinds.iter().flat_map(|kind| kind.secrets.iter().cloned()));

    host.json("PUT", "/v1/tenants/acme", &json!({}), 201).await;
    for kind in &kinds {
        use_kind(&host, kind).await;
    }
    canaries.extend(wrong(&host, &kinds).await);
    plant(&host).await;
    read_everything(&host, &kinds).await;
    for (peer, expected) in [(&plain, kinds.len() - 1), (&tls, 1)] {
        let at = peer.requests().iter().filter(|request| request.target().ends_with("/token")).count();
        assert_eq!(peer.requests().len() - at, expected * 3, "an event and two tests of each kind");
    }

    name_what_is_planted(&host).await;
    let mut texts = files(folder.path(), "killed ");
    texts.extend(host.answers());
    host.end().await;
    texts.extend(files(folder.path(), "ended "));
    texts.push(("the log".to_owned(), log.take()));
    check(&texts, &canaries, &PLACES);
}

/// What is planted must be found in each of them.
const PLACES: [Place; 7] = [
    ("the file", |name, _| name == "ended railhead.db"),
    ("the write-ahead log", |name, _| name == "killed railhead.db-wal"),
    ("answers", |name, _| name.starts_with("GET /v1/tenants?")),
    ("stored answers", |_, text| holds(text, b"idempotent-replayed")),
    ("problem documents", |_, text| holds(text, b"application/problem+json")),
    ("attempts", |name, _| name.contains("/attempts/")),
    ("the log", |name, _| name == "the log"),
];

/// Makes a destination, twice with one key; has it deliver, test and check. Each time the connector traps.
async fn use_kind(host: &Host, kind: &Kind) {
    let headers = [("content-type", "application/json"), ("idempotency-key", kind.name)];
    let path = "/v1/tenants/acme/destinations";
    let made = host.send("POST", path, &headers, &kind.body).await;
    assert_eq!(made.0, 201, "{}: {}", kind.name, made.1);
    assert_eq!(host.send("POST", path, &headers, &kind.body).await, made, "{}: the stored answer", kind.name);
    let destination = format!("{path}/{}", made.1["id"].as_str().expect("an id"));
    let event = json!({"tenant": "acme", "type": format!("to.{}", kind.name), "id": kind.name, "data": {"n": 1}});
    host.json("POST", "/v1/events", &event, 202).await;
    let delivery = host.tried(made.1["id"].as_str().expect("an id")).await;
    assert!(delivery.to_string().contains("plugin-trap"), "{}: {delivery}", kind.name);
    for n in 0..2 {
        let event = json!({"event": {"type": "a.test", "id": format!("{}-test-{n}", kind.name), "data": {}}});
        let tested = host.json("POST", &format!("{destination}/test"), &event, 200).await;
        assert!(tested.to_string().contains("plugin-trap"), "{}: {tested}", kind.name);
    }
    host.json("POST", &format!("{destination}/check"), &json!({}), 200).await;
}

/// Values of each field that are none of its kind: no problem document repeats them.
async fn wrong(host: &Host, kinds: &[Kind]) -> Vec<Canary> {
    let mut canaries = Vec::new();
    for kind in kinds {
        for field in kind.body["credentials"].as_object().expect("an object").keys() {
            let secret = format!("canary-of-a-refused-{field}-of-{}-28ee", kind.name);
            let pem = format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n");
            let document = json!({"access_key_id": {}, "secret_access_key": secret, "private_key": secret});
            let lines = format!("{secret}\r\n\u{0}");
            let mut refused = 0;
            for value in [json!([secret]), json!(lines), json!(pem), json!(document.to_string())] {
                let mut body = kind.body.clone();
                body["credentials"][field] = value;
                let (status, answer) = host.send("PUT", "/v1/tenants/acme/destinations/refused", &JSON, &body).await;
                assert!(matches!(status, 200 | 201 | 422), "{field}: {status} {answer}");
                refused += usize::from(status == 422);
            }
            assert!(refused >= 3, "a document may be a text, and nothing else: {field}");
            canaries.push(Canary::new(&format!("a refused {field}"), secret));
        }
    }
    canaries
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// What is no secret, where it is not written otherwise.
async fn plant(host: &Host) {
    name_what_is_planted(host).await;
    let config: serde_json::Map<String, Value> = planted().into_iter().map(|text| (text, json!(1))).collect();
    let refused = json!({"connector": host::CONNECTOR, "config": config});
    host.json("POST", "/v1/tenants/acme/destinations", &refused, 422).await;
    for id in planted_plainly() {
        host.send("GET", "/v1/tenants/acme", &[("x-request-id", id.as_str())], &Value::Null).await;
    }
}

async fn name_what_is_planted(host: &Host) {
    for (n, text) in planted().into_iter().enumerate() {
        let (status, answer) =
            host.send("PUT", &format!("/v1/tenants/planted-{n}"), &JSON, &json!({"name": text})).await;
        assert!(matches!(status, 200 | 201), "{answer}");
    }
}

async fn read_everything(host: &Host, kinds: &[Kind]) {
    let list = async |path: &str| {
        let page = host.json("GET", &format!("{path}?limit=200"), &Value::Null, 200).await;
        assert_eq!(page["next"], Value::Null, "{path} has one page");
        page["data"].as_array().cloned().expect("rows")
    };
    let text = |row: &Value, field: &str| row[field].as_str().expect("a text").to_owned();
    list("/v1/tenants").await;
    host.json("GET", "/v1/connectors", &Value::Null, 200).await;
    for destination in list("/v1/tenants/acme/destinations").await {
        host.json("GET", &format!("/v1/tenants/acme/destinations/{}", text(&destination, "id")), &Value::Null, 200)
            .await;
    }
    for event in list("/v1/tenants/acme/events").await {
        host.json("GET", &format!("/v1/tenants/acme/events/{}", text(&event, "uid")), &Value::Null, 200).await;
    }
    let deliveries = list("/v1/tenants/acme/deliveries").await;
    assert!(deliveries.len() >= kinds.len(), "{deliveries:?}");
    for delivery in deliveries {
        let path = format!("/v1/tenants/acme/deliveries/{}", text(&delivery, "id"));
        host.json("GET", &path, &Value::Null, 200).await;
        let attempts = list(&format!("{path}/attempts")).await;
        assert!(!attempts.is_empty());
        for attempt in attempts {
            host.json("GET", &format!("{path}/attempts/{}", text(&attempt, "id")), &Value::Null, 200).await;
        }
    }
}

/// What the store has on disk.
fn files(folder: &Path, when: &str) -> Vec<(String, Vec<u8>)> {
    let named =
        |(path, bytes): (String, Vec<u8>)| (format!("{when}{}", path.rsplit('/').next().unwrap_or(&path)), bytes);
    search::files(folder).into_iter().map(named).collect()
}
