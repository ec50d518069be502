//! What most promises need: an environment, a tenant, destinations, a host, and short ways to make rows.

use super::{Core, START};
use crate::accept::{Accepted, NewEvent};
use crate::directory::{Destination, Directory, Environment, Expect, Tenant};
use crate::record::{Change, RecordAnswer, Recording};
use crate::work::{Health, RefillAsk, WorkRow};
use bytes::Bytes;
use railhead_model::{
    Attempt, DeliveryKey, DestinationNo, DestinationSpec, DestinationState, End, EnvironmentNo, EventUid, HostId,
    Ordering, Origin, OutcomeClass, Reason, Route, TenantId, TenantNo, Timestamp, Verdict,
};
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering as Memory};

/// Makes every name, id and hash of one test run its own.
static COUNTER: AtomicU64 = AtomicU64::new(1);

/// The next unique number.
pub(super) fn unique() -> u64 {
    COUNTER.fetch_add(1, Memory::Relaxed)
}

/// Ten bytes that differ for each number, in its order.
pub(super) fn bits(number: u64) -> [u8; 10] {
    let mut bits = [0; 10];
    // The top bits of the first bytes are taken by the version and variant; leave them free.
    bits[2..].copy_from_slice(&number.to_be_bytes());
    bits
}

/// A host that nobody else is.
pub(super) fn new_host() -> HostId {
    HostId::new(START, bits(unique()))
}

/// A stage for one promise.
#[derive(Debug)]
pub struct World {
    /// Its environment.
    pub environment: Environment,
    /// Its tenant, as first stored.
    pub tenant: Tenant,
    /// Its destinations.
    pub destinations: Vec<DestinationNo>,
    /// A host that joined.
    pub host: HostId,
}

impl World {
    /// Makes one with so many unordered destinations.
    pub async fn new<S: Core + ?Sized>(store: &S, destinations: usize) -> Self {
        Self::with(store, destinations, Ordering::None).await
    }

    /// Makes one with so many destinations of this ordering.
    pub async fn with<S: Core + ?Sized>(store: &S, destinations: usize, ordering: Ordering) -> Self {
        let host = new_host();
        store.join(host, START).await.expect("a host joins");
        let name = format!("suite-{}", unique());
        let environment = store.put_environment(&name, &json!({}), Expect::Absent).await.expect("a new environment");
        let tenant = new_tenant(environment.no);
        let tenant = store.put_tenant(&tenant, Expect::Absent).await.expect("a new tenant");
        let mut nos = Vec::new();
        for _ in 0..destinations {
            nos.push(add_destination(store, tenant.no, ordering.clone()).await);
        }
        Self { environment, tenant, destinations: nos, host }
    }

    /// The only, or first, destination.
    #[must_use]
    pub fn to(&self) -> DestinationNo {
        self.destinations[0]
    }

    /// The tenant's generation as it is now.
    pub async fn generation<S: Directory + ?Sized>(&self, store: &S) -> i64 {
        let tenant = store.tenant_by_no(self.tenant.no).await.expect("a read");
        tenant.expect("the tenant is there").generation
    }

    /// An event at this time that matches every destination, routed by the present generation.
    pub async fn event<S: Directory + ?Sized>(&self, store: &S, at: Timestamp) -> NewEvent {
        let generation = self.generation(store).await;
        let verdicts = self.destinations.iter().map(|no| (*no, Verdict::Matched)).collect();
        self.routed(at, Route { generation, verdicts })
    }

    /// An event with this route.
    #[must_use]
    pub fn routed(&self, at: Timestamp, route: Route) -> NewEvent {
        let number = unique();
        let uid = EventUid::new(at, bits(number));
        NewEvent {
            uid,
            tenant: self.tenant.no,
            generation: route.generation,
            idh: None,
            digest: hash(number),
            id: uid.to_string(),
            event_type: "order.created".to_owned(),
            at,
            route,
            origin: Origin::Publish,
            lanes: Vec::new(),
            head: Bytes::from(format!("head {number}")),
            payload: Bytes::from(format!("payload {number}")),
            payload_bytes: 9,
        }
    }

    /// Accepts so many events, a millisecond apart from this time, and answers with them.
    pub async fn publish<S: Core + ?Sized>(&self, store: &S, at: Timestamp, count: usize) -> Vec<NewEvent> {
        let mut events = Vec::new();
        for index in 0..count {
            events.push(self.event(store, at.plus_ms(index as i64)).await);
        }
        accept_all(store, &events).await;
        events
    }

    /// What waits at a destination, by due.
    pub async fn waiting<S: Core + ?Sized>(&self, store: &S, destination: DestinationNo) -> Vec<WorkRow> {
        refill(store, RefillAsk { destination, ordered: false, after: None, limit: 10_000 }).await
    }

    /// The waiting row of a key.
    pub async fn row<S: Core + ?Sized>(&self, store: &S, key: DeliveryKey) -> Option<WorkRow> {
        self.waiting(store, key.destination).await.into_iter().find(|row| row.key == key)
    }

    /// A recording of a failed attempt that waits again until `due`.
    #[must_use]
    pub fn retry(&self, row: &WorkRow, due: Timestamp) -> Recording {
        let n = row.tries + 1;
        let change = Change::Retry { due, attempts: row.attempts + 1, since: row.since.unwrap_or(START) };
        self.recording(row, change, Some(attempt(n, OutcomeClass::Transient, "http-503")))
    }

    /// A recording of an attempt that ends the delivery.
    #[must_use]
    pub fn end(&self, row: &WorkRow, end: End, code: &str, at: Timestamp) -> Recording {
        let class = if end == End::Delivered { OutcomeClass::Delivered } else { OutcomeClass::Permanent };
        let change = Change::End { end, code: code.to_owned(), at, attempts: row.attempts + 1 };
        self.recording(row, change, Some(attempt(row.tries + 1, class, code)))
    }

    /// A recording of anything.
    #[must_use]
    pub fn recording(&self, row: &WorkRow, change: Change, attempt: Option<Attempt>) -> Recording {
        let transcript = attempt.as_ref().map(|attempt| Bytes::from(format!("transcript {}", attempt.n)));
        Recording { key: row.key, tenant: row.tenant, rev: row.rev, change, attempt, transcript, owner: None }
    }

    /// Ends what waits at a destination, all of it, and answers with its keys.
    pub async fn end_all<S: Core + ?Sized>(
        &self,
        store: &S,
        destination: DestinationNo,
        end: End,
        at: Timestamp,
    ) -> Vec<DeliveryKey> {
        let rows = self.waiting(store, destination).await;
        let batch: Vec<_> = rows.iter().map(|row| self.end(row, end, "http-410", at)).collect();
        record_all(store, self.host, &batch).await;
        rows.iter().map(|row| row.key).collect()
    }
}

/// Accepts a batch of which every event must be stored.
pub(super) async fn accept_all<S: Core + ?Sized>(store: &S, events: &[NewEvent]) {
    let answers = store.accept(events).await.expect("a batch is accepted");
    assert_eq!(answers, vec![Accepted::Stored; events.len()], "every event of the batch is stored");
}

/// Records a batch of which every change must be applied.
pub(super) async fn record_all<S: Core + ?Sized>(store: &S, host: HostId, batch: &[Recording]) {
    let answers = store.record(host, batch).await.expect("a batch is recorded");
    let applied = answers.iter().filter(|answer| matches!(answer, RecordAnswer::Applied(_))).count();
    assert_eq!(applied, batch.len(), "every recording that carries the present rev is applied");
}

/// One refill.
pub(super) async fn refill<S: Core + ?Sized>(store: &S, ask: RefillAsk) -> Vec<WorkRow> {
    let mut answers = store.refill(&[ask]).await.expect("a refill");
    assert_eq!(answers.len(), 1, "one ask has one answer");
    let answer = answers.remove(0);
    assert_eq!(answer.destination, ask.destination, "an answer names its destination");
    answer.rows
}

/// The first delivery of an event at a destination.
pub(super) fn key(event: &NewEvent, destination: DestinationNo) -> DeliveryKey {
    DeliveryKey { event: event.uid, destination, run: 0 }
}

/// An attempt as a connector would leave it.
pub(super) fn attempt(n: u32, outcome: OutcomeClass, code: &str) -> Attempt {
    Attempt {
        n,
        started_at: START.plus_ms(i64::from(n) * 1_000),
        duration_ms: 12,
        outcome,
        reason: Reason { code: code.to_owned(), message: "the answer".to_owned(), status: Some("503".to_owned()) },
        connector_version: "1.2.3".to_owned(),
        config_revision: 7,
    }
}

/// Sixteen bytes that differ for each number.
pub(super) fn hash(number: u64) -> [u8; 16] {
    let mut hash = [0xa5; 16];
    hash[..8].copy_from_slice(&number.to_be_bytes());
    hash
}

/// A tenant that was not stored yet.
pub(super) fn new_tenant(environment: EnvironmentNo) -> Tenant {
    let id: TenantId = format!("tenant-{:08}", unique()).parse().expect("a tenant id");
    Tenant {
        no: TenantNo(0),
        environment,
        id,
        name: Some("Acme".to_owned()),
        metadata: json!({"plan": "gold"}),
        limits: json!({}),
        wrapped_key: Bytes::from_static(b"wrapped"),
        generation: 0,
        revision: 0,
        created_at: START,
        updated_at: START,
    }
}

/// A destination that was not stored yet.
pub(super) fn new_destination(no: DestinationNo, tenant: TenantNo, ordering: Ordering) -> Destination {
    let spec: DestinationSpec = serde_json::from_value(json!({
        "connector": "webhook", "config": {"url": "https://example.com/hook"}, "event_types": ["order.*"],
    }))
    .expect("a specification");
    Destination {
        no,
        tenant,
        id: format!("dst-{:08}", unique()).parse().expect("a destination id"),
        spec: DestinationSpec { ordering, ..spec },
        connector_version: "1.2.3".to_owned(),
        state: DestinationState::Active,
        state_reason: None,
        credentials: Vec::new(),
        health: Health::default(),
        revision: 0,
        created_at: START,
        updated_at: START,
    }
}

/// Stores a new destination and answers with its number.
pub(super) async fn add_destination<S: Directory + ?Sized>(
    store: &S,
    tenant: TenantNo,
    ordering: Ordering,
) -> DestinationNo {
    let no = store.next_destination_no().await.expect("a number");
    let destination = new_destination(no, tenant, ordering);
    store.put_destination(&destination, Expect::Absent).await.expect("a new destination").no
}
