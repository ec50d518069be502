//! SIGTERM on a shared database: what runs is waited for, then cut; the other host goes on at once.

use crate::support::{LONG, all_came, connect, event, make_destination, number, until};
use railhead_harness::{Host, HostOptions, Postgres, Received, Script, Sink};

/// So many destinations that both hosts own some of them.
const DESTINATIONS: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_ends_in_order_leaves_its_shards_to_the_other_at_once() {
    let Some(postgres) = Postgres::start(&[]).await else { return };
    let (folder, sink) = (tempfile::tempdir().expect("a folder"), Sink::start().await);
    let options = HostOptions::on_postgres(&postgres.url(), folder.path());
    options.migrate();
    let mut first = Host::start(&folder.path().join("a"), &options).await;
    let second = Host::start(&folder.path().join("b"), &options).await;
    let client = second.client();
    client.make_tenant("acme").await;
    let ids: Vec<String> = (0..DESTINATIONS).map(|n| format!("d{n}")).collect();
    for id in &ids {
        sink.script(&format!("/{id}"), Script::Hang);
        make_destination(&client, id, &sink.url(&format!("/{id}"))).await;
    }
    assert_eq!(first.client().post("/v1/events", &event("acme", "e")).await.0, 202);
    let tried = |received: &[Received]| ids.iter().all(|id| received.iter().any(|one| one.path[1..] == **id));
    assert!(sink.wait(LONG, tried).await, "{}{}", first.log(), second.log());

    first.signal("TERM");
    until(&first.client(), "/readyz", |_, body| body["code"] == "draining").await;
    for id in &ids {
        sink.script(&format!("/{id}"), Script::Status(204));
    }
    assert_eq!(first.wait(), Some(0), "{}", first.log());
    // A lease that somebody would have to wait for is the other host's alone.
    let mut database = connect(&postgres).await;
    let live = "SELECT count(*) FROM host h JOIN host_lease l ON l.host = h.id WHERE NOT h.fenced \
                AND l.expires > (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    assert_eq!(number(&mut database, live).await, 1);

    // The other host's own attempts hang on: it is not asked about those.
    until(&client, "/v1/tenants/acme/deliveries?state=delivered", |_, page| {
        page["data"].as_array().is_some_and(|rows| !rows.is_empty())
    })
    .await;
    let delivered = client.list("/v1/tenants/acme/deliveries?state=delivered").await;
    for delivery in &delivered {
        let id = delivery["id"].as_str().expect("an id");
        let attempts = client.list(&format!("/v1/tenants/acme/deliveries/{id}/attempts")).await;
        assert_eq!(attempts.len(), 1, "what was cut counts for nothing: {attempts:?}");
    }
    assert_eq!(client.post("/v1/events", &event("acme", "after")).await.0, 202);
    assert!(all_came(&sink, &["after".to_owned()]).await, "{}", second.log());
}
