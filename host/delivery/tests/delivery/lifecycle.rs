//! Start, stop, configuration, tests and checks.

use crate::connectors::transient;
use crate::world::{World, delivery, order};
use railhead_delivery::connectors::CheckStep;
use railhead_delivery::{Options, Overloaded, Published, TestError};
use railhead_model::{Clock as _, DestinationState, End, Origin, OutcomeClass};
use railhead_store::directory::Directory as _;
use railhead_store::history::History as _;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn a_shutdown_lets_running_attempts_finish_and_records_them() {
    let world = World::new().await;
    let destination = world.destination("d", json!({})).await;
    world.connectors.gate.close();
    let key = delivery(world.publish_one().await, destination.no);
    world.connectors.called(1).await;
    let World { running, delivery, environment, store, connectors, .. } = world;
    let shutdown = tokio::spawn(running.shutdown());
    while delivery.is_ready() {
        tokio::task::yield_now().await;
    }
    let late = delivery.publish(environment, vec![order()]).await;
    assert!(matches!(late, Err(Overloaded::Unavailable(_))), "{late:?}");
    connectors.gate.open();
    shutdown.await.expect("shuts down");
    assert_eq!(store.inner.core().end_of(key), Some(End::Delivered));
    assert!(store.inner.core().owner(destination.no.shard()).is_none(), "released");
}

#[tokio::test(start_paused = true)]
async fn attempts_that_outlast_a_shutdown_are_made_again_by_the_next_host() {
    let world = World::new().await;
    let destination = world.destination("d", json!({})).await;
    world.connectors.gate.close();
    let key = delivery(world.publish_one().await, destination.no);
    world.connectors.called(1).await;
    let before = world.clock.now();
    let world = world.restart().await;
    let took = world.clock.now().since(before);
    assert!((25_000..31_000).contains(&took), "{took} ms");
    assert_eq!(world.ended(key).await, End::Delivered);
    let attempts = world.store.attempts(world.tenant.no, key).await.expect("read");
    assert_eq!(attempts.len(), 1, "the cut one counts for nothing");
}

#[tokio::test(start_paused = true)]
async fn work_of_before_a_restart_is_found() {
    let world = World::new().await;
    let destination = world.destination("d", json!({})).await;
    world.connectors.script([transient()]);
    let key = delivery(world.publish_one().await, destination.no);
    world.until(|core| core.work_of(key).filter(|row| row.tries == 1).map(|_| ())).await;
    let world = world.restart().await;
    assert_eq!(world.ended(key).await, End::Delivered);
    assert_eq!(world.connectors.calls()[0].1.events[0].attempt, 2);
}

#[tokio::test(start_paused = true)]
async fn a_paused_destination_waits_and_goes_on() {
    let world = World::new().await;
    let mut destination = world.destination("d", json!({})).await;
    destination.state = DestinationState::Paused;
    let mut destination = world.put(&destination).await;
    let key = delivery(world.publish_one().await, destination.no);
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert!(world.connectors.calls().is_empty());
    destination.state = DestinationState::Active;
    world.put(&destination).await;
    assert_eq!(world.ended(key).await, End::Delivered);
    assert!(world.connectors.retired.lock().expect("whole").contains(&destination.no));
}

#[tokio::test(start_paused = true)]
async fn a_change_made_through_another_host_is_found() {
    let world = World::new().await;
    let destination = world.destination("d", json!({})).await;
    world.publish_one().await;
    world.connectors.called(1).await;
    assert!(world.store.delete_destination(world.tenant.no, &destination.id, order_time(&world)).await.expect("gone"));
    assert!(world.delivery.health(destination.no).is_some());
    tokio::time::sleep(std::time::Duration::from_millis(Options::default().reload_ms + 1_000)).await;
    assert!(world.delivery.health(destination.no).is_none());
}

fn order_time(world: &World) -> railhead_model::Timestamp {
    use railhead_model::Clock as _;
    world.clock.now()
}

#[tokio::test(start_paused = true)]
async fn a_test_goes_to_its_destination_alone_and_answers_with_the_attempt() {
    let world = World::new().await;
    let tested = world.destination("tested", json!({"event_types": ["never.*"]})).await;
    world.destination("other", json!({})).await;
    let (key, attempt) = world.delivery.test(&world.tenant, &tested, order()).await.expect("sent");
    let attempt = attempt.expect("made");
    assert_eq!((key.destination, attempt.n, attempt.outcome), (tested.no, 1, OutcomeClass::Delivered));
    assert_eq!(world.connectors.calls().len(), 1);
    let row = world.store.delivery(world.tenant.no, key).await.expect("read").expect("there");
    assert_eq!(row.origin, Origin::Test);
}

#[tokio::test(start_paused = true)]
async fn a_test_of_a_paused_destination_says_so_in_time() {
    let world = World::new().await;
    let mut destination = world.destination("d", json!({"timeout_ms": 2_000})).await;
    destination.state = DestinationState::Paused;
    let destination = world.put(&destination).await;
    let (key, attempt) = world.delivery.test(&world.tenant, &destination, order()).await.expect("sent");
    assert_eq!(attempt, None);
    assert!(world.store.inner.core().work_of(key).is_some());
    let mut nobody = world.tenant.clone();
    nobody.id = "nobody".parse().expect("an id");
    let refused = world.delivery.test(&nobody, &destination, order()).await;
    assert!(matches!(refused, Err(TestError::Refused(_))), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_check_sends_nothing() {
    let world = World::new().await;
    let destination = world.destination("d", json!({})).await;
    let steps = world.delivery.check(&world.tenant, &destination).await;
    assert_eq!(steps, Ok(vec![CheckStep { result: Ok("reachable".into()) }]));
    assert!(world.connectors.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_host_whose_shards_were_taken_stops_and_says_so() {
    let world = World::new().await;
    let destination = world.destination("d", json!({})).await;
    // The embedded store lets one host in at a time: the newcomer fences the one before.
    let newcomer = railhead_model::HostId::new(order_time(&world), [9; 10]);
    world.store.inner.core().join(newcomer, order_time(&world)).expect("joins");
    world.running.fenced().await;
    assert!(!world.delivery.is_ready());
    let answer = world.delivery.publish(world.environment, vec![order()]).await;
    assert!(matches!(answer, Err(Overloaded::Unavailable(_))), "{answer:?}");
    assert!(world.connectors.calls().is_empty());
    assert!(world.delivery.health(destination.no).is_some());
}

#[tokio::test(start_paused = true)]
async fn many_events_go_through_with_shared_hand_overs() {
    let world = World::new().await;
    let destination = world.destination("d", json!({})).await;
    for _ in 0..20 {
        let published = world.delivery.publish(world.environment, vec![order(); 100]).await.expect("accepted");
        assert!(published.iter().all(|one| matches!(one, Published::Accepted { deliveries: 1, .. })));
    }
    world.until(|core| (core.ends().count() == 2_000).then_some(())).await;
    assert!(
        world.store.inner.core().ends().all(|(key, end)| key.destination == destination.no && end == End::Delivered)
    );
    let calls = world.connectors.calls().len();
    assert!(calls < 400, "{calls} calls for 2,000 events");
}
