//! What kills its host again and again is not tried for ever.

use crate::connectors::Scripted;
use crate::store::Gate;
use crate::world::{World, delivery, order};
use railhead_delivery::Published;
use railhead_model::End;
use railhead_store::history::History as _;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn what_kills_its_host_dies_as_poisoned_and_the_rest_goes_on() {
    let mut world = World::new().await;
    let destination = world.destination("d", json!({})).await;
    world.connectors.gate.close();
    let published = world.delivery.publish(world.environment, vec![order(); 3]).await.expect("accepted");
    let uids: Vec<_> = published
        .into_iter()
        .map(|one| if let Published::Accepted { uid, .. } = one { uid } else { panic!("{one:?}") })
        .collect();
    world.connectors.called(1).await;
    assert_eq!(world.connectors.sizes(), [3], "at first they go together");
    for death in 1..=5 {
        let closed = Gate::default();
        closed.close();
        world = world.die(closed).await;
        world.connectors.called(1).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let expected: &[usize] = if death < 3 { &[3] } else { &[1] };
        assert_eq!(world.connectors.sizes(), expected, "after {death} deaths");
    }
    let suspect = world.connectors.calls()[0].1.events[0].delivery;
    world = world.die(Gate::default()).await;
    assert_eq!(world.ended(suspect).await, End::Dead, "the sixth death was its third on record");
    let row = world.store.delivery(world.tenant.no, suspect).await.expect("read").expect("there");
    assert_eq!(row.code, "poisoned");
    for uid in uids.iter().filter(|uid| **uid != suspect.event) {
        assert_eq!(world.ended(delivery(*uid, destination.no)).await, End::Delivered);
    }
    assert!(world.connectors.sizes().iter().all(|size| *size == 1), "one at a time, for now");
    assert!(world.connectors.calls().iter().all(|(_, call)| call.events[0].delivery != suspect));
}

#[tokio::test(start_paused = true)]
async fn what_runs_beside_what_kills_its_host_is_delivered() {
    let mut world = World::new().await;
    let mut destinations = Vec::new();
    for i in 0..40 {
        destinations.push(world.destination(&format!("d-{i}"), json!({})).await.no);
    }
    let kills = destinations[20];
    world.connectors.gate.close();
    let event = world.publish_one().await;
    world.connectors.called(40).await;
    let mut deaths = 0;
    let poisoned = delivery(event, kills);
    loop {
        let mut next = Scripted::new(Arc::clone(&world.clock));
        (next.takes, next.stuck) = (Duration::from_secs(1), Some(kills));
        world = world.die_for(next).await;
        deaths += 1;
        tokio::select! {
            _ = world.ended(poisoned) => break,
            () = world.connectors.called_for(kills) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
        if deaths > 3 {
            let alone = world.connectors.ended().len() + 1 == world.connectors.calls().len();
            assert!(alone, "after it was blamed with others, it runs alone");
        }
    }
    assert_eq!(deaths, 6, "three made suspects of all, one blamed some, and two were its own");
    let row = world.store.delivery(world.tenant.no, poisoned).await.expect("read").expect("there");
    assert_eq!((row.code.as_str(), world.ended(poisoned).await), ("poisoned", End::Dead));
    for no in destinations.into_iter().filter(|no| *no != kills) {
        assert_eq!(world.ended(delivery(event, no)).await, End::Delivered, "{no}");
    }
}

#[tokio::test(start_paused = true)]
async fn starts_that_wait_together_are_one_statement() {
    let mut world = World::new().await;
    let mut destinations = Vec::new();
    for i in 0..40 {
        destinations.push(world.destination(&format!("d-{i}"), json!({})).await.no);
    }
    world.connectors.gate.close();
    let event = world.publish_one().await;
    world.connectors.called(40).await;
    world.store.starting.close();
    let closed = Gate::default();
    closed.close();
    for gate in [closed.clone(), closed, Gate::default()] {
        world = world.die(gate).await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let first = world.store.starts.lock().expect("whole").clone();
    assert_eq!(first.len(), 1, "one at a time");
    world.store.starting.open();
    for no in destinations {
        assert_eq!(world.ended(delivery(event, no)).await, End::Delivered);
    }
    let starts = world.store.starts.lock().expect("whole").clone();
    assert_eq!(starts.iter().sum::<usize>(), 40);
    let together = starts.iter().scan(0, |sum, n| Some(std::mem::replace(sum, *sum + n))).find(|sum| *sum >= 16);
    assert_eq!(together, Some(16), "what waited meanwhile goes at once, and is not more: {starts:?}");
    assert!(starts.len() < 20, "{starts:?}");
}

#[tokio::test(start_paused = true)]
async fn hosts_that_end_in_order_make_no_suspects() {
    let mut world = World::new().await;
    world.destination("d", json!({})).await;
    for _ in 0..4 {
        world = world.restart().await;
    }
    world.publish_one().await;
    world.connectors.called(1).await;
    world.delivery.publish(world.environment, vec![order(); 3]).await.expect("accepted");
    world.connectors.called(2).await;
    assert_eq!(world.connectors.sizes(), [1, 3]);
}
