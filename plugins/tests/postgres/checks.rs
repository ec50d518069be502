//! A check says step by step what it found, and writes nothing.

use crate::run::Destination;
use crate::server::{LEAST, Server};
use serde_json::json;

/// What was found, and the code of what was wrong.
async fn told(destination: &Destination) -> (Vec<String>, Option<String>) {
    let mut steps = destination.check().await;
    let last = steps.pop().unwrap();
    let mut found: Vec<_> = steps.into_iter().map(Result::unwrap).collect();
    match last {
        Ok(step) => {
            found.push(step);
            (found, None)
        }
        Err(reason) => (found, Some(reason.code)),
    }
}

#[tokio::test]
async fn all_is_well() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    let (found, wrong) = told(&Destination::new(server, &schema, json!({})).await).await;
    assert_eq!((found.len(), wrong), (4, None), "{found:?}");
    assert_eq!(found[0], format!("localhost:{} takes connections.", server.port));
    assert_eq!(found[1], "TLS: its certificate is valid for localhost.");
    assert!(found[2].starts_with("Logged in as \"app\""), "{found:?}");
    assert_eq!(found[3], format!("The table \"{}\".\"events\" is there, and takes rows of this user.", schema.name));
    assert_eq!(schema.ids().await.len(), 0);
}

#[tokio::test]
async fn what_is_wrong_is_found_without_writing() {
    let Some(server) = Server::shared().await else { return };
    let cases = [
        (LEAST, "SELECT 1", json!({ "table": "elsewhere" }), "undefined-table"),
        (LEAST, "REVOKE INSERT ON {schema}.events FROM PUBLIC", json!({}), "insufficient-privilege"),
        (LEAST, "REVOKE SELECT (event_id) ON {schema}.events FROM PUBLIC", json!({}), "insufficient-privilege"),
        (LEAST, "ALTER TABLE {schema}.events DROP CONSTRAINT events_pkey", json!({}), "no-unique-constraint"),
        (LEAST, "ALTER TABLE {schema}.events DROP COLUMN tenant", json!({}), "undefined-column"),
        ("SELECT 1", "SELECT 1", json!({ "create_tables": true }), "insufficient-privilege"),
        (
            "SELECT 1",
            "SELECT 1",
            json!({ "table_per_event_type": true, "create_tables": true }),
            "insufficient-privilege",
        ),
        ("SELECT 1", "SELECT 1", json!({ "table_per_event_type": true, "schema": "nowhere" }), "undefined-schema"),
        ("SELECT 1", "SELECT 1", json!({ "database": "nowhere" }), "undefined-database"),
    ];
    for (table, change, more, code) in cases {
        let schema = server.schema(table).await;
        schema.run(change).await;
        let (found, wrong) = told(&Destination::new(server, &schema, more).await).await;
        assert_eq!(wrong.as_deref(), Some(code), "{change}: {found:?}");
    }
}

#[tokio::test]
async fn tables_that_are_still_to_be_created_are_no_fault() {
    let Some(server) = Server::shared().await else { return };
    for more in [json!({ "create_tables": true }), json!({ "create_tables": true, "table_per_event_type": true })] {
        let schema = server.schema("GRANT CREATE ON SCHEMA {schema} TO PUBLIC").await;
        let (found, wrong) = told(&Destination::new(server, &schema, more).await).await;
        assert_eq!((found.len(), wrong), (4, None), "{found:?}");
        assert_eq!(
            schema.ask("SELECT count(*) FROM information_schema.tables WHERE table_schema = '{schema}'").await,
            "0"
        );
    }
}
