//! API keys where there are several hosts.

use crate::support::LONG;
use railhead_harness::{Cluster, Postgres};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_revoked_at_one_host_is_refused_by_all() {
    let Some(postgres) = Postgres::shared().await else { return };
    let url = postgres.new_database();
    let cluster = Cluster::start(&[url.clone(), url]).await;
    let (status, key) = cluster.client(0).post("/v1/keys", &json!({"scopes": ["tenants"]})).await;
    assert_eq!(status, 201, "{key}");
    let holders = [0, 1].map(|no| cluster.client(no).with_key(key["secret"].as_str().expect("a secret")));
    for holder in &holders {
        assert_eq!(holder.get("/v1/tenants").await.0, 200);
    }
    let path = format!("/v1/keys/{}", key["id"].as_str().expect("an id"));
    assert_eq!(cluster.client(0).delete(&path).await.0, 204);
    assert_eq!(holders[0].get("/v1/tenants").await.0, 401, "at once where it was revoked");
    let refused = async {
        while holders[1].get("/v1/tenants").await.0 != 401 {
            tokio::time::sleep(Duration::from_millis(10)).await; // nothing tells when it has heard
        }
    };
    tokio::time::timeout(LONG, refused).await.expect("the other host refuses it");
    // For good: what it remembered is gone.
    for holder in &holders {
        assert_eq!(holder.get("/v1/tenants").await.0, 401);
    }
}
