//! Destinations that misbehave, each with its end and its record.

use railhead_harness::{Client, Host, HostOptions, Script, Sink, Store};
use serde_json::{Value, json};

railhead_harness::on_both_stores! {
    an_echoing_endpoint_gives_no_secret_to_the_record,
    a_hanging_body_is_cut_and_the_attempt_is_on_record,
    a_redirect_is_not_followed,
    private_addresses_are_refused_in_every_common_spelling,
    selected_fields_are_what_is_sent_and_what_is_on_record,
    credentials_and_headers_that_cannot_work_are_refused_at_entry,
    a_test_answers_with_its_attempt_and_refuses_what_is_paused,
    where_an_event_went_is_known_after_its_destination_is_gone,
}

async fn host(store: &Store) -> (Host, Sink) {
    let host = store.start().await;
    host.client().make_tenant("acme").await;
    (host, Sink::start().await)
}

/// Makes a destination, publishes one event, and answers its first attempt as the API shows it.
async fn first_attempt(client: &Client, id: &str, body: Value) -> Value {
    client.make_destination("acme", id, &body).await;
    let event =
        json!({"tenant": "acme", "type": format!("to.{id}"), "id": format!("e-{id}"), "data": {"hello": "world"}});
    let (status, answer) = client.post("/v1/events", &event).await;
    assert_eq!(status, 202, "{answer}");
    client.first_attempt("acme", id).await
}

fn webhook(url: &str, id: &str, more: Value) -> Value {
    let mut body = json!({"connector": "webhook", "config": {"url": url}, "event_types": [format!("to.{id}")],
                          "retry": {"schedule_ms": [600_000]}});
    for (name, value) in more.as_object().expect("an object") {
        if let (Some(into), Some(from)) = (body[name].as_object_mut(), value.as_object()) {
            into.extend(from.clone());
        } else {
            body[name] = value.clone();
        }
    }
    body
}

async fn an_echoing_endpoint_gives_no_secret_to_the_record(store: &Store) {
    let (host, sink) = host(store).await;
    sink.script("/echo", Script::Echo);
    let token = "canary-token-3f9a7c51d2";
    let more =
        json!({"credentials": {"bearer_token": token, "signing_secret": "whsec_Y2FuYXJ5LXNlY3JldC1vZi10aGUtZWNobw=="}});
    let attempt = first_attempt(&host.client(), "echo", webhook(&sink.url("/echo"), "echo", more)).await;
    assert_eq!(attempt["outcome"], "delivered", "{attempt}");
    let received = sink.received_at("/echo");
    assert_eq!(received[0].headers["authorization"], format!("Bearer {token}"), "the destination does get it");
    let shown = attempt.to_string();
    assert!(shown.contains("world"), "the answer is on record: {shown}");
    for secret in [token, "canary-secret-of-the-echo", "Y2FuYXJ5LXNlY3JldC1vZi10aGUtZWNobw"] {
        assert!(!shown.contains(secret), "{secret} is in the record: {shown}");
        assert!(!host.log().contains(secret), "{secret} is in the log");
    }
}

async fn a_hanging_body_is_cut_and_the_attempt_is_on_record(store: &Store) {
    let (host, sink) = host(store).await;
    sink.script("/endless", Script::EndlessBody);
    sink.script("/hang", Script::Hang);
    for path in ["endless", "hang"] {
        let body = webhook(&sink.url(&format!("/{path}")), path, json!({"timeout_ms": 1_500}));
        let attempt = first_attempt(&host.client(), path, body).await;
        assert!(["uncertain", "transient"].contains(&attempt["outcome"].as_str().expect("a class")), "{attempt}");
        assert!(attempt["code"].as_str().expect("a code").contains("timeout"), "{attempt}");
        assert!(attempt["duration_ms"].as_u64().expect("a number") < 5_000, "{attempt}");
        assert!(attempt["request"].is_object(), "{attempt}");
    }
}

async fn a_redirect_is_not_followed(store: &Store) {
    let (host, sink) = host(store).await;
    let headers = vec![("location".to_owned(), sink.url("/elsewhere"))];
    sink.script("/moved", Script::Answer(302, headers, "moved".into()));
    let attempt = first_attempt(&host.client(), "moved", webhook(&sink.url("/moved"), "moved", json!({}))).await;
    assert_eq!((&attempt["outcome"], &attempt["status"]), (&json!("transient"), &json!("302")), "{attempt}");
    assert!(sink.received_at("/elsewhere").is_empty());
}

/// Every spelling ends before a connection: at the API where it is a literal, at the connection where it is a name.
async fn private_addresses_are_refused_in_every_common_spelling(store: &Store) {
    let options = HostOptions { allow_loopback: false, ..store.options() };
    let (host, sink) = (Host::start(store.folder(), &options).await, Sink::start().await);
    let client = host.client();
    client.make_tenant("acme").await;
    let port = sink.address.port();
    let hosts = [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[::127.0.0.1]",
        "[fe80::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "169.254.1.1",
        "192.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "168.63.129.16",
        "100.100.100.200",
        "%31%32%37.0.0.1",
        "①②⑦.0.0.1",
    ];
    for (n, name) in hosts.iter().enumerate() {
        let url = format!("https://{name}:{port}/");
        let path = format!("/v1/tenants/acme/destinations/d{n}");
        let (status, body) = client.put(&path, &json!({"connector": "webhook", "config": {"url": url}})).await;
        assert_eq!(status, 422, "{url}: {body}");
        assert_eq!(body["errors"][0]["pointer"], "/config/url", "{url}: {body}");
    }
    // A name says nothing until it is resolved.
    let body = webhook(&format!("https://localhost:{port}/"), "name", json!({}));
    let attempt = first_attempt(&client, "name", body).await;
    assert_eq!(
        (&attempt["outcome"], &attempt["code"]),
        (&json!("misconfigured"), &json!("address-not-allowed")),
        "{attempt}"
    );
    assert_eq!(sink.count(), 0);
}

async fn selected_fields_are_what_is_sent_and_what_is_on_record(store: &Store) {
    let (host, sink) = host(store).await;
    let more = json!({"fields": {"exclude": ["/hello"]}, "config": {"mode": "raw"}});
    let attempt = first_attempt(&host.client(), "some", webhook(&sink.url("/some"), "some", more)).await;
    assert_eq!(sink.received_at("/some")[0].body, "{}");
    assert!(!attempt["request"].to_string().contains("world"), "the record shows what was not sent: {attempt}");
}

/// What could only fail at the first event is refused when it is written.
async fn credentials_and_headers_that_cannot_work_are_refused_at_entry(store: &Store) {
    let (host, sink) = host(store).await;
    let client = host.client();
    let no_body = json!({"scheme": "custom", "header": "x-signature", "content": "v0:{timestamp}"});
    for (pointer, body) in [
        ("/credentials/ed25519_key", json!({"credentials": {"ed25519_key": "x"}})),
        ("/credentials/signing_secret", json!({"credentials": {"signing_secret": "short"}})),
        ("/config/headers", json!({"config": {"headers": {"Host": "elsewhere"}}})),
        ("/config/headers", json!({"config": {"headers": {"proxy-authorization": "x"}}})),
        ("/config/signatures", json!({"config": {"signatures": [no_body]}})),
    ] {
        let body = webhook(&sink.url("/x"), "x", body);
        let (status, answer) = client.put("/v1/tenants/acme/destinations/x", &body).await;
        assert_eq!(status, 422, "{answer}");
        let found = answer["errors"][0]["pointer"].as_str().unwrap_or_default();
        assert!(found.starts_with(pointer), "{pointer}: {answer}");
    }
}

async fn a_test_answers_with_its_attempt_and_refuses_what_is_paused(store: &Store) {
    let (host, sink) = host(store).await;
    let client = host.client();
    client.make_destination("acme", "hook", &webhook(&sink.url("/hook"), "hook", json!({}))).await;
    let path = "/v1/tenants/acme/destinations/hook";
    let event = json!({"event": {"type": "any.thing", "data": {}}});
    let (status, body) = client.post(&format!("{path}/test"), &event).await;
    assert_eq!((status, &body["attempt"]["outcome"]), (200, &json!("delivered")), "{body}");
    assert_eq!(sink.received_at("/hook").len(), 1);
    assert_eq!(client.post(&format!("{path}/pause"), &json!({})).await.0, 200);
    let (status, body) = client.post(&format!("{path}/test"), &event).await;
    assert_eq!((status, &body["code"]), (409, &json!("destination-not-active")), "{body}");
    assert_eq!(sink.received_at("/hook").len(), 1);
}

async fn where_an_event_went_is_known_after_its_destination_is_gone(store: &Store) {
    let (host, sink) = host(store).await;
    let client = host.client();
    first_attempt(&client, "short-lived", webhook(&sink.url("/x"), "short-lived", json!({}))).await;
    assert_eq!(client.delete("/v1/tenants/acme/destinations/short-lived").await.0, 204);
    let (status, event) = client.get("/v1/tenants/acme/events/e-short-lived").await;
    assert_eq!((status, &event["destinations"][0]["destination"]), (200, &json!("short-lived")), "{event}");
    assert_eq!(event["destinations"][0]["state"], "delivered", "{event}");
}
