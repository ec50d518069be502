//! Refill, survey, payloads, commands, new runs, batches.

use crate::fixture::{Fixture, NOON, end, retry};
use railhead_model::{DeliveryKey, DestinationNo, End, EventUid, Ordering, Origin};
use railhead_store::directory::{Expect, MAX_REORDERED};
use railhead_store::work::{Command, Commanded, Health, StableBatch};
use railhead_store::{Accept, Directory, Leases, Position, Record, RefillAsk, StoreError, WorkStore};
use sqlx::Connection;

#[tokio::test]
async fn refill_pages_by_due_time_without_a_gap() {
    let Some(mut f) = Fixture::new().await else { return };
    let (a, b) = (f.destination("a", Ordering::None).await, f.destination("b", Ordering::None).await);
    let mut batch = Vec::new();
    for i in 0..25 {
        batch.push(f.event(NOON.plus_ms(i / 3), &[a, b]));
    }
    f.store.accept(&batch).await.expect("answers");
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let ask = RefillAsk { destination: a, ordered: false, after, limit: 10 };
        let empty = RefillAsk { destination: DestinationNo(999), ..ask };
        let answers = f.store.refill(&[empty, ask]).await.expect("rows");
        assert_eq!(answers.iter().map(|x| x.destination).collect::<Vec<_>>(), [DestinationNo(999), a]);
        assert_eq!(answers[0].rows, []);
        let rows = &answers[1].rows;
        seen.extend(rows.iter().map(|row| (row.due, row.key.event)));
        let Some(last) = rows.last() else { break };
        after = Some(Position::Due(last.due, last.key.event, last.key.run));
    }
    assert_eq!(seen.len(), 25);
    assert!(seen.is_sorted());
    assert_eq!(f.store.survey(&[b, DestinationNo(999)]).await, Ok(vec![(b, NOON)]));
    assert_eq!(f.store.waiting(&[a, DestinationNo(999)], 7).await, Ok(vec![(a, 7), (DestinationNo(999), 0)]));
}

#[tokio::test]
async fn payloads_of_what_is_there() {
    let Some(mut f) = Fixture::new().await else { return };
    let event = f.event(NOON, &[]);
    f.store.accept(std::slice::from_ref(&event)).await.expect("an answer");
    let found = f.store.payloads(&[EventUid::new(NOON, [7; 10]), event.uid]).await.expect("events");
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].uid, found[0].payload.as_deref()), (event.uid, Some(&b"payload"[..])));
    assert_eq!(f.store.payloads(&[]).await, Ok(vec![]));
}

#[tokio::test]
async fn a_person_retries_cancels_and_delivers_again() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("one", Ordering::None).await;
    let (key, tenant) = (f.delivery(to).await, f.tenant.no);
    let again = f.store.redeliver(key, Origin::Retry, NOON).await;
    assert!(matches!(again, Err(StoreError::NotFound(_))), "it has not ended");
    f.store.record(f.host, &[retry(key, tenant, 0, 1)]).await.expect("an answer");
    assert_eq!(f.store.command(key, Command::RetryNow, NOON.plus_ms(5)).await, Ok(Commanded::Done));
    let ask = RefillAsk { destination: to, ordered: false, after: None, limit: 10 };
    let row = f.store.refill(&[ask]).await.expect("rows")[0].rows[0];
    assert_eq!((row.due, row.rev, row.attempts, row.since), (NOON.plus_ms(5), 2, 1, Some(NOON)));
    assert_eq!(f.store.command(key, Command::Cancel, NOON).await, Ok(Commanded::Done));
    assert_eq!(f.store.command(key, Command::Cancel, NOON).await, Ok(Commanded::NotWaiting));
    let (one, two) = tokio::join!(
        f.store.redeliver(key, Origin::Retry, NOON.plus_ms(9)),
        f.store.redeliver(key, Origin::Retry, NOON.plus_ms(9))
    );
    let mut runs = [one.expect("a run").run, two.expect("a run").run];
    runs.sort_unstable();
    assert_eq!(runs, [1, 2]);
    let rows = f.store.refill(&[ask]).await.expect("rows").remove(0).rows;
    assert!(
        rows.iter().all(|row| row.previous == Some(0) && row.origin == Origin::Retry && row.due == NOON.plus_ms(9))
    );
    f.store.record(f.host, &[end(DeliveryKey { run: 2, ..key }, tenant, 0, 1, End::Dead)]).await.expect("an answer");
    assert_eq!(f.store.redeliver(key, Origin::Retry, NOON).await.map(|key| key.run), Ok(3));
}

#[tokio::test]
async fn a_new_run_of_an_ordered_delivery_joins_at_the_tail() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("one", Ordering::Destination).await;
    let mut keys = Vec::new();
    for _ in 0..2 {
        let mut event = f.event(NOON, &[to]);
        event.lanes = vec![(to, [4; 16])];
        f.store.accept(std::slice::from_ref(&event)).await.expect("an answer");
        keys.push(DeliveryKey { event: event.uid, destination: to, run: 0 });
    }
    f.store.record(f.host, &[end(keys[0], f.tenant.no, 0, 1, End::Dead)]).await.expect("an answer");
    f.store.redeliver(keys[0], Origin::Retry, NOON).await.expect("a run");
    let ask = RefillAsk { destination: to, ordered: true, after: None, limit: 10 };
    let rows = f.store.refill(&[ask]).await.expect("rows").remove(0).rows;
    let places: Vec<_> = rows.iter().map(|row| (row.key.event, row.seq, row.lane)).collect();
    assert_eq!(places, [(keys[1].event, 2, Some([4; 16])), (keys[0].event, 3, Some([4; 16]))]);
}

#[tokio::test]
async fn what_waits_joins_when_a_destination_begins_to_keep_an_order() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("one", Ordering::None).await;
    let (first, second) = (f.delivery(to).await, f.delivery(to).await);
    let mut stored = f.store.destinations(f.tenant.no).await.expect("a read").remove(0);
    stored.spec.ordering = Ordering::Destination;
    f.store.put_destination(&stored, railhead_store::directory::Expect::Revision(1)).await.expect("a write");
    let ask = RefillAsk { destination: to, ordered: true, after: None, limit: 10 };
    let rows = f.store.refill(&[ask]).await.expect("rows").remove(0).rows;
    assert_eq!(rows.iter().map(|row| (row.key, row.seq, row.rev)).collect::<Vec<_>>(), [(first, 1, 1), (second, 2, 1)]);
}

#[tokio::test]
async fn an_order_begins_only_where_few_wait() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("one", Ordering::None).await;
    f.delivery(to).await;
    let mut connection = sqlx::PgConnection::connect(&f.url).await.expect("a connection");
    let copy = "INSERT INTO work (event, destination, run, tenant, due, seq, origin, made_at, bytes)
                SELECT event, destination, g, tenant, due, seq, origin, made_at, bytes
                FROM work CROSS JOIN generate_series(1, $1) g WHERE run = 0";
    sqlx::query(copy).bind(MAX_REORDERED as i32).execute(&mut connection).await.expect("rows");
    let mut stored = f.store.destinations(f.tenant.no).await.expect("a read").remove(0);
    stored.spec.ordering = Ordering::Destination;
    let refused = f.store.put_destination(&stored, Expect::Revision(1)).await;
    assert_eq!(refused, Err(StoreError::TooManyWaiting));
    assert_eq!(f.store.destinations(f.tenant.no).await.expect("a read")[0].spec.ordering, Ordering::None);
    sqlx::query("DELETE FROM work WHERE run = 1").execute(&mut connection).await.expect("one fewer");
    stored = f.store.put_destination(&stored, Expect::Revision(1)).await.expect("a write");
    sqlx::query(copy).bind(1).execute(&mut connection).await.expect("one more, as of a fan-out begun before");
    stored.spec.name = Some("still".to_owned());
    f.store.put_destination(&stored, Expect::Revision(2)).await.expect("other changes go on");
}

/// A replay holds this lock for a step.
#[tokio::test]
async fn a_person_does_not_wait_for_ever_on_others_new_runs() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("one", Ordering::None).await;
    let key = f.delivery(to).await;
    f.store.record(f.host, &[end(key, f.tenant.no, 0, 1, End::Dead)]).await.expect("an answer");
    let mut other = sqlx::PgConnection::connect(&f.url).await.expect("a connection");
    let lock = "SELECT pg_advisory_lock(1918986604, ($1 & 2147483647)::int)";
    sqlx::query(lock).bind(f.tenant.no.0).execute(&mut other).await.expect("the lock");
    let refused = f.store.redeliver(key, Origin::Retry, NOON).await;
    assert!(matches!(&refused, Err(error) if error.is_retryable()), "{refused:?}");
    sqlx::query("SELECT pg_advisory_unlock_all()").execute(&mut other).await.expect("the unlock");
    assert_eq!(f.store.redeliver(key, Origin::Retry, NOON).await.map(|key| key.run), Ok(1));
    assert_eq!(f.waiting(to).await, 1);
}

#[tokio::test]
async fn health_and_stable_batches_are_kept() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("one", Ordering::None).await;
    let health = Health { open: true, failures: 5, ..Health::default() };
    f.store.take_over(f.host, NOON).await.expect("shards");
    assert_eq!(f.store.save_health(f.host, &[(to, health.clone())]).await, Ok(()));
    assert_eq!(f.store.destinations_by_no(&[to]).await.expect("a read")[0].health, health);
    let members = vec![f.delivery(to).await, f.delivery(to).await];
    let batch = StableBatch { destination: to, number: 1, members: members.clone(), due: NOON, attempts: 0 };
    f.store.open_batches(f.host, std::slice::from_ref(&batch)).await.expect("a write");
    let later = StableBatch { members: vec![members[0]], due: NOON.plus_ms(1), attempts: 1, ..batch };
    f.store.open_batches(f.host, std::slice::from_ref(&later)).await.expect("a write");
    assert_eq!(f.store.batches(&[to]).await, Ok(vec![StableBatch { members, ..later }]), "members never change");
    f.store.close_batch(f.host, to, 1).await.expect("a write");
    assert_eq!(f.store.batches(&[to]).await, Ok(vec![]));
}

#[tokio::test]
async fn a_destination_goes_with_what_waits_while_events_come() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("one", Ordering::None).await;
    let events: Vec<_> = (0..200).map(|_| f.event(NOON, &[to])).collect();
    let store = f.store.clone();
    let publishing = tokio::spawn(async move {
        for chunk in events.chunks(5) {
            store.accept(chunk).await.expect("answers");
        }
    });
    let id = "one".parse().expect("an id");
    while f.waiting(to).await == 0 {}
    assert_eq!(f.store.delete_destination(f.tenant.no, &id, NOON).await, Ok(true));
    publishing.await.expect("a publisher");
    assert_eq!(f.waiting(to).await, 0, "nothing is left behind for a destination that is gone");
    assert_eq!(f.store.delete_destination(f.tenant.no, &id, NOON).await, Ok(false));
}
