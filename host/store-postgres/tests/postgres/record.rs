//! Record, and its fence.

use crate::fixture::{Fixture, NOON, end, retry};
use bytes::Bytes;
use railhead_model::{DeliveryState, End, HostId, Ordering, OutcomeClass};
use railhead_store::work::Command;
use railhead_store::{History, Leases, Record, RecordAnswer, Started, StoreError, WorkStore};
use sqlx::Connection;

#[tokio::test]
async fn a_retry_and_an_end_leave_two_attempts() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("one", Ordering::None).await;
    let (key, tenant) = (f.delivery(to).await, f.tenant.no);
    let first = [retry(key, tenant, 0, 1)];
    assert_eq!(f.store.record(f.host, &first).await, Ok(vec![RecordAnswer::Applied(1)]));
    assert_eq!(f.store.record(f.host, &first).await, Ok(vec![RecordAnswer::Refused]), "sent again");
    let waits = f.store.delivery(tenant, key).await.expect("a read").expect("the delivery");
    assert_eq!((waits.state, waits.tries, waits.attempts), (DeliveryState::Retrying, 1, 1));
    assert_eq!(waits.next_attempt_at, Some(NOON.plus_ms(60_000)));
    let last = [end(key, tenant, 1, 2, End::Delivered)];
    assert_eq!(f.store.record(f.host, &last).await, Ok(vec![RecordAnswer::Applied(2)]));
    assert_eq!(f.store.record(f.host, &last).await, Ok(vec![RecordAnswer::Refused]), "sent again");
    assert_eq!(f.waiting(to).await, 0);
    let ended = f.store.delivery(tenant, key).await.expect("a read").expect("the delivery");
    assert_eq!((ended.state, ended.tries, ended.code.as_str()), (DeliveryState::Delivered, 2, "http-200"));
    let attempts = f.store.attempts(tenant, key).await.expect("attempts");
    let classes: Vec<_> = attempts.iter().map(|row| (row.attempt.n, row.attempt.outcome)).collect();
    assert_eq!(classes, [(1, OutcomeClass::Transient), (2, OutcomeClass::Delivered)]);
    assert_eq!(attempts[0].transcript, Some(Bytes::from_static(b"sealed")));
    assert_eq!(attempts[0].attempt.reason.message, "not\u{FFFD}now", "PostgreSQL cannot store NUL");
}

#[tokio::test]
async fn what_changed_meanwhile_is_refused_but_its_attempt_is_kept() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("one", Ordering::None).await;
    let (a, b, tenant) = (f.delivery(to).await, f.delivery(to).await, f.tenant.no);
    f.store.command(a, Command::RetryNow, NOON).await.expect("a command");
    f.store.command(b, Command::Cancel, NOON).await.expect("a command");
    let batch = [end(a, tenant, 0, 1, End::Delivered), end(b, tenant, 0, 1, End::Delivered)];
    assert_eq!(f.store.record(f.host, &batch).await, Ok(vec![RecordAnswer::Refused; 2]));
    let a_now = f.store.delivery(tenant, a).await.expect("a read").expect("the delivery");
    assert_eq!((a_now.state, a_now.tries), (DeliveryState::Retrying, 1));
    let b_now = f.store.delivery(tenant, b).await.expect("a read").expect("the delivery");
    assert_eq!((b_now.state, b_now.code.as_str()), (DeliveryState::Cancelled, "cancelled"));
    for key in [a, b] {
        assert_eq!(f.store.attempts(tenant, key).await.expect("attempts").len(), 1);
    }
}

#[tokio::test]
async fn a_fenced_host_writes_nothing() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("one", Ordering::None).await;
    let (key, tenant) = (f.delivery(to).await, f.tenant.no);
    let other = HostId::new(NOON, [2; 10]);
    f.store.join(other, NOON).await.expect("a host");
    expire(&f).await;
    f.store.take_over(other, NOON).await.expect("a take-over");
    let batch = [end(key, tenant, 0, 1, End::Delivered)];
    assert_eq!(f.store.record(f.host, &batch).await, Err(StoreError::Fenced));
    assert_eq!(f.store.save_health(f.host, &[]).await, Err(StoreError::Fenced));
    assert_eq!(f.store.record(HostId::new(NOON, [3; 10]), &batch).await, Err(StoreError::Fenced), "never joined");
    assert_eq!(f.waiting(to).await, 1);
    assert_eq!(f.store.attempts(tenant, key).await, Ok(vec![]));
    assert_eq!(f.store.record(other, &batch).await, Ok(vec![RecordAnswer::Applied(1)]));
}

/// The write of a host that is fenced right now waits for the fence, and then fails: no gap between look and write.
#[tokio::test]
async fn a_record_waits_for_a_fence_in_progress() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("one", Ordering::None).await;
    let (key, tenant) = (f.delivery(to).await, f.tenant.no);
    let mut other = sqlx::PgConnection::connect(&f.url).await.expect("a connection");
    let mut fencing = other.begin().await.expect("a transaction");
    let sql = "UPDATE host SET fenced = true";
    sqlx::raw_sql(sql).execute(&mut *fencing).await.expect("the fence");
    let (store, host) = (f.store.clone(), f.host);
    let call = tokio::spawn(async move { store.record(host, &[end(key, tenant, 0, 1, End::Delivered)]).await });
    let mut watcher = sqlx::PgConnection::connect(&f.url).await.expect("a connection");
    wait_for_lock(&mut watcher).await;
    fencing.commit().await.expect("the fence");
    assert_eq!(call.await.expect("a call"), Err(StoreError::Fenced));
    assert_eq!(f.waiting(to).await, 1);
}

/// A start that is counted late changes a row without a new rev, while a record waits for it: the record can no longer
/// see the row, so it changes nothing and says so.
#[tokio::test]
async fn a_record_that_waited_for_a_start_ends_nothing() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("one", Ordering::None).await;
    let (ends, waits, free, tenant) = (f.delivery(to).await, f.delivery(to).await, f.delivery(to).await, f.tenant.no);
    let mut other = sqlx::PgConnection::connect(&f.url).await.expect("a connection");
    let mut starting = other.begin().await.expect("a transaction");
    let sql = "UPDATE work SET starts = starts + 1, starts_tries = tries WHERE event = $1 OR event = $2";
    sqlx::query(sql).bind(ends.event.0).bind(waits.event.0).execute(&mut *starting).await.expect("the start");
    let (store, host) = (f.store.clone(), f.host);
    let call = tokio::spawn(async move {
        let delivered = |key| end(key, tenant, 0, 1, End::Delivered);
        store.record(host, &[delivered(ends), retry(waits, tenant, 0, 1), delivered(free)]).await
    });
    let mut watcher = sqlx::PgConnection::connect(&f.url).await.expect("a connection");
    wait_for_lock(&mut watcher).await;
    starting.commit().await.expect("the start");
    let expected = vec![RecordAnswer::Refused, RecordAnswer::Refused, RecordAnswer::Applied(1)];
    assert_eq!(call.await.expect("a call"), Ok(expected));

    let sql = "SELECT event FROM delivery";
    let ended: Vec<uuid::Uuid> = sqlx::query_scalar(sql).fetch_all(&mut watcher).await.expect("a read");
    assert_eq!(ended, [free.event.0]);
    assert_eq!(f.waiting(to).await, 2);
    for key in [ends, waits] {
        let now = f.store.delivery(tenant, key).await.expect("a read").expect("the delivery");
        assert_eq!((now.tries, now.attempts), (1, 0), "its attempt was made, and decided nothing");
        assert_eq!(f.store.attempts(tenant, key).await.expect("attempts").len(), 1);
        let again = [end(key, tenant, 0, 2, End::Delivered)];
        assert_eq!(f.store.record(f.host, &again).await, Ok(vec![RecordAnswer::Applied(1)]));
    }
    assert_eq!(f.waiting(to).await, 0);
}

/// A start that waited for a change of its row cannot count it: it says that the row must be read again.
#[tokio::test]
async fn a_start_that_waited_for_a_change_counts_nothing() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("one", Ordering::None).await;
    let (waits, free) = (f.delivery(to).await, f.delivery(to).await);
    let mut other = sqlx::PgConnection::connect(&f.url).await.expect("a connection");
    let mut changing = other.begin().await.expect("a transaction");
    let sql = "UPDATE work SET due = due + 1 WHERE event = $1";
    sqlx::query(sql).bind(waits.event.0).execute(&mut *changing).await.expect("the change");
    let (store, host) = (f.store.clone(), f.host);
    let call = tokio::spawn(async move { store.start(host, &[waits, free], false).await });
    let mut watcher = sqlx::PgConnection::connect(&f.url).await.expect("a connection");
    wait_for_lock(&mut watcher).await;
    changing.commit().await.expect("the change");
    assert_eq!(call.await.expect("a call"), Ok(vec![Started::Gone, Started::Go]));
    let sql = "SELECT starts FROM work WHERE event = $1";
    for (key, count) in [(waits, 0_i16), (free, 1)] {
        let starts: i16 = sqlx::query_scalar(sql).bind(key.event.0).fetch_one(&mut watcher).await.expect("a read");
        assert_eq!(starts, count, "{key}");
    }
    assert_eq!(f.store.start(f.host, &[waits, free], false).await, Ok(vec![Started::Go; 2]));
}

/// As if the fixture's host had not renewed, and the others had for long.
async fn expire(f: &Fixture) {
    let mut connection = sqlx::PgConnection::connect(&f.url).await.expect("a connection");
    let sql = "UPDATE host_lease SET since = 0, expires = CASE WHEN host = $1 THEN 0 ELSE expires END";
    sqlx::query(sql).bind(f.host.0).execute(&mut connection).await.expect("an update");
}

/// Until some session of this database waits for a lock.
async fn wait_for_lock(watcher: &mut sqlx::PgConnection) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    loop {
        let waiting: i64 = sqlx::query_scalar(sql).fetch_one(&mut *watcher).await.expect("a read");
        if waiting > 0 {
            return;
        }
    }
}
