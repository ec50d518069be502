//! Two hosts on one store, and what they tell each other.

use super::world::World;
use serde_json::{Value, json};

fn text<'a>(key: &'a Value, field: &str) -> &'a str {
    key[field].as_str().expect("text")
}

/// The hosts' clock stands still: what one remembers of a key ends by another one's word alone.
#[tokio::test]
async fn a_key_that_one_host_ends_is_refused_by_the_other() {
    let (first, second) = World::two_hosts().await;
    for (what, status) in [("delete", 204), ("rotate", 201)] {
        let key = first.post("/v1/keys", json!({"scopes": ["tenants"]})).await.expect(201);
        let asked = async || second.send(text(&key, "secret"), "get", "/v1/tenants", &[], "").await;
        asked().await.expect(200);
        let path = format!("/v1/keys/{}", text(&key, "id"));
        match what {
            "delete" => first.delete(&path).await.expect(status),
            _ => first.post(&format!("{path}/rotate"), json!({})).await.expect(status),
        };
        let refused = async {
            while asked().await.status != 401 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await; // nothing tells when it has heard
            }
        };
        let heard = tokio::time::timeout(std::time::Duration::from_secs(60), refused).await;
        heard.unwrap_or_else(|_| panic!("{what}: the other host goes on taking the key"));
    }
}

/// What each host remembers of keys spares the store a read for every request.
#[tokio::test]
async fn a_key_that_was_ended_already_makes_no_host_forget_the_others() {
    let world = World::new().await;
    let key = world.post("/v1/keys", json!({"scopes": ["tenants"]})).await.expect(201);
    let path = format!("/v1/keys/{}", text(&key, "id"));
    let before = world.state.delivery.keys_heard();
    world.delete(&path).await.expect(204);
    let ended = world.state.delivery.keys_heard();
    assert!(ended > before, "it is forgotten when it ends");
    for _ in 0..3 {
        world.delete(&path).await.expect(204);
    }
    assert_eq!(world.state.delivery.keys_heard(), ended);
}
