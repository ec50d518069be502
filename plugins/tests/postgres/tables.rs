//! Tables that are missing, created, named after event types, or not as they should be.

use crate::run::{Destination, event, events, short, shorts};
use crate::server::{LEAST, Server};
use railhead_model::{Event, Outcome};
use serde_json::json;

fn of_type(number: u16, event_type: &str) -> Event {
    Event { event_type: event_type.to_owned(), ..event(number, "1") }
}

#[tokio::test]
async fn a_missing_table_waits_for_its_owner_who_is_told_what_to_run() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema("SELECT 1").await;
    let destination = Destination::new(server, &schema, json!({})).await;
    let Outcome::Misconfigured(reason) = destination.outcome(events(2)).await else { panic!("another outcome") };
    assert_eq!((reason.code.as_str(), reason.status.as_deref()), ("undefined-table", Some("42P01")));
    // The statement works as it stands.
    let from = reason.message.find("CREATE TABLE").unwrap();
    schema.run(&reason.message[from..]).await;
    schema.run("GRANT INSERT, SELECT (event_id) ON {schema}.events TO PUBLIC").await;
    assert_eq!(shorts(&destination.deliver(events(2)).await), "2 delivered inserted");
}

#[tokio::test]
async fn a_missing_table_is_created_on_request() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema("GRANT CREATE ON SCHEMA {schema} TO PUBLIC").await;
    let destination =
        Destination::new(server, &schema, json!({ "create_tables": true, "table": "My \"events\"" })).await;
    assert_eq!(shorts(&destination.deliver(events(2)).await), "2 delivered inserted");
    assert_eq!(schema.ask("SELECT count(*) FROM {schema}.\"My \"\"events\"\"\"").await, "2");
}

#[tokio::test]
async fn two_sessions_may_create_the_same_table() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema("GRANT CREATE ON SCHEMA {schema} TO PUBLIC").await;
    let destination = Destination::new(server, &schema, json!({ "create_tables": true })).await;
    let (first, second) = tokio::join!(
        destination.deliver(vec![event(1, "1"), event(2, "1")]),
        destination.deliver(vec![event(3, "1"), event(4, "1")])
    );
    assert_eq!(
        (shorts(&first), shorts(&second)),
        ("2 delivered inserted".to_owned(), "2 delivered inserted".to_owned())
    );
}

#[tokio::test]
async fn without_the_right_to_create_tables_the_owner_is_told() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema("SELECT 1").await;
    let destination = Destination::new(server, &schema, json!({ "create_tables": true })).await;
    let outcome = destination.outcome(events(2)).await;
    assert_eq!(short(&outcome), "misconfigured insufficient-privilege");
    let grant = format!("GRANT CREATE, USAGE ON SCHEMA \"{}\" TO \"app\";", schema.name);
    assert!(outcome.reason().message.contains(&grant), "{outcome:?}");
}

#[tokio::test]
async fn each_event_type_may_have_a_table() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema("GRANT CREATE ON SCHEMA {schema} TO PUBLIC").await;
    let more = json!({ "create_tables": true, "table_per_event_type": true, "table_prefix": "e_" });
    let destination = Destination::new(server, &schema, more).await;
    let long = format!("long.{}", "x".repeat(200));
    let types = ["Order.Created", "order.paid", "order_paid", "заказ", &long, "a\"; DROP TABLE b;--"];
    let events: Vec<_> = (0_u16..).zip(types).map(|(number, name)| of_type(number, name)).collect();
    assert_eq!(shorts(&destination.deliver(events).await), "6 delivered inserted");
    let names = "SELECT string_agg(table_name, ' ' ORDER BY table_name) FROM information_schema.tables WHERE table_schema = '{schema}'";
    let names = schema.ask(names).await;
    let names: Vec<_> = names.split(' ').collect();
    assert_eq!(names.len(), 6, "{names:?}");
    assert!(names.contains(&"e_order_paid"), "{names:?}");
    for start in ["e_order_created__", "e_order_paid__", "e_a___drop_table_b_____"] {
        assert!(names.iter().any(|name| name.starts_with(start)), "{names:?}");
    }
    assert!(names.iter().any(|name| name.starts_with("e_long_xxx") && name.len() == 63), "{names:?}");
}

#[tokio::test]
async fn a_missing_table_holds_up_its_own_events_only() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(&LEAST.replace("events", "here")).await;
    let destination = Destination::new(server, &schema, json!({ "table_per_event_type": true })).await;
    let events = vec![of_type(1, "here"), of_type(2, "gone"), of_type(3, "here"), of_type(4, "also_gone")];
    let outcomes: Vec<_> = destination.deliver(events).await.iter().map(short).collect();
    let (there, missing) = ("delivered inserted", "misconfigured undefined-table");
    assert_eq!(outcomes, [there, missing, there, missing]);
}

#[tokio::test]
async fn a_table_of_another_shape_is_not_the_events_fault() {
    let Some(server) = Server::shared().await else { return };
    let cases = [
        ("ALTER TABLE {schema}.events DROP COLUMN metadata", "undefined-column", "It should be: CREATE TABLE"),
        (
            "ALTER TABLE {schema}.events DROP CONSTRAINT events_pkey",
            "no-unique-constraint",
            "ADD PRIMARY KEY (\"event_id\")",
        ),
        (
            "ALTER TABLE {schema}.events DROP CONSTRAINT events_pkey, ADD PRIMARY KEY (event_id, occurred_at)",
            "no-unique-constraint",
            "on that column alone",
        ),
        (
            "ALTER TABLE {schema}.events DROP CONSTRAINT events_pkey, ADD PRIMARY KEY (event_id) DEFERRABLE",
            "no-unique-constraint",
            "not deferrable",
        ),
        ("ALTER TABLE {schema}.events ALTER payload TYPE int USING 1", "datatype-mismatch", "payload"),
        ("ALTER TABLE {schema}.events ADD customer text NOT NULL", "not-null-violation", "The column \"customer\""),
        (
            "REVOKE INSERT ON {schema}.events FROM PUBLIC",
            "insufficient-privilege",
            "GRANT INSERT, SELECT (\"event_id\") ON",
        ),
        (
            "REVOKE SELECT (event_id) ON {schema}.events FROM PUBLIC",
            "insufficient-privilege",
            "GRANT INSERT, SELECT (\"event_id\") ON",
        ),
        ("REVOKE USAGE ON SCHEMA {schema} FROM PUBLIC", "insufficient-privilege", "USAGE on the schema"),
    ];
    for (change, code, words) in cases {
        let schema = server.schema(LEAST).await;
        schema.run(change).await;
        let outcome = Destination::new(server, &schema, json!({})).await.outcome(events(2)).await;
        assert_eq!(short(&outcome), format!("misconfigured {code}"), "{change}");
        assert!(outcome.reason().message.contains(words), "{change}: {outcome:?}");
    }
}

/// Half of all ids have no place in it.
#[tokio::test]
async fn a_missing_partition_waits_for_its_owner() {
    let Some(server) = Server::shared().await else { return };
    let partitioned = LEAST.replace("now());", "now()) PARTITION BY HASH (event_id);");
    let schema = server.schema(&partitioned).await;
    schema
        .run("CREATE TABLE {schema}.even PARTITION OF {schema}.events FOR VALUES WITH (MODULUS 2, REMAINDER 0)")
        .await;
    let destination = Destination::new(server, &schema, json!({})).await;
    let outcomes = destination.deliver(events(20)).await;
    let (there, missing): (Vec<_>, Vec<_>) =
        outcomes.iter().partition(|outcome| short(outcome) == "delivered inserted");
    assert!(missing.iter().all(|outcome| short(outcome) == "misconfigured no-partition"), "{missing:?}");
    assert!(missing[0].reason().message.contains("has no partition for this event"), "{missing:?}");
    assert_eq!((there.len() + missing.len(), schema.ids().await.len()), (20, there.len()));
    assert!(!there.is_empty());
    schema.run("CREATE TABLE {schema}.odd PARTITION OF {schema}.events FOR VALUES WITH (MODULUS 2, REMAINDER 1)").await;
    destination.deliver(events(20)).await;
    assert_eq!(schema.ids().await.len(), 20);
}

#[tokio::test]
async fn columns_of_kindred_types_do_too() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    schema.run("ALTER TABLE {schema}.events ALTER payload TYPE json, ALTER metadata TYPE text, ALTER event_id TYPE char(60), ALTER occurred_at TYPE timestamp").await;
    let destination = Destination::new(server, &schema, json!({})).await;
    assert_eq!(shorts(&destination.deliver(events(2)).await), "2 delivered inserted");
    assert_eq!(shorts(&destination.deliver(events(3)).await), "2 delivered duplicate, 1 delivered inserted");
}
