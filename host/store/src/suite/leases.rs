//! Promises of [`crate::Leases`]. Each needs a store of its own.

use super::world::new_host;
use super::{Core, START, World};
use crate::StoreError;
use crate::lease::{LEASE_MS, Owned, SUSPECT_MS};
use railhead_model::{End, HostId, ShardNo, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
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
    assert_eq!((all.fair, all.free, all.surplus().next()), (256, 0, None), "a host alone has its share");
    store.join(second, START).await.expect("a second host joins");
    if store.renew(first, START).await == Err(StoreError::Fenced) {
        let owned = store.take_over(second, START).await.expect("a take-over");
        assert_eq!(numbers(&owned), numbers(&all), "on an embedded store the newest host owns everything");
        assert!(owned.shards.iter().zip(&all.shards).all(|(new, old)| new.1 > old.1), "a new owner is a new epoch");
        return;
    }
    let owned = store.take_over(second, START).await.expect("a take-over");
    assert_eq!(owned.shards, [], "what a live host owns is not taken from it");
    let surplus: Vec<_> = renew(store, first, START).await.surplus().collect();
    assert_eq!(surplus, (128..=255).rev().map(ShardNo).collect::<Vec<_>>(), "it is to give the highest half away");
    store.release(first, &surplus).await.expect("a release");
    assert!(renew(store, second, START).await.wants_more(), "the other one learns that there is something to take");
    let owned = store.take_over(second, START).await.expect("a take-over");
    assert_eq!(numbers(&owned), surplus.iter().copied().collect(), "what was given back is taken, up to a fair share");
    let kept = renew(store, first, START).await;
    assert!(numbers(&kept).is_disjoint(&numbers(&owned)), "a shard has one owner");
    assert_eq!(kept.shards.len() + owned.shards.len(), 256, "no shard is lost");
}

/// Shares are balanced when hosts join, leave and die. No shard ever has two owners, and its epochs ascend.
pub async fn shares_are_balanced<S: Core>(store: &S) {
    let mut group = Group::new(store).await;
    if group.embedded {
        return; // one host at a time
    }
    group.settle(store).await;
    for count in [2, 3] {
        group.join(store).await;
        let moved = group.settle(store).await;
        assert!(moved <= 256 / count + 1, "{moved} shards moved when host {count} joined: more than its share");
    }
    let first = group.hosts.remove(0);
    store.leave(first).await.expect("a host leaves");
    group.settle(store).await;
    assert_eq!(store.renew(first, group.now).await, Err(StoreError::Fenced), "a host that left is over");
    store.leave(first).await.expect("leaving again is harmless");
    group.hosts.pop();
    group.wait(store, LEASE_MS + 500).await; // the last one dies
    let moved = group.settle(store).await;
    assert_eq!(moved, 128, "what a dead host owned is taken over, and nothing else moves");
}

/// A host whose lease lapsed is fenced by whoever takes over; from then on it can do nothing.
pub async fn a_lapsed_host_is_fenced<S: Core>(store: &S) {
    let world = World::new(store, 1).await; // its host is the one that lapses
    let events = world.publish(store, START, 1).await;
    let zombie = world.host;
    let before = store.take_over(zombie, START).await.expect("a take-over");
    let mut group = Group::new(store).await;
    group.wait(store, LEASE_MS + 500).await;
    let (next, lapsed) = (group.hosts[0], group.now);
    let after = store.take_over(next, lapsed).await.expect("a take-over");
    assert_eq!(numbers(&after), numbers(&before), "the shards of a lapsed host are taken over");
    assert!(after.shards.iter().zip(&before.shards).all(|(new, old)| new.1 > old.1), "a new owner is a new epoch");
    let rows = world.waiting(store, world.to()).await;
    assert_eq!(rows.len(), events.len(), "a take-over loses no work");
    let batch = [world.end(&rows[0], End::Delivered, "http-200", START)];
    assert_eq!(store.record(zombie, &batch).await, Err(StoreError::Fenced), "a fenced host records nothing");
    assert_eq!(world.waiting(store, world.to()).await, rows, "a fenced host's batch changes nothing");
    assert_eq!(
        store.start(zombie, &[rows[0].key], true).await,
        Err(StoreError::Fenced),
        "a fenced host starts nothing"
    );
    assert_eq!(store.unstart(zombie, &[rows[0].key]).await, Err(StoreError::Fenced), "nor does it take anything back");
    assert_eq!(store.renew(zombie, lapsed).await, Err(StoreError::Fenced), "a fenced host cannot renew");
    assert_eq!(store.take_over(zombie, lapsed).await, Err(StoreError::Fenced), "a fenced host cannot take over");
    assert_eq!(store.release(zombie, &[ShardNo(1)]).await, Err(StoreError::Fenced), "a fenced host has nothing");
    store.leave(zombie).await.expect("a fenced host that leaves gives nothing back");
    assert_eq!(renew(store, next, lapsed).await.shards, after.shards, "a fenced host gives nothing of others back");
    assert_eq!(store.join(zombie, lapsed).await, Err(StoreError::Fenced), "a fenced host needs a new id");
    let answers = store.record(next, &batch).await.expect("a batch");
    assert_eq!(answers.len(), 1, "the new owner records");
}

/// After a time in which no host reached the database, none is fenced before it had the time to renew.
pub async fn an_outage_fences_nobody<S: Core>(store: &S) {
    let mut group = Group::new(store).await;
    if group.embedded {
        return;
    }
    let early = group.hosts[0];
    let late = group.join(store).await;
    group.settle(store).await;
    group.pass(LEASE_MS + 500).await; // nobody renews
    let now = group.now;
    let owned = renew(store, early, now).await;
    assert!(owned.next.is_some_and(|next| next > owned.now), "whoever comes back first waits for the others");
    let owned = store.take_over(early, now).await.expect("a take-over");
    assert_eq!(owned.shards.len(), 128, "a host that has not come back yet is not fenced at once");
    assert_eq!(renew(store, late, now).await.shards.len(), 128, "an expired lease that nobody fenced may be renewed");
}

/// A shard that loses three owners within ten minutes is a suspect, for whoever owns it, until the time is over.
pub async fn a_shard_that_loses_owners_is_a_suspect<S: Core>(store: &S) {
    let mut group = Group::new(store).await;
    if group.own_clock {
        return; // its own tests let leases run out faster
    }
    store.take_over(group.hosts[0], group.now).await.expect("a take-over");
    for deaths in 1..=4 {
        let dead = group.hosts.remove(0);
        if deaths == 2 {
            store.leave(dead).await.expect("a host leaves");
        }
        let next = group.join(store).await;
        group.wait(store, LEASE_MS + 500).await;
        let owned = store.take_over(next, group.now).await.expect("a take-over");
        let suspects = if deaths < 4 { 0 } else { 256 };
        assert_eq!(owned.suspects.len(), suspects, "the third death makes suspects; one that left did not die");
        assert_eq!(owned.shards.len(), 256, "suspects are owned like others");
    }
    let host = group.hosts[0];
    store.release(host, &[ShardNo(7)]).await.expect("a release");
    let owned = store.take_over(host, group.now).await.expect("a take-over");
    assert!(owned.suspects.contains(&ShardNo(7)), "a hand-over does not clear it");
    let later = group.now.plus_ms(SUSPECT_MS);
    assert_eq!(renew(store, host, later).await.suspects, [], "after ten minutes it is as good as others");
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
    store.leave(host).await.expect("a host leaves");
    let next = new_host();
    store.join(next, START).await.expect("a host joins");
    let owned = store.take_over(next, START).await.expect("a take-over");
    assert_eq!(owned.shards.len(), 256, "a host that left is waited for no longer");
}

/// Hosts that behave as hosts do, at the pace of the store's clock.
struct Group {
    hosts: Vec<HostId>,
    now: Timestamp,
    embedded: bool,
    /// The store goes by a clock of its own.
    own_clock: bool,
    epochs: BTreeMap<ShardNo, i64>,
}

impl Group {
    /// A group of one host, which has joined.
    async fn new<S: Core>(store: &S) -> Self {
        let probe = new_host();
        store.join(probe, START).await.expect("a host joins");
        let own_clock = renew(store, probe, START).await.now != START;
        let mut group = Self { hosts: Vec::new(), now: START, embedded: false, own_clock, epochs: BTreeMap::new() };
        group.join(store).await;
        group.embedded = store.renew(probe, START).await == Err(StoreError::Fenced);
        store.leave(probe).await.expect("a host leaves");
        group
    }

    async fn join<S: Core>(&mut self, store: &S) -> HostId {
        let host = new_host();
        store.join(host, self.now).await.expect("a host joins");
        self.hosts.push(host);
        host
    }

    /// Lets time pass in which everybody renews.
    async fn wait<S: Core>(&mut self, store: &S, ms: i64) {
        for _ in 0..4 {
            self.pass(ms / 4).await;
            for host in &self.hosts {
                renew(store, *host, self.now).await;
            }
        }
    }

    async fn pass(&mut self, ms: i64) {
        self.now = self.now.plus_ms(ms);
        if self.own_clock {
            tokio::time::sleep(Duration::from_millis(ms as u64)).await;
        }
    }

    /// Everybody gives and takes until each has its share; answers with how many shards changed their owner.
    async fn settle<S: Core>(&mut self, store: &S) -> usize {
        let before = self.epochs.clone();
        for _ in 0..4 {
            for host in self.hosts.clone() {
                let surplus: Vec<_> = renew(store, host, self.now).await.surplus().collect();
                store.release(host, &surplus).await.expect("a release");
                if renew(store, host, self.now).await.wants_more() {
                    store.take_over(host, self.now).await.expect("a take-over");
                }
                self.look(store).await;
            }
        }
        let mut all = BTreeSet::new();
        for host in &self.hosts {
            let owned = renew(store, *host, self.now).await;
            assert_eq!((owned.shards.len(), owned.free), (owned.fair, 0), "each host has its fair share");
            all.extend(numbers(&owned));
        }
        assert_eq!(all.len(), 256, "every shard has an owner");
        self.epochs.iter().filter(|(no, epoch)| before.get(no) != Some(epoch)).count()
    }

    /// No shard has two owners, and no epoch goes back.
    async fn look<S: Core>(&mut self, store: &S) {
        let mut owners = BTreeSet::new();
        for host in &self.hosts {
            for (no, epoch) in renew(store, *host, self.now).await.shards {
                assert!(owners.insert(no), "{no} has two owners");
                let before = self.epochs.insert(no, epoch);
                assert!(before.is_none_or(|before| before <= epoch), "the epochs of {no} ascend");
            }
        }
    }
}

async fn renew<S: Core>(store: &S, host: HostId, now: Timestamp) -> Owned {
    store.renew(host, now).await.expect("a renewal")
}

fn numbers(owned: &Owned) -> BTreeSet<ShardNo> {
    owned.shards.iter().map(|shard| shard.0).collect()
}
