//! Publishing: answers, duplicates, refusals, and a store that fails.

use crate::store::{Fault, Trouble};
use crate::world::{ORDER, World, delivery, order};
use railhead_delivery::{Draft, Options, Overloaded, Published, Refusal, TestError};
use railhead_model::{DestinationState, End, Verdict};
use railhead_store::directory::{Directory as _, Expect};
use railhead_store::history::History as _;
use railhead_store::{StoreError, WorkStore as _};
use serde_json::json;

fn with_id(id: &str) -> Draft {
    Draft { id: Some(id.into()), ..order() }
}

#[tokio::test(start_paused = true)]
async fn an_event_is_delivered_with_its_own_bytes_and_sealed_at_rest() {
    let world = World::new().await;
    let destination = world.destination("d", json!({})).await;
    let Published::Accepted { uid, id, deliveries } = world.publish(order()).await else { panic!("accepted") };
    assert_eq!((id, deliveries), (uid.to_string(), 1));
    assert_eq!(world.ended(delivery(uid, destination.no)).await, End::Delivered);
    let (_, call) = world.connectors.calls().remove(0);
    assert_eq!(call.events[0].event.data, ORDER.as_bytes());
    assert_eq!((call.events[0].attempt, call.events[0].reshaped), (1, false));
    let stored = world.store.payloads(&[uid]).await.expect("read").remove(0);
    assert!(!stored.payload.expect("kept").windows(8).any(|window| window == b"customer"));
}

#[tokio::test(start_paused = true)]
async fn no_answer_comes_before_the_commit() {
    let world = World::new().await;
    let destination = world.destination("d", json!({})).await;
    world.store.accepts.close();
    let publish = world.delivery.publish(world.environment, vec![order()]);
    let mut publish = std::pin::pin!(publish);
    let early = tokio::time::timeout(std::time::Duration::from_secs(20), &mut publish).await;
    assert!(early.is_err(), "answered before the commit: {early:?}");
    assert!(world.connectors.calls().is_empty(), "delivered before the commit");
    world.store.accepts.open();
    let Published::Accepted { uid, .. } = publish.await.expect("accepted").remove(0) else { panic!("accepted") };
    assert_eq!(world.ended(delivery(uid, destination.no)).await, End::Delivered);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_cancels_nothing() {
    let world = World::new().await;
    world.destination("d", json!({})).await;
    world.store.accepts.close();
    let publish = world.delivery.publish(world.environment, vec![with_id("left")]);
    assert!(tokio::time::timeout(std::time::Duration::from_secs(1), publish).await.is_err());
    world.store.accepts.open();
    world.connectors.called(1).await;
    assert!(matches!(world.publish(with_id("left")).await, Published::Duplicate { deliveries: 1, .. }));
}

#[tokio::test(start_paused = true)]
async fn a_repeated_id_is_a_duplicate_and_other_content_a_conflict() {
    let world = World::new().await;
    world.destination("d", json!({})).await;
    let Published::Accepted { uid, .. } = world.publish(with_id("o-1")).await else { panic!("accepted") };
    let again = Draft { traceparent: Some("00-1-2-01".into()), ..with_id("o-1") };
    assert_eq!(world.publish(again).await, Published::Duplicate { uid, id: "o-1".into(), deliveries: 1 });
    let other = Draft { data: "{}".into(), ..with_id("o-1") };
    let Published::Refused(refusal) = world.publish(other).await else { panic!("refused") };
    assert_eq!((refusal.code, refusal.pointer), (Refusal::EVENT_ID_CONFLICT, "/id"));
    let elsewhere = Draft { source: Some("/eu".into()), ..with_id("o-1") };
    assert!(matches!(world.publish(elsewhere).await, Published::Accepted { .. }));
}

#[tokio::test(start_paused = true)]
async fn each_draft_of_a_list_has_its_own_answer() {
    let world = World::new().await;
    world.destination("d", json!({"event_types": ["order.*"]})).await;
    let stranger = Draft { tenant: "nobody".parse().expect("an id"), ..order() };
    let other_type = Draft { event_type: "user.created".into(), ..order() };
    let drafts = vec![with_id("a"), stranger, with_id("a"), other_type];
    let published = world.delivery.publish(world.environment, drafts).await.expect("answered");
    assert!(matches!(&published[0], Published::Accepted { deliveries: 1, .. }));
    assert!(matches!(&published[1], Published::Refused(refusal) if refusal.code == Refusal::UNKNOWN_TENANT));
    assert!(matches!(&published[2], Published::Duplicate { id, .. } if id == "a"));
    let Published::Accepted { uid, deliveries: 0, .. } = &published[3] else { panic!("{:?}", published[3]) };
    let event = world.store.event(world.tenant.no, *uid).await.expect("read").expect("there");
    assert_eq!(event.route.verdicts[0].1, Verdict::FilteredType);
}

#[tokio::test(start_paused = true)]
async fn an_environment_may_create_tenants() {
    let world = World::new().await;
    let newcomer = || Draft { tenant: "newcomer".parse().expect("an id"), ..order() };
    assert!(matches!(world.publish(newcomer()).await, Published::Refused(_)));
    let settings = json!({"limits": {"create_tenants": true}});
    world.store.put_environment("live", &settings, Expect::Anything).await.expect("written");
    assert!(matches!(world.publish(newcomer()).await, Published::Accepted { deliveries: 0, .. }));
    let id = "newcomer".parse().expect("an id");
    assert!(world.store.tenant(world.environment, &id).await.expect("read").is_some());
}

#[tokio::test(start_paused = true)]
async fn configuration_written_elsewhere_is_seen_by_the_next_publish() {
    let world = World::new().await;
    let mut destination = world.destination("d", json!({})).await;
    world.publish_one().await;
    // As another host does it: nobody tells this one.
    destination.state = DestinationState::Disabled;
    world.store.put_destination(&destination, Expect::Anything).await.expect("written");
    let uid = world.publish_one().await;
    let event = world.store.event(world.tenant.no, uid).await.expect("read").expect("there");
    assert_eq!(event.route.verdicts, [(destination.no, Verdict::SkippedDisabled)]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_told_and_nothing_is_stored() {
    let world = World::new().await;
    world.destination("d", json!({})).await;
    let away = || Fault::Before(StoreError::Unavailable("disk full".into()));
    world.store.accept_faults.lock().expect("whole").extend((0..5).map(|_| away()));
    let answer = world.delivery.publish(world.environment, vec![with_id("x")]).await;
    assert!(matches!(answer, Err(Overloaded::Unavailable(_))), "{answer:?}");
    let events = world.store.events(world.tenant.no, &Default::default(), None, 10).await.expect("read");
    assert!(events.rows.is_empty() && world.connectors.calls().is_empty());
    // A short absence is not even noticed, nor is a lost answer.
    world
        .store
        .accept_faults
        .lock()
        .expect("whole")
        .extend([away(), Fault::After(StoreError::Unknown("connection lost".into()))]);
    assert!(matches!(world.publish(with_id("x")).await, Published::Accepted { deliveries: 1, .. }));
}

#[tokio::test(start_paused = true)]
async fn events_that_come_together_share_a_commit() {
    let world = World::new().await;
    let publishes = (0..100).map(|_| world.delivery.publish(world.environment, vec![order()]));
    let answers = futures::future::join_all(publishes).await;
    assert!(answers.iter().all(Result::is_ok));
    let batches = world.store.batches.lock().expect("whole").clone();
    assert_eq!(batches.iter().sum::<usize>(), 100);
    assert!(batches.len() <= 4, "{batches:?}");
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_turns_publishes_away_until_it_is_empty() {
    let world = World::with(Options { accept_queue_bytes: 10_000, ..Options::default() }).await;
    world.store.accepts.close();
    let big = || Draft { data: vec![b' '; 10_000].into(), ..order() };
    let first = tokio::spawn({
        let (delivery, environment) = (world.delivery.clone(), world.environment);
        async move { delivery.publish(environment, vec![big()]).await }
    });
    while world.store.batches.lock().expect("whole").is_empty() {
        tokio::task::yield_now().await;
    }
    let second = world.delivery.publish(world.environment, vec![order()]).await;
    assert!(matches!(second, Err(Overloaded::Busy { retry_after_s: 1.. })), "{second:?}");
    world.store.accepts.open();
    assert!(first.await.expect("runs").is_ok());
    assert!(matches!(world.publish(order()).await, Published::Accepted { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_tenant_over_its_share_is_turned_away_and_others_are_not() {
    let world = World::with(Options { accept_queue_bytes: 100_000, ..Options::default() }).await;
    let other = world.operator().await;
    let theirs = || Draft { tenant: other.id.clone(), ..order() };
    // About 30,000 bytes each, opened and sealed.
    let big = || Draft { data: vec![b' '; 14_000].into(), ..order() };
    world.store.accepts.close();
    let mut waiting = Vec::new();
    for commits in 1..=2 {
        let (delivery, environment) = (world.delivery.clone(), world.environment);
        waiting.push(tokio::spawn(async move { delivery.publish(environment, vec![big()]).await }));
        while world.store.batches.lock().expect("whole").len() < commits {
            tokio::task::yield_now().await;
        }
    }
    let third = world.delivery.publish(world.environment, vec![big()]).await;
    assert!(matches!(third, Err(Overloaded::OverShare { retry_after_s: 1.. })), "{third:?}");
    // Of one publish, what is the other tenant's comes in.
    let open = async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        world.store.accepts.open();
    };
    let mixed = world.delivery.publish(world.environment, vec![theirs(), order()]);
    let (mixed, ()) = tokio::join!(mixed, open);
    let mixed = mixed.expect("answered");
    assert!(matches!(&mixed[..], [Published::Accepted { .. }, Published::OverShare { .. }]), "{mixed:?}");
    for first in waiting {
        assert!(first.await.expect("runs").is_ok());
    }
    assert!(matches!(world.publish(order()).await, Published::Accepted { .. }));
}

#[tokio::test(start_paused = true)]
async fn an_event_for_very_many_destinations_fans_out() {
    let world = World::new().await;
    let mut last = None;
    for n in 0..300 {
        last = Some(world.destination(&format!("d{n}"), json!({})).await);
    }
    let Published::Accepted { uid, deliveries: 300, .. } = world.publish(order()).await else { panic!("accepted") };
    assert_eq!(world.ended(delivery(uid, last.expect("made").no)).await, End::Delivered);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_cannot_be_read_fails_its_own_events_only() {
    let world = World::new().await;
    world.destination("d", json!({})).await;
    let broken = world.operator().await;
    world.destination_of(&broken, "d", json!({"filter": {"no-such-field": [1]}})).await;
    let theirs = || Draft { tenant: broken.id.clone(), ..order() };
    let published = world.delivery.publish(world.environment, vec![theirs(), order()]).await.expect("answered");
    assert!(matches!(&published[..], [Published::Unavailable(_), Published::Accepted { deliveries: 1, .. }]));
    let alone = world.delivery.publish(world.environment, vec![theirs(), theirs()]).await;
    assert!(matches!(alone, Err(Overloaded::Unavailable(_))), "{alone:?}");
}

/// An event of another tenant, which meets this trouble.
async fn troubled(world: &World, trouble: Trouble) -> Draft {
    let tenant = world.operator().await;
    world.store.troubles.lock().expect("whole").insert(tenant.no, trouble);
    Draft { tenant: tenant.id, ..order() }
}

#[tokio::test(start_paused = true)]
async fn what_one_tenant_meets_is_answered_to_its_own_events() {
    for trouble in [Trouble::Stale, Trouble::Damaged] {
        let world = World::new().await;
        world.destination("d", json!({})).await;
        let theirs = troubled(&world, trouble).await;
        let drafts = vec![order(), theirs.clone(), with_id("o-1")];
        let published = world.delivery.publish(world.environment, drafts).await.expect("answered");
        let own = |one: &Published| matches!(one, Published::Accepted { deliveries: 1, .. });
        assert!(own(&published[0]) && own(&published[2]), "{trouble:?}: {published:?}");
        assert!(matches!(&published[1], Published::Unavailable(_)), "{trouble:?}: {published:?}");
        let alone = world.delivery.publish(world.environment, vec![theirs]).await;
        assert!(matches!(alone, Err(Overloaded::Unavailable(_))), "{trouble:?}: {alone:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_is_always_being_written_waits_for_it_and_nobody_else_does() {
    let world = World::new().await;
    let destination = world.destination("d", json!({})).await;
    let theirs = troubled(&world, Trouble::Busy).await;
    world.store.patience.close();
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let (delivery, environment, draft) = (world.delivery.clone(), world.environment, theirs.clone());
            tokio::spawn(async move { delivery.publish(environment, vec![draft]).await })
        })
        .collect();
    while world.store.patient.lock().expect("whole").is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await; // of the test's own clock
    }
    let sent = world.store.batches.lock().expect("whole").len();
    assert!(sent < 30, "sent again {sent} times before it is waited for");
    for _ in 0..10 {
        let uid = world.publish_one().await;
        assert_eq!(world.ended(delivery(uid, destination.no)).await, End::Delivered);
    }
    assert!(waiting.iter().all(|one| !one.is_finished()), "answered before the commit");
    world.store.patience.open();
    for one in waiting {
        let published = one.await.expect("runs").expect("accepted");
        assert!(matches!(&published[..], [Published::Accepted { .. }]), "{published:?}");
    }
    assert!(world.store.patient.lock().expect("whole").len() <= 3, "one commit at a time for each tenant");
}

/// One event is stored while another one of the same request waits for its tenant for ever.
#[tokio::test(start_paused = true)]
async fn what_was_stored_is_told_so_whatever_the_rest_waits_for() {
    let world = World::new().await;
    let destination = world.destination("d", json!({})).await;
    let theirs = troubled(&world, Trouble::Busy).await;
    let own = |trouble| match trouble {
        Some(trouble) => world.store.troubles.lock().expect("whole").insert(world.tenant.no, trouble),
        None => world.store.troubles.lock().expect("whole").remove(&world.tenant.no),
    };
    own(Some(Trouble::Stale));
    world.store.patience.close();
    let (publisher, environment) = (world.delivery.clone(), world.environment);
    let call = tokio::spawn(async move { publisher.publish(environment, vec![order(), theirs]).await });
    // The last commit that both share is the sixth; this one was busy once by then.
    for (commits, trouble) in [(5, Some(Trouble::Busy)), (6, None)] {
        while world.store.batches.lock().expect("whole").len() < commits {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await; // of the test's own clock
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        own(trouble);
    }
    let published = call.await.expect("runs").expect("answered");
    let [Published::Accepted { uid, .. }, Published::Unavailable(_)] = published[..] else { panic!("{published:?}") };
    assert_eq!(*world.store.patient.lock().expect("whole"), [1]);
    assert_eq!(world.ended(delivery(uid, destination.no)).await, End::Delivered);
}

#[tokio::test(start_paused = true)]
async fn a_publisher_is_not_held_up_by_a_store_that_stalls() {
    let world = World::new().await;
    let destination = world.destination("d", json!({})).await;
    world.store.accepts.close();
    let answered = world.delivery.publish(world.environment, vec![with_id("slow")]);
    let half_a_minute = std::time::Duration::from_secs(30); // of the test's own clock
    let answer = tokio::time::timeout(half_a_minute, answered).await.expect("an answer in time");
    assert!(matches!(answer, Err(Overloaded::Unavailable(_))), "{answer:?}");
    assert!(world.connectors.calls().is_empty(), "delivered before the commit");
    // What was sent goes on, and the publisher's next try finds it.
    world.store.accepts.open();
    world.connectors.called(1).await;
    let Published::Duplicate { uid, .. } = world.publish(with_id("slow")).await else { panic!("a duplicate") };
    assert_eq!(world.ended(delivery(uid, destination.no)).await, End::Delivered);
}

#[tokio::test(start_paused = true)]
async fn a_test_event_counts_in_its_tenants_share() {
    let world = World::with(Options { accept_queue_bytes: 100_000, ..Options::default() }).await;
    let destination = world.destination("d", json!({})).await;
    world.store.accepts.close();
    let mut waiting = Vec::new();
    for commits in 1..=2 {
        let (delivery, environment) = (world.delivery.clone(), world.environment);
        let big = Draft { data: vec![b' '; 14_000].into(), ..order() };
        waiting.push(tokio::spawn(async move { delivery.publish(environment, vec![big]).await }));
        while world.store.batches.lock().expect("whole").len() < commits {
            tokio::task::yield_now().await;
        }
    }
    let big = Draft { data: vec![b' '; 14_000].into(), ..order() };
    let refused = world.delivery.test(&world.tenant, &destination, big).await;
    let over_share = |error: &TestError| matches!(error, TestError::Overloaded(Overloaded::OverShare { .. }));
    assert!(refused.as_ref().is_err_and(over_share), "{refused:?}");
    world.store.accepts.open();
    for one in waiting {
        assert!(one.await.expect("runs").is_ok());
    }
    let (key, attempt) = world.delivery.test(&world.tenant, &destination, order()).await.expect("sent");
    assert_eq!((key.destination, attempt.map(|attempt| attempt.n)), (destination.no, Some(1)));
}
