//! Batches: what goes together, when, and what becomes of one that is too large.

use crate::connectors::{delivered, permanent, too_large, transient};
use crate::world::{ORDER, World, delivery, order};
use railhead_delivery::connectors::HandOver;
use railhead_delivery::{Draft, Published};
use railhead_model::{Batch, BodyPart, DeliveryKey, End, Outcome, Reason, Timestamp, Transcript};
use railhead_store::directory::Destination;
use railhead_store::history::{AttemptRow, History as _};
use serde_json::json;

async fn destination(world: &World, connector: &str, max_events: u32, max_bytes: u64) -> Destination {
    let batch = json!({"max_events": max_events, "max_bytes": max_bytes, "linger_ms": 500});
    world.destination("d", json!({"connector": connector, "batch": batch, "jitter": "none"})).await
}

async fn all_ended(world: &World, keys: &[DeliveryKey], end: End) {
    for key in keys {
        assert_eq!(world.ended(*key).await, end);
    }
}

fn members(call: &HandOver) -> Vec<DeliveryKey> {
    call.events.iter().map(|one| one.delivery).collect()
}

/// The hand-overs, in order.
fn calls(world: &World) -> Vec<HandOver> {
    world.connectors.calls().into_iter().map(|(_, call)| call).collect()
}

#[tokio::test(start_paused = true)]
async fn full_batches_go_at_once_and_the_rest_lingers() {
    let world = World::new().await;
    let to = destination(&world, "batching", 3, 1_000_000).await;
    let before = railhead_model::Clock::now(world.clock.as_ref());
    let keys = world.publish_sized(to.no, &[10; 7]).await;
    all_ended(&world, &keys, End::Delivered).await;
    assert_eq!(world.connectors.sizes(), [3, 3, 1]);
    let waited: Vec<i64> = world.connectors.calls().iter().map(|(at, _): &(Timestamp, _)| at.since(before)).collect();
    assert!(waited[0] < 100 && waited[1] < 100, "full ones do not wait: {waited:?}");
    assert!((500..600).contains(&waited[2]), "the last one waits for company: {waited:?}");
    let members: Vec<_> = calls(&world).iter().flat_map(members).collect();
    assert_eq!(members, keys, "in order");
}

#[tokio::test(start_paused = true)]
async fn a_bound_of_one_event_is_no_batch() {
    let world = World::new().await;
    let to = destination(&world, "batching", 1, 1_000_000).await;
    let keys = world.publish_together(to.no, 7).await;
    all_ended(&world, &keys, End::Delivered).await;
    assert_eq!(world.connectors.sizes(), [7], "handed over together, to save calls");
    let owners = owners(&world, &keys).await;
    assert!(owners.iter().all(|row| row.owner.is_none()), "each event went by itself");
}

#[tokio::test(start_paused = true)]
async fn a_batch_closes_at_its_bytes() {
    let world = World::new().await;
    let to = destination(&world, "batching", 100, 1_000).await;
    let keys = world.publish_sized(to.no, &[400, 400, 400, 2_000, 300, 300]).await;
    all_ended(&world, &keys, End::Delivered).await;
    let batches: Vec<_> = calls(&world).iter().map(members).collect();
    let expected = [&keys[..2], &keys[2..3], &keys[3..4], &keys[4..]];
    assert_eq!(batches, expected, "one that is larger than the bound goes alone");
}

#[tokio::test(start_paused = true)]
async fn what_was_too_large_goes_in_halves_and_alone_it_is_dead() {
    let world = World::new().await;
    let to = destination(&world, "batching", 4, 1_000_000).await;
    world.connectors.script((0..4).map(|_| too_large()));
    let keys = world.publish_sized(to.no, &[10; 4]).await;
    all_ended(&world, &keys, End::Delivered).await;
    assert_eq!(world.connectors.sizes(), [4, 2, 2]);
    world.connectors.script([too_large(), too_large(), too_large()]);
    let keys = world.publish_sized(to.no, &[10; 2]).await;
    assert_eq!(world.ended(keys[0]).await, End::Dead);
    assert_eq!(world.ended(keys[1]).await, End::Delivered, "by itself it was small enough");
    assert_eq!(world.connectors.sizes(), [4, 2, 2, 2, 1, 1]);
    let dead = world.store.delivery(world.tenant.no, keys[0]).await.expect("read").expect("there");
    assert_eq!(dead.code, "http-413");
}

#[tokio::test(start_paused = true)]
async fn a_stable_batch_that_was_too_large_goes_on_as_two_others() {
    let world = World::new().await;
    let to = destination(&world, "stable", 5, 1_000_000).await;
    world.connectors.script((0..5).map(|_| too_large()));
    let keys = world.publish_sized(to.no, &[10; 5]).await;
    all_ended(&world, &keys, End::Delivered).await;
    let calls = calls(&world);
    let batches: Vec<_> = calls.iter().map(members).collect();
    assert_eq!(batches, [&keys[..], &keys[..3], &keys[3..]], "in order");
    assert!(calls[0].batch_id != calls[1].batch_id && calls[1].batch_id != calls[2].batch_id, "numbers of their own");
    let closed = |core: &railhead_store::model::ModelCore| core.batches(&[to.no]).expect("a read").is_empty();
    world.until(|core| closed(core).then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_stable_batch_is_sent_again_whole_under_its_number() {
    let world = World::new().await;
    let to = destination(&world, "stable", 10, 1_000_000).await;
    world.connectors.script((0..3).map(|_| transient()));
    let keys = world.publish_sized(to.no, &[10; 3]).await;
    world.connectors.called(1).await;
    let later = world.publish_sized(to.no, &[10; 2]).await;
    all_ended(&world, &keys, End::Delivered).await;
    all_ended(&world, &later, End::Delivered).await;
    let calls = calls(&world);
    let again: Vec<_> = calls.iter().filter(|call| call.batch_id == calls[0].batch_id).map(members).collect();
    assert_eq!(again, [&keys[..], &keys[..]]);
    assert!(calls.iter().any(|call| members(call) == later), "the others are a batch of their own");
}

#[tokio::test(start_paused = true)]
async fn what_arrived_of_a_stable_batch_is_not_sent_again_with_what_failed() {
    let world = World::new().await;
    let to = destination(&world, "stable", 10, 1_000_000).await;
    world.connectors.script([transient(), delivered(), transient()]);
    let keys = world.publish_sized(to.no, &[10; 3]).await;
    all_ended(&world, &keys, End::Delivered).await;
    let sent = sent(&world);
    assert_eq!(sent.iter().map(|call| call.1.clone()).collect::<Vec<_>>(), [keys.clone(), vec![keys[0], keys[2]]]);
    assert_eq!(sent[0].0, sent[1].0);
}

#[tokio::test(start_paused = true)]
async fn a_stable_batch_survives_a_restart_and_a_crash() {
    for crash in [false, true] {
        let world = World::new().await;
        let to = destination(&world, "stable", 10, 1_000_000).await;
        world.connectors.gate.close();
        let keys = world.publish_sized(to.no, &[10; 3]).await;
        world.connectors.called(1).await;
        let first = calls(&world).remove(0);
        world.publish_sized(to.no, &[10; 4]).await;
        // The embedded store fences a host that died.
        let world = if crash { world.another_host().await } else { world.restart().await };
        all_ended(&world, &keys, End::Delivered).await;
        let second = calls(&world).into_iter().find(|call| members(call).contains(&keys[0])).expect("a call");
        assert_eq!(members(&second), keys, "crash: {crash}");
        assert_eq!(second.batch_id, first.batch_id, "crash: {crash}");
    }
}

#[tokio::test(start_paused = true)]
async fn stable_batches_of_an_order_go_one_after_the_other() {
    let world = World::new().await;
    let batch = json!({"max_events": 3, "max_bytes": 1_000_000, "linger_ms": 500});
    let spec = json!({"connector": "stable", "batch": batch, "ordering": "destination", "jitter": "none"});
    let to = world.destination("d", spec).await;
    world.connectors.script([transient()]);
    let keys = world.publish_sized(to.no, &[10; 7]).await;
    all_ended(&world, &keys, End::Delivered).await;
    let calls = calls(&world);
    let batches: Vec<_> = calls.iter().map(members).collect();
    assert_eq!(batches, [&keys[..3], &keys[..3], &keys[3..6], &keys[6..]], "the others wait for the first");
    assert_eq!(calls[0].batch_id, calls[1].batch_id);
}

/// The number and the members of each call.
fn sent(world: &World) -> Vec<(String, Vec<DeliveryKey>)> {
    calls(world).iter().map(|call| (call.batch_id.clone(), members(call))).collect()
}

/// The code that a delivery ended with.
async fn code(world: &World, key: DeliveryKey) -> String {
    world.store.delivery(world.tenant.no, key).await.expect("read").expect("there").code
}

fn not_json() -> Outcome {
    Outcome::Permanent(Reason::new("not-json", "It is not JSON."))
}

#[tokio::test(start_paused = true)]
async fn an_event_that_no_request_carried_ends_alone() {
    let world = World::new().await;
    let to = destination(&world, "stable", 6, 1_000_000).await;
    world.connectors.script((0..6).map(|n| if n == 3 { not_json() } else { delivered() }));
    let keys = world.publish_sized(to.no, &[10; 6]).await;
    assert_eq!(world.ended(keys[3]).await, End::Dead);
    all_ended(&world, &[&keys[..3], &keys[4..]].concat(), End::Delivered).await;
    assert_eq!(world.connectors.sizes(), [6], "nothing is sent twice");
    assert_eq!((code(&world, keys[3]).await, code(&world, keys[4]).await), ("not-json".into(), "http-200".into()));
    let closed = |core: &railhead_store::model::ModelCore| core.batches(&[to.no]).expect("a read").is_empty();
    world.until(|core| closed(core).then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_goes_on_under_its_number_without_what_was_refused() {
    for ordering in ["none", "destination"] {
        let world = World::new().await;
        let batch = json!({"max_events": 4, "max_bytes": 1_000_000, "linger_ms": 500});
        let spec = json!({"connector": "stable", "batch": batch, "ordering": ordering, "jitter": "none"});
        let to = world.destination("d", spec).await;
        world.connectors.script([not_json(), transient(), not_json(), transient()]);
        let keys = world.publish_sized(to.no, &[10; 4]).await;
        all_ended(&world, &[keys[0], keys[2]], End::Dead).await;
        all_ended(&world, &[keys[1], keys[3]], End::Delivered).await;
        let sent = sent(&world);
        assert_eq!(sent.iter().map(|call| call.1.clone()).collect::<Vec<_>>(), [keys.clone(), vec![keys[1], keys[3]]]);
        assert_eq!(sent[0].0, sent[1].0, "{ordering}");
    }
}

#[tokio::test(start_paused = true)]
async fn all_that_a_destination_refuses_end_each_for_its_own_reason() {
    let world = World::new().await;
    let to = destination(&world, "stable", 3, 1_000_000).await;
    world.connectors.script([permanent(), not_json(), permanent()]);
    let keys = world.publish_sized(to.no, &[10; 3]).await;
    all_ended(&world, &keys, End::Dead).await;
    let codes = [code(&world, keys[0]).await, code(&world, keys[1]).await, code(&world, keys[2]).await];
    assert_eq!(codes, ["http-400", "not-json", "http-400"]);
    assert_eq!(world.connectors.sizes(), [3]);
}

#[tokio::test(start_paused = true)]
async fn an_event_whose_fields_cannot_be_selected_ends_alone() {
    let world = World::new().await;
    let batch = json!({"max_events": 3, "max_bytes": 1_000_000, "linger_ms": 500});
    let spec = json!({"connector": "stable", "batch": batch, "fields": {"include": ["/total"]}});
    let to = world.destination("d", spec).await;
    let mut keys = Vec::new();
    for data in [ORDER, "not JSON", ORDER] {
        match world.publish(Draft { data: data.into(), ..order() }).await {
            Published::Accepted { uid, .. } => keys.push(delivery(uid, to.no)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(world.ended(keys[1]).await, End::Dead);
    assert_eq!(code(&world, keys[1]).await, "fields-not-selectable");
    all_ended(&world, &[keys[0], keys[2]], End::Delivered).await;
    assert_eq!(world.connectors.sizes(), [2]);
}

#[tokio::test(start_paused = true)]
async fn an_event_whose_payload_was_erased_leaves_a_gap_in_its_batch() {
    let world = World::new().await;
    let to = destination(&world, "stable", 3, 1_000_000).await;
    world.connectors.script((0..3).map(|_| transient()));
    let keys = world.publish_sized(to.no, &[10; 3]).await;
    world.until(|core| core.work_of(keys[1]).filter(|row| row.tries == 1).map(|_| ())).await;
    assert_eq!(world.store.erase_payload(world.tenant.no, keys[1].event).await, Ok(true));
    world.delivery.erased(keys[1].event);
    assert_eq!(world.ended(keys[1]).await, End::Expired);
    all_ended(&world, &[keys[0], keys[2]], End::Delivered).await;
    let sent = sent(&world);
    assert_eq!(sent.iter().map(|call| call.1.clone()).collect::<Vec<_>>(), [keys.clone(), vec![keys[0], keys[2]]]);
    assert_eq!(sent[0].0, sent[1].0);
    assert_eq!(code(&world, keys[1]).await, "payload-gone");
}

#[tokio::test(start_paused = true)]
async fn an_open_batch_stays_one_when_its_destination_takes_none_any_more() {
    let world = World::new().await;
    let mut to = destination(&world, "stable", 3, 1_000_000).await;
    world.connectors.script((0..3).map(|_| transient()));
    let keys = world.publish_sized(to.no, &[10; 3]).await;
    world.until(|core| core.work_of(keys[2]).filter(|row| row.tries == 1).map(|_| ())).await;
    to.spec.batch = to.spec.batch.map(|batch| Batch { max_events: 1, ..batch });
    let to = world.put(&to).await;
    all_ended(&world, &keys, End::Delivered).await;
    let later = world.publish_together(to.no, 2).await;
    all_ended(&world, &later, End::Delivered).await;
    let calls = calls(&world);
    let batches: Vec<_> = calls.iter().map(|call| (call.batched, members(call))).collect();
    assert_eq!(batches, [(true, keys.clone()), (true, keys), (false, later)]);
    assert_eq!(calls[0].batch_id, calls[1].batch_id);
    assert_eq!(calls[1].destination.spec.batch.map(|batch| batch.max_events), Some(1), "as it is configured now");
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_one_transcript_that_each_of_its_attempts_shows() {
    let world = World::new().await;
    let to = destination(&world, "batching", 100, 1_000_000).await;
    let keys = world.publish_together(to.no, 100).await;
    all_ended(&world, &keys, End::Delivered).await;
    assert_eq!(world.connectors.sizes(), [100]);
    let rows = owners(&world, &keys).await;
    let tenant = world.delivery.keyring().keys(&world.tenant).expect("its own");
    for (row, key) in rows.iter().zip(&keys) {
        assert_eq!((row.owner, &row.transcript), (rows[0].owner, &rows[0].transcript), "one for all");
        let (owner, sealed) = (row.owner.expect("shared"), row.transcript.as_deref().expect("kept"));
        let plain = tenant.open_transcript(owner.delivery, owner.n, sealed).expect("opens");
        let read: Transcript = serde_json::from_slice(&plain).expect("reads");
        let seen = read.seen_by(key.event);
        let body = &seen.exchanges[0].request.body;
        assert_eq!(body.iter().filter(|part| **part == BodyPart::EventData).count(), 1, "its own event is in it");
        assert_eq!(body.len(), 100);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_selected_of_a_batch_is_on_record_as_the_selection_alone() {
    let world = World::new().await;
    let batch = json!({"max_events": 3, "max_bytes": 1_000_000, "linger_ms": 500});
    let spec = json!({"connector": "batching", "batch": batch, "fields": {"include": ["/total"]}});
    let to = world.destination("d", spec).await;
    let keys = world.publish_together(to.no, 3).await;
    all_ended(&world, &keys, End::Delivered).await;
    assert_eq!(&calls(&world)[0].events[0].event.data[..], br#"{"total":12.50}"#);
    let tenant = world.delivery.keyring().keys(&world.tenant).expect("its own");
    for row in owners(&world, &keys).await {
        let (owner, sealed) = (row.owner.expect("shared"), row.transcript.as_deref().expect("kept"));
        let plain = tenant.open_transcript(owner.delivery, owner.n, sealed).expect("opens");
        assert!(!String::from_utf8_lossy(&plain).contains("12.50"), "no payload is copied");
        let read: Transcript = serde_json::from_slice(&plain).expect("reads");
        assert_eq!(read.fields, to.spec.fields);
        let mut body = read.exchanges.iter().flat_map(|exchange| &exchange.request.body);
        let refers = |key: &DeliveryKey| body.any(|part| *part == BodyPart::OtherEvent(key.event));
        assert!(keys.iter().all(refers), "in order");
    }
}

/// The only attempt of each.
async fn owners(world: &World, keys: &[DeliveryKey]) -> Vec<AttemptRow> {
    let mut rows = Vec::new();
    for key in keys {
        rows.push(world.store.attempts(world.tenant.no, *key).await.expect("read").remove(0));
    }
    rows
}
