//! What tests of the engine begin with.

use super::{AttemptId, AttemptItem, Effect, Settings};
use railhead_model::destination::Schedule;
use railhead_model::{
    DeliveryKey, DestinationNo, DestinationState, EventUid, Jitter, Origin, RetryPolicy, TenantNo, Timestamp,
};
use railhead_store::WorkRow;
use railhead_store::work::Health;

/// The destination that most tests have.
pub const NO: DestinationNo = DestinationNo(1);

/// An active destination: two sessions of four events each, two retries.
pub fn settings() -> Settings {
    Settings {
        no: NO,
        tenant: TenantNo(1),
        state: DestinationState::Active,
        retry: RetryPolicy::Schedule(Schedule { schedule_ms: vec![2_000, 2_000] }),
        jitter: Jitter::None,
        rate_limit: None,
        concurrency: 8,
        hand_over: 4,
        sessions: 2,
        batch: None,
        ordered: false,
        hold_on_dead: false,
        health: Health::default(),
    }
}

/// The delivery of event `n` to [`NO`], new and long due.
pub fn row(n: u8) -> WorkRow {
    WorkRow {
        key: DeliveryKey { event: EventUid::new(Timestamp(1), [n; 10]), destination: NO, run: 0 },
        tenant: TenantNo(1),
        due: Timestamp(1),
        attempts: 0,
        tries: 0,
        since: None,
        rev: 0,
        lane: None,
        seq: i64::from(n),
        origin: Origin::Publish,
        previous: None,
        job: None,
        bytes: 0,
    }
}

/// Hand-overs that are to be sent.
pub fn attempts(effects: &[Effect]) -> Vec<(AttemptId, Vec<AttemptItem>)> {
    let attempt = |effect: &Effect| match effect {
        Effect::Attempt { id, items, .. } => Some((*id, items.clone())),
        _ => None,
    };
    effects.iter().filter_map(attempt).collect()
}
