//! A tenant that floods the host gets 429; another tenant's events go on being accepted.

use crate::support::{LONG, connect, event, run};
use railhead_harness::{Client, Host, HostOptions, Postgres};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Every accept commit takes a tenth of a second: the wait is what fills up, on any machine.
const SLOW: &str = "
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END $$;
CREATE TRIGGER slow BEFORE INSERT ON event FOR EACH STATEMENT EXECUTE FUNCTION slow()";

/// Requests that the flood has under way at any time, of this many events each.
const FLOOD: (usize, usize) = (24, 100);
/// Events of the other tenant that have to be accepted meanwhile.
const CALM: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_one_tenant_leaves_room_for_another() {
    let Some(postgres) = Postgres::start(&[]).await else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let options = HostOptions::on_postgres(&postgres.url(), folder.path());
    options.migrate();
    let host = Host::start(folder.path(), &options).await;
    let client = host.client();
    client.make_tenant("flood").await;
    client.make_tenant("calm").await;
    run(&mut connect(&postgres).await, SLOW).await;

    let (stop, over_share) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let floods: Vec<_> =
        (0..FLOOD.0).map(|_| tokio::spawn(flood(host.client(), Arc::clone(&stop), Arc::clone(&over_share)))).collect();
    let calm = async {
        while over_share.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await; // until the flood is one
        }
        for n in 0..CALM {
            accepted(&client, &event("calm", &format!("c{n}"))).await;
        }
    };
    let done = tokio::time::timeout(LONG, calm).await;
    stop.store(true, Ordering::Relaxed);
    for flood in floods {
        flood.await.expect("every answer was one of those that are documented");
    }
    assert!(done.is_ok(), "{} times over the share\n{}", over_share.load(Ordering::Relaxed), host.log());
    let events = client.list("/v1/tenants/calm/events").await;
    assert_eq!(events.len(), CALM, "each once, whatever was repeated");
}

/// Never gets 429. A 503, which a slow machine may give everybody, is repeated as its publisher would.
async fn accepted(client: &Client, event: &Value) {
    loop {
        match client.post("/v1/events", event).await {
            (202, _) => return,
            (503, body) => assert_eq!(body["code"], "overloaded", "{body}"),
            (status, body) => panic!("{status}: {body}"),
        }
    }
}

async fn flood(client: Client, stop: Arc<AtomicBool>, over_share: Arc<AtomicUsize>) {
    let batch: Vec<Value> = (0..FLOOD.1).map(|n| json!({"tenant": "flood", "type": "t", "data": n})).collect();
    let batch = Value::Array(batch);
    while !stop.load(Ordering::Relaxed) {
        match client.post("/v1/events", &batch).await {
            (202, _) => {}
            (429, body) => {
                assert_eq!(body["code"], "over-share", "{body}");
                over_share.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await; // else 24 loops do nothing but ask
            }
            (503, body) => assert_eq!(body["code"], "overloaded", "{body}"),
            (status, body) => panic!("{status}: {body}"),
        }
    }
}
