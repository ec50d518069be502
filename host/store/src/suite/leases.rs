//! Promises of [`crate::Leases`]. Each needs a store of its own.

use super::world::new_host;
use super::{Core, START, World};
use crate::StoreError;
use crate::lease::{LEASE_MS, Owned};
use railhead_model::{End, HostId, ShardNo, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

/// A host alone takes all shards over and keeps them by renewing.
pub async fn a_host_alone_owns_every_shard<S: Core>(store: &S) {
    let host = new_host();
    store.join(host, START).await.expect("a host joins");
    assert_eq!(renew(store, host, START).await.shards, [], "a host that joined owns nothing yet");
    let owned = store.take_over(host, START).await.expect("a take-over");
    assert_eq!(numbers(&owned).len(), 256, "a host alone takes every shard");
    let again = store.take_over(host, START.plus_ms(10)).await.expect("a take-over");
    assert_eq!(again.shards, owned.shards, "taking over again changes nothing");
    let later = renew(store, host, START.plus_ms(LEASE_MS + 5_000)).await;
    assert_eq!(later.shards, owned.shards, "an expired lease that nobody fenced may be renewed");
    store.join(host, START).await.expect("joining again is harmless");
    assert_eq!(renew(store, host, START).await.shards, owned.shards, "joining again takes nothing away");
}

/// On an embedded store a new host fences the old one at once. On a server live hosts share what is free.
pub async fn hosts_share<S: Core>(store: &S) {
    let (first, second) = (new_host(), new_host());
    store.join(first, START).await.expect("a host joins");
    let all = store.take_over(first, START).await.expect("a take-over");
    store.join(second, START).await.expect("a second host joins");
    if store.renew(first, START).await == Err(StoreError::Fenced) {
        let owned = store.take_over(second, START).await.expect("a take-over");
        assert_eq!(numbers(&owned), numbers(&all), "on an embedded store the newest host owns everything");
        assert!(owned.shards.iter().zip(&all.shards).all(|(new, old)| new.1 > old.1), "a new owner is a new epoch");
        return;
    }
    let owned = store.take_over(second, START).await.expect("a take-over");
    assert_eq!(owned.shards, [], "what a live host owns is not taken from it");
    let half: Vec<_> = numbers(&all).into_iter().take(128).collect();
    store.release(first, &half).await.expect("a release");
    let owned = store.take_over(second, START).await.expect("a take-over");
    assert_eq!(numbers(&owned), half.iter().copied().collect(), "what was given back is taken, up to a fair share");
    let kept = renew(store, first, START).await;
    assert!(numbers(&kept).is_disjoint(&numbers(&owned)), "a shard has one owner");
    assert_eq!(kept.shards.len() + owned.shards.len(), 256, "no shard is lost");
}

/// A host whose lease lapsed is fenced by whoever takes over; from then on it can do nothing.
pub async fn a_lapsed_host_is_fenced<S: Core>(store: &S) {
    let world = World::new(store, 1).await; // its host is the one that lapses
    let events = world.publish(store, START, 1).await;
    let zombie = world.host;
    let before = store.take_over(zombie, START).await.expect("a take-over");
    let next = new_host();
    let lapsed = START.plus_ms(LEASE_MS + 1_000);
    if before.now != START {
        // The store goes by a clock of its own: let the lease run out.
        tokio::time::sleep(Duration::from_millis(LEASE_MS as u64 + 500)).await;
    }
    store.join(next, lapsed).await.expect("a host joins");
    let after = store.take_over(next, lapsed).await.expect("a take-over");
    assert_eq!(numbers(&after), numbers(&before), "the shards of a lapsed host are taken over");
    assert!(after.shards.iter().zip(&before.shards).all(|(new, old)| new.1 > old.1), "a new owner is a new epoch");
    let rows = world.waiting(store, world.to()).await;
    assert_eq!(rows.len(), events.len(), "a take-over loses no work");
    let batch = [world.end(&rows[0], End::Delivered, "http-200", START)];
    assert_eq!(store.record(zombie, &batch).await, Err(StoreError::Fenced), "a fenced host records nothing");
    assert_eq!(world.waiting(store, world.to()).await, rows, "a fenced host's batch changes nothing");
    assert_eq!(store.renew(zombie, lapsed).await, Err(StoreError::Fenced), "a fenced host cannot renew");
    assert_eq!(store.take_over(zombie, lapsed).await, Err(StoreError::Fenced), "a fenced host cannot take over");
    assert_eq!(store.join(zombie, lapsed).await, Err(StoreError::Fenced), "a fenced host needs a new id");
    let answers = store.record(next, &batch).await.expect("a batch");
    assert_eq!(answers.len(), 1, "the new owner records");
}

/// A host gives back what it owns, and nothing that others own.
pub async fn what_is_released_is_free<S: Core>(store: &S) {
    let host = new_host();
    store.join(host, START).await.expect("a host joins");
    let all = store.take_over(host, START).await.expect("a take-over");
    let some = [ShardNo(3), ShardNo(200)];
    store.release(host, &some).await.expect("a release");
    let left = renew(store, host, START).await;
    assert_eq!(left.shards.len(), 254, "what was released is owned no longer");
    assert!(some.iter().all(|no| !numbers(&left).contains(no)), "what was released is owned no longer");
    let again = store.take_over(host, START).await.expect("a take-over");
    let epoch = |owned: &Owned, no: ShardNo| owned.shards.iter().find(|shard| shard.0 == no).map(|shard| shard.1);
    assert!(epoch(&again, some[0]) > epoch(&all, some[0]), "taking a shard again is a new epoch");
    assert_eq!(epoch(&again, ShardNo(4)), epoch(&all, ShardNo(4)), "what was kept keeps its epoch");
    let every: Vec<_> = numbers(&again).into_iter().collect();
    store.release(host, &every).await.expect("a release of everything");
    let next = new_host();
    store.join(next, START).await.expect("a host joins");
    let owned = store.take_over(next, START).await.expect("a take-over");
    assert_eq!(owned.shards.len(), 256, "a host that released everything is waited for no longer");
}

async fn renew<S: Core>(store: &S, host: HostId, now: Timestamp) -> Owned {
    store.renew(host, now).await.expect("a renewal")
}

fn numbers(owned: &Owned) -> BTreeSet<ShardNo> {
    owned.shards.iter().map(|shard| shard.0).collect()
}
