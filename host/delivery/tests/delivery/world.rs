//! A running engine over the model store, with scripted connectors and a clock that tests move.

use crate::connectors::Scripted;
use crate::store::{FaultyStore, Gate};
use bytes::Bytes;
use railhead_delivery::{Catalog, Delivery, Draft, Options, Parts, Published, Running, start};
use railhead_model::{
    Clock, DeliveryKey, DestinationNo, DestinationSpec, DestinationState, EnvironmentNo, EventUid, Manifest, TenantId,
    TenantNo, Timestamp,
};
use railhead_store::directory::{Destination, Directory as _, Expect, Tenant};
use railhead_store::model::{ModelCore, ModelStore};
use railhead_store::work::Health;
use railhead_vault::{MasterKey, MasterKeys, SystemRandom, Vault};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering as Memory};

/// Follows tokio's clock, which stands still in tests until everything waits; but for the time that the machine sleeps,
/// of which tokio knows nothing.
pub struct TestClock {
    began: tokio::time::Instant,
    slept_ms: AtomicU64,
}

const BEGIN: Timestamp = Timestamp(1_800_000_000_000);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        BEGIN.plus_ms(i64::try_from(self.monotonic_ms()).expect("short"))
    }
    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).expect("short") + self.slept_ms.load(Memory::Relaxed)
    }
}

impl TestClock {
    #[allow(clippy::disallowed_methods)] // tokio's own clock is what these tests move
    fn start() -> Self {
        Self { began: tokio::time::Instant::now(), slept_ms: AtomicU64::new(0) }
    }

    /// The machine was suspended for so long, and wakes now.
    pub fn sleep(&self, ms: u64) {
        self.slept_ms.fetch_add(ms, Memory::Relaxed);
    }
}

/// Everything of one test.
pub struct World {
    pub store: FaultyStore,
    pub connectors: Arc<Scripted>,
    pub running: Running,
    pub delivery: Delivery,
    pub environment: EnvironmentNo,
    pub tenant: Tenant,
    pub clock: Arc<TestClock>,
    vault: Arc<Vault>,
}

/// `scripted` takes each event by itself, `batching` and `stable` take batches.
fn manifests() -> [Manifest; 3] {
    let bounds = |stable: bool| {
        let most = json!({"max_events": 100, "max_bytes": 1_000_000, "linger_ms": 200});
        json!({"max_events": 1_000, "max_bytes": 10_000_000, "default": most, "stable": stable})
    };
    let kinds = [("scripted", json!(null)), ("batching", bounds(false)), ("stable", bounds(true))];
    kinds.map(|(name, batch)| {
        let manifest = json!({
            "name": name, "version": "1.2.3", "contract": "0.1.0", "label": "Scripted", "category": "http",
            "config_schema": {}, "origins": [], "max_sessions": 4, "batch": batch,
        });
        serde_json::from_value(manifest).expect("a manifest")
    })
}

impl World {
    /// An environment, the tenant `acme`, and nothing else.
    pub async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        Self::on(ModelStore::embedded(), options).await
    }

    /// On a store that many hosts may share.
    pub async fn shared() -> Self {
        Self::on(ModelStore::new(), Options::default()).await
    }

    async fn on(store: ModelStore, options: Options) -> Self {
        let store = FaultyStore::new(store);
        let vault = Arc::new(Vault::new(MasterKeys::one(MasterKey::generate(&SystemRandom)), Arc::new(SystemRandom)));
        let clock = Arc::new(TestClock::start());
        let environment = store.put_environment("live", &json!({}), Expect::Absent).await.expect("made").no;
        let (connectors, running) = run(&store, &vault, &clock, options).await;
        let delivery = running.delivery.clone();
        let tenant = tenant(&store, &delivery, environment, TenantId::operator()).await; // the first number is not 1
        store.delete_tenant(tenant.no).await.expect("deleted");
        let tenant = self::tenant(&store, &delivery, environment, "acme".parse().expect("an id")).await;
        Self { store, connectors, running, delivery, environment, tenant, clock, vault }
    }

    /// Shuts down, and starts another host on the same store.
    pub async fn restart(self) -> Self {
        self.running.shutdown().await;
        let (connectors, running) = run(&self.store, &self.vault, &self.clock, Options::default()).await;
        let delivery = running.delivery.clone();
        Self { connectors, running, delivery, ..self }
    }

    /// Stops at once, as a crash would, and starts another host on the same store.
    /// Its calls wait if `gate` is closed.
    pub async fn die(self, gate: Gate) -> Self {
        let mut connectors = Scripted::new(Arc::clone(&self.clock));
        connectors.gate = gate;
        self.die_for(connectors).await
    }

    /// The same; the next host has these connectors.
    pub async fn die_for(self, connectors: Scripted) -> Self {
        drop(self.running);
        let connectors = Arc::new(connectors);
        let running = run_with(&self.store, &self.vault, &self.clock, Options::default(), &connectors).await;
        let delivery = running.delivery.clone();
        Self { connectors, running, delivery, ..self }
    }

    /// One more host on the same store, with connectors of its own.
    pub async fn another_host(&self) -> Self {
        let (store, vault, clock) = (self.store.clone(), Arc::clone(&self.vault), Arc::clone(&self.clock));
        let (connectors, running) = run(&store, &vault, &clock, Options::default()).await;
        let delivery = running.delivery.clone();
        let (environment, tenant) = (self.environment, self.tenant.clone());
        Self { store, connectors, running, delivery, environment, tenant, clock, vault }
    }

    pub async fn operator(&self) -> Tenant {
        tenant(&self.store, &self.delivery, self.environment, TenantId::operator()).await
    }

    /// Makes a destination of `acme`; `spec` as the API has it, without the connector.
    pub async fn destination(&self, id: &str, spec: serde_json::Value) -> Destination {
        self.destination_of(&self.tenant, id, spec).await
    }

    pub async fn destination_of(&self, tenant: &Tenant, id: &str, mut spec: serde_json::Value) -> Destination {
        if spec.get("connector").is_none() {
            spec["connector"] = "scripted".into();
        }
        let spec: DestinationSpec = serde_json::from_value(spec).expect("a spec");
        let now = self.clock.now();
        let destination = Destination {
            no: self.store.next_destination_no().await.expect("a number"),
            tenant: tenant.no,
            id: id.parse().expect("an id"),
            spec,
            connector_version: "1.2.3".into(),
            state: DestinationState::Active,
            state_reason: None,
            credentials: Vec::new(),
            health: Health::default(),
            revision: 0,
            created_at: now,
            updated_at: now,
        };
        self.put(&destination).await
    }

    /// Writes a destination and tells the engine, as the API does.
    pub async fn put(&self, destination: &Destination) -> Destination {
        let stored = self.store.put_destination(destination, Expect::Anything).await.expect("stored");
        self.delivery.config_changed(stored.tenant, &[stored.no]);
        stored
    }

    pub async fn publish(&self, draft: Draft) -> Published {
        self.delivery.publish(self.environment, vec![draft]).await.expect("accepted").remove(0)
    }

    /// Publishes events of such sizes, a millisecond apart; their deliveries at one destination, which come in their order.
    pub async fn publish_sized(&self, to: DestinationNo, sizes: &[usize]) -> Vec<DeliveryKey> {
        let mut keys = Vec::new();
        for size in sizes {
            match self.publish(Draft { data: vec![b'x'; *size].into(), ..order() }).await {
                Published::Accepted { uid, .. } => keys.push(delivery(uid, to)),
                other => panic!("{other:?}"),
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        keys
    }

    /// Publishes so many events in one commit; their deliveries at one destination.
    pub async fn publish_together(&self, to: DestinationNo, count: usize) -> Vec<DeliveryKey> {
        let published = self.delivery.publish(self.environment, vec![order(); count]).await.expect("accepted");
        let key = |published: Published| match published {
            Published::Accepted { uid, .. } => delivery(uid, to),
            other => panic!("{other:?}"),
        };
        published.into_iter().map(key).collect()
    }

    /// Publishes one event without an id of its own.
    pub async fn publish_one(&self) -> EventUid {
        match self.publish(order()).await {
            Published::Accepted { uid, .. } => uid,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until the store looks so; the clock runs on while everything waits. Fails after an hour of it.
    pub async fn until<T>(&self, mut look: impl FnMut(&ModelCore) -> Option<T>) -> T {
        let mut changed = self.store.changed.subscribe();
        let wait = async {
            loop {
                if let Some(found) = look(&self.store.inner.core()) {
                    return found;
                }
                changed.changed().await.expect("the store is there");
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(3_600), wait).await.expect("within an hour")
    }

    pub async fn ended(&self, key: DeliveryKey) -> railhead_model::End {
        self.until(|core| core.end_of(key)).await
    }
}

async fn run(
    store: &FaultyStore,
    vault: &Arc<Vault>,
    clock: &Arc<TestClock>,
    options: Options,
) -> (Arc<Scripted>, Running) {
    let connectors = Arc::new(Scripted::new(Arc::clone(clock)));
    let running = run_with(store, vault, clock, options, &connectors).await;
    (connectors, running)
}

async fn run_with(
    store: &FaultyStore,
    vault: &Arc<Vault>,
    clock: &Arc<TestClock>,
    options: Options,
    connectors: &Arc<Scripted>,
) -> Running {
    let parts = Parts {
        store: Arc::new(store.clone()),
        vault: Arc::clone(vault),
        connectors: Arc::clone(connectors) as Arc<dyn railhead_delivery::connectors::Connectors>,
        catalog: Arc::new(Catalog::new(manifests())),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        options: Options { seed: Some(7), ..options },
    };
    let running = start(parts).await.expect("starts");
    running.delivery.ready().await;
    running
}

async fn tenant(store: &FaultyStore, delivery: &Delivery, environment: EnvironmentNo, id: TenantId) -> Tenant {
    let tenant = Tenant {
        no: TenantNo(0),
        environment,
        wrapped_key: delivery.keyring().new_key(environment, &id),
        id,
        name: None,
        metadata: json!({}),
        limits: json!({}),
        generation: 0,
        revision: 0,
        created_at: BEGIN,
        updated_at: BEGIN,
    };
    store.put_tenant(&tenant, Expect::Absent).await.expect("made")
}

pub const ORDER: &str = r#"{"total": 12.50, "customer": "c1"}"#;

pub fn order() -> Draft {
    Draft::new("acme".parse().expect("an id"), "order.created", Bytes::from_static(ORDER.as_bytes()))
}

pub const fn delivery(event: EventUid, destination: DestinationNo) -> DeliveryKey {
    DeliveryKey { event, destination, run: 0 }
}
