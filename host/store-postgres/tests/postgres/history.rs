//! Lists, and what a tenant cannot see.

use crate::fixture::{Fixture, NOON, destination, end, tenant};
use railhead_model::{DeliveryState, End, Ordering};
use railhead_store::directory::{Directory, Expect};
use railhead_store::history::{DeliveryFilter, EventFilter};
use railhead_store::{Accept, History, Record, WorkStore};

#[tokio::test]
async fn lists_are_newest_first_and_pages_join_without_a_gap() {
    let Some(mut f) = Fixture::new().await else { return };
    let (a, b) = (f.destination("a", Ordering::None).await, f.destination("b", Ordering::None).await);
    let me = f.tenant.no;
    let batch: Vec<_> = (0..7).map(|i| f.event(NOON.plus_ms(i), &[a, b])).collect();
    f.store.accept(&batch).await.expect("answers");
    for event in &batch[..4] {
        let key = railhead_model::DeliveryKey { event: event.uid, destination: b, run: 0 };
        f.store.record(f.host, &[end(key, me, 0, 1, End::Dead)]).await.expect("an answer");
    }
    for filter in [
        DeliveryFilter::default(),
        DeliveryFilter { destination: Some(b), ..DeliveryFilter::default() },
        DeliveryFilter { states: vec![DeliveryState::Dead], ..DeliveryFilter::default() },
        DeliveryFilter { destination: Some(b), states: vec![DeliveryState::Dead], ..DeliveryFilter::default() },
        DeliveryFilter { since: Some(NOON.plus_ms(2)), until: Some(NOON.plus_ms(4)), ..DeliveryFilter::default() },
        DeliveryFilter { code: Some("http-503".to_owned()), ..DeliveryFilter::default() },
        DeliveryFilter { event: Some(batch[0].uid), ..DeliveryFilter::default() },
    ] {
        let (mut pages, mut before) = (Vec::new(), None);
        loop {
            let page = f.store.deliveries(me, &filter, before, 3).await.expect("a page");
            pages.extend(page.rows.into_iter().map(|row| row.key));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        let mut all = Vec::new();
        for event in &batch {
            all.extend(f.store.deliveries_of(me, event.uid).await.expect("deliveries"));
        }
        all.retain(|row| filter.matches(row));
        let mut expected: Vec<_> = all.iter().map(|row| row.key).collect();
        expected.sort();
        expected.reverse();
        assert!(!expected.is_empty());
        assert_eq!(pages, expected, "{filter:?}");
    }
    let page = f.store.events(me, &EventFilter::default(), None, 4).await.expect("a page");
    assert_eq!(page.rows.iter().map(|row| row.uid).collect::<Vec<_>>(), [6, 5, 4, 3].map(|i: usize| batch[i].uid));
    let rest = f.store.events(me, &EventFilter::default(), page.next, 4).await.expect("a page");
    assert_eq!((rest.rows.len(), rest.next), (3, None));
    let counts = f.store.counts(me, 6).await.expect("counts");
    assert_eq!(counts, [(DeliveryState::Pending, 6), (DeliveryState::Dead, 4)]);
}

#[tokio::test]
async fn a_tenant_sees_only_its_own() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("a", Ordering::None).await;
    let event = f.named(NOON, 1, &[to]);
    f.store.accept(std::slice::from_ref(&event)).await.expect("an answer");
    let other = f.store.put_tenant(&tenant(f.tenant.environment, "other"), Expect::Absent).await.expect("a tenant").no;
    let key = railhead_model::DeliveryKey { event: event.uid, destination: to, run: 0 };
    assert_eq!(f.store.event_by_id(f.tenant.no, "order-1").await.expect("a read").map(|row| row.uid), Some(event.uid));
    assert_eq!(f.store.event_by_id(other, "order-1").await, Ok(None));
    assert_eq!(f.store.event(other, event.uid).await, Ok(None));
    assert_eq!(f.store.delivery(other, key).await, Ok(None));
    assert_eq!(f.store.attempts(other, key).await, Ok(vec![]));
    assert_eq!(f.store.deliveries_of(other, event.uid).await, Ok(vec![]));
    assert_eq!(f.store.erase_payload(other, event.uid).await, Ok(false));
    assert_eq!(f.store.erase_payload(f.tenant.no, event.uid).await, Ok(true));
    assert_eq!(f.store.payloads(&[event.uid]).await.expect("events")[0].payload, None);
    assert_eq!(f.store.delete_tenant(f.tenant.no).await, Ok(true));
    assert_eq!(f.waiting(to).await, 0);
    assert_eq!(f.store.destinations_by_no(&[to]).await, Ok(vec![]));
}

#[tokio::test]
async fn configuration_is_written_only_as_expected() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("a", Ordering::None).await;
    let before = f.tenant.generation;
    let stored = f.store.destinations(f.tenant.no).await.expect("a read").remove(0);
    assert_eq!((stored.no, stored.revision), (to, 1));
    assert!(f.store.put_destination(&stored, Expect::Absent).await.is_err());
    assert!(f.store.put_destination(&stored, Expect::Revision(7)).await.is_err());
    let again = f.store.put_destination(&stored, Expect::Revision(1)).await.expect("a write");
    assert_eq!(again.revision, 2);
    let no = f.store.next_destination_no().await.expect("a number");
    let same_id = destination(f.tenant.no, no, "a", Ordering::None);
    assert!(f.store.put_destination(&same_id, Expect::Anything).await.is_err());
    let mut changed = f.store.tenant_by_no(f.tenant.no).await.expect("a read").expect("the tenant");
    assert_eq!(changed.generation, before + 1, "refused writes bump nothing");
    changed.name = None;
    let changed = f.store.put_tenant(&changed, Expect::Revision(1)).await.expect("a write");
    assert_eq!((changed.generation, changed.revision, changed.name), (before + 2, 2, None));
}
