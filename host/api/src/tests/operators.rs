//! What is the operator's: used for tenants, and neither seen nor set by them; and what a tenant tells a cloud of itself.

use super::world::{ADMIN, LIVE, SANDBOX, World};
use serde_json::{Value, json};

const ORDERS: &str = "/v1/tenants/acme/destinations/orders";

fn field<'a>(connector: &'a Value, name: &str) -> &'a Value {
    let fields = connector["credentials"].as_array().expect("a list");
    fields.iter().find(|field| field["name"] == name).expect("it is listed")
}

#[tokio::test]
async fn a_connector_says_which_credentials_are_the_operators_and_whether_they_are_set() {
    let world = World::new().await;
    let listed = world.get("/v1/connectors").await.expect(200)["data"][0].clone();
    for connector in [world.get("/v1/connectors/webhook").await.expect(200), listed] {
        let shown = |name| (field(&connector, name)["operator"].clone(), field(&connector, name)["set"].clone());
        assert_eq!(shown("assume_role"), (json!(true), json!(true)));
        assert_eq!(shown("other_role"), (json!(true), json!(false)));
        assert_eq!(shown("bearer_token"), (Value::Null, Value::Null));
    }
}

#[tokio::test]
async fn a_tenant_cannot_set_read_or_delete_what_is_the_operators() {
    let world = World::new().await;
    let keys = json!({"access_key_id": "AKIA", "secret_access_key": "0123456789"});
    for name in ["assume_role", "nonsense"] {
        let given = json!({"credentials": {name: keys}});
        let refused = world.patch(ORDERS, given).await.problem(422, "invalid-input");
        let error = &refused["errors"][0];
        assert_eq!(
            (&error["code"], &error["pointer"]),
            (&json!("unknown-credential"), &json!(format!("/credentials/{name}")))
        );
        assert!(!error["detail"].as_str().expect("text").contains("assume_role"), "{error}");
        let path = format!("{ORDERS}/credentials/{name}");
        world.put(&path, json!({"value": keys})).await.problem(404, "not-found");
        world.put(&path, json!({})).await.problem(404, "not-found");
        world.post(&format!("{path}/reveal"), json!({})).await.problem(404, "not-found");
        world.delete(&path).await.problem(404, "not-found");
    }
    // It is needed, and no tenant has to give it.
    let shown = world.get(ORDERS).await.expect(200);
    assert_eq!(shown["credentials"].as_object().map(|all| all.contains_key("assume_role")), Some(false));
}

#[tokio::test]
async fn external_ids_are_a_tenants_own_for_as_long_as_it_is_there() {
    let world = World::new().await;
    let id = async |key: &str, tenant: &str| {
        let shown = world.send(key, "get", &format!("/v1/tenants/{tenant}"), &[], "").await.expect(200);
        shown["external_id"].as_str().expect("a text").to_owned()
    };
    let mine = id(LIVE, "acme").await;
    assert!(mine.starts_with("railhead-") && mine.len() == 41, "{mine}");
    assert_eq!(world.get(ORDERS).await.expect(200)["external_id"], json!(mine), "the customer's view has it too");
    let listed = world.get("/v1/tenants").await.expect(200);
    assert_eq!(listed["data"][0]["external_id"], json!(mine));
    let patched = world.patch("/v1/tenants/acme", json!({"name": "New"})).await.expect(200);
    assert_eq!(patched["external_id"], json!(mine));
    let given = json!({"external_id": "railhead-of-another"});
    world.put("/v1/tenants/acme", given.clone()).await.problem(422, "invalid-input");
    world.patch("/v1/tenants/acme", given).await.problem(422, "invalid-input");
    assert_eq!(id(LIVE, "acme").await, mine, "immutable");

    assert_ne!(id(LIVE, "globex").await, mine, "another tenant's");
    world.json(SANDBOX, "put", "/v1/tenants/acme", json!({})).await.expect(201);
    assert_ne!(id(SANDBOX, "acme").await, mine, "of the same name in another environment");
    let seen = world.send(ADMIN, "get", "/v1/tenants/acme?environment=live", &[], "").await.expect(200);
    assert_eq!(seen["external_id"], json!(mine));

    world.delete("/v1/tenants/acme").await.expect(204);
    world.put("/v1/tenants/acme", json!({})).await.expect(201);
    assert_ne!(id(LIVE, "acme").await, mine, "made again");
}
