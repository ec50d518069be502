//! Replay, expiry, retention.

use crate::fixture::{Fixture, NOON, end};
use railhead_model::time::DAY_MS;
use railhead_model::{DeliveryState, End, JobId, Ordering, Origin};
use railhead_store::history::DeliveryFilter;
use railhead_store::jobs::{JobState, NewReplay};
use railhead_store::{Accept, Accepted, History, Jobs, Record};

#[tokio::test]
async fn a_replay_delivers_the_dead_again_once() {
    let Some(mut f) = Fixture::new().await else { return };
    let (to, tenant) = (f.destination("one", Ordering::None).await, f.tenant.no);
    let mut dead = Vec::new();
    for i in 0..6 {
        let key = f.delivery(to).await;
        let how = if i % 2 == 0 { End::Dead } else { End::Delivered };
        f.store.record(f.host, &[end(key, tenant, 0, 1, how)]).await.expect("an answer");
        if how == End::Dead {
            dead.push(key);
        }
    }
    let id = JobId::new(NOON, [1; 10]);
    let filter = DeliveryFilter { states: vec![DeliveryState::Dead], ..DeliveryFilter::default() };
    let new = NewReplay { id, tenant, filter, at: NOON.plus_ms(1_000) };
    f.store.start_replay(&new).await.expect("a job");
    f.store.start_replay(&new).await.expect("the same job");
    let (a, b) = tokio::join!(f.store.step_replay(NOON), f.store.step_replay(NOON));
    assert_eq!(a.expect("a step").rows + b.expect("a step").rows, 3, "two hosts step one job");
    f.store.step_replay(NOON).await.expect("a step");
    let replay = f.store.replay(tenant, id).await.expect("a read").expect("the job");
    assert_eq!((replay.state, replay.created), (JobState::Completed, 3));
    assert_eq!(f.waiting(to).await, 3);
    let again = f.store.deliveries_of(tenant, dead[0].event).await.expect("deliveries");
    assert_eq!(again.iter().map(|row| row.key.run).collect::<Vec<_>>(), [0, 1]);
    assert_eq!((again[1].origin, again[1].job, again[1].previous), (Origin::Replay, Some(id), Some(0)));
    assert_eq!(f.store.cancel_replay(tenant, id, NOON).await, Ok(false));
    assert_eq!(f.store.replays(tenant, None, 10).await.expect("jobs").len(), 1);
}

#[tokio::test]
async fn old_work_expires_and_old_days_go() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("one", Ordering::None).await;
    let old = f.event(NOON, &[to]);
    let new = f.event(NOON.plus_ms(3 * DAY_MS), &[to]);
    f.store.accept(&[old.clone(), new.clone()]).await.expect("answers");
    let (before, now) = (NOON.plus_ms(DAY_MS), NOON.plus_ms(3 * DAY_MS));
    let step = f.store.step_expiry(before, now).await.expect("a step");
    assert_eq!((step.rows, step.destinations.as_slice(), step.more), (1, &[to][..], false));
    let row = f.store.deliveries_of(f.tenant.no, old.uid).await.expect("deliveries").remove(0);
    assert_eq!((row.state, row.code.as_str()), (DeliveryState::Expired, "expired"));
    while f.store.step_retention(before).await.expect("a step").more {}
    assert_eq!(f.store.event(f.tenant.no, old.uid).await, Ok(None));
    assert_eq!(f.store.deliveries_of(f.tenant.no, old.uid).await, Ok(vec![]));
    assert!(f.store.event(f.tenant.no, new.uid).await.expect("a read").is_some());
    assert_eq!(f.waiting(to).await, 1);
    let late = f.event(NOON.plus_ms(5), &[]);
    assert_eq!(f.store.accept(&[late]).await, Ok(vec![Accepted::Stored]), "a day that is gone is made again");
}
