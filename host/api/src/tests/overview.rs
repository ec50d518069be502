//! The environment at a glance, and its lists over all tenants.

use super::world::{SANDBOX, World};
use serde_json::{Value, json};

/// `acme` with an event that arrived and one that died, `globex` with a paused destination.
async fn world() -> World {
    let world = World::new().await;
    let dead = json!({"connector": "webhook", "config": {"url": "https://hooks.example.com/400"}});
    world.put("/v1/tenants/acme/destinations/crm", dead).await.expect(201);
    let paused = json!({"connector": "webhook", "config": {"url": "https://hooks.example.com/x"}});
    world.put("/v1/tenants/globex/destinations/erp", paused).await.expect(201);
    world.post("/v1/tenants/globex/destinations/erp/pause", json!({})).await.expect(200);
    for tenant in ["acme", "globex"] {
        let event = json!({"tenant": tenant, "type": "order.created", "id": format!("{tenant}-1"), "data": {}});
        world.post("/v1/events", event).await.expect(202);
    }
    let ended = |list: &Value| list["data"].as_array().is_some_and(Vec::is_empty);
    world.until("/v1/tenants/acme/deliveries?state=pending,retrying", ended).await;
    world
}

fn ids(list: &Value) -> Vec<String> {
    let rows = list["data"].as_array().expect("a list");
    rows.iter().map(|row| format!("{}/{}", row["tenant"], row["id"]).replace('"', "")).collect()
}

#[tokio::test]
async fn the_overview_counts_and_puts_the_worst_first() {
    let world = world().await;
    let overview = world.get("/v1/overview").await.expect(200);
    assert_eq!((&overview["environment"], &overview["complete"]), (&json!("live"), &json!(true)));
    assert_eq!(overview["destinations"], json!({"active": 2, "failing": 0, "paused": 1, "disabled": 0}));
    assert_eq!((&overview["waiting"], &overview["recent"]["delivered"]), (&json!(1), &json!(1)));
    assert_eq!((&overview["recent"]["dead"], &overview["recent"]["pending"]), (&json!(1), &json!(1)));
    assert_eq!(overview["tenants"][0]["id"], "acme");
    assert_eq!(overview["attention"][0]["id"], "erp");
    let dead = &overview["dead"][0];
    assert_eq!((&dead["tenant"], &dead["delivery"]["event_id"]), (&json!("acme"), &json!("acme-1")));

    let other = world.send(SANDBOX, "get", "/v1/overview", &[], "").await.expect(200);
    assert_eq!((&other["environment"], &other["tenants"]), (&json!("sandbox"), &json!([])));
}

#[tokio::test]
async fn lists_over_the_environment_go_through_every_tenant_page_by_page() {
    let world = world().await;
    for (list, all) in [
        ("/v1/destinations", vec!["acme/crm", "acme/orders", "globex/erp"]),
        ("/v1/events", vec!["acme/acme-1", "globex/globex-1"]),
    ] {
        let whole = world.get(list).await.expect(200);
        let mut found = ids(&whole);
        found.sort();
        assert_eq!((found, &whole["next"]), (all.iter().map(ToString::to_string).collect(), &Value::Null), "{list}");
        let (mut paged, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = world.get(&format!("{list}?limit=1{cursor}")).await.expect(200);
            assert!(page["data"].as_array().is_some_and(|rows| rows.len() <= 1), "{page}");
            paged.extend(ids(&page));
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(paged, ids(&whole), "{list}");
        assert_eq!(world.send(SANDBOX, "get", list, &[], "").await.expect(200)["data"], json!([]));
    }
    let dead = world.get("/v1/deliveries?state=dead").await.expect(200);
    assert_eq!((&dead["data"][0]["tenant"], &dead["data"][0]["destination"]), (&json!("acme"), &json!("crm")));
    assert_eq!(dead["data"].as_array().map(Vec::len), Some(1));
    let erp = world.get("/v1/deliveries?destination=erp").await.expect(200);
    assert_eq!((&erp["data"][0]["tenant"], erp["data"].as_array().map(Vec::len)), (&json!("globex"), Some(1)));
    let three = world.get("/v1/deliveries?limit=2").await.expect(200);
    assert_eq!(three["data"].as_array().map(Vec::len), Some(2));
    let cursor = three["next"].as_str().expect("more");
    let rest = world.get(&format!("/v1/deliveries?limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!((rest["data"].as_array().map(Vec::len), &rest["next"]), (Some(1), &Value::Null));
}

#[tokio::test]
async fn the_operators_tenant_is_listed_and_its_destinations_can_be_tested() {
    let world = World::new().await;
    world.put("/v1/tenants/_operator", json!({})).await.expect(201);
    let ops = json!({"connector": "webhook", "config": {"url": "https://hooks.example.com/ops"}});
    world.put("/v1/tenants/_operator/destinations/ops", ops).await.expect(201);
    let tenants = world.get("/v1/tenants").await.expect(200);
    assert!(tenants["data"].as_array().is_some_and(|all| all.iter().any(|one| one["id"] == "_operator")), "{tenants}");
    assert_eq!(ids(&world.get("/v1/destinations").await.expect(200))[0], "_operator/ops");
    let overview = world.get("/v1/overview").await.expect(200);
    assert!(overview["tenants"].as_array().is_some_and(|all| all.iter().any(|one| one["id"] == "_operator")));
    let event = json!({"event": {"type": "delivery.dead", "data": {}}});
    let tested = world.post("/v1/tenants/_operator/destinations/ops/test", event).await.expect(200);
    assert_eq!(tested["attempt"]["outcome"], "delivered", "{tested}");
    assert_eq!(ids(&world.get("/v1/events").await.expect(200)).len(), 1);
    assert_eq!(world.get("/v1/deliveries").await.expect(200)["data"][0]["tenant"], "_operator");
    let foreign = json!({"event": {"tenant": "_operator", "type": "t", "data": {}}});
    world.post("/v1/tenants/acme/destinations/orders/test", foreign).await.problem(422, "invalid-event");
}

#[tokio::test]
async fn viewers_share_an_overview() {
    let world = world().await;
    let ask = || async { world.get("/v1/overview").await.expect(200) };
    let (first, second, third) = tokio::join!(ask(), ask(), ask());
    assert_eq!((&first["at"], &first["at"]), (&second["at"], &third["at"]));
}
