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
    assert_eq!(alone.shards.len(), 256);
    assert!(alone.now > NOON, "the database's time, not the caller's");
    f.store.join(b, NOON).await.expect("a host");
    assert_eq!(f.store.take_over(b, NOON).await.expect("shards").shards, [], "nothing is free");
    let half: Vec<_> = (0..128).map(ShardNo).collect();
    f.store.release(a, &half).await.expect("a release");
    let taken = f.store.take_over(b, NOON).await.expect("shards");
    assert_eq!(taken.shards, half.iter().map(|no| (*no, 2)).collect::<Vec<_>>(), "a new epoch");
    assert_eq!(f.store.renew(a, NOON).await.expect("a lease").shards.len(), 128);
    expire(&f, a).await;
    assert_eq!(f.store.take_over(b, NOON).await.expect("shards").shards.len(), 256);
    assert_eq!(f.store.renew(a, NOON).await, Err(StoreError::Fenced));
    assert_eq!(f.store.take_over(a, NOON).await, Err(StoreError::Fenced));
    assert_eq!(f.store.release(a, &[]).await, Err(StoreError::Fenced));
    assert_eq!(f.store.join(a, NOON).await, Err(StoreError::Fenced));
}

#[tokio::test]
async fn an_expired_lease_that_nobody_fenced_is_renewed() {
    let Some(f) = Fixture::new().await else { return };
    f.store.take_over(f.host, NOON).await.expect("shards");
    expire(&f, f.host).await;
    assert_eq!(f.store.renew(f.host, NOON).await.expect("a lease").shards.len(), 256);
}

#[tokio::test]
async fn a_host_that_gave_all_back_counts_no_more() {
    let Some(f) = Fixture::new().await else { return };
    let b = HostId::new(NOON, [2; 10]);
    let owned = f.store.take_over(f.host, NOON).await.expect("shards");
    f.store.join(b, NOON).await.expect("a host");
    let all: Vec<_> = owned.shards.iter().map(|(no, _)| *no).collect();
    f.store.release(f.host, &all).await.expect("a release");
    assert_eq!(f.store.take_over(b, NOON).await.expect("shards").shards.len(), 256);
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

async fn expire(f: &Fixture, host: HostId) {
    let mut connection = sqlx::PgConnection::connect(&f.url).await.expect("a connection");
    let sql = "UPDATE host_lease SET expires = 0 WHERE host = $1";
    sqlx::query(sql).bind(host.0).execute(&mut connection).await.expect("an update");
}
