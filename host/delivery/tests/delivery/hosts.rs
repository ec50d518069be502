//! Several hosts on one store: shares, hand-over by consent, hints. The clock stands still while something runs, so what
//! is said to happen at once happens within what the simulated clock says.

use crate::store::Fault;
use crate::world::{World, delivery};
use railhead_delivery::{Options, Retried};
use railhead_model::{Clock as _, DestinationNo, DestinationState, End, Outcome, Reason, ShardNo, Timestamp};
use railhead_store::StoreError;
use railhead_store::directory::{Credential, Destination, Directory as _};
use railhead_store::model::ModelCore;
use serde_json::json;
use std::time::Duration;

/// Far less than any period: the survey's, the reload's, a renewal's.
const AT_ONCE: i64 = 500;

fn owned(core: &ModelCore, host: railhead_model::HostId) -> usize {
    (0..=255).filter(|no| core.owner(ShardNo(*no)).is_some_and(|(owner, _)| owner == host)).count()
}

/// The hosts that own something, with how much.
fn shares(core: &ModelCore) -> Vec<usize> {
    let mut hosts: Vec<_> = (0..=255).filter_map(|no| core.owner(ShardNo(no))).map(|(owner, _)| owner).collect();
    hosts.sort();
    hosts.dedup();
    hosts.into_iter().map(|host| owned(core, host)).collect()
}

async fn shared_out(world: &World, among: &[usize]) {
    let mut among = among.to_vec();
    among.sort_unstable();
    world
        .until(|core| {
            let mut shares = shares(core);
            shares.sort_unstable();
            (shares == among).then_some(())
        })
        .await;
}

/// A destination of each half: one that the first host keeps, and one that goes to the second.
async fn one_each(world: &World) -> (Destination, Destination) {
    let (mut low, mut high) = (None, None);
    for index in 0.. {
        let destination = world.destination(&format!("d{index}"), json!({"event_types": ["never.*"]})).await;
        let half = if destination.no.shard().0 < 128 { &mut low } else { &mut high };
        *half = Some(destination);
        if let (Some(low), Some(high)) = (&low, &high) {
            return (subscribe(world, low).await, subscribe(world, high).await);
        }
    }
    unreachable!("there is one of each")
}

async fn subscribe(world: &World, destination: &Destination) -> Destination {
    let mut destination = destination.clone();
    destination.spec.event_types = vec!["order.*".to_owned()];
    world.put(&destination).await
}

fn since(world: &World, began: Timestamp) -> i64 {
    world.clock.now().since(began)
}

#[tokio::test(start_paused = true)]
async fn hosts_that_join_get_their_share_and_what_they_leave_goes_back() {
    let world = World::shared().await;
    shared_out(&world, &[256]).await;
    let second = world.another_host().await;
    shared_out(&world, &[128, 128]).await;
    let third = world.another_host().await;
    shared_out(&world, &[85, 85, 86]).await;
    second.running.shutdown().await;
    shared_out(&world, &[128, 128]).await;
    let began = world.clock.now();
    drop(third.running);
    shared_out(&world, &[256]).await;
    let took = since(&world, began);
    assert!(took < 8_000, "a dead host is waited for no longer than its lease: {took} ms");
}

#[tokio::test(start_paused = true)]
async fn a_release_that_fails_does_not_keep_the_lease_from_being_renewed() {
    let world = World::shared().await;
    shared_out(&world, &[256]).await;
    // With the pause after each they take longer than a lease.
    let fault = Fault::Before(StoreError::Unavailable("down".into()));
    world.store.release_faults.lock().expect("whole").extend(vec![fault; 30]);
    let second = world.another_host().await;
    shared_out(&world, &[128, 128]).await;
    assert_eq!(world.store.release_faults.lock().expect("whole").len(), 0);
    let ended = tokio::time::timeout(Duration::from_secs(10), world.running.fenced()).await;
    assert!(ended.is_err(), "nobody took it for dead");
    second.running.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_cannot_be_read_does_not_hold_the_others_up() {
    let world = World::shared().await;
    let (low, high) = one_each(&world).await;
    *world.store.damaged.lock().expect("whole") = Some(high.no.shard());
    let second = world.another_host().await;
    shared_out(&world, &[128, 128]).await;
    drop(world.running); // the second takes all of it over, shard by shard
    shared_out(&second, &[256]).await;
    let uid = second.publish_one().await;
    assert_eq!(second.ended(delivery(uid, low.no)).await, End::Delivered);
    *second.store.damaged.lock().expect("whole") = None;
    assert_eq!(second.ended(delivery(uid, high.no)).await, End::Delivered, "a reload finds it mended");
}

#[tokio::test(start_paused = true)]
async fn what_one_host_accepts_another_delivers_at_once() {
    let world = World::shared().await;
    let (low, high) = one_each(&world).await;
    let second = world.another_host().await;
    shared_out(&world, &[128, 128]).await;
    tokio::time::sleep(Duration::from_millis(1_234)).await;
    let began = world.clock.now();
    let uid = world.publish_one().await;
    assert_eq!(world.ended(delivery(uid, low.no)).await, End::Delivered);
    assert_eq!(world.ended(delivery(uid, high.no)).await, End::Delivered);
    assert!(since(&world, began) < AT_ONCE, "no survey was needed: {} ms", since(&world, began));
    let to = |world: &World| world.connectors.calls().iter().map(|(_, call)| call.destination.no).collect::<Vec<_>>();
    assert_eq!((to(&world), to(&second)), (vec![low.no], vec![high.no]), "each at its owner, once");
}

#[tokio::test(start_paused = true)]
async fn a_change_through_one_host_is_followed_by_the_owner_at_once() {
    let world = World::shared().await;
    let (_, high) = one_each(&world).await;
    let mut with_secret = high.clone();
    with_secret.credentials = vec![Credential {
        field: "token".into(),
        version: 1,
        sealed: b"sealed".to_vec().into(),
        public: json!({}),
        set_at: world.clock.now(),
        expires_at: None,
    }];
    let with_secret = world.put(&with_secret).await;
    let second = world.another_host().await;
    shared_out(&world, &[128, 128]).await;
    let known = async || {
        while second.delivery.health(high.no).is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    known().await;
    tokio::time::sleep(Duration::from_millis(777)).await;
    let began = world.clock.now();
    let mut withdrawn = with_secret.clone();
    withdrawn.credentials.clear();
    withdrawn.state = DestinationState::Paused;
    let paused = world.put(&withdrawn).await;
    while !second.connectors.revoked.lock().expect("whole").contains(&high.no) {
        assert!(since(&world, began) < AT_ONCE, "a withdrawn credential cuts running calls at the owner at once");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let uid = world.publish_one().await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(second.connectors.calls().is_empty(), "a paused destination starts nothing, whoever owns it");
    let began = world.clock.now();
    world.put(&Destination { state: DestinationState::Active, ..paused.clone() }).await;
    assert_eq!(world.ended(delivery(uid, high.no)).await, End::Delivered);
    assert!(since(&world, began) < AT_ONCE, "it goes on at once: {} ms", since(&world, began));
    let began = world.clock.now();
    assert!(world.store.delete_tenant(world.tenant.no).await.expect("deleted"));
    world.delivery.config_changed(world.tenant.no, &[high.no]);
    while second.delivery.health(high.no).is_some() {
        assert!(since(&world, began) < AT_ONCE, "a deleted tenant's destinations are forgotten at once");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_acts_on_one_destination_has_it_tried_at_once_and_nothing_else_read() {
    let world = World::shared().await;
    let (_, high) = one_each(&world).await;
    // Its owner has more of the tenant's.
    let mut no = world.destination("more", json!({"event_types": ["never.*"]})).await.no;
    while no.shard().0 < 128 {
        no = world.destination(&format!("more-{}", no.0), json!({"event_types": ["never.*"]})).await.no;
    }
    let second = world.another_host().await;
    shared_out(&world, &[128, 128]).await;
    second.connectors.break_down(Some((high.no, Outcome::Misconfigured(Reason::new("config", "no")))));
    let key = delivery(world.publish_one().await, high.no);
    while !second.delivery.health(high.no).is_some_and(|health| health.open) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    second.connectors.break_down(None);
    tokio::time::sleep(Duration::from_millis(777)).await;
    world.store.read.lock().expect("whole").clear();
    let began = world.clock.now();
    // As the API does it, through the host that does not own it.
    assert_eq!(world.delivery.retry(key).await, Ok(Retried::DueNow));
    world.delivery.probe(high.no);
    assert_eq!(world.ended(key).await, End::Delivered);
    assert!(since(&world, began) < AT_ONCE, "no probe was waited for: {} ms", since(&world, began));
    assert_eq!(*world.store.read.lock().expect("whole"), [high.no]);
    let retired = [&world, &second].map(|host| host.connectors.retired.lock().expect("whole").len());
    second.delivery.probe(high.no);
    world.delivery.probe(high.no);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let now = [&world, &second].map(|host| host.connectors.retired.lock().expect("whole").len());
    assert_eq!(now, retired, "no session ends");
    assert_eq!(*world.store.read.lock().expect("whole"), [high.no], "one that is well is not read");
}

#[tokio::test(start_paused = true)]
async fn a_shard_goes_once_what_is_in_flight_there_has_ended() {
    let world = World::shared().await;
    let (_, high) = one_each(&world).await;
    world.connectors.gate.close();
    let uid = world.publish_one().await;
    world.connectors.called(2).await;
    let second = world.another_host().await;
    // All but the shard with the call.
    shared_out(&world, &[127, 129]).await;
    let owner = world.store.inner.core().owner(high.no.shard()).map(|(owner, _)| owner);
    let key = delivery(world.publish_one().await, high.no);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(second.connectors.calls().len(), 0, "it is not given away over a running call");
    world.connectors.gate.open();
    shared_out(&world, &[128, 128]).await;
    let next = world.store.inner.core().owner(high.no.shard()).map(|(owner, _)| owner);
    assert_ne!(owner, next);
    assert_eq!(world.ended(delivery(uid, high.no)).await, End::Delivered);
    assert_eq!(world.ended(key).await, End::Delivered);
    let calls =
        |world: &World| world.connectors.calls().iter().filter(|(_, call)| call.destination.no == high.no).count();
    assert_eq!((calls(&world), calls(&second)), (1, 1), "what ran ended here, what came meanwhile went there");
}

/// After a host joined, everybody has its share within this: nobody was told, what runs has its time, and nobody was told.
fn rebalanced() -> i64 {
    let options = Options::default();
    i64::try_from(options.renew_ms + options.give_wait_ms + options.renew_ms).expect("short") + AT_ONCE
}

#[tokio::test(start_paused = true)]
async fn what_does_not_end_in_time_is_cut_and_begins_anew_at_the_next_owner() {
    let world = World::shared().await;
    let (_, high) = one_each(&world).await;
    world.connectors.gate.close();
    let uid = world.publish_one().await;
    world.connectors.called(2).await;
    let began = world.clock.now();
    let second = world.another_host().await;
    shared_out(&world, &[127, 129]).await;
    assert!(since(&world, began) < AT_ONCE, "no other shard waits for it: {} ms", since(&world, began));
    shared_out(&world, &[128, 128]).await;
    let took = since(&world, began);
    let patience = i64::try_from(Options::default().give_wait_ms).expect("short");
    assert!((patience..patience + AT_ONCE).contains(&took), "it has its time, and no more: {took} ms");
    assert_eq!(world.ended(delivery(uid, high.no)).await, End::Delivered);
    let calls = second.connectors.calls();
    let attempts: Vec<_> = calls.iter().map(|(_, call)| (call.destination.no, call.events[0].attempt)).collect();
    assert_eq!(attempts, [(high.no, 1)], "what was cut was no attempt");
    assert_eq!(world.connectors.calls().len(), 2, "and does not begin here again");
}

#[tokio::test(start_paused = true)]
async fn destinations_that_never_answer_hold_no_shard_up_and_run_at_one_host_at_a_time() {
    let world = World::shared().await;
    let kinds = [
        json!({}),
        json!({"ordering": "destination"}),
        json!({"connector": "batching"}),
        json!({"connector": "stable", "ordering": "destination"}),
    ];
    let mut all = Vec::new();
    for index in 0..60 {
        all.push(world.destination(&format!("d{index}"), kinds[index % kinds.len()].clone()).await.no);
    }
    world.connectors.gate.close();
    let uid = world.publish_one().await;
    world.connectors.called(all.len()).await;
    let began = world.clock.now();
    let second = world.another_host().await;
    // What comes meanwhile would keep them busy for ever.
    for _ in 0..3 {
        world.publish_one().await;
        tokio::time::sleep(Duration::from_millis(900)).await;
    }
    shared_out(&world, &[128, 128]).await;
    assert!(since(&world, began) < rebalanced(), "{} ms", since(&world, began));
    let cut = world.connectors.ended();
    let (goes, stays): (Vec<DestinationNo>, Vec<_>) = all.into_iter().partition(|no| no.shard().0 >= 128);
    assert!(goes.len() > 20 && stays.len() > 20 && cut.len() >= goes.len());
    for no in goes {
        assert_eq!(world.ended(delivery(uid, no)).await, End::Delivered);
        let last_here = cut.iter().filter(|(_, ended)| *ended == no).map(|(at, _)| *at).max();
        let calls = second.connectors.calls();
        let first_there = calls.iter().find(|(_, call)| call.destination.no == no).map(|(at, _)| *at);
        assert!(last_here.is_some() && last_here <= first_there, "{no}: {last_here:?}, {first_there:?}");
    }
    assert!(stays.iter().all(|no| cut.iter().all(|(_, ended)| ended != no)), "what stays is not cut");
    world.connectors.gate.open();
    for no in stays {
        assert_eq!(world.ended(delivery(uid, no)).await, End::Delivered);
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_slept_past_its_lease_starts_nothing_before_it_renewed() {
    let world = World::shared().await;
    let (low, _) = one_each(&world).await;
    world.connectors.gate.close();
    world.store.renewals.close();
    let first = world.publish_one().await;
    world.connectors.called(2).await;
    // The machine sleeps: its clock goes on, its timers do not.
    world.clock.sleep(60_000);
    let second = world.publish_one().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.connectors.calls().len(), 2, "its lease may be another's");
    assert!(!world.delivery.is_ready());
    world.connectors.gate.open();
    world.store.renewals.open();
    for uid in [first, second] {
        assert_eq!(world.ended(delivery(uid, low.no)).await, End::Delivered);
    }
}

#[tokio::test(start_paused = true)]
async fn what_must_not_outlive_the_lease_is_cut_right_after_a_sleep() {
    let world = World::shared().await;
    let ordered = world.destination("ordered", json!({"ordering": "destination"})).await;
    world.connectors.gate.close();
    world.store.renewals.close();
    world.publish_one().await;
    world.connectors.called(1).await;
    world.clock.sleep(60_000);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let ended: Vec<_> = world.connectors.ended().into_iter().map(|(_, no)| no).collect();
    assert_eq!(ended, [ordered.no], "a timer that stood still does not keep it running");
}
