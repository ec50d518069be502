//! What became of events: views, attempts, retry, replay.

use super::world::{LIVE, World, all_but};
use serde_json::{Value, json};

#[tokio::test]
async fn an_event_shows_its_end_everywhere_and_why() {
    let world = World::new().await;
    let other =
        |url: &str, types: &str| json!({"connector": "webhook", "config": {"url": url}, "event_types": [types]});
    let base = "/v1/tenants/acme/destinations";
    world.put(&format!("{base}/dead"), other("https://e.example/400", "*")).await.expect(201);
    world.put(&format!("{base}/deaf"), other("https://e.example/x", "user.*")).await.expect(201);
    let mut picky = other("https://e.example/x", "*");
    picky["filter"] = json!({"data": {"order": [99]}});
    world.put(&format!("{base}/picky"), picky).await.expect(201);
    world.put(&format!("{base}/off"), other("https://e.example/x", "*")).await.expect(201);
    world.post(&format!("{base}/off/disable"), json!({})).await.expect(200);
    world.delivered("e1").await;
    let done = |event: &Value| {
        event["destinations"].as_array().is_some_and(|all| all.iter().all(|one| one["state"] != "pending"))
    };
    let event = world.until("/v1/tenants/acme/events/e1", done).await;
    let shown: Vec<_> = event["destinations"]
        .as_array()
        .expect("destinations")
        .iter()
        .map(|one| ["destination", "state", "reason"].map(|name| one[name].as_str().unwrap_or("-").to_owned()))
        .collect();
    assert_eq!(
        shown,
        [
            ["orders", "delivered", "http-200"],
            ["dead", "dead", "http-400"],
            ["deaf", "filtered", "event-type"],
            ["picky", "filtered", "pattern"],
            ["off", "skipped", "disabled"],
        ]
    );
}

#[tokio::test]
async fn an_attempt_shows_what_was_sent_and_payloads_to_those_who_may() {
    let world = World::new().await;
    let event = world.delivered("e1").await;
    let delivery = event["destinations"][0]["delivery"].as_str().expect("an id").to_owned();
    let attempts = format!("/v1/tenants/acme/deliveries/{delivery}/attempts");
    let listed = world.get(&attempts).await.expect(200);
    let attempt = &listed["data"][0];
    assert_eq!(attempt["request"]["body"], "{\"data\":{\"order\":1}}");
    assert_eq!(attempt["request"]["headers"][0], json!({"name": "webhook-id", "value": "e1"}));
    assert_eq!((&attempt["response"]["status"], &attempt["response"]["body"]), (&json!(200), &json!("thanks")));
    assert_eq!((&attempt["outcome"], &attempt["connector_version"]), (&json!("delivered"), &json!("0.1.0")));
    let path = format!("{attempts}/{}", attempt["id"].as_str().expect("an id"));
    assert_eq!(&world.get(&path).await.expect(200), attempt);
    let hidden = world.send(&all_but("payloads:read"), "get", &path, &[], "").await.expect(200);
    assert_eq!(hidden["request"]["body"], "{\"data\":…(event data omitted)…}");
    assert_eq!(hidden["request"]["body_complete"], false);
}

#[tokio::test]
async fn a_selection_of_fields_hides_and_goes_with_the_payload_that_it_was_made_of() {
    let world = World::new().await;
    let orders = "/v1/tenants/acme/destinations/orders";
    world.patch(orders, json!({"fields": {"exclude": ["/x"]}})).await.expect(200);
    let data = json!({"tenant": "acme", "type": "order.created", "id": "e1", "data": {"order": 1, "x": 2}});
    world.post("/v1/events", data).await.expect(202);
    let done = |event: &Value| event["destinations"][0]["state"] == "delivered";
    let event = world.until("/v1/tenants/acme/events/e1", done).await;
    // What is selected later changes nothing of what was sent.
    world.patch(orders, json!({"fields": null})).await.expect(200);
    let delivery = event["destinations"][0]["delivery"].as_str().expect("an id").to_owned();
    let list = format!("/v1/tenants/acme/deliveries/{delivery}/attempts");
    let listed = world.get(&list).await.expect(200)["data"][0].clone();
    let one = format!("{list}/{}", listed["id"].as_str().expect("an id"));
    assert_eq!(world.get(&one).await.expect(200), listed);
    let request = &listed["request"];
    assert_eq!((&request["body"], &request["body_bytes"]), (&json!("{\"data\":{\"order\":1}}"), &json!(20)));
    assert_eq!(request["body_complete"], true);

    let omitted = |attempt: &Value| {
        let request = &attempt["request"];
        assert_eq!(request["body"], "{\"data\":…(event data omitted)…}");
        assert_eq!((&request["body_bytes"], &request["body_complete"]), (&json!(20), &json!(false)));
    };
    let blind = all_but("payloads:read");
    omitted(&world.send(&blind, "get", &list, &[], "").await.expect(200)["data"][0]);
    omitted(&world.send(&blind, "get", &one, &[], "").await.expect(200));
    world.delete("/v1/tenants/acme/events/e1/payload").await.expect(204);
    omitted(&world.get(&list).await.expect(200)["data"][0]);
    omitted(&world.get(&one).await.expect(200));
}

#[tokio::test]
async fn a_list_of_attempts_shows_the_beginnings_of_large_bodies() {
    let world = World::new().await;
    let large = json!({"connector": "webhook", "config": {"url": "https://e.example/large"}});
    world.put("/v1/tenants/acme/destinations/large", large).await.expect(201);
    let event = json!({"tenant": "acme", "type": "order.created", "data": "x"});
    world.post("/v1/events", event).await.expect(202);
    let ended = |list: &Value| list["data"][0]["state"] == "delivered";
    let found = world.until("/v1/tenants/acme/deliveries?destination=large", ended).await;
    let delivery = found["data"][0]["id"].as_str().expect("an id");
    let attempts = format!("/v1/tenants/acme/deliveries/{delivery}/attempts");
    let listed = world.get(&attempts).await.expect(200);
    let brief = &listed["data"][0];
    let body = format!("{}…({} bytes omitted)…", "ü".repeat(8_192), 40_000 - 16_384);
    assert_eq!(brief["response"]["body"], body);
    let told = ["body_complete", "body_encoding", "body_bytes"].map(|name| brief["response"][name].clone());
    assert_eq!(told, [json!(false), json!("text"), json!(40_000)]);
    assert_eq!(
        (&brief["request"]["body"], &brief["request"]["body_complete"]),
        (&json!(r#"{"data":"x"}"#), &json!(true))
    );
    let whole = world.get(&format!("{attempts}/{}", brief["id"].as_str().expect("an id"))).await.expect(200);
    assert_eq!(whole["response"]["body"], "ü".repeat(20_000));
    let hidden = world.send(&all_but("payloads:read"), "get", &attempts, &[], "").await.expect(200);
    assert_eq!(hidden["data"][0]["request"]["body"], "{\"data\":…(event data omitted)…}");
}

#[tokio::test]
async fn lists_filter_and_page_and_refuse_foreign_cursors() {
    let world = World::new().await;
    for n in 0..5 {
        world.delivered(&format!("e{n}")).await;
    }
    let list = "/v1/tenants/acme/deliveries?state=delivered&destination=orders&limit=2";
    let mut seen = Vec::new();
    let mut path = list.to_owned();
    loop {
        let page = world.get(&path).await.expect(200);
        let rows = page["data"].as_array().expect("data");
        assert!(rows.len() <= 2);
        seen.extend(rows.iter().map(|row| row["event_id"].as_str().unwrap_or_default().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("{list}&cursor={next}");
    }
    assert_eq!(seen, ["e4", "e3", "e2", "e1", "e0"]);
    let cursor = path.rsplit('=').next().expect("a cursor").to_owned();
    for other in [
        format!("/v1/tenants/acme/deliveries?state=dead&cursor={cursor}"),
        format!("/v1/tenants/acme/events?cursor={cursor}"),
        format!("/v1/tenants/globex/deliveries?state=delivered&destination=orders&cursor={cursor}"),
        format!("{list}&cursor=x{cursor}"),
        format!("{list}&cursor="),
    ] {
        world.get(&other).await.problem(400, "bad-cursor");
    }
    let none = world.get("/v1/tenants/acme/deliveries?destination=nowhere").await.expect(200);
    assert_eq!(none, json!({"data": [], "next": null}));
    let one = world.get("/v1/tenants/acme/deliveries?event=e3&code=http-200").await.expect(200);
    assert_eq!(one["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn deliveries_are_retried_cancelled_and_replayed() {
    let world = World::new().await;
    let base = "/v1/tenants/acme";
    let dead = json!({"connector": "webhook", "config": {"url": "https://e.example/400"}});
    world.put(&format!("{base}/destinations/dead"), dead).await.expect(201);
    world.delivered("e1").await;
    let list = format!("{base}/deliveries?destination=dead&state=dead");
    let rows = world.until(&list, |page| page["data"][0].is_object()).await;
    let old = rows["data"][0]["id"].as_str().expect("an id").to_owned();

    let again = world.post(&format!("{base}/deliveries/{old}/retry"), json!({})).await.expect(201);
    assert_eq!((&again["origin"], again["previous"].as_str()), (&json!("retry"), Some(old.as_str())));
    world.until(&list, |page| page["data"].as_array().is_some_and(|rows| rows.len() == 2)).await;

    let repaired = json!({"config": {"url": "https://e.example/ok"}});
    world.patch(&format!("{base}/destinations/dead"), repaired).await.expect(200);
    let replay =
        world.post(&format!("{base}/replays"), json!({"filter": {"destination": "dead", "state": ["dead"]}})).await;
    let replay = replay.expect(201)["id"].as_str().expect("an id").to_owned();
    let done = world.until(&format!("{base}/replays/{replay}"), |one| one["state"] == "completed").await;
    assert!(done["progress"]["created"].as_u64() >= Some(1), "{done:#}");
    let delivered = format!("{base}/deliveries?destination=dead&state=delivered");
    let rows = world.until(&delivered, |page| page["data"][0].is_object()).await;
    assert_eq!(rows["data"][0]["replay"], json!(replay));

    world.post(&format!("{base}/destinations/dead/pause"), json!({})).await.expect(200);
    world.delivered("e2").await;
    let waiting = world.get(&format!("{base}/deliveries?destination=dead&state=pending")).await.expect(200);
    let waiting = waiting["data"][0]["id"].as_str().expect("an id").to_owned();
    let cancelled = world.post(&format!("{base}/deliveries/{waiting}/cancel"), json!({})).await.expect(200);
    assert_eq!(cancelled["state"], "cancelled");
    world.post(&format!("{base}/deliveries/{waiting}/cancel"), json!({})).await.problem(409, "not-waiting");
}

#[tokio::test]
async fn a_test_event_answers_with_its_attempt() {
    let world = World::new().await;
    let path = "/v1/tenants/acme/destinations/orders/test";
    let tested = world.post(path, json!({"event": {"type": "anything", "data": [1]}})).await.expect(200);
    assert_eq!(tested["attempt"]["request"]["body"], "{\"data\":[1]}");
    let delivery = format!("/v1/tenants/acme/deliveries/{}", tested["delivery"].as_str().expect("an id"));
    assert_eq!(world.get(&delivery).await.expect(200)["origin"], "test");
    let unknown = world.post(path, json!({"event_type": "nope"})).await.problem(422, "invalid-input");
    assert_eq!(unknown["errors"][0]["code"], "unknown-event-type");
    world.post(path, json!({})).await.problem(422, "invalid-input");
    let checked = world.post("/v1/tenants/acme/destinations/orders/check", json!({})).await.expect(200);
    assert_eq!((&checked["ok"], &checked["steps"][1]["code"]), (&json!(false), &json!("tls")));
    assert_eq!(world.send(LIVE, "get", path, &[], "").await.status, 405);
}
