//! Promises of [`crate::WorkStore`] beside refill.

use super::world::{hash, key, new_host, record_all, refill};
use super::{START, World};
use crate::directory::{Destination, Expect};
use crate::work::{Command, Commanded, Health, RefillAsk, StableBatch};
use crate::{Store, StoreError};
use railhead_model::{DeliveryKey, DeliveryState, End, EventUid, Ordering, Origin, Reason};

/// The survey answers with the earliest due time of each destination that has work.
pub async fn survey_finds_the_earliest<S: Store>(store: &S) {
    let world = World::new(store, 3).await;
    world.publish(store, START.plus_ms(100), 2).await;
    let rows = world.waiting(store, world.destinations[0]).await;
    let later: Vec<_> = rows.iter().map(|row| world.retry(row, START.plus_ms(7_000))).collect();
    record_all(store, world.host, &later).await;
    world.end_all(store, world.destinations[1], End::Delivered, START).await;
    let mut found = store.survey(&world.destinations).await.expect("a survey");
    found.sort();
    let expected = [(world.destinations[0], START.plus_ms(7_000)), (world.destinations[2], START.plus_ms(100))];
    assert_eq!(found, expected, "the survey names the earliest due time, and leaves out who has no work");
}

/// Sealed bytes come back as they were stored; unknown uids are left out.
pub async fn payloads_come_back_as_stored<S: Store>(store: &S) {
    let world = World::new(store, 1).await;
    let events = world.publish(store, START, 70).await;
    let mut uids: Vec<_> = events.iter().map(|event| event.uid).collect();
    uids.push(EventUid::new(START, [0xee; 10]));
    let mut found = store.payloads(&uids).await.expect("a read");
    found.sort_by_key(|event| event.uid);
    assert_eq!(found.len(), events.len(), "every stored event is found, an unknown one left out");
    for (found, event) in found.iter().zip(&events) {
        assert_eq!((found.uid, found.tenant), (event.uid, event.tenant), "a payload names its event");
        assert_eq!(found.payload.as_ref(), Some(&event.payload), "a payload comes back as it was stored");
        assert_eq!(found.head, event.head, "a head comes back as it was stored");
        assert_eq!((&found.id, &found.event_type), (&event.id, &event.event_type), "id and type come back");
        assert_eq!((found.at, found.payload_bytes), (event.at, event.payload_bytes), "time and size come back");
    }
}

/// A command makes a waiting delivery due, or ends it; nothing else.
pub async fn a_command_makes_due_or_ends<S: Store>(store: &S) {
    let world = World::new(store, 1).await;
    let event = &world.publish(store, START, 1).await[0];
    let key = key(event, world.to());
    let row = world.waiting(store, world.to()).await[0];
    record_all(store, world.host, &[world.retry(&row, START.plus_ms(99_000))]).await;
    let row = world.waiting(store, world.to()).await[0];
    let done = store.command(key, Command::RetryNow, START.plus_ms(3)).await;
    assert_eq!(done, Ok(Commanded::Done), "a waiting delivery can be made due");
    let after = world.waiting(store, world.to()).await[0];
    assert_eq!((after.due, after.attempts), (START.plus_ms(3), row.attempts), "it is due now, with its attempts");
    assert_ne!(after.rev, row.rev, "a command changes the rev");
    let done = store.command(key, Command::Cancel, START.plus_ms(4)).await;
    assert_eq!(done, Ok(Commanded::Done), "a waiting delivery can be cancelled");
    assert_eq!(world.waiting(store, world.to()).await, [], "a cancelled delivery waits no longer");
    let shown = store.delivery(world.tenant.no, key).await.expect("a read").expect("a delivery");
    assert_eq!((shown.state, shown.code.as_str()), (DeliveryState::Cancelled, "cancelled"), "its end is shown");
    assert_eq!(shown.last_attempt.map(|last| last.n), Some(1), "its last attempt is shown still");
    for command in [Command::RetryNow, Command::Cancel] {
        let done = store.command(key, command, START.plus_ms(5)).await;
        assert_eq!(done, Ok(Commanded::NotWaiting), "an ended delivery takes no command");
    }
}

/// An ended delivery becomes a new run; the old one stays as it ended.
pub async fn an_ended_delivery_is_delivered_again<S: Store>(store: &S) {
    let world = World::with(store, 1, Ordering::Destination).await;
    let mut event = world.event(store, START).await;
    event.lanes = vec![(world.to(), hash(8))];
    super::world::accept_all(store, std::slice::from_ref(&event)).await;
    let first = key(&event, world.to());
    let missing = DeliveryKey { run: 9, ..first };
    let nothing = store.redeliver(missing, Origin::Retry, START).await;
    assert!(matches!(nothing, Err(StoreError::NotFound(_))), "what never was cannot be delivered again");
    world.end_all(store, world.to(), End::Dead, START).await;
    let second = store.redeliver(first, Origin::Retry, START.plus_ms(50)).await.expect("a new run");
    assert_eq!(second, DeliveryKey { run: 1, ..first }, "the next free run of the same pair");
    let row = world.row(store, second).await.expect("the new run waits");
    assert_eq!((row.due, row.attempts, row.rev), (START.plus_ms(50), 0, 0), "a new run is due now and fresh");
    assert_eq!((row.origin, row.previous), (Origin::Retry, Some(0)), "a new run says what it repeats, and why");
    assert_eq!(row.lane, Some(hash(8)), "a new run keeps its lane");
    let ask = RefillAsk { destination: world.to(), ordered: true, after: None, limit: 9 };
    assert!(refill(store, ask).await[0].seq > 1, "a new run joins at the tail of its order");
    world.end_all(store, world.to(), End::Delivered, START.plus_ms(60)).await;
    let third = store.redeliver(first, Origin::Test, START.plus_ms(70)).await.expect("a new run");
    assert_eq!(third.run, 2, "runs are never given twice");
    let shown = store.delivery(world.tenant.no, first).await.expect("a read").expect("a delivery");
    assert_eq!(shown.state, DeliveryState::Dead, "the repeated one stays as it ended");
}

/// The health of a destination is stored by its owner alone, and is no configuration.
pub async fn health_is_kept<S: Store>(store: &S) {
    let world = World::new(store, 1).await;
    let generation = world.generation(store).await;
    let health = Health {
        open: true,
        failures: 5,
        failing_since: Some(START),
        next_probe: Some(START.plus_ms(10_000)),
        probes: 2,
        reason: Some(Reason::new("http-503", "down")),
        last_delivered: None,
    };
    let batch = [(world.to(), health.clone())];
    let refused = store.save_health(new_host(), &batch).await;
    assert_eq!(refused, Err(StoreError::Fenced), "health is stored by a host that is not fenced");
    store.save_health(world.host, &batch).await.expect("a call that changes nothing");
    let found = store.destinations_by_no(&[world.to()]).await.expect("a read").remove(0);
    assert_eq!(found.health, Health::default(), "only the owner's word counts");
    store.take_over(world.host, START).await.expect("a take-over");
    store.save_health(world.host, &batch).await.expect("health is stored");
    let found = store.destinations_by_no(&[world.to()]).await.expect("a read").remove(0);
    assert_eq!(found.health, health, "health comes back");
    assert_eq!(found.revision, 1, "health is no configuration");
    assert_eq!(world.generation(store).await, generation, "health bumps no generation");
    let stale = Destination { health: Health::default(), ..found };
    let again = store.put_destination(&stale, Expect::Revision(1)).await.expect("a write");
    assert_eq!(again.health, health, "a configuration write leaves health alone");
}

/// A stable batch is stored once; its members never change.
pub async fn a_stable_batch_never_changes<S: Store>(store: &S) {
    let world = World::new(store, 2).await;
    let events = world.publish(store, START, 3).await;
    let members: Vec<_> = events.iter().rev().map(|event| key(event, world.to())).collect();
    let batch = StableBatch { destination: world.to(), number: 1, members, due: START, attempts: 0 };
    let refused = store.open_batches(new_host(), std::slice::from_ref(&batch)).await;
    assert_eq!(refused, Err(StoreError::Fenced), "a fenced host opens no batch");
    store.open_batches(world.host, std::slice::from_ref(&batch)).await.expect("a batch is stored");
    let other = StableBatch { members: Vec::new(), ..batch.clone() };
    store.open_batches(world.host, &[other]).await.expect("repeating is harmless");
    let found = store.batches(&world.destinations).await.expect("a read");
    assert_eq!(found, std::slice::from_ref(&batch), "a stable batch keeps its members, in order");
    assert_eq!(store.batches(&world.destinations[1..]).await.expect("a read"), [], "others have none");
    let middle = key(&events[1], world.to());
    let ended = store.command(middle, Command::Cancel, START).await.expect("a command");
    assert!(matches!(ended, Commanded::Done), "{ended:?}");
    let left = store.batches(&[world.to()]).await.expect("a read").remove(0).members;
    assert_eq!(left, [batch.members[0], batch.members[2]], "what has ended is no member that is waited for");
    let refused = store.close_batch(new_host(), world.to(), 1).await;
    assert_eq!(refused, Err(StoreError::Fenced), "a fenced host closes no batch");
    store.close_batch(world.host, world.to(), 1).await.expect("a batch ends");
    store.close_batch(world.host, world.to(), 1).await.expect("repeating is harmless");
    assert_eq!(store.batches(&world.destinations).await.expect("a read"), [], "a closed batch is gone");
}

/// What waits is counted, up to a cap.
pub async fn waiting_is_counted_to_a_cap<S: Store>(store: &S) {
    let world = World::new(store, 2).await;
    world.publish(store, START, 5).await;
    world.end_all(store, world.destinations[1], End::Delivered, START).await;
    for (cap, expected) in [(100, 5), (3, 3)] {
        let found = store.waiting(&world.destinations, cap).await.expect("a read");
        let of = |no| found.iter().find(|(found, _)| *found == no).map_or(0, |(_, count)| *count);
        assert_eq!(of(world.destinations[0]), expected, "what waits is counted up to the cap");
        assert_eq!(of(world.destinations[1]), 0, "what ended is not counted");
    }
}
