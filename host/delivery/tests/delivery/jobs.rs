//! Replays, expiry, retention, and a second host.

use crate::connectors::permanent;
use crate::world::{World, delivery};
use railhead_delivery::Options;
use railhead_model::{Clock as _, DeliveryKey, DestinationState, End, JobId, Origin};
use railhead_store::Jobs as _;
use railhead_store::history::{DeliveryFilter, History as _};
use railhead_store::jobs::{JobState, NewReplay};
use serde_json::json;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_replay_delivers_dead_letters_again() {
    let world = World::new().await;
    let destination = world.destination("d", json!({})).await;
    world.connectors.script([permanent(), permanent()]);
    let mut keys = Vec::new();
    for _ in 0..3 {
        let key = delivery(world.publish_one().await, destination.no);
        world.ended(key).await;
        keys.push(key);
    }
    let id = JobId::new(world.clock.now(), [1; 10]);
    let filter = DeliveryFilter { states: vec![railhead_model::DeliveryState::Dead], ..DeliveryFilter::default() };
    let at = world.clock.now().plus_ms(1);
    world.store.start_replay(&NewReplay { id, tenant: world.tenant.no, filter, at }).await.expect("started");
    world.delivery.jobs_changed();
    for key in &keys[..2] {
        assert_eq!(world.ended(DeliveryKey { run: 1, ..*key }).await, End::Delivered);
    }
    let row = world.store.delivery(world.tenant.no, DeliveryKey { run: 1, ..keys[0] }).await.expect("read");
    assert_eq!(row.expect("there").origin, Origin::Replay);
    tokio::time::sleep(Duration::from_secs(30)).await;
    let replay = world.store.replay(world.tenant.no, id).await.expect("read").expect("there");
    assert_eq!((replay.state, replay.created), (JobState::Completed, 2));
    let handed: usize = world.connectors.calls().iter().map(|(_, call)| call.events.len()).sum();
    assert_eq!(handed, 5);
}

#[tokio::test(start_paused = true)]
async fn what_waits_too_long_expires_and_is_deleted_later() {
    let hour = 3_600_000;
    let world = World::with(Options { retention_ms: hour, ..Options::default() }).await;
    let mut destination = world.destination("d", json!({})).await;
    destination.state = DestinationState::Paused;
    let destination = world.put(&destination).await;
    let uid = world.publish_one().await;
    tokio::time::sleep(Duration::from_secs(3_500)).await;
    assert!(world.store.inner.core().work_of(delivery(uid, destination.no)).is_some());
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(world.store.inner.core().end_of(delivery(uid, destination.no)), Some(End::Expired));
    tokio::time::sleep(Duration::from_secs(3_700)).await;
    assert!(!world.store.inner.core().has_event(uid));
    assert!(world.connectors.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn another_host_goes_on_where_one_left_or_died() {
    let world = World::shared().await;
    let destination = world.destination("d", json!({})).await;
    let second = world.another_host().await;
    world.connectors.gate.close();
    let key = delivery(world.publish_one().await, destination.no);
    world.connectors.called(1).await;
    // Dies with the attempt under way: nothing is recorded, nothing released.
    let World { running, clock, .. } = world;
    drop(running);
    let began = clock.now();
    assert_eq!(second.ended(key).await, End::Delivered);
    let took = clock.now().since(began);
    assert!((3_000..15_000).contains(&took), "{took} ms");
    let third = second.another_host().await;
    second.running.shutdown().await;
    let uid = third.publish_one().await;
    assert_eq!(third.ended(delivery(uid, destination.no)).await, End::Delivered);
}
