//! Accept, with concurrent writers.

use crate::fixture::{Fixture, NOON, tenant};
use railhead_model::time::DAY_MS;
use railhead_model::{DestinationNo, Ordering, TenantNo, Timestamp};
use railhead_store::accept::MAX_DIRECT;
use railhead_store::directory::{Directory, Expect};
use railhead_store::{Accept, Accepted, FirstEvent, Jobs, NewEvent, RefillAsk, WorkStore};
use railhead_store_postgres::{PostgresOptions, PostgresStore};
use sqlx::{Connection, PgConnection, Postgres, Transaction};
use std::time::Duration;

#[tokio::test]
async fn each_event_gets_its_own_answer() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("one", Ordering::None).await;
    let first = f.named(NOON, 1, &[to]);
    let repeated = f.named(NOON, 1, &[to]);
    let stale = NewEvent { generation: f.tenant.generation - 1, ..f.event(NOON, &[to]) };
    let lost = NewEvent { tenant: TenantNo(99), ..f.event(NOON, &[to]) };
    let plain = f.event(NOON, &[to]);
    let batch = [first.clone(), repeated.clone(), stale, lost, plain];
    let duplicate =
        Accepted::Duplicate(FirstEvent { uid: first.uid, id: first.id.clone(), digest: first.digest, deliveries: 1 });
    let expected = vec![Accepted::Stored, duplicate.clone(), Accepted::Stale, Accepted::NoTenant, Accepted::Stored];
    assert_eq!(f.store.accept(&batch).await, Ok(expected.clone()));
    assert_eq!(f.store.accept(&batch).await, Ok(expected), "sent again after an unknown outcome");
    assert_eq!(f.store.accept(&[repeated]).await, Ok(vec![duplicate]));
    assert_eq!(f.waiting(to).await, 2);
}

#[tokio::test]
async fn a_vendor_id_counts_on_its_day_and_the_next() {
    let Some(mut f) = Fixture::new().await else { return };
    let first = f.named(NOON, 1, &[]);
    let next_day = f.named(NOON.plus_ms(DAY_MS), 1, &[]);
    let later = f.named(NOON.plus_ms(2 * DAY_MS), 1, &[]);
    assert_eq!(f.store.accept(std::slice::from_ref(&first)).await, Ok(vec![Accepted::Stored]));
    assert!(
        matches!(&f.store.accept(&[next_day]).await.expect("an answer")[0], Accepted::Duplicate(d) if d.uid == first.uid)
    );
    assert_eq!(f.store.accept(&[later]).await, Ok(vec![Accepted::Stored]));
}

/// Milliseconds around midnight at which two hosts accept the same: their clocks are ten seconds apart at most.
const AROUND_MIDNIGHT: [(i64, i64); 4] = [(-3, 3), (-5_000, 5_000), (-9_999, 1), (-1, 9_999)];

#[tokio::test]
async fn of_hosts_that_accept_one_id_at_midnight_one_wins() {
    let Some(mut f) = Fixture::new().await else { return };
    let midnight = Timestamp(NOON.0 + DAY_MS / 2);
    let mut calls = Vec::new();
    for round in 0..40 {
        let (before, after) = AROUND_MIDNIGHT[usize::from(round) % AROUND_MIDNIGHT.len()];
        for at in [before, after] {
            let (store, event) = (f.store.clone(), f.named(midnight.plus_ms(at), round, &[]));
            calls.push(tokio::spawn(async move { store.accept(&[event]).await.expect("an answer") }));
        }
    }
    let mut stored = 0;
    for call in calls {
        stored += usize::from(call.await.expect("a call") == [Accepted::Stored]);
    }
    assert_eq!(stored, 40);
}

/// Also the host whose clock is behind finds what the one ahead stored on the next day.
#[tokio::test]
async fn an_id_accepted_at_midnight_by_one_clock_is_known_to_the_other() {
    let Some(mut f) = Fixture::new().await else { return };
    let midnight = Timestamp(NOON.0 + DAY_MS / 2);
    for (i, (before, after)) in (0..).zip(AROUND_MIDNIGHT) {
        for (id, order) in [(2 * i, [before, after]), (2 * i + 1, [after, before])] {
            let [first, second] = order.map(|at| f.named(midnight.plus_ms(at), id, &[]));
            assert_eq!(f.store.accept(std::slice::from_ref(&first)).await, Ok(vec![Accepted::Stored]), "{order:?}");
            let answer = f.store.accept(&[second]).await.expect("an answer").remove(0);
            assert!(matches!(&answer, Accepted::Duplicate(d) if d.uid == first.uid), "{order:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn concurrent_batches_with_the_same_ids_neither_deadlock_nor_store_twice() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("one", Ordering::None).await;
    let mut calls = Vec::new();
    for host in 0..6_u8 {
        let mut batch: Vec<_> = (0..40).map(|id| f.named(NOON, id, &[to])).collect();
        if host % 2 == 0 {
            batch.reverse();
        }
        let store = f.store.clone();
        calls.push(tokio::spawn(async move { store.accept(&batch).await.expect("answers") }));
    }
    let mut stored = 0;
    for call in calls {
        stored += call.await.expect("a call").iter().filter(|answer| **answer == Accepted::Stored).count();
    }
    assert_eq!(stored, 40);
    assert_eq!(f.waiting(to).await, 40);
}

#[tokio::test]
async fn lanes_get_their_places_in_commit_order() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("ordered", Ordering::Destination).await;
    let mut calls = Vec::new();
    for _ in 0..8 {
        let mut batch: Vec<_> = (0..10).map(|_| f.event(NOON, &[to])).collect();
        batch.iter_mut().for_each(|event| event.lanes = vec![(to, [5; 16])]);
        batch.reverse();
        let store = f.store.clone();
        calls.push(tokio::spawn(async move { (store.accept(&batch).await.expect("answers"), batch) }));
    }
    let mut batches = Vec::new();
    for call in calls {
        batches.push(call.await.expect("a call").1);
    }
    let ask = RefillAsk { destination: to, ordered: true, after: None, limit: 100 };
    let rows = f.store.refill(&[ask]).await.expect("rows").remove(0).rows;
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), (1..=80).collect::<Vec<_>>());
    for batch in batches {
        let own: Vec<_> = rows.iter().filter(|row| batch.iter().any(|e| e.uid == row.key.event)).collect();
        assert_eq!(
            own.iter().map(|row| row.key.event).collect::<Vec<_>>(),
            batch.iter().map(|e| e.uid).collect::<Vec<_>>()
        );
        assert_eq!(own[9].seq - own[0].seq, 9, "one batch stays together");
    }
}

/// An event at a destination of a new tenant, which the fixture is from then on.
pub async fn of_new_tenant(f: &mut Fixture, id: &str, ordering: &Ordering) -> (DestinationNo, NewEvent) {
    let made = f.store.put_tenant(&tenant(f.tenant.environment, id), Expect::Absent).await;
    f.tenant = made.expect("a tenant");
    let to = f.destination("one", ordering.clone()).await;
    (to, laned(f.event(NOON, &[to]), to, ordering))
}

fn laned(event: NewEvent, to: DestinationNo, ordering: &Ordering) -> NewEvent {
    let lanes = if *ordering == Ordering::None { Vec::new() } else { vec![(to, [5; 16])] };
    NewEvent { lanes, ..event }
}

/// As a write of the tenant's configuration holds its row.
pub async fn write<'a>(connection: &'a mut PgConnection, tenant: TenantNo) -> Transaction<'a, Postgres> {
    let mut writing = connection.begin().await.expect("a transaction");
    let query = sqlx::query("UPDATE tenant SET gen = gen + 1 WHERE no = $1").bind(tenant.0);
    query.execute(&mut *writing).await.expect("a write");
    writing
}

/// What waited for the row would be refused when its statement's time is over.
#[tokio::test]
async fn a_tenant_that_is_being_written_makes_nobody_else_wait() {
    for ordering in &[Ordering::None, Ordering::Destination] {
        let Some(mut f) = Fixture::new().await else { return };
        let to = f.destination("one", ordering.clone()).await;
        let others = laned(f.event(NOON, &[to]), to, ordering);
        let (theirs, first) = of_new_tenant(&mut f, "written", ordering).await;
        let second = laned(f.event(NOON, &[theirs]), theirs, ordering);
        let mut connection = PgConnection::connect(&f.url).await.expect("a connection");
        let writing = write(&mut connection, f.tenant.no).await;
        let batch = [first.clone(), others.clone(), second.clone()];
        let answers = f.store.accept(&batch).await;
        assert_eq!(answers, Ok(vec![Accepted::Busy, Accepted::Stored, Accepted::Busy]), "{ordering:?}");
        assert_eq!((f.waiting(to).await, f.waiting(theirs).await), (1, 0));
        writing.rollback().await.expect("given up");
        assert_eq!(f.store.accept(&batch).await, Ok(vec![Accepted::Stored; 3]), "{ordering:?}");
        let ask = RefillAsk { destination: theirs, ordered: *ordering != Ordering::None, after: None, limit: 10 };
        let rows = f.store.refill(&[ask]).await.expect("rows").remove(0).rows;
        assert_eq!(rows.iter().map(|row| row.key.event).collect::<Vec<_>>(), [first.uid, second.uid]);
        let seqs: Vec<_> = rows.iter().map(|row| row.seq).collect();
        assert_eq!(seqs, if *ordering == Ordering::None { [0, 0] } else { [1, 2] }, "no place was lost or given twice");
        let writing = write(&mut connection, f.tenant.no).await;
        let known = f.store.accept(std::slice::from_ref(&first)).await;
        assert_eq!(known, Ok(vec![Accepted::Stored]), "what is there needs no lock");
        writing.commit().await.expect("written");
        let old = laned(f.event(NOON, &[theirs]), theirs, ordering);
        assert_eq!(f.store.accept(&[old]).await, Ok(vec![Accepted::Stale]));
    }
}

#[tokio::test]
async fn who_is_patient_waits_for_the_write_to_end() {
    for ordering in &[Ordering::None, Ordering::Destination] {
        let Some(mut f) = Fixture::new().await else { return };
        let (theirs, first) = of_new_tenant(&mut f, "written", ordering).await;
        let second = laned(f.event(NOON, &[theirs]), theirs, ordering);
        let long = PostgresOptions { engine_statement_ms: 120_000, engine_call_ms: 120_000, ..Default::default() };
        let store = PostgresStore::connect(&f.url, &long).await.expect("a connection");
        let mut connection = PgConnection::connect(&f.url).await.expect("a connection");
        for (event, commits, expected) in [(first, false, Accepted::Stored), (second, true, Accepted::Stale)] {
            let writing = write(&mut connection, f.tenant.no).await;
            let (patient, waits) = (store.clone(), event.clone());
            let call = tokio::spawn(async move { patient.accept_patiently(&[waits]).await });
            waits_for_a_lock(&f.url).await;
            assert_eq!(f.store.accept(&[event]).await, Ok(vec![Accepted::Busy]), "{ordering:?}");
            let ended = if commits { writing.commit().await } else { writing.rollback().await };
            ended.expect("the write ends");
            assert_eq!(call.await.expect("a call"), Ok(vec![expected]), "{ordering:?}");
        }
    }
}

/// Near midnight an id has a lock of its own, which others' batches with that id wait for.
#[tokio::test]
async fn who_is_patient_at_midnight_makes_nobody_else_wait() {
    let Some(mut f) = Fixture::new().await else { return };
    let midnight = Timestamp(NOON.0 + DAY_MS / 2);
    let others = f.named(midnight, 1, &[]);
    of_new_tenant(&mut f, "written", &Ordering::None).await;
    let (first, second) = (f.named(midnight, 2, &[]), f.named(midnight, 2, &[]));
    let long = PostgresOptions { engine_statement_ms: 120_000, engine_call_ms: 120_000, ..Default::default() };
    let patient = PostgresStore::connect(&f.url, &long).await.expect("a connection");
    let mut connection = PgConnection::connect(&f.url).await.expect("a connection");
    let writing = write(&mut connection, f.tenant.no).await;
    let waits = first.clone();
    let call = tokio::spawn(async move { patient.accept_patiently(&[waits]).await });
    waits_for_a_lock(&f.url).await;
    assert_eq!(f.store.accept(&[second.clone(), others]).await, Ok(vec![Accepted::Busy, Accepted::Stored]));
    writing.rollback().await.expect("given up");
    assert_eq!(call.await.expect("a call"), Ok(vec![Accepted::Stored]));
    let answer = f.store.accept(&[second]).await.expect("an answer").remove(0);
    assert!(matches!(&answer, Accepted::Duplicate(known) if known.uid == first.uid), "{answer:?}");
}

/// Comes back once a session of this database waits for a lock.
async fn waits_for_a_lock(url: &str) {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    let sql = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock')";
    let look = async {
        while !sqlx::query_scalar::<_, bool>(sql).fetch_one(&mut connection).await.expect("a look") {
            tokio::time::sleep(Duration::from_millis(10)).await; // nothing tells when it waits
        }
    };
    tokio::time::timeout(Duration::from_secs(60), look).await.expect("it waits");
}

#[tokio::test]
async fn many_matches_become_a_fanout() {
    let Some(mut f) = Fixture::new().await else { return };
    let mut to = Vec::new();
    for i in 0..600 {
        to.push(f.destination(&format!("d{i}"), Ordering::None).await);
    }
    let event = f.event(NOON, &to);
    assert_eq!(f.store.accept(&[event]).await, Ok(vec![Accepted::Stored]));
    assert_eq!(f.waiting(to[0]).await, 0);
    let first = f.store.step_fanout(NOON).await.expect("a step");
    assert_eq!((first.rows, first.destinations.len(), first.more), (500, 500, true));
    let second = f.store.step_fanout(NOON).await.expect("a step");
    assert_eq!((second.rows, second.more), (100, false));
    assert_eq!(f.store.step_fanout(NOON).await.expect("a step").rows, 0);
    let total: u32 = f.store.waiting(&to, 10).await.expect("a read").iter().map(|(_, n)| n).sum();
    assert_eq!(total, 600);
}

/// What waited for the row would be refused when its statement's time is over.
#[tokio::test]
async fn a_fanout_of_a_tenant_that_is_being_written_holds_up_no_other() {
    let Some(mut f) = Fixture::new().await else { return };
    let mut events = Vec::new();
    for id in ["written", "other"] {
        of_new_tenant(&mut f, id, &Ordering::None).await;
        let to: Vec<_> = (1_000..=1_000 + MAX_DIRECT).map(|no| DestinationNo(no as i64)).collect();
        events.push((f.event(NOON, &to), f.tenant.no));
    }
    let [(first, written), (second, _)] = [events[0].clone(), events[1].clone()];
    assert_eq!(f.store.accept(&[first, second]).await, Ok(vec![Accepted::Stored; 2]));
    let mut connection = PgConnection::connect(&f.url).await.expect("a connection");
    let writing = write(&mut connection, written).await;
    let other = f.store.step_fanout(NOON).await.expect("a step");
    assert_eq!((other.rows, other.more), (MAX_DIRECT + 1, true), "the younger one goes on");
    assert_eq!(f.store.step_fanout(NOON).await.expect("a step").rows, 0, "and the older one is not waited for");
    writing.rollback().await.expect("given up");
    let first = f.store.step_fanout(NOON).await.expect("a step");
    assert_eq!((first.rows, first.more), (MAX_DIRECT + 1, false));
}
