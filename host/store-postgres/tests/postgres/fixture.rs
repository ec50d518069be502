//! A migrated store with a tenant, and short ways to make events and results.

use crate::server;
use bytes::Bytes;
use railhead_model::{
    Attempt, DeliveryKey, DestinationNo, DestinationSpec, DestinationState, End, EnvironmentNo, EventUid, HostId,
    Ordering, Origin, OutcomeClass, Reason, Route, TenantNo, Timestamp, Verdict,
};
use railhead_store::directory::{Destination, Directory, Expect, Tenant};
use railhead_store::work::Health;
use railhead_store::{Accept, Accepted, Change, Leases, NewEvent, Recording, WorkStore};
use railhead_store_postgres::{PostgresOptions, PostgresStore};
use serde_json::json;

/// Noon of a UTC day.
pub const NOON: Timestamp = Timestamp(1_750_000_000_000 - 1_750_000_000_000 % 86_400_000 + 43_200_000);

pub struct Fixture {
    pub store: PostgresStore,
    pub url: String,
    pub tenant: Tenant,
    pub host: HostId,
    pub made: u64,
}

impl Fixture {
    /// `None`: no server is installed, and the test is skipped.
    pub async fn new() -> Option<Self> {
        let url = server::database().await?;
        let store = PostgresStore::connect(&url, &PostgresOptions::default()).await.expect("a connection");
        store.migrate().await.expect("the schema");
        let environment = store.put_environment("live", &json!({}), Expect::Absent).await.expect("an environment");
        let tenant = store.put_tenant(&tenant(environment.no, "acme"), Expect::Absent).await.expect("a tenant");
        let host = HostId::new(NOON, [1; 10]);
        store.join(host, NOON).await.expect("a host");
        Some(Self { store, url, tenant, host, made: 0 })
    }

    /// Over a store and a tenant that are there, without a host.
    pub fn over(store: PostgresStore, tenant: Tenant) -> Self {
        Self { store, url: String::new(), tenant, host: HostId::new(NOON, [1; 10]), made: 0 }
    }

    pub async fn destination(&mut self, id: &str, ordering: Ordering) -> DestinationNo {
        let no = self.store.next_destination_no().await.expect("a number");
        let given = destination(self.tenant.no, no, id, ordering);
        self.store.put_destination(&given, Expect::Absent).await.expect("a destination");
        self.tenant = self.store.tenant_by_no(self.tenant.no).await.expect("a read").expect("the tenant");
        no
    }

    /// An event of this time, matched at these destinations.
    pub fn event(&mut self, at: Timestamp, to: &[DestinationNo]) -> NewEvent {
        self.made += 1;
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.made.to_be_bytes());
        let uid = EventUid::new(at, random);
        let verdicts = to.iter().map(|no| (*no, Verdict::Matched)).collect();
        NewEvent {
            uid,
            tenant: self.tenant.no,
            generation: self.tenant.generation,
            idh: None,
            digest: [9; 16],
            id: uid.to_string(),
            event_type: "order.created".to_owned(),
            at,
            route: Route { generation: self.tenant.generation, verdicts },
            origin: Origin::Publish,
            lanes: Vec::new(),
            head: Bytes::from_static(b"head"),
            payload: Bytes::from_static(b"payload"),
            payload_bytes: 7,
        }
    }

    /// The same under a vendor's id.
    pub fn named(&mut self, at: Timestamp, id: u8, to: &[DestinationNo]) -> NewEvent {
        NewEvent { idh: Some([id; 16]), id: format!("order-{id}"), ..self.event(at, to) }
    }

    /// A stored event of noon at one destination; its delivery.
    pub async fn delivery(&mut self, to: DestinationNo) -> DeliveryKey {
        let event = self.event(NOON, &[to]);
        assert_eq!(self.store.accept(std::slice::from_ref(&event)).await, Ok(vec![Accepted::Stored]));
        DeliveryKey { event: event.uid, destination: to, run: 0 }
    }

    pub async fn waiting(&self, destination: DestinationNo) -> u32 {
        self.store.waiting(&[destination], 1_000).await.expect("a read")[0].1
    }
}

pub fn tenant(environment: EnvironmentNo, id: &str) -> Tenant {
    Tenant {
        no: TenantNo(0),
        environment,
        id: id.parse().expect("an id"),
        name: Some("Acme".to_owned()),
        metadata: json!({"plan": "gold"}),
        limits: json!({}),
        wrapped_key: Bytes::from_static(b"wrapped"),
        generation: 0,
        revision: 0,
        created_at: NOON,
        updated_at: NOON,
    }
}

pub fn destination(tenant: TenantNo, no: DestinationNo, id: &str, ordering: Ordering) -> Destination {
    let spec: DestinationSpec =
        serde_json::from_value(json!({"connector": "webhook", "retry": {"schedule_ms": [1000]}})).expect("a spec");
    Destination {
        no,
        tenant,
        id: id.parse().expect("an id"),
        spec: DestinationSpec { ordering, ..spec },
        connector_version: "1.0.0".to_owned(),
        state: DestinationState::Active,
        state_reason: None,
        credentials: Vec::new(),
        health: Health::default(),
        revision: 0,
        created_at: NOON,
        updated_at: NOON,
    }
}

pub fn attempt(n: u32, outcome: OutcomeClass) -> Attempt {
    Attempt {
        n,
        started_at: NOON.plus_ms(i64::from(n)),
        duration_ms: 12,
        outcome,
        reason: Reason::new("http-503", "not\0now"),
        connector_version: "1.0.0".to_owned(),
        config_revision: 1,
    }
}

pub fn retry(key: DeliveryKey, tenant: TenantNo, rev: u32, n: u32) -> Recording {
    Recording {
        key,
        tenant,
        rev,
        change: Change::Retry { due: NOON.plus_ms(60_000), attempts: n, since: NOON },
        attempt: Some(attempt(n, OutcomeClass::Transient)),
        transcript: Some(Bytes::from_static(b"sealed")),
        owner: None,
    }
}

pub fn end(key: DeliveryKey, tenant: TenantNo, rev: u32, n: u32, end: End) -> Recording {
    let outcome = if end == End::Delivered { OutcomeClass::Delivered } else { OutcomeClass::Permanent };
    Recording {
        change: Change::End { end, code: "http-200".to_owned(), at: NOON.plus_ms(100), attempts: n },
        attempt: Some(attempt(n, outcome)),
        ..retry(key, tenant, rev, n)
    }
}
