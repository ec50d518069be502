//! Tenants' keys, opened once and kept while the tenant is there.

use bytes::Bytes;
use railhead_model::{EnvironmentNo, TenantId, TenantNo};
use railhead_store::directory::Tenant;
use railhead_vault::{TenantKeys, Vault, VaultError};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Keys by tenant. Shared by everything in the host that seals or opens.
#[derive(Debug)]
pub struct Keyring {
    vault: Arc<Vault>,
    keys: RwLock<HashMap<TenantNo, Arc<TenantKeys>>>,
}

/// Tenants whose keys are kept open at once.
const KEPT: usize = 100_000;

/// What a tenant's wrapped key is bound to: it opens for this environment and id only.
#[must_use]
pub fn binding(environment: EnvironmentNo, tenant: &TenantId) -> String {
    format!("{environment}/{tenant}")
}

impl Keyring {
    /// An empty one.
    #[must_use]
    pub fn new(vault: Arc<Vault>) -> Self {
        Self { vault, keys: RwLock::default() }
    }

    /// The vault behind it.
    #[must_use]
    pub const fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// A new tenant's data key, wrapped, for [`Tenant::wrapped_key`].
    #[must_use]
    pub fn new_key(&self, environment: EnvironmentNo, tenant: &TenantId) -> Bytes {
        self.vault.new_tenant_key(&binding(environment, tenant)).into()
    }

    /// A tenant's keys.
    ///
    /// # Errors
    /// [`VaultError`] if no configured master key opens them.
    pub fn keys(&self, tenant: &Tenant) -> Result<Arc<TenantKeys>, VaultError> {
        if let Some(keys) = self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&tenant.no) {
            return Ok(Arc::clone(keys));
        }
        let binding = binding(tenant.environment, &tenant.id);
        let keys = Arc::new(self.vault.open_tenant(&binding, &tenant.wrapped_key)?);
        let mut known = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            known.clear(); // rare, and only a matter of opening again
        }
        known.insert(tenant.no, Arc::clone(&keys));
        Ok(keys)
    }

    /// Drops all keys; those that are needed again are opened again.
    pub fn forget_all(&self) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Drops a deleted tenant's keys: what is sealed under them can no longer be read here.
    pub fn forget(&self, tenant: TenantNo) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).remove(&tenant);
    }
}
