//! Promises of [`crate::Accept`].

use super::world::{accept_all, hash, key, record_all, unique};
use super::{Core, START, World};
use crate::Store;
use crate::accept::{Accepted, FirstEvent, NewEvent};
use crate::work::RefillAsk;
use railhead_model::time::DAY_MS;
use railhead_model::{DestinationNo, End, Ordering, Origin, Route, TenantNo, Timestamp, Verdict};
use std::collections::BTreeSet;

/// An event and a work row for each match are there once accept answered; other verdicts make no row.
pub async fn an_event_is_stored_with_its_work<S: Core>(store: &S) {
    let world = World::new(store, 3).await;
    let mut event = world.event(store, START).await;
    event.route.verdicts[2].1 = Verdict::FilteredType;
    event.origin = Origin::Test;
    accept_all(store, std::slice::from_ref(&event)).await;
    for no in &world.destinations[..2] {
        let rows = world.waiting(store, *no).await;
        assert_eq!(rows.len(), 1, "each match has one work row");
        let row = rows[0];
        assert_eq!((row.key, row.tenant), (key(&event, *no), world.tenant.no), "a work row names its delivery");
        assert_eq!((row.due, row.rev, row.key.run), (START, 0, 0), "due = at, rev = 0, run = 0");
        assert_eq!((row.attempts, row.tries, row.since), (0, 0, None), "no attempt was made yet");
        assert_eq!((row.origin, row.previous, row.job), (Origin::Test, None, None), "a row carries its event's origin");
        assert_eq!((row.lane, row.seq), (None, 0), "no lane, no seq");
    }
    assert_eq!(world.waiting(store, world.destinations[2]).await, [], "a filtered pair has no row");
}

/// Sending a batch again answers `Stored` and changes nothing.
pub async fn a_batch_may_be_sent_again<S: Core>(store: &S) {
    let world = World::new(store, 1).await;
    let mut event = world.event(store, START).await;
    event.idh = Some(hash(unique()));
    let other = world.event(store, START.plus_ms(1)).await;
    accept_all(store, &[event.clone(), other.clone()]).await;
    let before = world.waiting(store, world.to()).await;
    accept_all(store, &[event, other]).await;
    assert_eq!(world.waiting(store, world.to()).await, before, "sending a batch again makes no second work row");
}

/// Sending a batch again does not raise a delivery that ended in between.
pub async fn a_repeat_does_not_raise_the_ended<S: Core>(store: &S) {
    let world = World::new(store, 1).await;
    let events = world.publish(store, START, 1).await;
    world.end_all(store, world.to(), End::Delivered, START).await;
    accept_all(store, &events).await;
    assert_eq!(world.waiting(store, world.to()).await, [], "a repeated accept never raises an ended delivery");
}

/// The same `idh` again is a duplicate, within a batch too; the answer shows the first and its digest.
pub async fn a_duplicate_is_answered_with_the_first<S: Core>(store: &S) {
    let world = World::new(store, 2).await;
    let mut first = world.event(store, START).await;
    first.idh = Some(hash(unique()));
    first.id = "order-77".to_owned();
    let mut second = NewEvent { idh: first.idh, ..world.event(store, START.plus_ms(5)).await };
    second.id.clone_from(&first.id);
    let third = NewEvent { digest: first.digest, ..world.event(store, START.plus_ms(9)).await };
    let third = NewEvent { idh: first.idh, ..third };
    let expected = FirstEvent { uid: first.uid, id: first.id.clone(), digest: first.digest, deliveries: 2 };
    let answers = store.accept(&[first.clone(), second.clone()]).await.expect("a batch");
    let duplicate = Accepted::Duplicate(expected.clone());
    assert_eq!(answers, [Accepted::Stored, duplicate.clone()], "an id that stands earlier in the batch is a duplicate");
    assert_ne!(expected.digest, second.digest, "a conflict is visible by the digest");
    let answers = store.accept(&[third]).await.expect("a batch");
    assert_eq!(answers, [duplicate], "an id that was stored before is a duplicate");
    assert_eq!(world.waiting(store, world.to()).await.len(), 1, "a duplicate stores nothing");
}

/// A duplicate is recognised on its own UTC day and the day after, not later.
pub async fn duplicates_are_seen_across_midnight<S: Core>(store: &S) {
    let world = World::new(store, 1).await;
    let midnight = Timestamp(i64::from(START.day()) * DAY_MS);
    let idh = Some(hash(unique()));
    let mut answers = Vec::new();
    for at in [-1, 0, DAY_MS - 1, DAY_MS, DAY_MS + 1] {
        let event = NewEvent { idh, ..world.event(store, midnight.plus_ms(at)).await };
        let mut answer = store.accept(&[event]).await.expect("a batch");
        answers.push(matches!(answer.remove(0), Accepted::Duplicate(_)));
    }
    assert_eq!(
        answers,
        [false, true, true, false, true],
        "an id is known on the day it came and the next day, and new again on the day after that"
    );
}

/// What an old configuration generation routed is not stored; the rest of its batch is.
pub async fn an_old_generation_is_stale<S: Core>(store: &S) {
    let world = World::new(store, 1).await;
    let fresh = world.event(store, START).await;
    let mut stale = world.event(store, START.plus_ms(1)).await;
    stale.generation -= 1;
    let answers = store.accept(&[stale.clone(), fresh.clone()]).await.expect("a batch");
    assert_eq!(answers, [Accepted::Stale, Accepted::Stored], "an event of an old generation is stale, alone");
    let keys: Vec<_> = world.waiting(store, world.to()).await.iter().map(|row| row.key).collect();
    assert_eq!(keys, [key(&fresh, world.to())], "a stale event stores nothing");
    stale.generation += 1;
    accept_all(store, &[stale]).await;
}

/// A tenant that is not there has no events.
pub async fn an_unknown_tenant_is_refused<S: Core>(store: &S) {
    let world = World::new(store, 1).await;
    let event = NewEvent { tenant: TenantNo(i64::MAX), ..world.event(store, START).await };
    let answers = store.accept(&[event]).await.expect("a batch");
    assert_eq!(answers, [Accepted::NoTenant], "an event of an unknown tenant is refused");
    assert_eq!(world.waiting(store, world.to()).await, [], "a refused event stores nothing");
}

/// Rows with a lane get consecutive places in the order of commits, and of the batch within one.
pub async fn lanes_get_their_seq_in_commit_order<S: Core>(store: &S) {
    let world = World::with(store, 2, Ordering::Destination).await;
    let mut expected = Vec::new();
    for round in 0..3 {
        // Within a round the uids fall: the order of the batch counts, not that of ids.
        let mut batch = Vec::new();
        for index in (0..3).rev() {
            let mut event = world.event(store, START.plus_ms(round * 10 + index)).await;
            event.lanes = world.destinations.iter().map(|no| (*no, hash(1))).collect();
            batch.push(event);
        }
        accept_all(store, &batch).await;
        expected.extend(batch.iter().map(|event| event.uid));
    }
    for no in &world.destinations {
        let ask = RefillAsk { destination: *no, ordered: true, after: None, limit: 100 };
        let rows = super::world::refill(store, ask).await;
        let events: Vec<_> = rows.iter().map(|row| row.key.event).collect();
        assert_eq!(events, expected, "seq order is commit order");
        let seqs: BTreeSet<_> = rows.iter().map(|row| row.seq).collect();
        assert_eq!(seqs.len(), 9, "no two rows of a destination share a seq");
        assert!(rows.iter().all(|row| row.lane == Some(hash(1)) && row.seq > 0), "a row carries its lane");
    }
}

/// Batches of any size are stored whole.
pub async fn a_large_batch_is_stored_whole<S: Core>(store: &S) {
    let world = World::new(store, 1).await;
    for count in [1, 3, 21, 150] {
        let events = world.publish(store, START, count).await;
        let waiting: BTreeSet<_> = world.waiting(store, world.to()).await.iter().map(|row| row.key).collect();
        let missing = events.iter().filter(|event| !waiting.contains(&key(event, world.to()))).count();
        assert_eq!(missing, 0, "every event of a batch of {count} has its work");
    }
    let rows = world.waiting(store, world.to()).await;
    let batch: Vec<_> = rows.iter().map(|row| world.end(row, End::Delivered, "http-200", START)).collect();
    record_all(store, world.host, &batch).await;
    assert_eq!(world.waiting(store, world.to()).await, [], "a large batch of ends is recorded whole");
}

/// Above the direct limit the deliveries are made by steps; together they are all of them, once.
pub async fn many_matches_fan_out<S: Store>(store: &S) {
    let world = World::with(store, 2, Ordering::Destination).await;
    let real = world.destinations.clone();
    // Numbers that no destination has stand for destinations deleted since.
    let ghosts = (0..600).map(|index| DestinationNo(1_000_000 + index));
    let all: Vec<_> = real.iter().copied().chain(ghosts).collect();
    let generation = world.generation(store).await;
    let route = Route { generation, verdicts: all.iter().map(|no| (*no, Verdict::Matched)).collect() };
    let mut event = world.routed(START, route);
    event.lanes = vec![(real[0], hash(3))];
    accept_all(store, std::slice::from_ref(&event)).await;
    assert_eq!(world.waiting(store, real[0]).await, [], "above the limit no work row is made by accept");
    accept_all(store, std::slice::from_ref(&event)).await;
    let mut rows = 0;
    loop {
        let stepped = store.step_fanout(START).await.expect("a step");
        rows += stepped.rows;
        assert!(stepped.rows <= crate::jobs::STEP, "a step makes a bounded number of rows");
        if !stepped.more {
            break;
        }
    }
    assert_eq!(rows, all.len(), "the fan-out makes every delivery once");
    let made = store.deliveries_of(world.tenant.no, event.uid).await.expect("a read");
    assert_eq!(made.len(), all.len(), "every match has a delivery");
    let cancelled = made.iter().filter(|row| row.code == "destination-deleted").count();
    assert_eq!(cancelled, 600, "a match whose destination is gone ends as cancelled");
    let row = world.row(store, key(&event, real[0])).await.expect("a row");
    assert_eq!((row.due, row.lane, row.bytes), (START, Some(hash(3)), 9), "a fanned-out row is like a direct one");
    let again = store.step_fanout(START).await.expect("a step");
    assert_eq!((again.rows, again.more), (0, false), "a finished fan-out does nothing");
}
