//! Leases: the database's clock, fair shares, fencing.

use crate::fixture::{Fixture, NOON, end};
use railhead_model::{DestinationNo, End, HostId, Ordering, ShardNo};
use railhead_store::work::Health;
use railhead_store::{Leases, Record, StoreError, WorkStore};
use railhead_store_postgres::{PostgresOptions, PostgresStore};
use sqlx::Connection;

#[tokio::test]
async fn hosts_share_the_shards_and_take_over_what_died() {
    let Some(f) = Fixture::new().await else { return };
    let (a, b) = (f.host, HostId::new(NOON, [2; 10]));
    let alone = f.store.take_over(a, NOON).await.expect("shards");
    assert_eq!((alone.shards.len(), alone.fair, alone.free, alone.next), (256, 256, 0, None));
    assert!(alone.now > NOON, "the database's time, not the caller's");
    f.store.join(b, NOON).await.expect("a host");
    assert_eq!(f.store.take_over(b, NOON).await.expect("shards").shards, [], "nothing is free");
    let half: Vec<_> = f.store.renew(a, NOON).await.expect("a lease").surplus().collect();
    f.store.release(a, &half).await.expect("a release");
    let taken = f.store.take_over(b, NOON).await.expect("shards");
    assert_eq!(taken.shards, (128..=255).map(|no| (ShardNo(no), 2)).collect::<Vec<_>>(), "a new epoch");
    assert_eq!(f.store.renew(a, NOON).await.expect("a lease").shards.len(), 128);
    expire(&f, a).await;
    assert_eq!(f.store.take_over(b, NOON).await.expect("shards").shards.len(), 128, "it has just joined itself");
    grow_old(&f, b).await;
    assert!(f.store.renew(b, NOON).await.expect("a lease").wants_more());
    assert_eq!(f.store.take_over(b, NOON).await.expect("shards").shards.len(), 256);
    assert_eq!(f.store.renew(a, NOON).await, Err(StoreError::Fenced));
    assert_eq!(f.store.take_over(a, NOON).await, Err(StoreError::Fenced));
    assert_eq!(f.store.release(a, &[]).await, Err(StoreError::Fenced));
    assert_eq!(f.store.join(a, NOON).await, Err(StoreError::Fenced));
}

#[tokio::test]
async fn a_shard_whose_owners_die_is_a_suspect() {
    let Some(f) = Fixture::new().await else { return };
    f.store.take_over(f.host, NOON).await.expect("shards");
    let mut dead = f.host;
    for deaths in 1..=3 {
        let next = HostId::new(NOON, [deaths + 1; 10]);
        f.store.join(next, NOON).await.expect("a host");
        expire(&f, dead).await;
        grow_old(&f, next).await;
        let owned = f.store.take_over(next, NOON).await.expect("shards");
        assert_eq!(owned.shards.len(), 256);
        assert_eq!(owned.suspects.len(), if deaths < 3 { 0 } else { 256 });
        dead = next;
    }
    let mut connection = sqlx::PgConnection::connect(&f.url).await.expect("a connection");
    let sql = "UPDATE shard SET died3 = died3 - 600000 WHERE no < 100";
    sqlx::query(sql).execute(&mut connection).await.expect("an update");
    assert_eq!(f.store.renew(dead, NOON).await.expect("a lease").suspects.len(), 156, "ten minutes are over");
}

#[tokio::test]
async fn an_expired_lease_that_nobody_fenced_is_renewed() {
    let Some(f) = Fixture::new().await else { return };
    f.store.take_over(f.host, NOON).await.expect("shards");
    expire(&f, f.host).await;
    assert_eq!(f.store.renew(f.host, NOON).await.expect("a lease").shards.len(), 256);
}

#[tokio::test]
async fn two_that_take_over_at_once_never_own_the_same() {
    let Some(f) = Fixture::new().await else { return };
    let hosts = [f.host, HostId::new(NOON, [2; 10]), HostId::new(NOON, [3; 10])];
    for host in hosts {
        f.store.join(host, NOON).await.expect("a host");
    }
    let (a, b, c) = tokio::join!(
        f.store.take_over(hosts[0], NOON),
        f.store.take_over(hosts[1], NOON),
        f.store.take_over(hosts[2], NOON)
    );
    let mut all: Vec<_> =
        [a, b, c].into_iter().flat_map(|owned| owned.expect("shards").shards).map(|(no, _)| no).collect();
    let taken = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), taken);
    assert!((86..=256).contains(&taken), "{taken}");
}

#[tokio::test]
async fn a_lease_is_renewed_while_the_pool_is_held_up() {
    let Some(f) = Fixture::new().await else { return };
    f.store.take_over(f.host, NOON).await.expect("shards");
    let options = PostgresOptions { engine_connections: 1, engine_call_ms: 100_000, ..PostgresOptions::default() };
    let store = PostgresStore::connect(&f.url, &options).await.expect("a connection");
    let mut desk = sqlx::PgConnection::connect(&f.url).await.expect("a connection");
    let mut locked = desk.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE work").execute(&mut *locked).await.expect("a lock");
    let busy = store.clone();
    let waiting = tokio::spawn(async move { busy.survey(&[DestinationNo(1)]).await });
    let sql = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'work'::regclass";
    while sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut *locked).await.expect("a count") == 0 {}
    assert_eq!(store.renew(f.host, NOON).await.expect("a lease").shards.len(), 256, "the pool's only one is in use");
    assert!(!waiting.is_finished());
    waiting.abort();
}

#[tokio::test]
async fn a_lease_is_renewed_on_a_new_connection_once_the_old_one_broke() {
    let Some(f) = Fixture::new().await else { return };
    f.store.take_over(f.host, NOON).await.expect("shards");
    let mut connection = sqlx::PgConnection::connect(&f.url).await.expect("a connection");
    let sql = "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let ended: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("a count");
    assert!(ended > 0);
    let error = f.store.renew(f.host, NOON).await.expect_err("it is told");
    assert!(error.is_retryable(), "{error}");
    assert_eq!(f.store.renew(f.host, NOON).await.expect("a lease").shards.len(), 256);
}

#[tokio::test]
async fn a_host_that_is_over_for_a_day_is_forgotten_and_stays_fenced() {
    let Some(mut f) = Fixture::new().await else { return };
    let (a, b) = (f.host, HostId::new(NOON, [2; 10]));
    let to = f.destination("one", Ordering::None).await;
    f.store.take_over(a, NOON).await.expect("shards");
    f.store.join(b, NOON).await.expect("a host");
    f.store.leave(a).await.expect("a leave");
    f.store.take_over(b, NOON).await.expect("shards");
    let mut connection = sqlx::PgConnection::connect(&f.url).await.expect("a connection");
    assert_eq!(rows(&mut connection, a).await, 2, "it has just left");
    expire(&f, a).await;
    assert_eq!(f.store.take_over(b, NOON).await.expect("shards").shards.len(), 256);
    assert_eq!((rows(&mut connection, a).await, rows(&mut connection, b).await), (0, 2));
    assert_eq!(f.store.renew(a, NOON).await, Err(StoreError::Fenced));
    assert_eq!(f.store.take_over(a, NOON).await, Err(StoreError::Fenced));
    assert_eq!(f.store.release(a, &[]).await, Err(StoreError::Fenced));
    let batch = [end(f.delivery(to).await, f.tenant.no, 0, 1, End::Delivered)];
    assert_eq!(f.store.record(a, &batch).await, Err(StoreError::Fenced));
    assert_eq!(f.store.start(a, &[], false).await, Err(StoreError::Fenced));
    assert_eq!(f.store.save_health(a, &[(to, Health::default())]).await, Err(StoreError::Fenced));
    assert_eq!(f.store.leave(a).await, Ok(()));
}

/// What is on record of a host: itself, and its lease.
async fn rows(connection: &mut sqlx::PgConnection, host: HostId) -> i64 {
    let sql = "SELECT (SELECT count(*) FROM host WHERE id = $1) + (SELECT count(*) FROM host_lease WHERE host = $1)";
    sqlx::query_scalar(sql).bind(host.0).fetch_one(connection).await.expect("a count")
}

/// As if this host's lease had run for long.
async fn grow_old(f: &Fixture, host: HostId) {
    let mut connection = sqlx::PgConnection::connect(&f.url).await.expect("a connection");
    let sql = "UPDATE host_lease SET since = 0 WHERE host = $1";
    sqlx::query(sql).bind(host.0).execute(&mut connection).await.expect("an update");
}

async fn expire(f: &Fixture, host: HostId) {
    let mut connection = sqlx::PgConnection::connect(&f.url).await.expect("a connection");
    let sql = "UPDATE host_lease SET expires = 0 WHERE host = $1";
    sqlx::query(sql).bind(host.0).execute(&mut connection).await.expect("an update");
}
