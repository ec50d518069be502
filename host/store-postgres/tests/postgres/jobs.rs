//! Replay, expiry, retention.

use crate::fixture::{Fixture, NOON, end, tenant};
use railhead_model::time::DAY_MS;
use railhead_model::{DeliveryState, End, JobId, Ordering, Origin};
use railhead_store::directory::Expect;
use railhead_store::history::DeliveryFilter;
use railhead_store::jobs::{JobState, MAX_RUNNING, NewReplay};
use railhead_store::{Accept, Accepted, Directory, History, Jobs, Record, StoreError, WorkStore};
use railhead_store_postgres::{PostgresOptions, PostgresStore};
use sqlx::Connection;

#[tokio::test]
async fn a_replay_delivers_the_dead_again_once() {
    let Some(mut f) = Fixture::new().await else { return };
    let (to, tenant) = (f.destination("one", Ordering::None).await, f.tenant.no);
    let mut dead = Vec::new();
    for i in 0..6 {
        let key = f.delivery(to).await;
        let how = if i % 2 == 0 { End::Dead } else { End::Delivered };
        f.store.record(f.host, &[end(key, tenant, 0, 1, how)]).await.expect("an answer");
        if how == End::Dead {
            dead.push(key);
        }
    }
    let id = JobId::new(NOON, [1; 10]);
    let filter = DeliveryFilter { states: vec![DeliveryState::Dead], ..DeliveryFilter::default() };
    let new = NewReplay { id, tenant, filter, at: NOON.plus_ms(1_000) };
    f.store.start_replay(&new).await.expect("a job");
    f.store.start_replay(&new).await.expect("the same job");
    let (a, b) = tokio::join!(f.store.step_replay(NOON), f.store.step_replay(NOON));
    assert_eq!(a.expect("a step").rows + b.expect("a step").rows, 3, "two hosts step one job");
    f.store.step_replay(NOON).await.expect("a step");
    let replay = f.store.replay(tenant, id).await.expect("a read").expect("the job");
    assert_eq!((replay.state, replay.created), (JobState::Completed, 3));
    assert_eq!(f.waiting(to).await, 3);
    let again = f.store.deliveries_of(tenant, dead[0].event).await.expect("deliveries");
    assert_eq!(again.iter().map(|row| row.key.run).collect::<Vec<_>>(), [0, 1]);
    assert_eq!((again[1].origin, again[1].job, again[1].previous), (Origin::Replay, Some(id), Some(0)));
    assert_eq!(f.store.cancel_replay(tenant, id, NOON).await, Ok(false));
    assert_eq!(f.store.replays(tenant, None, 10).await.expect("jobs").len(), 1);
}

#[tokio::test]
async fn hosts_that_start_replays_at_once_count_each_others() {
    let Some(f) = Fixture::new().await else { return };
    let calls = (0..2 * MAX_RUNNING).map(|n| {
        let id = JobId::new(NOON, [u8::try_from(n).expect("few"); 10]);
        let new = NewReplay { id, tenant: f.tenant.no, filter: DeliveryFilter::default(), at: NOON };
        let store = f.store.clone();
        tokio::spawn(async move {
            loop {
                match store.start_replay(&new).await {
                    // Others are being started at this moment.
                    Err(StoreError::Unavailable(_)) => tokio::task::yield_now().await,
                    answer => return answer,
                }
            }
        })
    });
    let (mut started, calls) = (0, calls.collect::<Vec<_>>());
    for call in calls {
        match call.await.expect("a call") {
            Ok(()) => started += 1,
            refused => assert_eq!(refused, Err(StoreError::TooManyReplays)),
        }
    }
    assert_eq!(started, MAX_RUNNING);
    assert_eq!(f.store.replays(f.tenant.no, None, 100).await.expect("jobs").len(), MAX_RUNNING);
}

/// None of them holds one of the desk's few connections while it waits for its turn.
#[tokio::test]
async fn however_many_replays_of_a_tenant_are_started_others_get_a_connection() {
    let Some(f) = Fixture::new().await else { return };
    let other = f.store.put_tenant(&tenant(f.tenant.environment, "other"), Expect::Absent).await.expect("a tenant");
    let new =
        |n, tenant| NewReplay { id: JobId::new(NOON, [n; 10]), tenant, filter: DeliveryFilter::default(), at: NOON };
    let narrow = PostgresOptions {
        desk_connections: 1,
        acquire_ms: 120_000,
        desk_statement_ms: 120_000,
        desk_call_ms: 120_000,
        ..Default::default()
    };
    let store = PostgresStore::connect(&f.url, &narrow).await.expect("a connection");
    let mut connection = sqlx::PgConnection::connect(&f.url).await.expect("a connection");
    // As one that is being started holds it, on a host that stalls.
    let mut stalled = connection.begin().await.expect("a transaction");
    let lock = sqlx::query("SELECT pg_advisory_xact_lock(x'7265706c'::int, ($1 & 2147483647)::int)");
    lock.bind(f.tenant.no.0).execute(&mut *stalled).await.expect("a lock");
    let calls: Vec<_> = (0..32)
        .map(|n| {
            let (store, new) = (store.clone(), new(n, f.tenant.no));
            tokio::spawn(async move { store.start_replay(&new).await })
        })
        .collect();
    for call in calls {
        let busy = StoreError::Unavailable("other replays of this tenant are being started".to_owned());
        assert_eq!(call.await.expect("a call"), Err(busy));
    }
    store.start_replay(&new(100, other.no)).await.expect("another tenant's");
    stalled.rollback().await.expect("it ends");
    store.start_replay(&new(101, f.tenant.no)).await.expect("a job");
    assert_eq!(f.store.replays(f.tenant.no, None, 100).await.expect("jobs").len(), 1, "the refused did nothing");
}

/// The server takes this escape into a `json` column, and refuses most of its own operators over it.
#[tokio::test]
async fn what_a_customer_notes_at_a_destination_stops_no_new_run() {
    let Some(mut f) = Fixture::new().await else { return };
    let (to, tenant) = (f.destination("one", Ordering::Destination).await, f.tenant.no);
    let key = f.delivery(to).await;
    f.store.record(f.host, &[end(key, tenant, 0, 1, End::Dead)]).await.expect("an answer");
    let mut stored = f.store.destinations(tenant).await.expect("a read").remove(0);
    stored.spec.metadata.insert("x".to_owned(), "\0".to_owned());
    stored.spec.filter = Some(serde_json::json!({"type": ["\0"]}));
    f.store.put_destination(&stored, Expect::Revision(stored.revision)).await.expect("a write");
    let id = JobId::new(NOON, [1; 10]);
    let new = NewReplay { id, tenant, filter: DeliveryFilter::default(), at: NOON.plus_ms(1_000) };
    f.store.start_replay(&new).await.expect("a job");
    while f.store.step_replay(NOON).await.expect("a step").more {}
    assert_eq!(f.store.replay(tenant, id).await.expect("a read").expect("the job").created, 1);
    assert_eq!(f.store.redeliver(key, Origin::Retry, NOON).await.expect("a run").run, 2);
}

#[tokio::test]
async fn a_replay_that_fails_for_ever_holds_up_no_other() {
    let Some(f) = Fixture::new().await else { return };
    let other = f.store.put_tenant(&tenant(f.tenant.environment, "other"), Expect::Absent).await.expect("a tenant");
    let jobs = [(1, f.tenant.no), (2, f.tenant.no), (3, other.no)].map(|(n, of)| (JobId::new(NOON, [n; 10]), of));
    for (id, tenant) in jobs {
        let new = NewReplay { id, tenant, filter: DeliveryFilter::default(), at: NOON };
        f.store.start_replay(&new).await.expect("a job");
    }
    let mut connection = sqlx::PgConnection::connect(&f.url).await.expect("a connection");
    let damage = sqlx::query("UPDATE job SET filter = '7' WHERE id = $1").bind(jobs[0].0.0);
    damage.execute(&mut connection).await.expect("damage");
    let mut failed = 0;
    for ms in 0..100 {
        failed += usize::from(f.store.step_replay(NOON.plus_ms(ms)).await.is_err());
    }
    assert!(failed > 0, "it is tried");
    for (id, tenant) in &jobs[1..] {
        let replay = f.store.replay(*tenant, *id).await.expect("a read").expect("the job");
        assert_eq!(replay.state, JobState::Completed);
    }
}

#[tokio::test]
async fn old_work_expires_and_old_days_go() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("one", Ordering::None).await;
    let old = f.event(NOON, &[to]);
    let new = f.event(NOON.plus_ms(3 * DAY_MS), &[to]);
    f.store.accept(&[old.clone(), new.clone()]).await.expect("answers");
    let (before, now) = (NOON.plus_ms(DAY_MS), NOON.plus_ms(3 * DAY_MS));
    let step = f.store.step_expiry(before, now).await.expect("a step");
    assert_eq!((step.rows, step.destinations.as_slice(), step.more), (1, &[to][..], false));
    let row = f.store.deliveries_of(f.tenant.no, old.uid).await.expect("deliveries").remove(0);
    assert_eq!((row.state, row.code.as_str()), (DeliveryState::Expired, "expired"));
    while f.store.step_retention(before).await.expect("a step").more {}
    assert_eq!(f.store.event(f.tenant.no, old.uid).await, Ok(None));
    assert_eq!(f.store.deliveries_of(f.tenant.no, old.uid).await, Ok(vec![]));
    assert!(f.store.event(f.tenant.no, new.uid).await.expect("a read").is_some());
    assert_eq!(f.waiting(to).await, 1);
    let late = f.event(NOON.plus_ms(5), &[]);
    assert_eq!(f.store.accept(&[late]).await, Ok(vec![Accepted::Stored]), "a day that is gone is made again");
}
