//! What the server's errors come to, each provoked at the real server.

use crate::run::{Destination, event, events, short, shorts};
use crate::server::{LEAST, PASSWORD, Schema, Server};
use railhead_harness::Postgres;
use railhead_model::Event;
use serde_json::json;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _};
use std::time::Duration;

#[tokio::test]
async fn a_row_that_does_not_fit_ends_alone() {
    let Some(server) = Server::shared().await else { return };
    let cases = [
        ("SELECT 1", r#""a\u0000b""#, "untranslatable-character"),
        ("ALTER TABLE {schema}.events ADD CHECK (payload <> '13')", "13", "check-violation"),
        (
            "ALTER TABLE {schema}.events ALTER payload TYPE varchar(15)",
            r#""longer than fifteen""#,
            "string-data-right-truncation",
        ),
        ("ALTER TABLE {schema}.events ALTER payload SET NOT NULL", "", "not-null-violation"),
        (
            "CREATE UNIQUE INDEX ON {schema}.events ((payload->'once')); INSERT INTO {schema}.events VALUES ('x', 'x', 'x', now(), 'x', 'x', '{\"once\": 1}', '{}')",
            r#"{"once": 1}"#,
            "unique-violation",
        ),
        (
            "CREATE FUNCTION {schema}.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.payload = '13' THEN RAISE EXCEPTION 'not thirteen'; END IF; RETURN NEW; END $$; CREATE TRIGGER no BEFORE INSERT ON {schema}.events FOR EACH ROW EXECUTE FUNCTION {schema}.no()",
            "13",
            "raise-exception",
        ),
        (
            "ALTER TABLE {schema}.events ADD FOREIGN KEY (source) REFERENCES {schema}.events (event_id) DEFERRABLE INITIALLY DEFERRED; INSERT INTO {schema}.events VALUES ('/shop', 'x', 'x', now(), 'x', '/shop', '1', '{}')",
            "FOREIGN",
            "foreign-key-violation",
        ),
    ];
    for (change, data, code) in cases {
        let schema = server.schema(LEAST).await;
        schema.run(change).await;
        let destination = Destination::new(server, &schema, json!({})).await;
        let mut events = events(40);
        for at in [7, 23, 24] {
            let bad = event(at, data);
            events[usize::from(at)] = if data == "FOREIGN" { of_source(event(at, "1"), "/elsewhere") } else { bad };
        }
        let outcomes = destination.deliver(events).await;
        assert_eq!(shorts(&outcomes), format!("37 delivered inserted, 3 permanent {code}"), "{change}");
        for at in [7, 23, 24] {
            assert_eq!(short(&outcomes[at]), format!("permanent {code}"));
        }
        assert_eq!(schema.ask("SELECT count(*) FROM {schema}.events WHERE event_type = 'order.created'").await, "37");
    }
}

fn of_source(mut event: Event, source: &str) -> Event {
    event.head.source = source.to_owned();
    event
}

/// What a trigger does before each row goes into the table.
fn before_each_row(body: &str) -> String {
    format!(
        "CREATE FUNCTION {{schema}}.each() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$; CREATE TRIGGER each BEFORE INSERT ON {{schema}}.events FOR EACH ROW EXECUTE FUNCTION {{schema}}.each()"
    )
}

#[tokio::test]
async fn what_no_row_can_pass_waits_for_the_owner_of_the_table() {
    let Some(server) = Server::shared().await else { return };
    let (raises, divides) = (before_each_row("RAISE EXCEPTION 'no %', NEW.id;"), before_each_row("NEW.id := 1 / 0;"));
    // Whether one alone is taken for its own fault, or the table's.
    let cases = [
        (
            "ALTER TABLE {schema}.events ADD CONSTRAINT no CHECK (tenant = 'x')",
            "check-violation",
            "\"no\"",
            "permanent",
        ),
        (
            "ALTER TABLE {schema}.events ADD CONSTRAINT no FOREIGN KEY (tenant) REFERENCES {schema}.events (event_id)",
            "foreign-key-violation",
            "\"no\"",
            "permanent",
        ),
        (
            "ALTER TABLE {schema}.events ALTER tenant TYPE varchar(3)",
            "string-data-right-truncation",
            "of type character varying(3)",
            "permanent",
        ),
        (&raises, "raise-exception", "the server's log", "permanent"),
        (&divides, "division-by-zero", "divides by zero", "misconfigured"),
    ];
    for (change, code, words, alone) in cases {
        let schema = server.schema(LEAST).await;
        schema.run(change).await;
        let destination = Destination::new(server, &schema, json!({})).await;
        let outcome = destination.outcome(events(9)).await;
        assert_eq!(short(&outcome), format!("misconfigured {code}"), "{change}");
        let message = &outcome.reason().message;
        assert!(message.contains(words) && message.contains("none of 9 events"), "{change}: {message}");
        assert!(!message.contains("ord_"), "what a row holds is erased with its event: {message}");
        assert_eq!(short(&destination.outcome(events(1)).await), format!("{alone} {code}"), "{change}");
        let apart = destination.unbatched();
        assert_eq!(short(&apart.outcome(events(2)).await), format!("misconfigured {code}"), "{change}");
    }
}

#[tokio::test]
async fn what_fails_within_a_trigger_beside_rows_that_pass_is_the_rows_fault() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    schema.run(&before_each_row("NEW.source := 12 / (NEW.payload::text)::int;")).await;
    let destination = Destination::new(server, &schema, json!({})).await;
    let outcomes = destination.deliver(vec![event(1, "0"), event(2, "3"), event(3, "0")]).await;
    assert_eq!(shorts(&outcomes), "2 permanent division-by-zero, 1 delivered inserted");
}

#[tokio::test]
async fn notices_of_triggers_are_not_in_the_way() {
    let Some(server) = Server::shared().await else { return };
    for level in ["NOTICE", "INFO"] {
        let schema = server.schema(LEAST).await;
        let says = format!("RAISE {level} 'one %', NEW.id; RAISE {level} 'two %', NEW.id;");
        schema.run(&before_each_row(&says)).await;
        let destination = Destination::new(server, &schema, json!({})).await;
        assert_eq!(shorts(&destination.deliver(events(1_000)).await), "1000 delivered inserted", "{level}");
    }
}

/// The host hands fewer over, until what is left fits into a call's time.
#[tokio::test]
async fn what_takes_too_long_together_goes_in_smaller_batches() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    schema.run(&before_each_row("PERFORM pg_sleep((NEW.payload::text)::float);")).await;
    let destination = Destination::new(server, &schema, json!({})).await;
    let hurried = destination.clone().deadline_ms(3_000);
    let slow = |count: u16, seconds: &str| (0..count).map(|number| event(number, seconds)).collect::<Vec<_>>();
    let outcome = hurried.outcome(slow(100, "0.1")).await;
    assert_eq!(short(&outcome), "too_large query-canceled");
    assert!(outcome.reason().message.contains("Fewer rows go at once"), "{outcome:?}");
    assert_eq!(short(&hurried.outcome(slow(1, "60")).await), "transient query-canceled");
    assert_eq!(shorts(&destination.deliver(slow(2, "0.1")).await), "2 delivered inserted");
}

/// The connector waits for a table that the test has locked, and the test for one that the connector has.
#[tokio::test]
async fn a_deadlock_is_tried_again() {
    let Some(server) = Server::shared().await else { return };
    let tables = format!("{};{}", LEAST.replace("events", "a"), LEAST.replace("events", "b"));
    let schema = server.schema(&tables).await;
    let role = role(server, &schema, "SET deadlock_timeout = '2s'").await;
    let destination = Destination::new(server, &schema, json!({ "user": role, "table_per_event_type": true })).await;
    let of_type = |number, name: &str| Event { event_type: name.to_owned(), ..event(number, "1") };
    let mut owner = locking(server, &schema, "b").await;
    owner.execute("SET deadlock_timeout = '60s'").await.unwrap();
    let delivery = tokio::spawn(async move { destination.deliver(vec![of_type(1, "a"), of_type(2, "b")]).await });
    waiting(&schema, &role).await;
    owner.execute(AssertSqlSafe(format!("LOCK TABLE {}.a", schema.name))).await.unwrap();
    assert_eq!(shorts(&delivery.await.unwrap()), "2 transient deadlock-detected");
    owner.execute("ROLLBACK").await.unwrap();
}

/// With a stricter isolation than usual, a row that somebody else has just written cannot be judged.
#[tokio::test]
async fn a_transaction_that_cannot_be_serialized_is_tried_again() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    let role = role(server, &schema, "SET default_transaction_isolation = 'repeatable read'").await;
    let destination = Destination::new(server, &schema, json!({ "user": role })).await;
    let mut owner = server.owner().await;
    let insert = format!(
        "BEGIN; INSERT INTO {}.events VALUES ('{}', 'x', 'x', now(), 'x', 'x', '1', '{{}}')",
        schema.name,
        event(1, "1").uid
    );
    owner.execute(AssertSqlSafe(insert)).await.unwrap();
    let again = destination.clone();
    let delivery = tokio::spawn(async move { destination.deliver(events(3)).await });
    waiting(&schema, &role).await;
    owner.execute("COMMIT").await.unwrap();
    assert_eq!(shorts(&delivery.await.unwrap()), "3 transient serialization-failure");
    assert_eq!(shorts(&again.deliver(events(3)).await), "2 delivered inserted, 1 delivered duplicate");
}

#[tokio::test]
async fn who_waits_too_long_for_a_lock_tries_again() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    let impatient = role(server, &schema, "SET lock_timeout = '50ms'").await;
    let mut owner = locking(server, &schema, "events").await;
    let destination = Destination::new(server, &schema, json!({ "user": impatient })).await;
    assert_eq!(shorts(&destination.deliver(events(2)).await), "2 transient lock-not-available");
    // Without a bound of the role's, the call's own time is one: the server gives up before the call ends.
    let destination = Destination::new(server, &schema, json!({})).await.deadline_ms(3_000);
    assert_eq!(shorts(&destination.deliver(events(2)).await), "2 too_large query-canceled");
    assert_eq!(shorts(&destination.deliver(events(1)).await), "1 transient query-canceled");
    owner.execute("ROLLBACK").await.unwrap();
    assert_eq!(shorts(&destination.deliver(events(2)).await), "2 delivered inserted");
}

#[tokio::test]
async fn a_session_that_is_ended_in_the_middle_of_a_batch_has_written_nothing() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    let role = role(server, &schema, "SET lock_timeout = 0").await;
    let destination = Destination::new(server, &schema, json!({ "user": role })).await;
    let again = destination.clone();
    let mut owner = locking(server, &schema, "events").await;
    let delivery = tokio::spawn(async move { destination.deliver(events(2)).await });
    waiting(&schema, &role).await;
    schema.run(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'")).await;
    assert_eq!(shorts(&delivery.await.unwrap()), "2 transient admin-shutdown");
    owner.execute("ROLLBACK").await.unwrap();
    assert_eq!(shorts(&again.deliver(events(2)).await), "2 delivered inserted");
}

#[tokio::test]
async fn a_standby_or_a_database_that_only_reads_is_the_wrong_server() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    let reader = role(server, &schema, "SET default_transaction_read_only = on").await;
    let outcome = Destination::new(server, &schema, json!({ "user": reader })).await.outcome(events(2)).await;
    assert_eq!(short(&outcome), "misconfigured read-only-transaction");
}

#[tokio::test]
async fn a_full_disk_is_waited_for() {
    let Some(mut postgres) = Postgres::start_on_disk(&["max_wal_size=32MB", "min_wal_size=32MB"], 160 << 20).await
    else {
        return;
    };
    // Its files are out of reach on that disk.
    let server = Server::by_password(&postgres).await;
    let schema = server.schema(LEAST).await;
    let destination = Destination::plain(server.port, &schema).await;
    let large = || (0..200).map(|number| event(number, &format!("\"{}\"", random(number)))).collect();
    postgres.fill_disk();
    let outcome = destination.outcome(large()).await;
    assert_eq!(outcome.class().as_str(), "transient", "{outcome:?}");
    postgres.free_disk();
    postgres.recovered().await;
    assert_eq!(shorts(&destination.deliver(large()).await), "200 delivered inserted");
}

/// 64 KiB of letters that hardly compress.
fn random(seed: u16) -> String {
    let mut state = u64::from(seed) + 1;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'A' + u8::try_from((state >> 33) % 26).unwrap())
    };
    (0..65_536).map(next).collect()
}

/// A role of the test's own, which may insert, with a setting.
async fn role(server: &Server, schema: &Schema, setting: &str) -> String {
    let role = format!("r_{}", schema.name);
    let mut owner = server.owner().await;
    for sql in [format!("CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'"), format!("ALTER ROLE {role} {setting}")] {
        owner.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    role
}

/// A transaction that has a table for itself.
async fn locking(server: &Server, schema: &Schema, table: &str) -> PgConnection {
    let mut owner = server.owner().await;
    owner.execute(AssertSqlSafe(format!("BEGIN; LOCK TABLE {}.{table}", schema.name))).await.unwrap();
    owner
}

/// Waits until this role waits for a lock.
async fn waiting(schema: &Schema, role: &str) {
    let count = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}' AND wait_event_type = 'Lock'");
    for _ in 0..6_000 {
        if schema.ask(&count).await != "0" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{role} waits for no lock");
}
