//! Leases: the database's clock, fair shares, fencing.

use crate::fixture::{Fixture, NOON};
use railhead_model::{HostId, ShardNo};
use railhead_store::{Leases, StoreError};
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
