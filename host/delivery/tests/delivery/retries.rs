//! What becomes of attempts that fail.

use crate::connectors::{permanent, transient};
use crate::store::Fault;
use crate::world::{World, delivery, order};
use railhead_delivery::{Draft, Published, Retried};
use railhead_model::{DestinationState, End, Origin, OutcomeClass, Transcript};
use railhead_store::StoreError;
use railhead_store::history::History as _;
use railhead_store::work::Commanded;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn a_transient_failure_is_tried_again_after_its_delay() {
    let world = World::new().await;
    let spec = json!({"retry": {"schedule_ms": [60_000, 120_000]}, "jitter": "none"});
    let destination = world.destination("d", spec).await;
    world.connectors.script([transient(), transient()]);
    let key = delivery(world.publish_one().await, destination.no);
    assert_eq!(world.ended(key).await, End::Delivered);
    let times: Vec<_> = world.connectors.calls().iter().map(|(at, _)| *at).collect();
    assert!((60_000..61_000).contains(&times[1].since(times[0])), "{times:?}");
    assert!((120_000..121_000).contains(&times[2].since(times[1])), "{times:?}");
    let attempts = world.store.attempts(world.tenant.no, key).await.expect("read");
    let outcomes: Vec<_> = attempts.iter().map(|row| (row.attempt.n, row.attempt.outcome)).collect();
    assert_eq!(outcomes, [(1, OutcomeClass::Transient), (2, OutcomeClass::Transient), (3, OutcomeClass::Delivered)]);
    assert_eq!(attempts[0].attempt.connector_version, "1.2.3");
    let keys = world.delivery.keyring().keys(&world.tenant).expect("its own");
    let sealed = attempts[2].transcript.as_ref().expect("kept");
    let plain = keys.open_transcript(key, 3, sealed).expect("opens");
    assert_eq!(serde_json::from_slice::<Transcript>(&plain).expect("reads").exchanges.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_permanent_failure_is_a_dead_letter_and_can_be_delivered_again() {
    let world = World::new().await;
    let destination = world.destination("d", json!({})).await;
    world.connectors.script([permanent()]);
    let key = delivery(world.publish_one().await, destination.no);
    assert_eq!(world.ended(key).await, End::Dead);
    let Retried::Again(again) = world.delivery.retry(key).await.expect("made") else { panic!("again") };
    assert_eq!(world.ended(again).await, End::Delivered);
    let row = world.store.delivery(world.tenant.no, again).await.expect("read").expect("there");
    assert_eq!((row.origin, row.previous), (Origin::Retry, Some(0)));
}

#[tokio::test(start_paused = true)]
async fn a_person_may_hurry_or_cancel_a_waiting_delivery() {
    let world = World::new().await;
    let spec = json!({"retry": {"schedule_ms": [3_000_000, 3_000_000]}, "jitter": "none"});
    let destination = world.destination("d", spec).await;
    world.connectors.script([transient(), transient()]);
    let key = delivery(world.publish_one().await, destination.no);
    world.until(|core| core.work_of(key).filter(|row| row.tries == 1).map(|_| ())).await;
    assert_eq!(world.delivery.retry(key).await, Ok(Retried::DueNow));
    world.until(|core| core.work_of(key).filter(|row| row.tries == 2).map(|_| ())).await;
    let times: Vec<_> = world.connectors.calls().iter().map(|(at, _)| *at).collect();
    assert!(times[1].since(times[0]) < 10_000, "{times:?}");
    assert_eq!(world.delivery.cancel(key).await, Ok(Commanded::Done));
    assert_eq!(world.ended(key).await, End::Cancelled);
    assert_eq!(world.delivery.cancel(key).await, Ok(Commanded::NotWaiting));
}

#[tokio::test(start_paused = true)]
async fn results_survive_a_store_that_is_away_or_loses_its_answer() {
    let world = World::new().await;
    let destination = world.destination("d", json!({})).await;
    world.store.record_faults.lock().expect("whole").extend([
        Fault::Before(StoreError::Unavailable("busy".into())),
        Fault::After(StoreError::Unknown("connection lost".into())),
    ]);
    let key = delivery(world.publish_one().await, destination.no);
    assert_eq!(world.ended(key).await, End::Delivered);
    let next = delivery(world.publish_one().await, destination.no);
    assert_eq!(world.ended(next).await, End::Delivered);
    assert_eq!(world.connectors.calls().len(), 2, "nothing was sent twice");
}

#[tokio::test(start_paused = true)]
async fn selected_fields_are_sent_and_a_payload_without_fields_is_a_dead_letter() {
    let world = World::new().await;
    let destination = world.destination("d", json!({"fields": {"include": ["/total"]}})).await;
    let key = delivery(world.publish_one().await, destination.no);
    assert_eq!(world.ended(key).await, End::Delivered);
    let handed = world.connectors.calls().remove(0).1.events.remove(0);
    assert_eq!((&handed.event.data[..], handed.reshaped), (&br#"{"total":12.50}"#[..], true));
    let Published::Accepted { uid, .. } = world.publish(Draft { data: "text".into(), ..order() }).await else {
        panic!("accepted")
    };
    assert_eq!(world.ended(delivery(uid, destination.no)).await, End::Dead);
    let row = world.store.delivery(world.tenant.no, delivery(uid, destination.no)).await.expect("read");
    assert_eq!(row.expect("there").code, "fields-not-selectable");
}

#[tokio::test(start_paused = true)]
async fn an_erased_payload_expires_its_waiting_deliveries() {
    let world = World::new().await;
    let destination = world.destination("d", json!({})).await;
    world.connectors.script([transient()]);
    let uid = world.publish_one().await;
    let key = delivery(uid, destination.no);
    world.until(|core| core.work_of(key).filter(|row| row.tries == 1).map(|_| ())).await;
    assert!(world.store.erase_payload(world.tenant.no, uid).await.expect("erased"));
    assert_eq!(world.ended(key).await, End::Expired);
    assert_eq!(world.connectors.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_erased_payload_is_not_delivered_from_memory() {
    let world = World::new().await;
    let mut destination = world.destination("d", json!({})).await;
    destination.state = DestinationState::Paused;
    let mut destination = world.put(&destination).await;
    let uid = world.publish_one().await; // and its payload is kept for the delivery that follows
    assert!(world.store.erase_payload(world.tenant.no, uid).await.expect("erased"));
    world.delivery.erased(uid);
    destination.state = DestinationState::Active;
    world.put(&destination).await;
    assert_eq!(world.ended(delivery(uid, destination.no)).await, End::Expired);
    assert!(world.connectors.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_first_20_attempts_keep_their_transcripts() {
    let world = World::new().await;
    let spec = json!({"retry": {"schedule_ms": vec![1_000; 21]}, "jitter": "none"});
    let destination = world.destination("d", spec).await;
    world.connectors.script((0..22).map(|_| transient()));
    let key = delivery(world.publish_one().await, destination.no);
    world.until(|core| core.work_of(key).filter(|row| row.tries == 12).map(|_| ())).await;
    assert_eq!(world.ended(key).await, End::Dead);
    let attempts = world.store.attempts(world.tenant.no, key).await.expect("read");
    let mut kept: Vec<_> = attempts.iter().map(|row| (row.attempt.n, row.transcript.is_some())).collect();
    kept.sort_unstable();
    assert_eq!(kept, (1..=22).map(|n| (n, n <= 20)).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn ordered_deliveries_wait_for_the_one_before() {
    let world = World::new().await;
    let spec = json!({"ordering": "destination", "retry": {"schedule_ms": [30_000]}, "jitter": "none"});
    let destination = world.destination("d", spec).await;
    world.connectors.script([transient()]);
    let first = delivery(world.publish_one().await, destination.no);
    let second = delivery(world.publish_one().await, destination.no);
    assert_eq!(world.ended(second).await, End::Delivered);
    assert!(world.store.inner.core().end_of(first).is_some());
    let events: Vec<_> =
        world.connectors.calls().iter().flat_map(|(_, call)| call.events.iter().map(|one| one.delivery)).collect();
    assert_eq!(events, [first, first, second]);
}
