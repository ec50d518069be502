//! What the operator's own tenant is told.

use crate::connectors::{permanent, transient};
use crate::world::{World, delivery};
use railhead_model::{DestinationState, End, Outcome, Reason};
use railhead_store::directory::Directory as _;
use serde_json::{Value, json};

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_an_event_of_the_operator_and_raises_no_other() {
    let world = World::new().await;
    let operator = world.operator().await;
    let bell = world.destination_of(&operator, "bell", json!({})).await;
    let destination = world.destination("d", json!({})).await;
    world.connectors.script([permanent(), permanent()]);
    let key = delivery(world.publish_one().await, destination.no);
    assert_eq!(world.ended(key).await, End::Dead);
    world.connectors.called(2).await;
    let call = world.connectors.calls().remove(1).1;
    assert_eq!(call.destination.no, bell.no);
    assert_eq!(call.events[0].event.event_type, "delivery.dead");
    let data: Value = serde_json::from_slice(&call.events[0].event.data).expect("JSON");
    assert_eq!(data["delivery"], json!(key));
    assert_eq!((&data["tenant"], &data["destination"]), (&json!("acme"), &json!("d")));
    assert_eq!(data["reason"]["code"], "http-400");
    assert_eq!(world.ended(call.events[0].delivery).await, End::Dead);
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert_eq!(world.connectors.calls().len(), 2, "the operator's own dead letter raised another event");
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_is_gone_is_disabled_with_its_reason() {
    let world = World::new().await;
    let destination = world.destination("d", json!({})).await;
    world.connectors.script([Outcome::Permanent(Reason::new("destination-gone", "410"))]);
    let key = delivery(world.publish_one().await, destination.no);
    assert_eq!(world.ended(key).await, End::Dead);
    let disabled = loop {
        let now = world.store.destination(world.tenant.no, &destination.id).await.expect("read").expect("there");
        if now.state != DestinationState::Active {
            break now;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(
        (disabled.state, disabled.state_reason.as_deref()),
        (DestinationState::Disabled, Some("destination-gone"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_breaks_and_recovers_is_told_of() {
    let world = World::new().await;
    let operator = world.operator().await;
    let bell = world.destination_of(&operator, "bell", json!({})).await;
    let destination = world.destination("d", json!({})).await;
    world.connectors.break_down(Some((destination.no, transient())));
    for _ in 0..6 {
        world.publish_one().await;
    }
    let told = |event_type: &str| {
        let calls = world.connectors.calls();
        let mut events =
            calls.iter().filter(|(_, call)| call.destination.no == bell.no).flat_map(|(_, call)| &call.events);
        events.find(|one| one.event.event_type == event_type).map(|one| one.event.data.clone())
    };
    let data = world.until(|_| told("destination.failing")).await;
    let data: Value = serde_json::from_slice(&data).expect("JSON");
    assert_eq!((&data["destination"], &data["reason"]["code"]), (&json!("d"), &json!("http-503")));
    assert!(world.delivery.health(destination.no).expect("owned").open);
    world.connectors.break_down(None);
    world.until(|_| told("destination.recovered")).await;
    assert!(!world.delivery.health(destination.no).expect("owned").open);
}
