//! Promises of [`crate::History`].

use super::world::{key, record_all};
use super::{START, World};
use crate::Store;
use crate::accept::NewEvent;
use crate::history::{DeliveryFilter, DeliveryRow, EventFilter};
use railhead_model::{DeliveryKey, DeliveryState, End, EventUid, Origin, TenantNo};

/// Events are listed newest first, filtered, in pages without gap or repeat.
pub async fn events_are_listed_newest_first<S: Store>(store: &S) {
    let world = World::new(store, 1).await;
    let tenant = world.tenant.no;
    let mut events = Vec::new();
    for index in 0..25 {
        let mut event = world.event(store, START.plus_ms(index * 10)).await;
        if index % 3 == 0 {
            event.event_type = "order.closed".to_owned();
        }
        events.push(event);
    }
    let mut named = world.event(store, START.plus_ms(300)).await;
    named.id = "order-1".to_owned();
    named.idh = Some(super::world::hash(super::world::unique()));
    events.push(named.clone());
    super::world::accept_all(store, &events).await;
    let newest: Vec<_> = events.iter().rev().map(|event| event.uid).collect();
    assert_eq!(walk_events(store, &world, &EventFilter::default(), 4).await, newest, "events come newest first");
    let closed = EventFilter { event_type: Some("order.closed".to_owned()), ..EventFilter::default() };
    let of_type = events.iter().rev().filter(|event| event.event_type == "order.closed");
    let expected: Vec<_> = of_type.map(|event| event.uid).collect();
    assert_eq!(walk_events(store, &world, &closed, 4).await, expected, "a type filters");
    let span = EventFilter { since: Some(START.plus_ms(50)), until: Some(START.plus_ms(80)), event_type: None };
    let expected: Vec<_> = events[5..8].iter().rev().map(|event| event.uid).collect();
    assert_eq!(walk_events(store, &world, &span, 2).await, expected, "since is in, until is out");
    let found = store.event(tenant, named.uid).await.expect("a read").expect("an event");
    assert_eq!((&found.id, &found.route), (&named.id, &named.route), "an event comes back with its route");
    assert_eq!((found.at, found.origin, found.head.clone()), (named.at, Origin::Publish, named.head), "and the rest");
    let by_id = store.event_by_id(tenant, "order-1").await.expect("a read");
    assert_eq!(by_id, Some(found), "an event is found by the vendor's id");
    assert_eq!(store.event_by_id(tenant, "order-2").await, Ok(None), "an unknown id is not found");
}

/// Deliveries, waiting and ended, are listed newest first, filtered, in pages without gap or repeat.
pub async fn deliveries_are_listed_and_filtered<S: Store>(store: &S) {
    let world = World::new(store, 3).await;
    let all = stage(store, &world).await;
    let none = DeliveryFilter::default();
    let (left, middle) = (world.destinations[0], world.destinations[1]);
    let filters = [
        ("everything", none.clone()),
        ("one destination", DeliveryFilter { destination: Some(middle), ..none.clone() }),
        ("the dead", DeliveryFilter { states: vec![DeliveryState::Dead], ..none.clone() }),
        ("the delivered", DeliveryFilter { states: vec![DeliveryState::Delivered], ..none.clone() }),
        (
            "what waits",
            DeliveryFilter { states: vec![DeliveryState::Pending, DeliveryState::Retrying], ..none.clone() },
        ),
        (
            "the dead and delivered of one destination",
            DeliveryFilter {
                destination: Some(left),
                states: vec![DeliveryState::Dead, DeliveryState::Delivered],
                ..none.clone()
            },
        ),
        ("one type", DeliveryFilter { event_type: Some("order.closed".to_owned()), ..none.clone() }),
        ("one event", DeliveryFilter { event: Some(all[4].key.event), ..none.clone() }),
        ("one code", DeliveryFilter { code: Some("http-503".to_owned()), ..none.clone() }),
        ("a span", DeliveryFilter { since: Some(START.plus_ms(40)), until: Some(START.plus_ms(90)), ..none.clone() }),
    ];
    for (name, filter) in &filters {
        let expected: Vec<_> = all.iter().filter(|row| filter.matches(row)).map(|row| row.key).collect();
        assert!(!expected.is_empty(), "the stage has something for {name}");
        for limit in [1, 7, 100] {
            let found = walk(store, &world, filter, limit).await;
            assert_eq!(found, expected, "a list of {name} in pages of {limit} is whole, newest first");
        }
    }
}

/// Foreign rows are never found.
pub async fn foreign_rows_are_not_found<S: Store>(store: &S) {
    let world = World::new(store, 1).await;
    let other = World::new(store, 1).await;
    let events = world.publish(store, START, 2).await;
    let row = world.waiting(store, world.to()).await[0];
    record_all(store, other.host, &[world.end(&row, End::Dead, "http-410", START)]).await;
    let stranger: TenantNo = other.tenant.no;
    let key = key(&events[0], world.to());
    assert_eq!(store.event(stranger, events[0].uid).await, Ok(None), "a foreign event is not found");
    assert_eq!(store.event_by_id(stranger, &events[0].id).await, Ok(None), "a foreign id is not found");
    assert_eq!(store.delivery(stranger, key).await, Ok(None), "a foreign delivery is not found");
    assert_eq!(store.deliveries_of(stranger, events[0].uid).await, Ok(Vec::new()), "foreign deliveries are not found");
    assert_eq!(store.attempts(stranger, key).await, Ok(Vec::new()), "foreign attempts are not found");
    assert_eq!(store.payload(stranger, events[0].uid).await, Ok(None), "a foreign payload is not found");
    assert_eq!(store.erase_payload(stranger, events[0].uid).await, Ok(false), "a foreign payload is not erased");
    let own = store.payload(world.tenant.no, events[0].uid).await;
    assert_eq!(own, Ok(Some(events[0].payload.clone())), "the own payload is found");
    let filters = [
        DeliveryFilter::default(),
        DeliveryFilter { destination: Some(world.to()), ..DeliveryFilter::default() },
        DeliveryFilter { event: Some(events[0].uid), ..DeliveryFilter::default() },
        DeliveryFilter { states: vec![DeliveryState::Dead], ..DeliveryFilter::default() },
        DeliveryFilter {
            destination: Some(world.to()),
            states: vec![DeliveryState::Dead],
            ..DeliveryFilter::default()
        },
    ];
    for filter in &filters {
        assert_eq!(walk(store, &other, filter, 10).await, [], "a list holds no foreign row");
    }
    assert_eq!(store.payloads(&[events[0].uid]).await.expect("a read").len(), 1, "the payload is there still");
}

/// An erased payload is gone; its record stays.
pub async fn a_payload_is_erased<S: Store>(store: &S) {
    let world = World::new(store, 1).await;
    let event = &world.publish(store, START, 1).await[0];
    assert_eq!(store.erase_payload(world.tenant.no, event.uid).await, Ok(true), "a payload is erased");
    let found = store.payloads(&[event.uid]).await.expect("a read");
    assert_eq!(found.len(), 1, "an erased event is found still");
    assert_eq!(store.payload(world.tenant.no, event.uid).await, Ok(None), "a payload that was erased is not found");
    assert_eq!((&found[0].payload, found[0].payload_bytes), (&None, 9), "its payload is gone, its size is not");
    assert!(store.event(world.tenant.no, event.uid).await.expect("a read").is_some(), "its record stays");
    let unknown = EventUid::new(START, [0xdd; 10]);
    assert_eq!(store.erase_payload(world.tenant.no, unknown).await, Ok(false), "an unknown event is not erased");
}

/// Deliveries are counted by state, each up to the cap.
pub async fn counts_are_capped<S: Store>(store: &S) {
    let world = World::new(store, 3).await;
    let all = stage(store, &world).await;
    for cap in [1_000, 2] {
        let counts = store.counts(world.tenant.no, cap).await.expect("a read");
        for state in [DeliveryState::Pending, DeliveryState::Retrying, DeliveryState::Delivered, DeliveryState::Dead] {
            let counted = counts.iter().find(|(found, _)| *found == state).map_or(0, |(_, count)| *count);
            let true_count = all.iter().filter(|row| row.state == state).count() as u64;
            assert_eq!(counted, true_count.min(u64::from(cap)), "{} are counted up to {cap}", state.as_str());
        }
    }
}

/// Twelve events at three destinations in many states, runs and codes; answers with all rows, newest first.
async fn stage<S: Store>(store: &S, world: &World) -> Vec<DeliveryRow> {
    let mut events: Vec<NewEvent> = Vec::new();
    for index in 0..12 {
        let mut event = world.event(store, START.plus_ms(index * 10)).await;
        if index % 4 == 1 {
            event.event_type = "order.closed".to_owned();
        }
        events.push(event);
    }
    super::world::accept_all(store, &events).await;
    for no in &world.destinations[..2] {
        let rows = world.waiting(store, *no).await;
        for (index, row) in rows.iter().enumerate() {
            let recording = match index % 4 {
                0 => world.end(row, End::Delivered, "http-200", START),
                1 => world.end(row, End::Dead, "http-410", START),
                2 => world.retry(row, START.plus_ms(7_000)),
                _ => continue,
            };
            record_all(store, world.host, &[recording]).await;
        }
    }
    let first = key(&events[1], world.to());
    store.redeliver(first, Origin::Retry, START.plus_ms(500)).await.expect("a new run");
    let mut rows = Vec::new();
    for event in events.iter().rev() {
        let mut of_event = store.deliveries_of(world.tenant.no, event.uid).await.expect("a read");
        let by_key = of_event.windows(2).all(|pair| pair[0].key < pair[1].key);
        assert!(by_key, "an event's deliveries come by (destination, run)");
        of_event.reverse();
        rows.extend(of_event);
    }
    assert_eq!(rows.len(), 12 * 3 + 1, "every delivery of every event is found");
    rows
}

async fn walk<S: Store>(store: &S, world: &World, filter: &DeliveryFilter, limit: u32) -> Vec<DeliveryKey> {
    let (mut found, mut before) = (Vec::new(), None);
    for _ in 0..1_000 {
        let page = store.deliveries(world.tenant.no, filter, before, limit).await.expect("a read");
        assert!(page.rows.len() <= limit as usize, "a page holds no more than asked");
        found.extend(page.rows.iter().map(|row| row.key));
        assert!(page.next.is_none() || page.next != before, "a page leads on");
        before = page.next;
        if before.is_none() {
            return found;
        }
    }
    panic!("a list comes to an end");
}

async fn walk_events<S: Store>(store: &S, world: &World, filter: &EventFilter, limit: u32) -> Vec<EventUid> {
    let (mut found, mut before) = (Vec::new(), None);
    for _ in 0..1_000 {
        let page = store.events(world.tenant.no, filter, before, limit).await.expect("a read");
        assert!(page.rows.len() <= limit as usize, "a page holds no more than asked");
        found.extend(page.rows.iter().map(|row| row.uid));
        before = page.next;
        if before.is_none() {
            return found;
        }
    }
    panic!("a list comes to an end");
}
