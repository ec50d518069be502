//! Many callers at once: nothing lost, nothing twice.

use super::world::{hash, unique};
use super::{Core, START, World};
use crate::Store;
use crate::accept::{Accepted, NewEvent};
use crate::history::DeliveryFilter;
use crate::jobs::NewReplay;
use crate::record::RecordAnswer;
use railhead_model::{DeliveryState, End, JobId};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Publishers and two recorders of the same rows run at once: each delivery ends exactly once, none is lost.
pub async fn accepts_and_records_at_once<S: Core>(store: Arc<S>) {
    const PUBLISHERS: usize = 8;
    const EVENTS: usize = 40;
    let world = Arc::new(World::new(&*store, 3).await);
    let mut publishers = JoinSet::new();
    for _ in 0..PUBLISHERS {
        let (store, world) = (Arc::clone(&store), Arc::clone(&world));
        publishers.spawn(async move {
            for chunk in 0..EVENTS / 8 {
                world.publish(&*store, START.plus_ms(chunk as i64), 8).await;
            }
        });
    }
    let total = PUBLISHERS * EVENTS * world.destinations.len();
    let mut recorders = JoinSet::new();
    for _ in 0..2 {
        let (store, world) = (Arc::clone(&store), Arc::clone(&world));
        recorders.spawn(async move {
            let mut ended = Vec::new();
            let mut idle = 0;
            while idle < 50 {
                let before = ended.len();
                for no in &world.destinations {
                    let rows = world.waiting(&*store, *no).await;
                    let batch: Vec<_> =
                        rows.iter().map(|row| world.end(row, End::Delivered, "http-200", START)).collect();
                    let answers = store.record(world.host, &batch).await.expect("a batch");
                    let applied = rows.iter().zip(answers).filter(|(_, answer)| *answer != RecordAnswer::Refused);
                    ended.extend(applied.map(|(row, _)| row.key));
                }
                idle = if ended.len() == before { idle + 1 } else { 0 };
                tokio::task::yield_now().await;
            }
            ended
        });
    }
    while let Some(done) = publishers.join_next().await {
        done.expect("a publisher ends well");
    }
    let mut ended = Vec::new();
    while let Some(done) = recorders.join_next().await {
        ended.extend(done.expect("a recorder ends well"));
    }
    for no in &world.destinations {
        // What the recorders left when they saw nothing for a while.
        ended.extend(world.end_all(&*store, *no, End::Delivered, START).await);
    }
    let distinct: BTreeSet<_> = ended.iter().copied().collect();
    assert_eq!(ended.len(), distinct.len(), "no delivery ends twice");
    assert_eq!(distinct.len(), total, "no accepted delivery is lost");
}

/// Of many publishers with the same id exactly one stores it; all others learn of that one.
pub async fn one_id_many_publishers<S: Core>(store: Arc<S>) {
    let world = Arc::new(World::new(&*store, 1).await);
    let idh = Some(hash(unique()));
    let mut publishers = JoinSet::new();
    for index in 0..16 {
        let (store, world) = (Arc::clone(&store), Arc::clone(&world));
        publishers.spawn(async move {
            let event = NewEvent { idh, ..world.event(&*store, START.plus_ms(index)).await };
            let mut answers = store.accept(std::slice::from_ref(&event)).await.expect("a batch");
            (event.uid, answers.remove(0))
        });
    }
    let (mut stored, mut firsts) = (Vec::new(), BTreeSet::new());
    while let Some(done) = publishers.join_next().await {
        match done.expect("a publisher ends well") {
            (uid, Accepted::Stored) => stored.push(uid),
            (_, Accepted::Duplicate(first)) => {
                firsts.insert(first.uid);
            }
            (_, other) => panic!("a publisher is answered Stored or Duplicate, not {other:?}"),
        }
    }
    assert_eq!(stored.len(), 1, "of many with one id exactly one is stored");
    assert_eq!(firsts.into_iter().collect::<Vec<_>>(), stored, "every duplicate names the one that was stored");
    assert_eq!(world.waiting(&*store, world.to()).await.len(), 1, "one id, one delivery");
}

/// Two steppers of one replay and a recorder of what they make run at once: each pair is delivered again once.
pub async fn replay_and_record_at_once<S: Store>(store: Arc<S>) {
    const EVENTS: usize = 60;
    let world = Arc::new(World::new(&*store, 2).await);
    world.publish(&*store, START, EVENTS).await;
    for no in &world.destinations {
        world.end_all(&*store, *no, End::Dead, START).await;
    }
    let id = JobId::new(START, super::world::bits(unique()));
    let filter = DeliveryFilter { states: vec![DeliveryState::Dead], ..DeliveryFilter::default() };
    let at = START.plus_ms(1);
    store.start_replay(&NewReplay { id, tenant: world.tenant.no, filter, at }).await.expect("a replay");
    let mut steppers = JoinSet::new();
    for _ in 0..2 {
        let (store, world) = (Arc::clone(&store), Arc::clone(&world));
        steppers.spawn(async move {
            while store.step_replay(START.plus_ms(2)).await.expect("a step").more {
                world.end_all(&*store, world.to(), End::Dead, START.plus_ms(3)).await;
            }
        });
    }
    while let Some(done) = steppers.join_next().await {
        done.expect("a stepper ends well");
    }
    let replay = store.replay(world.tenant.no, id).await.expect("a read").expect("the replay");
    assert_eq!(replay.created, (EVENTS * 2) as u64, "a replay delivers each pair again exactly once");
}
