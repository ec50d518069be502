//! A secret of each kind, through everything that the host does with it: sent, echoed, refused, rotated, shown, stored.
//! Then all that the host wrote or said is searched for it, in every spelling.

#[path = "canaries/echo.rs"]
mod echo;
#[path = "canaries/places.rs"]
mod places;
#[path = "canaries/search.rs"]
mod search;
#[path = "canaries/secrets.rs"]
mod secrets;
#[path = "canaries/wrong.rs"]
mod wrong;

use echo::Known;
use places::{Place, check, holds};
use railhead_harness::certificates::Authority;
use railhead_harness::host::{ADMIN_KEY, API_KEY};
use railhead_harness::{Browser, Client, Host, HostOptions, Kept, Peer};
use search::{Canary, Search, planted, planted_plainly, spellings};
use secrets::{Destination, destinations};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_a_json_log_an_answer_or_a_file() {
    run("json").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_a_text_log_an_answer_or_a_file() {
    run("text").await;
}

#[test]
fn the_search_finds_every_spelling_of_the_whole_and_of_a_half() {
    let canary = Canary::new("it", "k9\"/\\+%<&=;-canary-of-the-search-itself");
    let search = Search::new(std::slice::from_ref(&canary));
    let finds = |text: &[u8]| !search.read(text).secrets.is_empty();
    let (start, end) = canary.value.split_at(canary.value.len() / 2);
    for bytes in [&canary.value[..], start, end] {
        for (way, spelling) in spellings(bytes) {
            let text = [b"before ", &spelling[..], b" after"].concat();
            assert!(finds(&text), "{way}: {}", String::from_utf8_lossy(&text));
            let quoted = format!("{:?}", String::from_utf8_lossy(&text));
            assert!(finds(quoted.as_bytes()), "{way}: {quoted}");
        }
    }
    for before in ["", "a", "ab", "abc"] {
        use base64::Engine as _;
        let whole = [before.as_bytes(), &canary.value, &[b'x'; 60]].concat();
        let text = base64::engine::general_purpose::STANDARD.encode(&whole);
        assert!(finds(text.as_bytes()), "{text}");
        let hidden =
            base64::engine::general_purpose::STANDARD.encode([&[b'y'; 60], hex::encode(&whole).as_bytes()].concat());
        assert!(finds(hidden.as_bytes()), "{hidden}");
    }
    assert!(!finds(b"nothing of it is here"));
}

#[test]
fn what_is_planted_is_missed_where_one_spelling_is_not_there() {
    let search = Search::new(&[]);
    let missed = |texts: &[String]| search.read(texts.join("\n").as_bytes()).missed();
    let all = planted();
    assert_eq!((missed(&all), missed(&[]).len() > 8), (Vec::new(), true));
    // What is unfolded, raw among it, comes of more than one.
    let alone = ["hex", "percent-escaped", "json-escaped everywhere", "json-escaped twice", "xml-escaped"];
    for way in alone {
        let (_, spelling) = spellings(search::PLANTED.as_bytes()).into_iter().find(|(one, _)| *one == way).expect("it");
        let same = |text: &&String| !text.as_bytes().eq_ignore_ascii_case(&spelling);
        let others: Vec<String> = all.iter().filter(same).cloned().collect();
        assert!(missed(&others).contains(&way), "{way}");
    }
    assert!(search.read(planted_plainly().join(" ").as_bytes()).missed_plainly().is_empty());
    assert_eq!(search.read(b"").missed_plainly().len(), 4);
}

async fn run(log_format: &str) {
    let (folder, known) = (tempfile::tempdir().expect("a folder"), Known::default());
    let authority = Authority::new("An authority for echoes");
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, authority.pem()).expect("written");
    let plain = echo::start(None, Arc::clone(&known)).await;
    let tls = echo::start(Some(authority.issue("localhost", |_| {}).server(|_| {})), Arc::clone(&known)).await;
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let env = vec![
        set("RAILHEAD_LOG", "trace"),
        set("RAILHEAD_LOG_FORMAT", log_format),
        set("RAILHEAD_EGRESS_CA_FILE", &roots.display().to_string()),
    ];
    let (data, options) = (folder.path().join("data"), HostOptions { env, ..HostOptions::default() });
    let mut host = Host::start(&data, &options).await;
    let client = host.client().keeping();
    let mut canaries =
        vec![Canary::new("the environment's key", API_KEY), Canary::new("the administrator's key", ADMIN_KEY)];

    client.make_tenant("acme").await;
    let destinations = destinations(&plain, &tls, &known);
    for destination in &destinations {
        canaries.extend(destination.secrets.iter().cloned());
        use_destination(&client, destination).await;
    }
    canaries.extend(generated_secrets(&client, &plain).await);
    canaries.extend(wrong::inputs(&client, &plain).await);
    let mut texts = command_line(&host, &mut canaries);
    plant(&client).await;
    texts.extend(key_lists(&host));
    read_everything(&client, &destinations).await;
    texts.extend(pages(&host, &client).await);
    check_arrived(&client, &plain, &tls, &destinations).await;

    name_what_is_planted(&client).await;
    // First as a crash leaves it, with what is still in the write-ahead log; then as an orderly end does.
    host.kill();
    texts.push(the_log(&mut host));
    texts.extend(files_of(&data, "killed ", &mut canaries));
    host = Host::start(&data, &options).await;
    assert_eq!(host.terminate(), Some(0));
    texts.push(the_log(&mut host));
    texts.extend(files_of(&data, "ended ", &mut canaries));
    let answers = client.kept().into_iter().filter(|Kept { request, .. }| !shows_secrets(request));
    texts.extend(answers.map(|Kept { request, answer }| (request, answer)));
    check(&texts, &canaries, &PLACES);
}

/// Sends events that are taken, refused, failed and reset; tests, checks, rotates.
async fn use_destination(client: &Client, Destination { id, body, secrets, rotates }: &Destination) {
    let path = format!("/v1/tenants/acme/destinations/{id}");
    client.make_destination("acme", id, body).await;
    for end in ["200", "400", "500", "reset"] {
        let event =
            json!({"tenant": "acme", "type": format!("to.{id}"), "id": format!("{id}-{end}"), "data": {"n": 1}});
        let (status, answer) = client.post("/v1/events", &event).await;
        assert_eq!(status, 202, "{answer}");
    }
    for end in ["200", "400", "500"] {
        let event = json!({"event": {"type": "a.test", "id": format!("{id}-test-{end}"), "data": {}}});
        let (status, answer) = client.post(&format!("{path}/test"), &event).await;
        assert_eq!(status, 200, "{answer}");
    }
    assert_eq!(client.post(&format!("{path}/check"), &json!({})).await.0, 200);
    settled(client, id, 4).await;
    let Some(field) = rotates else { return };
    let value = &body["credentials"][field];
    let change = json!({"value": value, "overlap_ms": 60_000}).to_string().into_bytes();
    let headers = [("content-type", "application/json"), ("idempotency-key", "canary-rotation")];
    let (status, answer) = client.send_with("PUT", &format!("{path}/credentials/{field}"), &headers, change).await;
    assert_eq!(status, 200, "{answer}");
    assert!(!secrets.is_empty(), "{id} has no secret to look for");
}

/// Waits until so many deliveries have an attempt that is on record.
async fn settled(client: &Client, destination: &str, count: usize) {
    for _ in 0..1_800 {
        let deliveries = client.list(&format!("/v1/tenants/acme/deliveries?destination={destination}")).await;
        let tried = deliveries.iter().filter(|one| one["attempts"].as_u64().is_some_and(|tries| tries > 0));
        if tried.count() >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{destination} has not come to rest: {:#?}", client.list("/v1/tenants/acme/deliveries").await);
}

/// What the host makes itself, shown by the routes that are there to show it.
async fn generated_secrets(client: &Client, peer: &Peer) -> Vec<Canary> {
    let given = "canary-of-a-creation-5be1c07d";
    let config = json!({"url": peer.url("/made"), "headers": {"x-planted": planted().join(" ")}});
    let body = json!({"connector": "webhook", "config": config, "event_types": ["to.made"],
                      "credentials": {"bearer_token": given}});
    let headers = [("content-type", "application/json"), ("idempotency-key", "canary-creation")];
    let create = || client.send_with("POST", "/v1/tenants/acme/destinations", &headers, body.to_string().into_bytes());
    let (status, made) = create().await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(create().await, (status, made.clone()), "the stored answer, which is searched as all are");
    let path = format!("/v1/tenants/acme/destinations/{}", made["id"].as_str().expect("an id"));
    let (status, shown) = client.post(&format!("{path}/credentials/signing_secret/reveal"), &json!({})).await;
    let secret = shown["value"].as_str().unwrap_or_default().to_owned();
    assert!(status == 200 && secret.starts_with("whsec_"), "{shown}");
    let (status, refused) = client.post(&format!("{path}/credentials/bearer_token/reveal"), &json!({})).await;
    assert_ne!(status, 200, "{refused}");

    let body = json!({"name": "canary", "scopes": ["tenants"]}).to_string().into_bytes();
    let (status, key) = client.send_with("POST", "/v1/keys", &headers, body).await;
    assert_eq!(status, 201, "{key}");
    let key = key["secret"].as_str().expect("a secret").to_owned();
    vec![
        Canary::new("a token that came with an idempotency key", given),
        Canary::new("a secret that the host made", secret.trim_start_matches("whsec_")),
        Canary::new("a key that the host made", key.trim_start_matches("rk_live_")),
    ]
}

/// Routes whose purpose is to show a secret, once or on purpose.
fn shows_secrets(request: &str) -> bool {
    request == "POST /v1/keys" || request.ends_with("/reveal") || request.ends_with("/rotate")
}

/// `railhead key …`, with and without `--json`, right and wrong.
fn command_line(host: &Host, canaries: &mut Vec<Canary>) -> Vec<(String, Vec<u8>)> {
    let url = format!("http://{}", host.address);
    let wrong = "rk_admin_canary-of-a-wrong-key-93ac01";
    canaries.push(Canary::new("a wrong key on the command line", wrong));
    let run = |key: &str, arguments: &[&str]| {
        let mut command = Command::new(railhead_harness::host::binary());
        command.args(arguments).env_clear().env("RAILHEAD_URL", &url).env("RAILHEAD_ADMIN_KEY", key);
        let output = command.output().expect("the command runs");
        (output.status.success(), output.stdout, output.stderr)
    };
    let mut texts = Vec::new();
    for json in [&["--json"][..], &[]] {
        let create = [&["key", "create", "--name", search::PLANTED, "--scopes", "tenants"][..], json].concat();
        let (created, out, _) = run(ADMIN_KEY, &create);
        assert!(created, "{}", String::from_utf8_lossy(&out));
        let text = String::from_utf8_lossy(&out).into_owned();
        let mut words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'));
        let secret = words.rfind(|word| word.starts_with("rk_live_")).expect("the secret, shown once");
        canaries.push(Canary::new("a key made on the command line", secret.trim_start_matches("rk_live_")));
        for key in [ADMIN_KEY, wrong] {
            let (listed, out, err) = run(key, &[&["key", "list"][..], json].concat());
            assert_eq!(listed, key == ADMIN_KEY);
            texts.push((format!("railhead key list {json:?}"), [out, err].concat()));
            let (_, out, err) = run(key, &[&["key", "revoke", "key_nonsense"][..], json].concat());
            texts.push((format!("railhead key revoke {json:?}"), [out, err].concat()));
        }
    }
    texts
}

/// What is no secret, in all places that are searched, where they are not written otherwise.
async fn plant(client: &Client) {
    name_what_is_planted(client).await;
    for (n, text) in planted().into_iter().enumerate() {
        let (status, answer) = client.post("/v1/keys", &json!({"name": text, "scopes": ["tenants"]})).await;
        assert_eq!(status, 201, "{n}: {answer}");
    }
    for id in planted_plainly() {
        let headers = [("content-type", "application/json"), ("x-request-id", id.as_str())];
        assert_eq!(client.send_with("GET", "/v1/tenants/acme", &headers, Vec::new()).await.0, 200);
    }
    let config: serde_json::Map<String, Value> = planted().into_iter().map(|text| (text, json!(1))).collect();
    let refused = json!({"connector": "webhook", "config": config});
    let (status, answer) = client.post("/v1/tenants/acme/destinations", &refused).await;
    assert_eq!(status, 422, "{answer}");
}

/// Tenants of these names: in answers, pages, the store.
async fn name_what_is_planted(client: &Client) {
    for (n, text) in planted().into_iter().enumerate() {
        let (status, answer) = client.put(&format!("/v1/tenants/planted-{n}"), &json!({"name": text})).await;
        assert!(matches!(status, 200 | 201), "{answer}");
    }
}

/// `railhead key list`, with and without `--json`, once what is planted is there.
fn key_lists(host: &Host) -> Vec<(String, Vec<u8>)> {
    let url = format!("http://{}", host.address);
    let run = |json: &[&str]| {
        let mut command = Command::new(railhead_harness::host::binary());
        command.args(["key", "list"]).args(json).env_clear();
        let output = command.env("RAILHEAD_URL", &url).env("RAILHEAD_ADMIN_KEY", ADMIN_KEY).output();
        let output = output.expect("the command runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (format!("railhead key list {json:?}"), output.stdout)
    };
    vec![run(&["--json"]), run(&[])]
}

/// Every route that shows something of a tenant, and those of the host.
async fn read_everything(client: &Client, destinations: &[Destination]) {
    let all = ["", "/destinations", "/events", "/deliveries", "/replays"].map(|path| format!("/v1/tenants/acme{path}"));
    let host = ["/v1/tenants", "/v1/keys", "/v1/connectors", "/v1/event-types", "/openapi.json", "/docs", "/readyz"];
    for path in all.iter().map(String::as_str).chain(host) {
        assert_eq!(client.get(path).await.0, 200, "{path}");
    }
    for Destination { id, .. } in destinations {
        assert_eq!(client.get(&format!("/v1/tenants/acme/destinations/{id}")).await.0, 200);
    }
    for event in client.list("/v1/tenants/acme/events").await {
        let path = format!("/v1/tenants/acme/events/{}", event["uid"].as_str().expect("an id"));
        assert_eq!(client.get(&path).await.0, 200);
        client.get(&format!("{path}/payload")).await;
    }
    for delivery in client.list("/v1/tenants/acme/deliveries").await {
        let path = format!("/v1/tenants/acme/deliveries/{}", delivery["id"].as_str().expect("an id"));
        client.get(&path).await;
        for attempt in client.list(&format!("{path}/attempts")).await {
            let path = format!("{path}/attempts/{}", attempt["id"].as_str().expect("an id"));
            let (status, attempt) = client.get(&path).await;
            assert_eq!(status, 200, "{attempt}");
        }
    }
}

/// The pages that show destinations and deliveries, and the metrics.
async fn pages(host: &Host, client: &Client) -> Vec<(String, Vec<u8>)> {
    let browser = Browser::sign_in(host.address, API_KEY).await;
    let mut paths = vec!["/ui".to_owned(), "/ui/tenants/acme".to_owned(), "/ui/tenants/planted-0".to_owned()];
    let named = |kind: &'static str, field: &'static str, rows: Vec<Value>| {
        let path = move |row: &Value| Some(format!("/ui/tenants/acme/{kind}/{}", row[field].as_str()?));
        rows.iter().filter_map(path).collect::<Vec<_>>()
    };
    for (kind, field) in [("destinations", "id"), ("events", "uid"), ("deliveries", "id")] {
        paths.extend(named(kind, field, client.list(&format!("/v1/tenants/acme/{kind}")).await));
    }
    let mut texts = Vec::new();
    for path in paths {
        let page = browser.get(&path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.html);
        texts.push((format!("page {path}"), page.html.into_bytes()));
    }
    let (status, metrics) = Client::new(host.metrics, "none").get("/metrics").await;
    assert_eq!(status, 200);
    texts.push(("metrics".to_owned(), metrics.to_string().into_bytes()));
    texts
}

/// The secrets that are sent did arrive: else nothing could have come back.
async fn check_arrived(client: &Client, plain: &Peer, tls: &Peer, destinations: &[Destination]) {
    let arrived = |wanted: &String| {
        let requests = plain.requests().into_iter().chain(tls.requests());
        requests.into_iter().any(|one| one.headers("webhook-id").any(|id| id == wanted))
    };
    for Destination { id, .. } in destinations.iter().filter(|one| one.id != "refused-oauth2") {
        for end in ["200", "400", "500", "reset"] {
            let wanted = format!("{id}-{end}");
            // One that found no place in time is tried again, and counts for nothing.
            let came = async {
                while !arrived(&wanted) {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            };
            if tokio::time::timeout(Duration::from_secs(60), came).await.is_err() {
                let deliveries = client.list(&format!("/v1/tenants/acme/deliveries?destination={id}")).await;
                panic!("{wanted} did not arrive: {deliveries:#?}");
            }
        }
    }
}

/// The files of a host, all but its own master key, which must be in no other.
fn files_of(data: &Path, after: &str, canaries: &mut Vec<Canary>) -> Vec<(String, Vec<u8>)> {
    let (keys, others): (Vec<_>, Vec<_>) =
        search::files(data).into_iter().partition(|(name, _)| name.ends_with("/master.key"));
    assert!(others.iter().any(|(name, _)| name.ends_with("/railhead.db")), "no database was found");
    for (_, key) in keys {
        canaries.push(Canary::new("the master key", key.trim_ascii()));
    }
    others.into_iter().map(|(name, bytes)| (format!("{after}{name}"), bytes)).collect()
}

/// Of a host that has ended.
fn the_log(host: &mut Host) -> (String, Vec<u8>) {
    ("the log".to_owned(), host.whole_log().into_bytes())
}

/// What is planted must be found in each of them.
const PLACES: [Place; 9] = [
    ("the file", |name, _| name.starts_with("ended ") && name.ends_with("/railhead.db")),
    ("the write-ahead log", |name, _| name.starts_with("killed ") && name.ends_with("/railhead.db-wal")),
    ("answers", |name, _| name == "GET /v1/tenants"),
    ("stored answers", |_, text| holds(text, b"idempotent-replayed")),
    ("problem documents", |_, text| holds(text, b"application/problem+json")),
    ("attempts", |name, _| name.contains("/attempts/")),
    ("`--json`", |name, _| name == "railhead key list [\"--json\"]"),
    ("the command line's tables", |name, _| name == "railhead key list []"),
    ("pages", |name, _| name == "page /ui"),
];
