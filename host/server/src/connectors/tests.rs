//! When credentials are opened, and for how long they stay so.

use super::*;
use railhead_model::{Clock, EnvironmentNo, TenantNo};
use railhead_sandbox::SandboxConfig;
use railhead_sandbox::egress::{Egress, EgressPolicy};
use railhead_vault::{MasterKey, MasterKeys, SystemRandom};
use serde_json::json;
use std::sync::atomic::{AtomicI64, Ordering};

#[derive(Default)]
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    fn monotonic_ms(&self) -> u64 {
        0
    }
}

fn credential(
    keys: &TenantKeys,
    version: u32,
    value: &str,
    ends: Option<i64>,
) -> railhead_store::directory::Credential {
    let no = DestinationNo(7);
    railhead_store::directory::Credential {
        field: "signing_secret".to_owned(),
        version,
        sealed: keys.seal_credential(no, "signing_secret", version, value.as_bytes()).into(),
        public: json!({}),
        set_at: Timestamp(0),
        expires_at: ends.map(Timestamp),
    }
}

#[tokio::test]
async fn credentials_stay_open_until_the_first_of_them_ends() {
    let hand = Arc::new(Hand::default());
    let egress = Arc::new(Egress::new(EgressPolicy::default(), None).unwrap());
    let sandbox = Sandbox::new(SandboxConfig::default(), egress, hand.clone()).unwrap();
    let webhook = sandbox.load(railhead_plugins::WEBHOOK).await.unwrap();
    let vault = Arc::new(Vault::new(MasterKeys::one(MasterKey::generate(&SystemRandom)), Arc::new(SystemRandom)));
    let loaded = BTreeMap::from([("webhook".to_owned(), webhook)]);
    let connectors = SandboxedConnectors::new(sandbox, loaded, Arc::clone(&vault), hand.clone());

    let id: railhead_model::TenantId = "acme".parse().unwrap();
    let binding = railhead_delivery::keyring::binding(EnvironmentNo(1), &id);
    let wrapped_key = vault.new_tenant_key(&binding);
    let keys = vault.open_tenant(&binding, &wrapped_key).unwrap();
    let tenant = Tenant {
        no: TenantNo(1),
        environment: EnvironmentNo(1),
        id,
        name: None,
        metadata: json!({}),
        limits: json!({}),
        wrapped_key: wrapped_key.into(),
        generation: 1,
        revision: 1,
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
    };
    let mut destination = Destination {
        no: DestinationNo(7),
        tenant: TenantNo(1),
        id: "hook".parse().unwrap(),
        spec: serde_json::from_value(json!({"connector": "webhook", "config": {"url": "https://hooks.test/"}}))
            .unwrap(),
        connector_version: "0.1.0".to_owned(),
        state: railhead_model::DestinationState::Active,
        state_reason: None,
        credentials: vec![
            credential(&keys, 2, "the newer one", None),
            credential(&keys, 1, "the older one", Some(1_000)),
        ],
        health: railhead_store::work::Health::default(),
        revision: 3,
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
    };
    let open = |destination: &Destination| connectors.target(&tenant, destination).unwrap();
    let values =
        |target: &Target| -> Vec<Vec<u8>> { target.credentials.iter().map(|one| one.value.to_vec()).collect() };

    let both = open(&destination);
    assert_eq!(values(&both), [b"the newer one".to_vec(), b"the older one".to_vec()], "the one in force first");
    hand.0.store(999, Ordering::SeqCst);
    assert!(Arc::ptr_eq(&both, &open(&destination)), "not opened again while they overlap");
    hand.0.store(1_000, Ordering::SeqCst);
    let newer = open(&destination);
    assert_eq!(values(&newer), [b"the newer one".to_vec()]);
    hand.0.store(i64::MAX, Ordering::SeqCst);
    assert!(Arc::ptr_eq(&newer, &open(&destination)), "what never ends stays open");

    connectors.retire(DestinationNo(7));
    assert!(!Arc::ptr_eq(&newer, &open(&destination)));
    destination.revision = 4;
    destination.credentials.clear();
    assert!(values(&open(&destination)).is_empty(), "a new revision is opened anew");
    connectors.revoke(DestinationNo(7), 5);
    assert!(connectors.lock().is_empty());
}
