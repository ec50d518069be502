//! The first start of a store: environments `sandbox` and `live`, and the first keys.

use railhead_api::keys;
use railhead_model::{Clock, EnvironmentNo, KeyId};
use railhead_store::directory::{Expect, Key};
use railhead_store::{Directory, StoreError};
use railhead_vault::{Random, SystemRandom};

/// A key that is shown once.
pub struct Shown {
    /// `administrator`, or the environment's name.
    pub whose: &'static str,
    /// Not kept anywhere.
    pub secret: String,
}

/// Makes what a new store needs. `with_keys`: keys too, which are answered once; not where settings bring them.
///
/// # Errors
/// The store's. Repeating is harmless.
pub async fn bootstrap(
    store: &(impl Directory + ?Sized),
    clock: &dyn Clock,
    with_keys: bool,
) -> Result<Vec<Shown>, StoreError> {
    if !store.environments().await?.is_empty() {
        return Ok(Vec::new());
    }
    let mut shown = Vec::new();
    for name in ["sandbox", "live"] {
        let environment = store.put_environment(name, &serde_json::json!({}), Expect::Anything).await?;
        if with_keys {
            shown.push(make_key(store, clock, name, Some(environment.no)).await?);
        }
    }
    if with_keys {
        shown.insert(0, make_key(store, clock, "administrator", None).await?);
    }
    Ok(shown)
}

async fn make_key(
    store: &(impl Directory + ?Sized),
    clock: &dyn Clock,
    whose: &'static str,
    environment: Option<EnvironmentNo>,
) -> Result<Shown, StoreError> {
    let secret = keys::new_secret(environment.map(|_| whose), &SystemRandom);
    let mut random = [0; 10];
    SystemRandom.fill(&mut random);
    let key = Key {
        id: KeyId::new(clock.now(), random),
        environment,
        name: format!("{whose} (first start)"),
        hash: keys::hash(&secret),
        scopes: vec![if environment.is_some() { "*" } else { "admin" }.to_owned()],
        created_at: clock.now(),
        expires_at: None,
        revoked: false,
    };
    store.put_key(&key).await?;
    Ok(Shown { whose, secret })
}
