//! Promises of [`crate::Directory`].

use super::world::{bits, hash, key, new_destination, new_tenant, refill, unique};
use super::{START, World};
use crate::directory::{ANSWER_KEPT_MS, Answer, Credential, Expect, Key};
use crate::work::{RefillAsk, StableBatch};
use crate::{Accepted, Store, StoreError};
use bytes::Bytes;
use railhead_model::{
    DeliveryState, DestinationNo, DestinationState, EnvironmentNo, KeyId, Ordering, ShardNo, TenantNo,
};
use serde_json::json;

/// A small value is stored once, and replaced only by who knows it.
pub async fn small_values_are_kept_once<S: Store>(store: &S) {
    let name = format!("value-{}", unique());
    assert_eq!(store.meta(&name).await, Ok(None), "an unknown value is not there");
    assert_eq!(store.put_meta(&name, b"one").await, Ok(Bytes::from_static(b"one")), "the first value is stored");
    assert_eq!(store.put_meta(&name, b"two").await, Ok(Bytes::from_static(b"one")), "the first value stays");
    assert_eq!(store.replace_meta(&name, b"two", b"three").await, Ok(false), "another value is not replaced");
    assert_eq!(store.replace_meta(&name, b"one", b"three").await, Ok(true), "the known value is replaced");
    assert_eq!(store.meta(&name).await, Ok(Some(Bytes::from_static(b"three"))), "a replaced value is read");
    assert_eq!(store.replace_meta("no such value", b"", b"x").await, Ok(false), "an absent value is not replaced");
}

/// An environment keeps its number; its revision guards writes.
pub async fn environments_have_revisions<S: Store>(store: &S) {
    let name = format!("environment-{}", unique());
    let first = store.put_environment(&name, &json!({"a": 1}), Expect::Absent).await.expect("a new environment");
    assert_eq!((first.revision, &first.settings), (1, &json!({"a": 1})), "a new environment has revision 1");
    let taken = store.put_environment(&name, &json!({}), Expect::Absent).await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))), "a name that is taken is a conflict");
    let wrong = store.put_environment(&name, &json!({}), Expect::Revision(9)).await;
    assert!(matches!(wrong, Err(StoreError::Conflict(_))), "another revision is a conflict");
    let second = store.put_environment(&name, &json!({"a": 2}), Expect::Revision(1)).await.expect("a write");
    assert_eq!((second.no, second.revision), (first.no, 2), "a write keeps the number and bumps the revision");
    let third = store.put_environment(&name, &json!({"a": 3}), Expect::Anything).await.expect("a write");
    let all = store.environments().await.expect("a read");
    assert_eq!(all.iter().find(|found| found.no == first.no), Some(&third), "the last write is read");
    assert!(all.windows(2).all(|pair| pair[0].no < pair[1].no), "environments are listed by number");
}

/// Keys are found by the hash of their secret, revoked ones too.
pub async fn keys_are_found_by_hash<S: Store>(store: &S) {
    let world = World::new(store, 0).await;
    let new = |name: &str, environment: Option<EnvironmentNo>| {
        let number = unique();
        let mut secret = [7; 32];
        secret[..16].copy_from_slice(&hash(number));
        Key {
            id: KeyId::new(START, bits(number)),
            environment,
            name: name.to_owned(),
            hash: secret,
            scopes: vec!["events:write".to_owned(), "*".to_owned()],
            created_at: START,
            expires_at: None,
            revoked: false,
        }
    };
    let (mut first, second) = (new("one", Some(world.environment.no)), new("two", Some(world.environment.no)));
    let admin = new("admin", None);
    for key in [&first, &second, &admin] {
        store.put_key(key).await.expect("a key is stored");
    }
    first.revoked = true;
    first.expires_at = Some(START.plus_ms(5));
    store.put_key(&first).await.expect("a key is replaced");
    assert_eq!(store.key_by_hash(&first.hash).await, Ok(Some(first.clone())), "a key is found by its hash");
    assert_eq!(store.key_by_hash(&[0; 32]).await, Ok(None), "an unknown hash finds nothing");
    store.put_key(&Key { revoked: false, ..first.clone() }).await.expect("a key is replaced");
    assert_eq!(store.key_by_hash(&first.hash).await, Ok(Some(first.clone())), "a revoked key stays revoked");
    let listed = store.keys(Some(world.environment.no)).await.expect("a read");
    assert_eq!(listed, [second, first], "an environment's keys are listed newest first");
    let listed = store.keys(None).await.expect("a read");
    assert!(listed.contains(&admin), "the administrator's keys are listed apart");
    assert!(listed.iter().all(|key| key.environment.is_none()), "the administrator's keys are listed apart");
}

/// A tenant keeps its number, its key and its beginning; its revision guards writes.
pub async fn tenants_have_revisions<S: Store>(store: &S) {
    let world = World::new(store, 0).await;
    let first = &world.tenant;
    assert_eq!((first.revision, first.generation), (1, 1), "a new tenant has revision and generation 1");
    let mut next = first.clone();
    next.name = None;
    next.metadata = json!({"plan": "silver"});
    next.wrapped_key = Bytes::from_static(b"another");
    (next.created_at, next.updated_at) = (START.plus_ms(9), START.plus_ms(9));
    let wrong = store.put_tenant(&next, Expect::Revision(4)).await;
    assert!(matches!(wrong, Err(StoreError::Conflict(_))), "another revision is a conflict");
    let taken = store.put_tenant(&next, Expect::Absent).await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))), "an id that is taken is a conflict");
    let stored = store.put_tenant(&next, Expect::Revision(1)).await.expect("a write");
    assert_eq!((stored.no, stored.revision), (first.no, 2), "a write keeps the number and bumps the revision");
    assert!(stored.generation > first.generation, "a write bumps the generation");
    assert_eq!((stored.created_at, &stored.wrapped_key), (START, &first.wrapped_key), "key and beginning stay");
    assert_eq!((&stored.metadata, stored.updated_at), (&next.metadata, START.plus_ms(9)), "the rest is replaced");
    let tenant = store.tenant(world.environment.no, &first.id).await.expect("a read");
    assert_eq!(tenant, Some(stored.clone()), "a tenant is found by its id");
    let replaced = store.replace_wrapped_key(first.no, b"wrong", b"new").await;
    assert_eq!(replaced, Ok(false), "another wrapped key is not replaced");
    let replaced = store.replace_wrapped_key(first.no, b"wrapped", b"new").await;
    assert_eq!(replaced, Ok(true), "the known wrapped key is replaced");
    let found = store.tenant_by_no(first.no).await.expect("a read").expect("the tenant");
    assert_eq!(found.wrapped_key, Bytes::from_static(b"new"), "the new wrapped key is read");
    for _ in 0..4 {
        store.put_tenant(&new_tenant(world.environment.no), Expect::Absent).await.expect("a tenant");
    }
    let all = store.tenants(world.environment.no, None, 10).await.expect("a read");
    assert_eq!(all.len(), 5, "tenants are listed");
    assert!(all.windows(2).all(|pair| pair[0].id < pair[1].id), "tenants are listed by id");
    let page = store.tenants(world.environment.no, Some(&all[1].id), 2).await.expect("a read");
    assert_eq!(page, all[2..4], "a page of tenants begins after an id");
    assert_eq!(store.tenant_by_no(TenantNo(i64::MAX)).await, Ok(None), "an unknown tenant is not found");
}

/// A destination keeps its number and beginning, is stored with its credentials; its revision guards writes.
pub async fn destinations_have_revisions<S: Store>(store: &S) {
    let world = World::new(store, 1).await;
    let no = store.next_destination_no().await.expect("a number");
    assert_ne!(no, world.to(), "a number is given once");
    let mut destination = new_destination(no, world.tenant.no, Ordering::Key("/id".to_owned()));
    let credential = |field: &str, version| Credential {
        field: field.to_owned(),
        version,
        sealed: Bytes::from(format!("{field} {version}")),
        public: json!({"mask": "whsec_…3fa9"}),
        set_at: START,
        expires_at: (version == 1).then_some(START.plus_ms(60_000)),
    };
    destination.credentials = vec![credential("b", 1), credential("a", 1), credential("b", 2)];
    let first = store.put_destination(&destination, Expect::Absent).await.expect("a new destination");
    let expected = [credential("a", 1), credential("b", 2), credential("b", 1)];
    assert_eq!(first.credentials, expected, "credentials come by field, newest version first");
    assert_eq!(first.revision, 1, "a new destination has revision 1");
    let found = store.destination(world.tenant.no, &destination.id).await.expect("a read");
    assert_eq!(found.as_ref(), Some(&first), "a destination is read as it was answered");
    let mut next = first.clone();
    next.credentials.truncate(1);
    next.state = DestinationState::Disabled;
    next.state_reason = Some("gone".to_owned());
    next.created_at = START.plus_ms(9);
    let wrong = store.put_destination(&next, Expect::Revision(2)).await;
    assert!(matches!(wrong, Err(StoreError::Conflict(_))), "another revision is a conflict");
    let second = store.put_destination(&next, Expect::Revision(1)).await.expect("a write");
    assert_eq!((second.revision, second.created_at), (2, START), "a write bumps the revision and keeps the beginning");
    let found = store.destinations_by_no(&[no]).await.expect("a read");
    assert_eq!(found, [second], "credentials are replaced whole");
    let mut same = new_destination(DestinationNo(no.0 + 1_000), world.tenant.no, Ordering::None);
    same.id = destination.id.clone();
    let taken = store.put_destination(&same, Expect::Anything).await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))), "an id that is taken is a conflict");
    let orphan = new_destination(DestinationNo(no.0 + 1_001), TenantNo(i64::MAX), Ordering::None);
    let refused = store.put_destination(&orphan, Expect::Anything).await;
    assert!(matches!(refused, Err(StoreError::NotFound(_))), "a destination needs its tenant");
    let listed: Vec<_> =
        store.destinations(world.tenant.no).await.expect("a read").iter().map(|found| found.no).collect();
    assert_eq!(listed, [world.to(), no], "a tenant's destinations are listed by number");
    let foreign = store.destination(TenantNo(i64::MAX), &destination.id).await;
    assert_eq!(foreign, Ok(None), "a foreign destination is not found");
}

/// What was routed before a configuration write is stale after it, in the same moment.
pub async fn a_write_bumps_the_generation<S: Store>(store: &S) {
    let world = World::new(store, 2).await;
    let other = World::new(store, 1).await;
    let routed = world.event(store, START).await;
    let foreign = other.event(store, START).await;
    let mut destination = store.destinations_by_no(&[world.to()]).await.expect("a read").remove(0);
    destination.spec.event_types = vec!["*".to_owned()];
    store.put_destination(&destination, Expect::Anything).await.expect("a write");
    let answers = store.accept(&[routed, foreign]).await.expect("a batch");
    assert_eq!(answers, [Accepted::Stale, Accepted::Stored], "a write makes its own tenant's routes stale");
    let routed = world.event(store, START).await;
    let deleted = store.delete_destination(world.tenant.no, &destination.id, START).await;
    assert_eq!(deleted, Ok(true), "a destination is deleted");
    let answers = store.accept(&[routed]).await.expect("a batch");
    assert_eq!(answers, [Accepted::Stale], "a deletion makes its tenant's routes stale");
}

/// A destination that comes to keep an order takes in what waits, in the order of its due times.
pub async fn an_order_takes_in_what_waits<S: Store>(store: &S) {
    let world = World::new(store, 1).await;
    let events = world.publish(store, START, 5).await;
    let mut destination = store.destinations_by_no(&[world.to()]).await.expect("a read").remove(0);
    destination.spec.ordering = Ordering::Destination;
    store.put_destination(&destination, Expect::Anything).await.expect("a write");
    let mut late = world.event(store, START.plus_ms(90)).await;
    late.lanes = vec![(world.to(), hash(2))];
    super::world::accept_all(store, std::slice::from_ref(&late)).await;
    let ask = RefillAsk { destination: world.to(), ordered: true, after: None, limit: 100 };
    let order: Vec<_> = refill(store, ask).await.iter().map(|row| row.key.event).collect();
    let expected: Vec<_> = events.iter().chain([&late]).map(|event| event.uid).collect();
    assert_eq!(order, expected, "what waited before comes first in the order, nothing is left out");
}

/// A deleted destination's waiting deliveries end as cancelled; its credentials are gone.
pub async fn a_deleted_destination_cancels<S: Store>(store: &S) {
    let world = World::new(store, 2).await;
    let events = world.publish(store, START, 3).await;
    let gone = store.destinations_by_no(&[world.to()]).await.expect("a read").remove(0);
    let batch = StableBatch { destination: gone.no, number: 1, members: Vec::new(), due: START, attempts: 0 };
    store.open_batches(world.host, &[batch]).await.expect("a batch");
    let deleted = store.delete_destination(world.tenant.no, &gone.id, START.plus_ms(7)).await;
    assert_eq!(deleted, Ok(true), "a destination is deleted");
    let again = store.delete_destination(world.tenant.no, &gone.id, START.plus_ms(8)).await;
    assert_eq!(again, Ok(false), "a deleted destination is not deleted again");
    assert_eq!(store.destination(world.tenant.no, &gone.id).await, Ok(None), "a deleted destination is not found");
    assert_eq!(world.waiting(store, gone.no).await, [], "nothing waits at a deleted destination");
    assert_eq!(store.batches(&[gone.no]).await, Ok(Vec::new()), "no batch is left of a deleted destination");
    assert_eq!(world.waiting(store, world.destinations[1]).await.len(), 3, "other destinations are left alone");
    for event in &events {
        let shown = store.delivery(world.tenant.no, key(event, gone.no)).await.expect("a read").expect("a delivery");
        let end = (shown.state, shown.code.as_str(), shown.ended_at);
        let expected = (DeliveryState::Cancelled, "destination-deleted", Some(START.plus_ms(7)));
        assert_eq!(end, expected, "what waited at a deleted destination ends as cancelled");
    }
    let nothing = store.redeliver(key(&events[0], gone.no), railhead_model::Origin::Retry, START).await;
    assert!(matches!(nothing, Err(StoreError::NotFound(_))), "nothing is delivered again to a deleted destination");
}

/// A deleted tenant has no configuration and no waiting work; it accepts nothing.
pub async fn a_deleted_tenant_leaves_nothing_waiting<S: Store>(store: &S) {
    let world = World::new(store, 2).await;
    let other = World::new(store, 1).await;
    world.publish(store, START, 3).await;
    other.publish(store, START, 1).await;
    let late = world.event(store, START).await;
    assert_eq!(store.delete_tenant(world.tenant.no).await, Ok(true), "a tenant is deleted");
    assert_eq!(store.delete_tenant(world.tenant.no).await, Ok(false), "a deleted tenant is not deleted again");
    assert_eq!(store.tenant_by_no(world.tenant.no).await, Ok(None), "a deleted tenant is not found");
    assert_eq!(store.destinations(world.tenant.no).await, Ok(Vec::new()), "its destinations are gone");
    for no in &world.destinations {
        assert_eq!(world.waiting(store, *no).await, [], "its waiting work is gone");
    }
    assert_eq!(other.waiting(store, other.to()).await.len(), 1, "other tenants are left alone");
    assert_eq!(store.accept(&[late]).await, Ok(vec![Accepted::NoTenant]), "a deleted tenant accepts nothing");
    let same = crate::directory::Tenant { id: world.tenant.id.clone(), ..new_tenant(world.environment.no) };
    let again = store.put_tenant(&same, Expect::Absent).await.expect("the id is free again");
    assert_ne!(again.no, world.tenant.no, "a number is never given again");
}

/// An owner finds the destinations of its shards, page by page.
pub async fn destinations_are_found_by_shard<S: Store>(store: &S) {
    let world = World::new(store, 12).await;
    let shards: Vec<ShardNo> = world.destinations.iter().step_by(2).map(|no| no.shard()).collect();
    let expected: Vec<_> = world.destinations.iter().copied().filter(|no| shards.contains(&no.shard())).collect();
    let all: Vec<_> = (0..=255).map(ShardNo).collect();
    for (shards, expected) in [(shards, expected), (all, world.destinations.clone()), (Vec::new(), Vec::new())] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store.destinations_of(&shards, after, 2).await.expect("a read");
            assert!(page.len() <= 2, "a page holds no more than asked");
            let Some(last) = page.last() else { break };
            after = Some(last.no);
            found.extend(page.iter().map(|found| found.no).filter(|no| world.destinations.contains(no)));
        }
        assert_eq!(found, expected, "the destinations of the shards are found by number, each once");
    }
}

/// What a take-over reads comes at once: hundreds of tenants and destinations by one read each.
pub async fn many_are_read_at_once<S: Store>(store: &S) {
    let world = World::new(store, 3).await;
    let mut tenants = vec![world.tenant.no];
    for _ in 0..3 {
        let new = store.put_tenant(&new_tenant(world.environment.no), Expect::Absent).await.expect("a tenant");
        tenants.push(new.no);
    }
    let nowhere = |no: i64| 1_000_000 + no;
    let asked: Vec<_> = (0..500).map(|no| TenantNo(nowhere(no))).chain(tenants.iter().rev().copied()).collect();
    let found = store.tenants_by_no(&[asked, tenants.clone()].concat()).await.expect("a read");
    assert_eq!(found.iter().map(|found| found.no).collect::<Vec<_>>(), tenants, "each once, by number, if it is there");
    for found in found {
        assert_eq!(store.tenant(found.environment, &found.id).await, Ok(Some(found)), "each is whole");
    }
    assert_eq!(store.tenants_by_no(&[]).await, Ok(Vec::new()), "who asks for none gets none");
    let own = world.destinations.iter();
    let asked: Vec<_> = (0..500).map(|no| DestinationNo(nowhere(no))).chain(own.rev().copied()).collect();
    let mut found = store.destinations_by_no(&asked).await.expect("a read");
    found.sort_unstable_by_key(|found| found.no);
    assert_eq!(found.iter().map(|found| found.no).collect::<Vec<_>>(), world.destinations, "those that are there");
}

/// A tenant's destinations come page by page, newest first, and their standings without the rest.
pub async fn destinations_are_listed_newest_first<S: Store>(store: &S) {
    let world = World::new(store, 5).await;
    let tenant = world.tenant.no;
    let other = World::new(store, 1).await;
    let mut paused = store.destinations_by_no(&[world.destinations[2]]).await.expect("a read").remove(0);
    paused.state = DestinationState::Paused;
    let paused = store.put_destination(&paused, Expect::Anything).await.expect("a write");
    let expected: Vec<_> = world.destinations.iter().rev().copied().collect();
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = store.destinations_page(tenant, before, 2).await.expect("a read");
        assert!(page.len() <= 2, "a page holds no more than asked");
        let Some(last) = page.last() else { break };
        before = Some(last.no);
        found.extend(page);
    }
    assert_eq!(found.iter().map(|found| found.no).collect::<Vec<_>>(), expected, "each comes once");
    assert!(!expected.contains(&other.to()), "a foreign one does not");
    assert_eq!(found[2], paused, "each is whole");
    let standings = store.standings(tenant, None, 10).await.expect("a read");
    assert_eq!(standings.iter().map(|one| one.no).collect::<Vec<_>>(), expected, "newest first");
    assert_eq!((standings[2].state, &standings[2].health), (DestinationState::Paused, &paused.health), "as they are");
    let rest = store.standings(tenant, Some(expected[1]), 2).await.expect("a read");
    assert_eq!(rest, standings[2..4], "no more than asked, from where it was asked");
}

/// Event types are listed by name; their revision guards writes.
pub async fn event_types_have_revisions<S: Store>(store: &S) {
    let world = World::new(store, 0).await;
    let no = world.environment.no;
    for name in ["order.created", "invoice.paid", "order.closed"] {
        let body = json!({"description": name});
        let stored = store.put_event_type(no, name, &body, START, Expect::Absent).await.expect("an event type");
        assert_eq!((stored.revision, stored.updated_at), (1, START), "a new event type has revision 1");
    }
    let wrong = store.put_event_type(no, "invoice.paid", &json!({}), START, Expect::Revision(2)).await;
    assert!(matches!(wrong, Err(StoreError::Conflict(_))), "another revision is a conflict");
    let next = store.put_event_type(no, "invoice.paid", &json!({"x": 1}), START.plus_ms(4), Expect::Revision(1)).await;
    let next = next.expect("a write");
    assert_eq!(store.event_type(no, "invoice.paid").await, Ok(Some(next.clone())), "the last write is read");
    assert_eq!(next.revision, 2, "a write bumps the revision");
    let names = |types: Vec<crate::directory::EventType>| -> Vec<String> {
        types.into_iter().map(|found| found.name).collect()
    };
    let all = names(store.event_types(no, None, 10).await.expect("a read"));
    assert_eq!(all, ["invoice.paid", "order.closed", "order.created"], "event types are listed by name");
    let page = names(store.event_types(no, Some("invoice.paid"), 1).await.expect("a read"));
    assert_eq!(page, ["order.closed"], "a page begins after a name");
    assert_eq!(store.delete_event_type(no, "order.closed").await, Ok(true), "an event type is deleted");
    assert_eq!(store.delete_event_type(no, "order.closed").await, Ok(false), "and not deleted again");
    assert_eq!(store.event_type(no, "order.closed").await, Ok(None), "a deleted event type is not found");
}

/// The first answer under a key is kept for a day.
pub async fn answers_are_kept_a_day<S: Store>(store: &S) {
    let mut scope = [9; 32];
    scope[..16].copy_from_slice(&hash(unique()));
    let answer = |byte: u8| Answer { request: [byte; 32], sealed: Bytes::from(vec![byte; 40]) };
    assert_eq!(store.answer(&scope, START).await, Ok(None), "an unknown key has no answer");
    store.put_answer(&scope, &answer(1), START).await.expect("an answer is stored");
    store.put_answer(&scope, &answer(2), START.plus_ms(5)).await.expect("another is not");
    let late = START.plus_ms(ANSWER_KEPT_MS - 1);
    assert_eq!(store.answer(&scope, late).await, Ok(Some(answer(1))), "the first answer is kept for a day");
    let later = START.plus_ms(ANSWER_KEPT_MS + 1);
    assert_eq!(store.answer(&scope, later).await, Ok(None), "an answer is given for no longer than a day");
    store.put_answer(&scope, &answer(3), later).await.expect("an answer is stored");
    assert_eq!(store.answer(&scope, later).await, Ok(Some(answer(3))), "an outdated answer makes room");
}
