//! Publishing: identity, arrays, forms, limits.

use super::world::{ADMIN, LIVE, World};
use serde_json::json;

#[tokio::test]
async fn one_event_is_accepted_repeated_and_in_conflict() {
    let world = World::new().await;
    let event = |n: u32| json!({"tenant": "acme", "type": "order.created", "id": "a/b c", "data": {"n": n}});
    let first = world.post("/v1/events", event(1)).await.expect(202);
    assert_eq!(
        (&first["status"], &first["id"], &first["deliveries"]),
        (&json!("accepted"), &json!("a/b c"), &json!(1))
    );
    let second = world.post("/v1/events", event(1)).await.expect(202);
    assert_eq!((&second["status"], &second["uid"]), (&json!("duplicate"), &first["uid"]));
    let conflict = world.post("/v1/events", event(2)).await.problem(409, "event-id-conflict");
    assert_eq!(conflict["errors"][0]["pointer"], "/id");
    let found = world.get("/v1/tenants/acme/events/a%2Fb%20c").await.expect(200);
    assert_eq!(found["uid"], first["uid"]);
    let own = world.post("/v1/events?tenant=acme", json!({"type": "order.x", "data": 1})).await.expect(202);
    assert_eq!(own["id"], own["uid"]);
}

#[tokio::test]
async fn elements_of_an_array_are_judged_one_by_one() {
    let world = World::new().await;
    let batch = json!([
        {"type": "order.created", "id": "1", "data": 1},
        {"type": "order.created", "id": "1", "data": 2},
        {"type": "order created", "data": 1},
        {"type": "order.created", "tenant": "nobody", "data": 1},
        "text",
        {"type": "order.created", "id": "1", "data": 1},
    ]);
    let answer = world.post("/v1/events?tenant=acme", batch).await.expect(207);
    let shown: Vec<_> = answer["events"]
        .as_array()
        .expect("events")
        .iter()
        .map(|event| (event["status"].as_str(), event["problem"]["status"].as_u64(), event["problem"]["code"].as_str()))
        .map(|(status, code, name)| (status.unwrap_or(""), code.unwrap_or(0), name.unwrap_or("")))
        .collect();
    assert_eq!(
        shown,
        [
            ("accepted", 0, ""),
            ("rejected", 409, "event-id-conflict"),
            ("rejected", 422, "invalid-event"),
            ("rejected", 404, "unknown-tenant"),
            ("rejected", 422, "invalid-event"),
            ("duplicate", 0, ""),
        ]
    );
    let all = world.post("/v1/events?tenant=acme", json!([{"type": "a", "data": 1}, {"type": "b", "data": 1}])).await;
    assert_eq!(all.expect(202)["events"].as_array().map(Vec::len), Some(2));
    assert_eq!(world.post("/v1/events?tenant=acme", json!([])).await.expect(202), json!({"events": []}));
}

#[tokio::test]
async fn a_payload_comes_back_byte_for_byte() {
    let world = World::new().await;
    let data = "{ \"z\": 1.10,\n\"a\":\"\\u00e9\" , \"big\": 12345678901234567890123}";
    let body = format!("{{\"tenant\":\"acme\",\"id\":\"p\",\"type\":\"order.x\",\"data\":{data}}}");
    world.send(LIVE, "post", "/v1/events", &[("content-type", "application/json")], &body).await.expect(202);
    let payload = world.get("/v1/tenants/acme/events/p/payload").await;
    assert_eq!((payload.status, payload.text().as_str()), (200, data));
    world.delete("/v1/tenants/acme/events/p/payload").await.expect(204);
    world.get("/v1/tenants/acme/events/p/payload").await.problem(410, "payload-gone");
    world.get("/v1/tenants/acme/events/p").await.expect(200);
}

#[tokio::test]
async fn too_much_is_refused_whole() {
    let world = World::new().await;
    let many: Vec<_> = (0..1_001).map(|_| json!({"type": "t", "data": 1})).collect();
    world.post("/v1/events?tenant=acme", json!(many)).await.problem(413, "too-many-events");
    let large = json!({"tenant": "acme", "type": "t", "data": "x".repeat(10_001)});
    assert_eq!(world.post("/v1/events", large).await.problem(413, "too-large")["errors"][0]["pointer"], "/data");
    let huge = json!({"tenant": "acme", "type": "t", "data": "x".repeat(5 * 1024 * 1024)});
    world.post("/v1/events", huge).await.problem(413, "too-large");
    let listed = world.get("/v1/tenants/acme/events").await.expect(200);
    assert_eq!(listed["data"], json!([]));
}

#[tokio::test]
async fn an_environment_can_create_tenants() {
    let world = World::new().await;
    let event = || json!({"tenant": "newcomer", "type": "t", "data": 1});
    world.post("/v1/events", event()).await.problem(404, "unknown-tenant");
    let on = json!({"create_tenants": true});
    world.json(ADMIN, "patch", "/v1/environments/live", on).await.expect(200);
    let batch =
        json!([event(), {"tenant": "_operator", "type": "t", "data": 1}, {"tenant": "acme", "type": "t", "data": 1}]);
    let answer = world.post("/v1/events", batch).await.expect(207);
    let states: Vec<_> = answer["events"].as_array().expect("events").iter().map(|one| one["status"].clone()).collect();
    assert_eq!(states, ["accepted", "rejected", "accepted"]);
    world.get("/v1/tenants/newcomer").await.expect(200);
}

#[tokio::test]
async fn operational_events_go_where_the_vendor_sends_them() {
    let world = World::new().await;
    world.put("/v1/tenants/_operator", json!({})).await.expect(201);
    let destination = json!({"connector": "webhook", "config": {"url": "https://ops.example.com/railhead"}});
    world.put("/v1/tenants/_operator/destinations/ops", destination).await.expect(201);
    let event = json!({"tenant": "_operator", "type": "delivery.dead", "data": 1});
    world.post("/v1/events", event).await.problem(422, "invalid-event");
    world.delete("/v1/tenants/_operator").await.expect(204);
}
