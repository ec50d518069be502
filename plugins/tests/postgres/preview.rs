//! A preview opens nothing, and shows what a delivery puts on record.

use crate::run::{Destination, event, events, said, short};
use crate::server::{LEAST, Server};
use railhead_plugin_harness::{Dialogue, TcpPeer};
use serde_json::{Value, json};

/// Its statement and the parameters of its first row.
fn statement(shown: &str) -> (String, Value) {
    let shown: Value = serde_json::from_str(shown).unwrap();
    (shown["sql"].as_str().unwrap().to_owned(), shown["parameters"][0].clone())
}

#[tokio::test]
async fn a_preview_opens_nothing() {
    let peer = TcpPeer::following(Dialogue::default()).unwrap();
    let config = json!({ "host": "127.0.0.1", "port": peer.port(), "database": "d", "user": "u", "table": "t" });
    let destination = Destination::without_authority(config).await;
    let shown = destination.preview(vec![event(1, "{\"card\": 4111}")]).await;
    let [(carried, (request, answer))] = shown.as_slice() else { panic!("{shown:?}") };
    assert_eq!((carried.as_slice(), answer.as_str()), (&[0][..], ""));
    let (sql, row) = statement(request);
    assert!(sql.starts_with(r#"INSERT INTO "public"."t" ("event_id", "id", "#), "{sql}");
    assert!(sql.ends_with(r#"ON CONFLICT ("event_id") DO NOTHING RETURNING "event_id""#), "{sql}");
    assert_eq!((&row["id"], &row["tenant"]), (&json!("ord_0001"), &json!("acme")));
    assert_eq!(row["payload"], json!({ "event_data": 0, "bytes": 14 }));
    assert!(!request.contains("4111"), "data is erased with its event, and no record keeps it");
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn a_delivery_puts_the_same_on_record_and_what_came_of_it() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    let destination = Destination::new(server, &schema, json!({})).await;
    let previewed = destination.preview(events(2)).await;
    let records = destination.records(events(2)).await;
    for (outcome, transcript) in &records {
        assert_eq!(short(outcome), "delivered inserted");
        let shown: Vec<_> = transcript
            .exchanges
            .iter()
            .map(|exchange| said(exchange))
            .filter(|(request, _)| !request.is_empty())
            .collect();
        let [(request, answer)] = shown.as_slice() else { panic!("{shown:?}") };
        assert_eq!(*request, previewed[0].1.0);
        assert_eq!(serde_json::from_str::<Value>(answer).unwrap(), json!({ "inserted": 2, "duplicates": 0 }));
    }
}
