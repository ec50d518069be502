//! Starts on record: what may have killed its host, and what was only beside it.

use super::world::new_host;
use super::{Core, START, World};
use crate::record::Started;
use railhead_model::{DeliveryKey, HostId};

/// An attempt that hosts start and never end is poison after the third of them. One host counts once.
pub async fn what_is_started_and_never_ended_is_poison<S: Core>(store: &S) {
    let world = World::new(store, 1).await;
    world.publish(store, START, 2).await;
    let rows = world.waiting(store, world.to()).await;
    let (key, other) = (rows[0].key, rows[1].key);
    let missing = DeliveryKey { run: 9, ..key };
    let go = store.start(world.host, &[key, missing, key], false).await.expect("a start");
    assert_eq!(go, [Started::Go, Started::Gone, Started::Go], "answers come in order; a repeat is harmless");
    let mut host = world.host;
    for _ in 0..2 {
        host = joined(store).await;
        assert_eq!(alone(store, host, key).await, Started::Go, "three hosts may try");
    }
    assert_eq!(alone(store, host, key).await, Started::Go, "the same host counts once");
    let fourth = joined(store).await;
    assert_eq!(alone(store, fourth, key).await, Started::Poisoned, "the fourth does not, not even alone");
    let answers = store.start(fourth, &[other, key], false).await.expect("a start");
    assert_eq!(answers, [Started::Go, Started::Poisoned], "others are not affected");
    let found = world.row(store, key).await.expect("it waits");
    assert_eq!((found.rev, found.tries, found.due), (rows[0].rev, 0, rows[0].due), "a start is no change");
    let retry = world.retry(&found, START.plus_ms(5));
    store.record(fourth, std::slice::from_ref(&retry)).await.expect("a batch");
    let answers = store.start(fourth, &[key], false).await;
    assert_eq!(answers, Ok(vec![Started::Go]), "a recorded attempt ends its starts");
}

/// What another host started and did not end is started alone only. Asking changes nothing.
pub async fn what_a_host_did_not_survive_is_started_alone<S: Core>(store: &S) {
    let world = World::new(store, 1).await;
    world.publish(store, START, 2).await;
    let rows = world.waiting(store, world.to()).await;
    let (key, other) = (rows[0].key, rows[1].key);
    assert_eq!(store.start(world.host, &[key], false).await, Ok(vec![Started::Go]), "the first may have company");
    for _ in 0..9 {
        let asks = joined(store).await;
        let answers = store.start(asks, &[other, key], false).await;
        assert_eq!(answers, Ok(vec![Started::Go, Started::Alone]), "whoever comes next starts it alone");
        store.unstart(asks, &[other]).await.expect("taken back");
    }
    let second = joined(store).await;
    assert_eq!(alone(store, second, key).await, Started::Go, "asking counted nothing");
    let answers = store.start(second, &[key], false).await;
    assert_eq!(answers, Ok(vec![Started::Alone]), "with its own start on record it is still to be alone");
}

/// A start that its host takes back counts no longer; those of others do.
pub async fn a_start_is_taken_back<S: Core>(store: &S) {
    let world = World::new(store, 1).await;
    world.publish(store, START, 2).await;
    let rows = world.waiting(store, world.to()).await;
    let (key, other) = (rows[0].key, rows[1].key);
    let missing = DeliveryKey { run: 9, ..key };
    for _ in 0..5 {
        let host = joined(store).await;
        let answers = store.start(host, &[key, other], false).await;
        assert_eq!(answers, Ok(vec![Started::Go; 2]), "nothing is left of a start that was taken back");
        for _ in 0..2 {
            store.unstart(host, &[missing, key, other]).await.expect("taken back; once is enough");
        }
    }
    let dead = joined(store).await;
    assert_eq!(alone(store, dead, key).await, Started::Go, "this one is not taken back");
    for _ in 0..5 {
        let host = joined(store).await;
        store.unstart(host, &[key]).await.expect("nothing to take back");
        assert_eq!(
            store.start(host, &[key], false).await,
            Ok(vec![Started::Alone]),
            "another one's start is not its own"
        );
        assert_eq!(alone(store, host, key).await, Started::Go, "one death is not yet poison");
        store.unstart(host, &[key]).await.expect("taken back");
    }
    let found = world.row(store, key).await.expect("it waits");
    assert_eq!((found.rev, found.tries, found.due), (rows[0].rev, 0, rows[0].due), "taking back is no change");
}

async fn alone<S: Core>(store: &S, host: HostId, key: DeliveryKey) -> Started {
    store.start(host, &[key], true).await.expect("a start")[0]
}

async fn joined<S: Core>(store: &S) -> HostId {
    let host = new_host();
    store.join(host, START).await.expect("a host joins");
    host
}
