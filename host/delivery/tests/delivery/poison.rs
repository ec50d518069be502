//! What kills its host again and again is not tried for ever.

use crate::store::Gate;
use crate::world::{World, delivery, order};
use railhead_delivery::Published;
use railhead_model::End;
use railhead_store::history::History as _;
use serde_json::json;

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
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
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
