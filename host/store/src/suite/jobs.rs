//! Promises of [`crate::Jobs`]. Each needs a store of its own: a step takes the oldest job of the whole store.

use super::world::{accept_all, attempt, bits, hash, key, record_all, refill, unique};
use super::{START, World};
use crate::history::DeliveryFilter;
use crate::jobs::{JobState, MAX_OPEN, MAX_RUNNING, NewReplay, Replay, STEP};
use crate::record::Change;
use crate::work::RefillAsk;
use crate::{Store, StoreError};
use railhead_model::time::DAY_MS;
use railhead_model::{
    DeliveryKey, DeliveryState, DestinationNo, End, JobId, Ordering, Origin, OutcomeClass, TenantNo, Timestamp,
};

/// A replay delivers again what fits its filter and ended by then: each pair's newest run, once.
pub async fn a_replay_takes_what_fits_once<S: Store>(store: &S) {
    let world = World::new(store, 2).await;
    let events = world.publish(store, START, 6).await;
    let (left, right) = (world.destinations[0], world.destinations[1]);
    let rows = world.waiting(store, left).await;
    let ends = [End::Dead, End::Dead, End::Delivered, End::Dead, End::Dead];
    for (index, (row, end)) in rows.iter().zip(ends).enumerate() {
        // The fifth ends after the replay was asked for; the sixth waits still.
        let at = START.plus_ms(if index == 4 { 5_000 } else { 100 });
        record_all(store, world.host, &[world.end(row, end, "http-410", at)]).await;
    }
    world.end_all(store, right, End::Dead, START).await;
    // The fourth was delivered again by hand, and that run waits.
    store.redeliver(key(&events[3], left), Origin::Retry, START.plus_ms(200)).await.expect("a new run");
    let replay = ask(&world, Some(left), START.plus_ms(1_000));
    store.start_replay(&replay).await.expect("a replay");
    store.start_replay(&replay).await.expect("the same id again is harmless");
    let after = run(store, world.tenant.no, replay.id).await;
    assert_eq!(after.state, JobState::Completed, "a replay that made everything is completed");
    assert_eq!(after.created, 2, "a replay takes what fits its filter, ended by then, and has no newer run");
    assert!(after.ended_at.is_some(), "a completed replay has an end");
    for event in &events[..2] {
        let made = DeliveryKey { run: 1, ..key(event, left) };
        let row = world.row(store, made).await.expect("a replayed delivery waits");
        let origin = (row.origin, row.previous, row.job);
        assert_eq!(origin, (Origin::Replay, Some(0), Some(replay.id)), "a replayed delivery says where it is from");
        assert_eq!((row.attempts, row.rev, row.bytes), (0, 0, 9), "a replayed delivery is fresh");
    }
    assert_eq!(world.waiting(store, right).await, [], "other destinations are left alone");
    let stepped = store.step_replay(START.plus_ms(3_000)).await.expect("a step");
    assert_eq!((stepped.rows, stepped.more), (0, false), "a completed replay does nothing more");
    let listed = store.replays(world.tenant.no, None, 10).await.expect("a read");
    assert_eq!(listed, [after], "replays are listed as they stand");
    assert_eq!(store.replays(world.tenant.no, Some(replay.id), 10).await.expect("a read"), [], "pages end");
    let foreign = store.replay(TenantNo(i64::MAX), replay.id).await.expect("a read");
    assert_eq!(foreign, None, "a foreign replay is not found");
}

/// In an ordered destination replayed deliveries join at the tail, in their original order.
pub async fn a_replay_keeps_the_original_order<S: Store>(store: &S) {
    let world = World::with(store, 1, Ordering::Destination).await;
    let mut events = Vec::new();
    for index in 0..5 {
        let mut event = world.event(store, START.plus_ms(index)).await;
        event.lanes = vec![(world.to(), hash(4))];
        events.push(event);
    }
    accept_all(store, &events).await;
    world.end_all(store, world.to(), End::Dead, START.plus_ms(50)).await;
    let mut fresh = world.event(store, START.plus_ms(60)).await;
    fresh.lanes = vec![(world.to(), hash(4))];
    accept_all(store, std::slice::from_ref(&fresh)).await;
    let replay = ask(&world, None, START.plus_ms(100));
    store.start_replay(&replay).await.expect("a replay");
    run(store, world.tenant.no, replay.id).await;
    let ask = RefillAsk { destination: world.to(), ordered: true, after: None, limit: 100 };
    let order: Vec<_> = refill(store, ask).await.iter().map(|row| row.key.event).collect();
    let expected: Vec<_> = std::iter::once(&fresh).chain(&events).map(|event| event.uid).collect();
    assert_eq!(order, expected, "replays join at the tail in original order");
}

/// A step makes a bounded number of deliveries, and a job has a bounded number open.
pub async fn a_replay_steps_and_is_bounded<S: Store>(store: &S) {
    let world = World::new(store, 11).await;
    world.publish(store, START, 500).await;
    for no in &world.destinations {
        world.end_all(store, *no, End::Dead, START).await;
    }
    let replay = ask(&world, None, START.plus_ms(1));
    store.start_replay(&replay).await.expect("a replay");
    let mut made = 0;
    for _ in 0..100 {
        let stepped = store.step_replay(START.plus_ms(2)).await.expect("a step");
        assert!(stepped.rows <= STEP, "a step makes a bounded number of deliveries");
        assert_eq!(stepped.destinations.is_empty(), stepped.rows == 0, "a step names the destinations with new work");
        made += stepped.rows;
        if stepped.rows == 0 {
            break;
        }
    }
    assert_eq!(made, MAX_OPEN, "a job has a bounded number of unfinished deliveries");
    let halted = store.replay(world.tenant.no, replay.id).await.expect("a read").expect("the replay");
    assert_eq!(halted.state, JobState::Running, "a bounded replay goes on later");
    for no in &world.destinations {
        world.end_all(store, *no, End::Delivered, START.plus_ms(3)).await;
    }
    let after = run(store, world.tenant.no, replay.id).await;
    assert_eq!((after.state, after.created), (JobState::Completed, 5_500), "in the end everything was made, once");
}

/// A cancelled replay makes nothing more; what it made goes on.
pub async fn a_replay_can_be_cancelled<S: Store>(store: &S) {
    let world = World::new(store, 2).await;
    world.publish(store, START, 400).await;
    for no in &world.destinations {
        world.end_all(store, *no, End::Dead, START).await;
    }
    let replay = ask(&world, None, START.plus_ms(1));
    store.start_replay(&replay).await.expect("a replay");
    let stepped = store.step_replay(START).await.expect("a step");
    assert_eq!(stepped.rows, STEP, "a step makes as many as it may");
    let tenant = world.tenant.no;
    assert_eq!(store.cancel_replay(TenantNo(i64::MAX), replay.id, START).await, Ok(false), "foreign replays are safe");
    assert_eq!(store.cancel_replay(tenant, replay.id, START.plus_ms(9)).await, Ok(true), "a running replay stops");
    assert_eq!(store.cancel_replay(tenant, replay.id, START).await, Ok(false), "a stopped replay does not stop again");
    assert_eq!(store.step_replay(START).await.expect("a step").rows, 0, "a stopped replay makes nothing more");
    let after = store.replay(tenant, replay.id).await.expect("a read").expect("the replay");
    assert_eq!((after.state, after.ended_at), (JobState::Cancelled, Some(START.plus_ms(9))), "it says that it stopped");
    let mut waiting = 0;
    for no in &world.destinations {
        waiting += world.waiting(store, *no).await.len();
    }
    assert_eq!(waiting, STEP, "what a replay made goes on");
}

/// A tenant has a bounded number of replays that run, whoever asks; those that ended do not count.
pub async fn a_tenant_has_so_many_replays_that_run<S: Store>(store: &S) {
    let (world, other) = (World::new(store, 1).await, World::new(store, 1).await);
    let mut running = Vec::new();
    for _ in 0..MAX_RUNNING {
        let replay = ask(&world, None, START);
        store.start_replay(&replay).await.expect("a replay");
        running.push(replay);
    }
    let more = ask(&world, None, START);
    assert_eq!(store.start_replay(&more).await, Err(StoreError::TooManyReplays), "one more is refused");
    let found = store.replay(world.tenant.no, more.id).await.expect("a read");
    assert_eq!(found, None, "what is refused is not there");
    store.start_replay(&running[0]).await.expect("the same id again is harmless");
    store.start_replay(&ask(&other, None, START)).await.expect("another tenant's replay");
    assert_eq!(store.cancel_replay(world.tenant.no, running[3].id, START).await, Ok(true), "a running replay stops");
    store.start_replay(&more).await.expect("there is room again");
}

/// What waits longer than its payload is kept ends as expired.
pub async fn the_expired_end<S: Store>(store: &S) {
    let world = World::new(store, 1).await;
    let old = &world.publish(store, START.plus_ms(-DAY_MS), 3).await[1];
    let young = &world.publish(store, START, 1).await[0];
    let row = world.row(store, key(old, world.to())).await.expect("a row");
    record_all(store, world.host, &[world.retry(&row, START.plus_ms(DAY_MS))]).await;
    let stepped = store.step_expiry(START, START.plus_ms(5)).await.expect("a step");
    assert_eq!((stepped.rows, stepped.more), (3, false), "deliveries of older events end");
    assert_eq!(stepped.destinations, [world.to()], "their owners are named");
    let left: Vec<_> = world.waiting(store, world.to()).await.iter().map(|row| row.key.event).collect();
    assert_eq!(left, [young.uid], "deliveries of younger events wait on");
    let shown = store.delivery(world.tenant.no, key(old, world.to())).await.expect("a read").expect("a delivery");
    assert_eq!((shown.state, shown.code.as_str()), (DeliveryState::Expired, "expired"), "expiry is an end");
    assert_eq!(shown.ended_at, Some(START.plus_ms(5)), "expiry has a time");
    assert_eq!(shown.last_attempt.map(|last| last.n), Some(1), "the attempts made are shown still");
    assert_eq!(store.step_expiry(START, START).await.expect("a step").rows, 0, "nothing expires twice");
}

/// Events older than the retention go, with all that belongs to them; others stay.
pub async fn the_retention_deletes<S: Store>(store: &S) {
    let world = World::new(store, 2).await;
    let old = world.publish(store, START.plus_ms(-2 * DAY_MS), 30).await;
    let young = world.publish(store, START, 2).await;
    let row = world.waiting(store, world.to()).await[0];
    record_all(store, world.host, &[world.retry(&row, START)]).await;
    let row = world.row(store, row.key).await.expect("a row");
    let change = Change::End { end: End::Dead, code: "http-410".to_owned(), at: START, attempts: 2 };
    let last = attempt(2, OutcomeClass::Permanent, "http-410");
    record_all(store, world.host, &[world.recording(&row, change, Some(last))]).await;
    // The first instant of the day before: whole days are older.
    let before = Timestamp(i64::from(START.day() - 1) * DAY_MS);
    let mut steps = 0;
    while store.step_retention(before).await.expect("a step").more {
        steps += 1;
        assert!(steps < 1_000, "the retention comes to an end");
    }
    let tenant = world.tenant.no;
    for event in &old {
        assert_eq!(store.event(tenant, event.uid).await, Ok(None), "an old event is gone");
        assert_eq!(store.deliveries_of(tenant, event.uid).await, Ok(Vec::new()), "its deliveries are gone");
        assert_eq!(store.attempts(tenant, key(event, world.to())).await, Ok(Vec::new()), "its attempts are gone");
    }
    let waiting: Vec<_> = world.waiting(store, world.to()).await.iter().map(|row| row.key.event).collect();
    let kept: Vec<_> = young.iter().map(|event| event.uid).collect();
    assert_eq!(waiting, kept, "what waits of younger events stays, and nothing else");
    let found = store.payloads(&kept).await.expect("a read");
    assert_eq!(found.len(), kept.len(), "younger events stay");
}

fn ask(world: &World, destination: Option<DestinationNo>, at: Timestamp) -> NewReplay {
    let filter = DeliveryFilter { destination, states: vec![DeliveryState::Dead], ..DeliveryFilter::default() };
    NewReplay { id: JobId::new(at, bits(unique())), tenant: world.tenant.no, filter, at }
}

/// Steps until there is nothing to do, and answers with the replay.
async fn run<S: Store>(store: &S, tenant: TenantNo, id: JobId) -> Replay {
    for _ in 0..1_000 {
        if !store.step_replay(START.plus_ms(2_000)).await.expect("a step").more {
            break;
        }
    }
    store.replay(tenant, id).await.expect("a read").expect("the replay")
}
