//! The webhook connector as its customers use it, over the real binary.

use railhead_harness::{Client, Host, Peer, Reply, Script, Sink, Store};
use serde_json::{Value, json};
use std::time::Duration;

const HOOK: &str = "/v1/tenants/acme/destinations/hook";

railhead_harness::on_both_stores! {
    an_endpoint_that_is_gone_is_switched_off_with_the_reason,
    the_receiver_and_the_owner_may_say_what_an_answer_means,
    sealed_headers_reach_the_endpoint_and_nobody_else,
    what_would_forge_or_cannot_be_said_is_refused_at_entry,
    access_tokens_are_got_once_and_a_new_endpoint_wants_the_secret_again,
    a_shared_secret_is_revealed_after_its_rotation_and_that_is_on_the_audit_log,
    a_batch_is_one_signed_array_with_each_event_once,
    one_event_that_is_refused_does_not_take_its_batch_with_it,
}

async fn host(store: &Store) -> (Host, Sink) {
    let host = store.start().await;
    host.client().make_tenant("acme").await;
    (host, Sink::start().await)
}

/// One attempt only, so that what comes of it is seen.
fn webhook(url: &str, more: Value) -> Value {
    let mut body = json!({"connector": "webhook", "config": {"url": url}, "retry": {"schedule_ms": [600_000]}});
    for (name, value) in more.as_object().expect("an object") {
        match (body[name].as_object_mut(), value.as_object()) {
            (Some(into), Some(from)) => into.extend(from.clone()),
            _ => body[name] = value.clone(),
        }
    }
    body
}

async fn publish(client: &Client, id: &str) {
    let event = json!({"tenant": "acme", "type": "t", "id": id, "data": {"id": id}});
    let (status, body) = client.post("/v1/events", &event).await;
    assert_eq!(status, 202, "{body}");
}

/// Asks until the answer is as wanted.
async fn until(client: &Client, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut answer = Value::Null;
    for _ in 0..600 {
        answer = client.get(path).await.1;
        if wanted(&answer) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{path} is still {answer}");
}

/// The end of an event at the destination `hook`.
async fn end_of(client: &Client, id: &str) -> Value {
    let path = format!("/v1/tenants/acme/events/{id}");
    let state = |event: &Value| event["destinations"][0]["state"].as_str().unwrap_or_default().to_owned();
    until(client, &path, |event| !["", "pending", "retrying"].contains(&&*state(event))).await["destinations"][0]
        .clone()
}

async fn an_endpoint_that_is_gone_is_switched_off_with_the_reason(store: &Store) {
    let (host, sink) = host(store).await;
    let client = host.client();
    let disable = vec![("webhook-delivery".to_owned(), "disable".to_owned())];
    for (path, script, reason) in [
        ("/gone", Script::Status(410), "destination-gone"),
        ("/no", Script::Answer(503, disable, "".into()), "disable-destination"),
    ] {
        sink.script(path, script);
        client.make_destination("acme", "hook", &webhook(&sink.url(path), json!({}))).await;
        let (status, body) = client.post(&format!("{HOOK}/enable"), &json!({})).await;
        assert_eq!(status, 200, "{body}");
        let first = format!("first-{}", &path[1..]);
        publish(&client, &first).await;
        let hook = until(&client, HOOK, |hook| hook["state"] == "disabled").await;
        assert_eq!(hook["state_reason"], reason, "{hook}");
        assert_eq!(end_of(&client, &first).await["state"], "dead");
        let later = format!("later-{}", &path[1..]);
        publish(&client, &later).await;
        assert_eq!(end_of(&client, &later).await["state"], "skipped");
        assert_eq!(sink.received_at(path).len(), 1);
    }
}

async fn the_receiver_and_the_owner_may_say_what_an_answer_means(store: &Store) {
    let (host, sink) = host(store).await;
    let client = host.client();
    let abort = vec![("webhook-delivery".to_owned(), "abort-message".to_owned())];
    sink.script("/abort", Script::Answer(500, abort, "".into()));
    sink.script("/missing", Script::Status(404));
    sink.script("/conflict", Script::Status(409));
    let statuses = json!({"config": {"status_outcomes": {"404": "permanent", "409": "delivered"}}});
    for (path, state, code) in
        [("/abort", "dead", "abort-message"), ("/missing", "dead", "http-404"), ("/conflict", "delivered", "http-409")]
    {
        client.make_destination("acme", "hook", &webhook(&sink.url(path), statuses.clone())).await;
        let id = format!("to-{}", &path[1..]);
        publish(&client, &id).await;
        let end = end_of(&client, &id).await;
        assert_eq!((&end["state"], &end["deliveries"][0]["code"]), (&json!(state), &json!(code)), "{end}");
        assert_eq!(client.get(HOOK).await.1["state"], "active");
    }
}

async fn sealed_headers_reach_the_endpoint_and_nobody_else(store: &Store) {
    let (host, sink) = host(store).await;
    let client = host.client();
    let secret = "canary-header-5d01c7e9";
    let map = json!({"Authorization": format!("Custom {secret}"), "X-Team-Key": format!("{secret}-team")});
    for (name, value) in [("object", map.clone()), ("text", map.to_string().into())] {
        let body = webhook(&sink.url(&format!("/{name}")), json!({"credentials": {"headers": value}}));
        let made = client.make_destination("acme", "hook", &body).await;
        assert_eq!(made["credentials"]["headers"]["mask"], "Authorization: …, X-Team-Key: …", "{made}");
        publish(&client, name).await;
        assert_eq!(end_of(&client, name).await["state"], "delivered");
        let received = sink.received_at(&format!("/{name}"));
        assert_eq!(received[0].headers["authorization"], format!("Custom {secret}"));
        assert_eq!(received[0].headers["x-team-key"], format!("{secret}-team"));
    }
    let (status, body) =
        client.put(&format!("{HOOK}/credentials/headers"), &json!({"value": {"x-other": format!("{secret}-2")}})).await;
    assert_eq!((status, &body["credentials"]["headers"]["mask"]), (200, &json!("x-other: …")), "{body}");
    publish(&client, "put").await;
    assert_eq!(end_of(&client, "put").await["state"], "delivered");
    let last = sink.received_at("/text").pop().expect("it came");
    assert_eq!(last.headers["x-other"], format!("{secret}-2"));
    assert!(!last.headers.contains_key("x-team-key"), "{:?}", last.headers);
    let deliveries = client.list("/v1/tenants/acme/deliveries").await;
    for delivery in &deliveries {
        let attempts = format!("/v1/tenants/acme/deliveries/{}/attempts", delivery["id"].as_str().expect("an id"));
        for attempt in client.list(&attempts).await {
            let (_, shown) = client.get(&format!("{attempts}/{}", attempt["id"].as_str().expect("an id"))).await;
            assert!(!shown.to_string().contains(secret), "{shown}");
        }
    }
    assert_eq!(deliveries.len(), 3);
    assert!(!host.log().contains(secret));
}

async fn what_would_forge_or_cannot_be_said_is_refused_at_entry(store: &Store) {
    let (host, sink) = host(store).await;
    let client = host.client();
    let custom = |field: &str, template: &str| json!({"config": {"signatures": [{"scheme": "custom", "header": "x-s", field: template}]}});
    let header = |name: &str| json!({"credentials": {"headers": {name: "0123456789"}}});
    for (pointer, more) in [
        ("/credentials/headers", header("webhook-id")),
        ("/credentials/headers", header("Webhook-Signature")),
        ("/credentials/headers", header("ce-type")),
        ("/credentials/headers", header("Content-Length")),
        ("/credentials/headers", header("host")),
        ("/credentials/headers", json!({"credentials": {"headers": {"x-a": "a\r\nb: c"}}})),
        ("/credentials/headers", json!({"credentials": {"headers": {"x-a": "short"}}})),
        ("/credentials/headers", json!({"credentials": {"headers": {"x-a": 1}}})),
        ("/credentials/headers", json!({"credentials": {"headers": "x-a: 0123456789"}})),
        ("/credentials/tls_identity", json!({"credentials": {"tls_identity": "-----BEGIN CERTIFICATE-----"}})),
        ("/config/headers", json!({"config": {"headers": {"Authorization": "Bearer in-the-open"}}})),
        ("/config/headers", json!({"config": {"headers": {"webhook-id": "mine"}}})),
        ("/config/signatures", custom("value", "{signatures};end")),
        ("/config/signatures", custom("each", "v1")),
        ("/config/signatures", custom("content", "{timestamp}")),
        ("/config/signatures", custom("content", "{body}{body}")),
        ("/config/api_key_header", json!({"config": {"api_key_header": "Content-Type"}})),
        ("/config/signatures", custom("content", "{body}{secret}")),
        ("/config/signatures", json!({"config": {"signatures": [{"scheme": "custom"}]}})),
        ("/config/signatures", json!({"config": {"signatures": [{"scheme": "standard", "header": "x"}]}})),
        ("/config/oauth2", json!({"config": {"oauth2": {"client_id": "a"}}})),
        (
            "/config/oauth2/token_url",
            json!({"config": {"oauth2": {"client_id": "a", "token_url": "http://10.0.0.1/"}}}),
        ),
        ("/batch/max_events", json!({"batch": {"max_events": 1001, "max_bytes": 1000, "linger_ms": 0}})),
    ] {
        let (status, body) = client.put(HOOK, &webhook(&sink.url("/x"), more.clone())).await;
        assert_eq!(status, 422, "{more}: {body}");
        let found = body["errors"][0]["pointer"].as_str().unwrap_or_default();
        assert!(found.starts_with(pointer), "{more}: {body}");
        assert!(!body.to_string().contains("0123456789"), "{body}");
    }
}

async fn access_tokens_are_got_once_and_a_new_endpoint_wants_the_secret_again(store: &Store) {
    let (host, sink) = host(store).await;
    let client = host.client();
    let (secret, token) = ("canary-client-secret-77", "canary-access-token-99");
    let answer = json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600}).to_string();
    sink.script("/token", Script::Answer(200, vec![("content-type".into(), "application/json".into())], answer.into()));
    let oauth2 = json!({"token_url": sink.url("/token"), "client_id": "railhead", "scope": "events"});
    let more = json!({"config": {"oauth2": oauth2}, "credentials": {"oauth2_client_secret": secret}});
    client.make_destination("acme", "hook", &webhook(&sink.url("/hook"), more)).await;
    for id in ["one", "two", "three"] {
        publish(&client, id).await;
        assert_eq!(end_of(&client, id).await["state"], "delivered", "{}", host.log());
    }
    assert_eq!(sink.received_at("/token").len(), 1);
    let received = sink.received_at("/hook");
    assert!(
        received.len() == 3 && received.iter().all(|one| one.headers["authorization"] == format!("Bearer {token}"))
    );
    for shown in [client.get(HOOK).await.1.to_string(), host.log()] {
        assert!(!shown.contains(secret) && !shown.contains(token), "{shown}");
    }

    // Who may not write credentials may not have the token sent elsewhere either, nor decide what is signed.
    let forging = json!([{"scheme": "custom", "header": "x-oracle", "content": "msg_forged.1893456000.{body}"}]);
    let (status, key) = client
        .post("/v1/keys", &json!({"name": "editor", "scopes": ["destinations:read", "destinations:write"]}))
        .await;
    assert_eq!(status, 201, "{key}");
    let editor = client.with_key(key["secret"].as_str().expect("shown once"));
    for patch in [
        json!({"config": {"url": "http://127.0.0.2:9/"}}),
        json!({"config": {"oauth2": {"token_url": "http://127.0.0.2:9/"}}}),
        json!({"config": {"oauth2": {"token_url": sink.url("/echo")}}}),
        json!({"config": {"oauth2": {"client_auth": "body"}}}),
        json!({"config": {"signatures": forging}}),
        json!({"config": {"header_prefix": "svix-"}}),
    ] {
        let (status, body) = editor.patch(HOOK, &patch).await;
        assert_eq!(status, 403, "{patch}: {body}");
    }
}

async fn a_shared_secret_is_revealed_after_its_rotation_and_that_is_on_the_audit_log(store: &Store) {
    let (host, sink) = host(store).await;
    let client = host.client();
    client.make_destination("acme", "hook", &webhook(&sink.url("/hook"), json!({}))).await;
    let (field, reveal) =
        (format!("{HOOK}/credentials/signing_secret"), format!("{HOOK}/credentials/signing_secret/reveal"));
    let (_, first) = client.post(&reveal, &json!({})).await;
    let old = first["value"].as_str().expect("made by the host").to_owned();
    let (status, body) = client.put(&field, &json!({"overlap_ms": 3_600_000})).await;
    assert_eq!(status, 200, "{body}");
    let (status, both) = client.post(&reveal, &json!({})).await;
    assert_eq!((status, both["values"].as_array().map(Vec::len)), (200, Some(2)), "{both}");
    let new = both["value"].as_str().expect("made by the host");
    assert!(new.starts_with("whsec_") && new != old, "{both}");
    assert_eq!((&both["values"][0]["value"], &both["values"][1]["value"]), (&json!(new), &json!(old)));
    assert!(both["values"][0]["expires_at"].is_null() && both["values"][1]["expires_at"].is_string(), "{both}");
    let log = host.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("a shared credential was revealed")).collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(lines.iter().all(|line| line.contains("hook") && line.contains("signing_secret")), "{lines:?}");
    assert!(!log.contains(&old) && !log.contains(new), "{log}");
    let (status, body) = client.post(&format!("{HOOK}/credentials/bearer_token/reveal"), &json!({})).await;
    assert_eq!((status, &body["code"]), (409, &json!("not-shared")), "{body}");
}

async fn a_batch_is_one_signed_array_with_each_event_once(store: &Store) {
    let (host, sink) = host(store).await;
    let client = host.client();
    let batch = json!({"batch": {"max_events": 10, "max_bytes": 1_000_000, "linger_ms": 500}});
    client.make_destination("acme", "hook", &webhook(&sink.url("/hook"), batch)).await;
    let event = |n: usize| json!({"tenant": "acme", "type": "t", "id": format!("e-{n}"), "data": {"n": n}});
    let events: Vec<_> = (0..25).map(event).collect();
    let (status, body) = client.post("/v1/events", &json!(events)).await;
    assert_eq!(status, 202, "{body}");
    for n in 0..25 {
        assert_eq!(end_of(&client, &format!("e-{n}")).await["state"], "delivered");
    }
    let (mut seen, received) = (Vec::new(), sink.received_at("/hook"));
    for request in &received {
        let bodies: Vec<Value> = serde_json::from_slice(&request.body).expect("an array");
        assert_eq!(request.headers["webhook-batch-size"], bodies.len().to_string());
        assert!(bodies.len() <= 10 && request.headers["webhook-signature"].starts_with("v1,"));
        seen.extend(bodies.iter().map(|body| body["data"]["n"].as_u64().expect("a number")));
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..25).collect::<Vec<u64>>());
    assert!(received.len() < 25, "they went one by one");
}

async fn one_event_that_is_refused_does_not_take_its_batch_with_it(store: &Store) {
    let (host, _) = host(store).await;
    let client = host.client();
    let peer = Peer::start(|request| {
        let refused = String::from_utf8_lossy(&request.body).contains("\"n\":13}");
        let line = if refused { "422 Unprocessable Content" } else { "200 OK" };
        Reply::Whole(format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n").into_bytes())
    })
    .await;
    let batch = json!({"batch": {"max_events": 10, "max_bytes": 1_000_000, "linger_ms": 500}});
    client.make_destination("acme", "hook", &webhook(&format!("http://{}/", peer.address), batch)).await;
    let event = |n: usize| json!({"tenant": "acme", "type": "t", "id": format!("e-{n}"), "data": {"n": n}});
    let events: Vec<_> = (0..20).map(event).collect();
    let (status, body) = client.post("/v1/events", &json!(events)).await;
    assert_eq!(status, 202, "{body}");
    for n in 0..20 {
        let end = end_of(&client, &format!("e-{n}")).await;
        let expected = if n == 13 { ("dead", "http-422") } else { ("delivered", "http-200") };
        assert_eq!((&end["state"], &end["deliveries"][0]["code"]), (&json!(expected.0), &json!(expected.1)), "{end}");
    }
}
