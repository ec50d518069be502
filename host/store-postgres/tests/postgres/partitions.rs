//! Days are made when they are needed and go when they may, whoever reads them meanwhile.

use crate::fixture::{Fixture, NOON, retry};
use railhead_model::time::DAY_MS;
use railhead_model::{DestinationNo, Ordering};
use railhead_store::{Accept, Accepted, History, Jobs, Record, RecordAnswer, StoreError};
use sqlx::{Connection, PgConnection};

/// Partitions by table, and how many of them wait for the end of a drop.
async fn leaves(connection: &mut PgConnection) -> Vec<(String, i64, i64)> {
    let sql = "SELECT p.relname::text, count(*), count(*) FILTER (WHERE inhdetachpending)
               FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent WHERE p.relkind = 'p' GROUP BY 1 ORDER BY 1";
    sqlx::query_as(sql).fetch_all(connection).await.expect("a count")
}

fn all(days: i64) -> Vec<(String, i64, i64)> {
    ["attempt", "delivery", "event", "transcript"].map(|table| (table.to_owned(), days, 0)).to_vec()
}

#[tokio::test]
async fn partitions_are_made_ahead_once() {
    let Some(fixture) = Fixture::new().await else { return };
    let (a, b) = tokio::join!(fixture.store.ensure_partitions(NOON), fixture.store.ensure_partitions(NOON));
    assert_eq!((a, b), (Ok(()), Ok(())));
    let mut connection = PgConnection::connect(&fixture.url).await.expect("a connection");
    assert_eq!(leaves(&mut connection).await, all(5));
}

#[tokio::test]
async fn a_day_that_nobody_made_ahead_is_made_by_the_events_that_meet_it() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("one", Ordering::None).await;
    let mut hosts = Vec::new();
    for i in 0..6 {
        let events = [f.event(NOON.plus_ms(i), &[to]), f.event(NOON.plus_ms(40 * DAY_MS + i), &[to])];
        let store = f.store.clone();
        hosts.push(tokio::spawn(async move { store.accept(&events).await }));
    }
    for host in hosts {
        assert_eq!(host.await.expect("a host"), Ok(vec![Accepted::Stored, Accepted::Stored]));
    }
    assert_eq!(f.waiting(to).await, 12);
    let mut connection = PgConnection::connect(&f.url).await.expect("a connection");
    assert_eq!(leaves(&mut connection).await, all(2));
}

#[tokio::test]
async fn a_day_in_use_is_dropped_later_and_holds_nobody_up() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("one", Ordering::None).await;
    let (old, new) = (f.event(NOON, &[]), f.event(NOON.plus_ms(5 * DAY_MS), &[to]));
    f.store.accept(&[old.clone(), new]).await.expect("answers");
    let mut reader = PgConnection::connect(&f.url).await.expect("a connection");
    let read = "BEGIN; SELECT count(*) FROM transcript; SELECT count(*) FROM event";
    sqlx::raw_sql(read).execute(&mut reader).await.expect("a long read");
    let before = NOON.plus_ms(2 * DAY_MS);
    let first = f.store.step_retention(before).await;
    assert!(matches!(first, Err(StoreError::Unavailable(_))), "the day is in use: {first:?}");
    let more: Vec<_> = (0..5).map(|i| f.event(NOON.plus_ms(5 * DAY_MS + i), &[to])).collect();
    assert_eq!(f.store.accept(&more).await, Ok(vec![Accepted::Stored; 5]), "other days go on");
    assert_eq!(f.waiting(to).await, 6);
    sqlx::raw_sql("COMMIT").execute(&mut reader).await.expect("its end");
    assert!(leaves(&mut reader).await.contains(&("transcript".to_owned(), 2, 1)), "cut short");
    assert_eq!(f.store.step_retention(before).await.map(|step| (step.rows, step.more)), Ok((1, false)));
    assert_eq!(leaves(&mut reader).await, all(1));
    assert_eq!(f.store.event(f.tenant.no, old.uid).await, Ok(None));
}

#[tokio::test]
async fn what_waits_for_a_day_that_is_gone_ends_all_the_same() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("one", Ordering::None).await;
    f.delivery(to).await;
    let mut admin = PgConnection::connect(&f.url).await.expect("a connection");
    let day = NOON.to_string()[..10].replace('-', "");
    for table in ["transcript", "attempt", "delivery", "event"] {
        let gone = sqlx::AssertSqlSafe(format!("DROP TABLE {table}_{day}"));
        sqlx::raw_sql(gone).execute(&mut admin).await.expect("a day less");
    }
    let before = NOON.plus_ms(DAY_MS);
    while f.store.step_expiry(before, NOON).await.expect("a step").more {}
    assert_eq!(f.waiting(to).await, 0);
    let ended: i64 = sqlx::query_scalar("SELECT count(*) FROM delivery").fetch_one(&mut admin).await.expect("a count");
    assert_eq!(ended, 1);
}

#[tokio::test]
async fn rows_for_a_day_whose_drop_was_cut_short_find_it_made_anew() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("one", Ordering::None).await;
    let key = f.delivery(to).await;
    let mut reader = PgConnection::connect(&f.url).await.expect("a connection");
    let read = "BEGIN; SELECT count(*) FROM attempt";
    sqlx::raw_sql(read).execute(&mut reader).await.expect("a long read");
    let mut crashed = PgConnection::connect(&f.url).await.expect("a connection");
    let day = format!("attempt_{}", NOON.to_string()[..10].replace('-', ""));
    let cut = format!("SET lock_timeout = 50; ALTER TABLE attempt DETACH PARTITION {day} CONCURRENTLY");
    for sql in cut.split("; ") {
        let _ = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut crashed).await; // it is cut short
    }
    assert!(leaves(&mut crashed).await.contains(&("attempt".to_owned(), 1, 1)));
    let results = [retry(key, f.tenant.no, 0, 1)];
    let early = f.store.record(f.host, &results).await;
    assert!(matches!(early, Err(StoreError::Unavailable(_))), "not while it is read: {early:?}");
    sqlx::raw_sql("COMMIT").execute(&mut reader).await.expect("its end");
    assert_eq!(f.store.record(f.host, &results).await, Ok(vec![RecordAnswer::Applied(1)]));
    assert_eq!(leaves(&mut crashed).await, all(1));
    let event = f.event(NOON, &[DestinationNo(7)]);
    assert_eq!(f.store.accept(&[event]).await, Ok(vec![Accepted::Stored]));
}
