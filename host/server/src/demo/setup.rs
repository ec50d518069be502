//! The demo's stage: host, receiver, tenants, destinations.

use super::api::{Api, DemoError};
use super::receiver::Receiver;
use crate::compose::App;
use railhead_vault::SystemRandom;
use serde_json::{Value, json};
use std::path::Path;

/// A destination of the demo.
#[derive(Clone, Copy)]
pub struct Destination {
    /// Its tenant.
    pub tenant: &'static str,
    /// Its id, and the last step of its path at the receiver.
    pub id: &'static str,
    /// How it is told of in the table.
    pub temper: &'static str,
    config: fn() -> Value,
    more: fn() -> Value,
}

impl Destination {
    /// Its resource in the API.
    #[must_use]
    pub fn resource(&self) -> String {
        format!("/v1/tenants/{}/destinations/{}", self.tenant, self.id)
    }

    /// Its path at the receiver.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/{}/{}", self.tenant, self.id)
    }
}

/// All of them: four of the healthy tenant, one of its dead neighbour.
pub const DESTINATIONS: [Destination; 5] = [
    Destination {
        tenant: "acme",
        id: "orders",
        temper: "works; raw bytes",
        config: || json!({"mode": "raw"}),
        more: || json!({"event_types": ["order.*"]}),
    },
    Destination {
        tenant: "acme",
        id: "billing",
        temper: "503 at first, one in ten",
        config: || json!({"mode": "standard"}),
        more: || json!({"event_types": ["payment.*", "order.paid"], "retry": {"schedule_ms": [1000, 2000, 4000, 8000]}}),
    },
    Destination {
        tenant: "acme",
        id: "audit",
        temper: "works; CloudEvents",
        config: || json!({"mode": "cloudevents-structured"}),
        more: || json!({}),
    },
    Destination {
        tenant: "acme",
        id: "crm",
        temper: "422 for yen until repaired",
        config: || json!({"mode": "standard"}),
        more: || json!({"event_types": ["order.*"], "filter": {"data": {"total": [{"numeric": [">", 20_000]}]}}}),
    },
    Destination {
        tenant: "globex",
        id: "erp",
        temper: "holds every request 10 s",
        config: || json!({"mode": "standard"}),
        more: || json!({"timeout_ms": 12_000}),
    },
];

/// Everything that the story needs.
pub struct Stage {
    /// The host, composed as `serve` composes it.
    pub app: App,
    /// The vendor's client.
    pub api: Api,
    /// Its key, for the curl lines.
    pub key: String,
    /// The receiver.
    pub receiver: Receiver,
    /// The destinations.
    pub destinations: Vec<Destination>,
}

impl Stage {
    /// Starts the host and the receiver, and makes tenants and destinations over the API.
    ///
    /// # Errors
    /// [`DemoError`].
    pub async fn build(folder: &Path, keep_requests: bool) -> Result<Self, DemoError> {
        let key = format!("rk_live_demo_{}", hex(&SystemRandom.bytes::<16>()));
        let config = super::config(folder, &key)?;
        let app = App::start(&config, true).await.map_err(|error| DemoError::Host(error.to_string()))?;
        let receiver = super::receiver(app.clock(), keep_requests).await?;
        let api = Api::new(format!("http://{}", app.address()), key.clone())?;
        for tenant in ["acme", "globex"] {
            api.put(&format!("/v1/tenants/{tenant}"), &json!({"name": tenant})).await?;
        }
        for destination in &DESTINATIONS {
            let mut body = (destination.more)();
            let mut config = (destination.config)();
            config["url"] = receiver.url(&destination.path()).into();
            body["connector"] = "webhook".into();
            body["config"] = config;
            api.put(&destination.resource(), &body).await?;
        }
        Ok(Self { app, api, key, receiver, destinations: DESTINATIONS.to_vec() })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn paths_are_unique() {
        let paths: BTreeSet<_> = DESTINATIONS.iter().map(Destination::path).collect();
        assert_eq!(paths.len(), DESTINATIONS.len());
    }
}
