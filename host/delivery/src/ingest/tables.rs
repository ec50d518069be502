//! Compiled routing tables, by tenant.
//!
//! A table may be old: the accept commit compares its generation with the tenant's and answers `Stale`, so what was
//! answered to a configuration write is seen by every later publish, on every host.

use crate::keyring::Keyring;
use railhead_model::{
    Clock, DestinationNo, DestinationState, EnvironmentNo, Event, Ordering, TenantId, TenantNo, Verdict,
};
use railhead_routing::{Facts, Matcher, lane_value};
use railhead_store::directory::{Expect, Tenant};
use railhead_store::{Store, StoreError};
use railhead_vault::{Lane, TenantKeys};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

type Key = (EnvironmentNo, TenantId);
type Verdicts = Vec<(DestinationNo, Verdict)>;
type Lanes = Vec<(DestinationNo, Lane)>;

/// Tables of tenants that published lately.
pub(crate) struct Tables {
    store: Arc<dyn Store>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    capacity: usize,
    tables: RwLock<Kept>,
    loading: Loading,
}

/// Destinations of all kept tables together: what they compile to is a few hundred bytes each, filters more.
const DESTINATIONS: usize = 200_000;

/// Tables, and the destinations in them.
#[derive(Default)]
struct Kept {
    tables: HashMap<Key, Arc<Table>>,
    destinations: usize,
}

impl Kept {
    /// Forgets all where there are too many: rare, and only a matter of loading again.
    fn insert(&mut self, key: Key, table: Arc<Table>, capacity: usize) {
        self.remove(&key);
        if self.tables.len() >= capacity || self.destinations + table.destinations() > DESTINATIONS {
            *self = Self::default();
        }
        self.destinations += table.destinations();
        self.tables.insert(key, table);
    }

    fn remove(&mut self, key: &Key) {
        if let Some(table) = self.tables.remove(key) {
            self.destinations -= table.destinations();
        }
    }
}

/// One load of a tenant at a time: a change to a busy tenant does not make every waiting publish load it. Tenants do
/// not wait for each other.
#[derive(Default)]
struct Loading(Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>);

/// A place in the line for one tenant; the last one to leave takes the line away.
struct Turn<'a> {
    loading: &'a Loading,
    key: &'a Key,
    line: Arc<tokio::sync::Mutex<()>>,
}

impl Loading {
    fn turn<'a>(&'a self, key: &'a Key) -> Turn<'a> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = Arc::clone(lines.entry(key.clone()).or_default());
        Turn { loading: self, key, line }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut lines = self.loading.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's and this one: others would have come through the map, which is locked.
        if Arc::strong_count(&self.line) <= 2 {
            lines.remove(self.key);
        }
    }
}

/// How one tenant's events are routed, as of one configuration generation.
pub(crate) struct Table {
    pub tenant: Tenant,
    pub keys: Arc<TenantKeys>,
    destinations: Vec<Compiled>,
}

struct Compiled {
    no: DestinationNo,
    takes_part: bool,
    matcher: Matcher,
    ordering: Ordering,
}

/// Why there is no table.
pub(crate) enum TableError {
    /// No such tenant.
    Unknown,
    /// It cannot be read now.
    Unavailable(String),
}

impl From<StoreError> for TableError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl Table {
    /// How many there are.
    pub fn destinations(&self) -> usize {
        self.destinations.len()
    }

    /// The verdict at every destination, and the lanes of those that match and keep an order.
    pub fn route(&self, event: &Event) -> (Verdicts, Lanes) {
        let facts = Facts::new(event);
        let mut lanes = Vec::new();
        let verdict = |destination: &Compiled| {
            if !destination.takes_part {
                return (destination.no, Verdict::SkippedDisabled);
            }
            let verdict = destination.matcher.verdict(&facts);
            if verdict == Verdict::Matched
                && let Some(value) = lane_value(&destination.ordering, &facts)
            {
                lanes.push((destination.no, self.keys.lane(destination.no, &value)));
            }
            (destination.no, verdict)
        };
        let verdicts = self.destinations.iter().map(verdict).collect();
        (verdicts, lanes)
    }
}

impl Tables {
    pub fn new(store: Arc<dyn Store>, keyring: Arc<Keyring>, clock: Arc<dyn Clock>, capacity: usize) -> Self {
        Self { store, keyring, clock, capacity, tables: RwLock::default(), loading: Loading::default() }
    }

    /// A tenant's table; an unknown tenant is made where its environment says so.
    pub async fn get(&self, environment: EnvironmentNo, tenant: &TenantId) -> Result<Arc<Table>, TableError> {
        let key = (environment, tenant.clone());
        if let Some(table) = self.cached(&key) {
            return Ok(table);
        }
        let turn = self.loading.turn(&key);
        let _one = turn.line.lock().await;
        if let Some(table) = self.cached(&key) {
            return Ok(table);
        }
        let table = Arc::new(self.load(environment, tenant).await?);
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        tables.insert(key.clone(), Arc::clone(&table), self.capacity);
        Ok(table)
    }

    /// The store said that this table is old: the next `get` loads another, unless that happened already.
    pub fn outdated(&self, environment: EnvironmentNo, table: &Arc<Table>) {
        let key = (environment, table.tenant.id.clone());
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        if tables.tables.get(&key).is_some_and(|there| Arc::ptr_eq(there, table)) {
            tables.remove(&key);
        }
    }

    /// This tenant's configuration changed.
    pub fn forget(&self, tenant: TenantNo) {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        let theirs = tables.tables.iter().find(|(_, table)| table.tenant.no == tenant).map(|(key, _)| key.clone());
        theirs.iter().for_each(|key| tables.remove(key));
    }

    fn cached(&self, key: &Key) -> Option<Arc<Table>> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner).tables.get(key).map(Arc::clone)
    }

    /// Reads the tenant first: destinations that are newer than its generation are found stale at the commit.
    async fn load(&self, environment: EnvironmentNo, id: &TenantId) -> Result<Table, TableError> {
        let tenant = match self.store.tenant(environment, id).await? {
            Some(tenant) => tenant,
            None => self.create(environment, id).await?,
        };
        let keys = self.keyring.keys(&tenant).map_err(|error| {
            tracing::error!(tenant = %tenant.id, %error, "a tenant's key cannot be opened");
            TableError::Unavailable("the tenant's key cannot be opened with this host's master key".into())
        })?;
        let mut destinations = self.store.destinations(tenant.no).await?;
        destinations.sort_by_key(|destination| destination.no);
        let compile = |destination: railhead_store::directory::Destination| {
            let spec = &destination.spec;
            let matcher = Matcher::compile(&spec.event_types, spec.filter.as_ref()).map_err(|error| {
                tracing::error!(destination = %destination.id, %error, "a stored filter does not compile");
                TableError::Unavailable("a stored filter cannot be read by this version of the host".into())
            })?;
            Ok(Compiled {
                no: destination.no,
                takes_part: destination.state != DestinationState::Disabled,
                matcher,
                ordering: destination.spec.ordering,
            })
        };
        let destinations = destinations.into_iter().map(compile).collect::<Result<_, TableError>>()?;
        Ok(Table { tenant, keys, destinations })
    }

    /// Makes a tenant where its environment's settings say `create_tenants` (at the top, or under `limits`).
    async fn create(&self, environment: EnvironmentNo, id: &TenantId) -> Result<Tenant, TableError> {
        let environments = self.store.environments().await?;
        let settings = environments.iter().find(|one| one.no == environment).map(|one| &one.settings);
        let says = |pointer: &str| settings.and_then(|s| s.pointer(pointer)).and_then(|v| v.as_bool()) == Some(true);
        if id.is_reserved() || !(says("/create_tenants") || says("/limits/create_tenants")) {
            return Err(TableError::Unknown);
        }
        let now = self.clock.now();
        let tenant = Tenant {
            no: TenantNo(0),
            environment,
            id: id.clone(),
            name: None,
            metadata: serde_json::json!({}),
            limits: serde_json::json!({}),
            wrapped_key: self.keyring.new_key(environment, id),
            generation: 0,
            revision: 0,
            created_at: now,
            updated_at: now,
        };
        match self.store.put_tenant(&tenant, Expect::Absent).await {
            Ok(tenant) => Ok(tenant),
            Err(StoreError::Conflict(_)) => self.store.tenant(environment, id).await?.ok_or(TableError::Unknown),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tenants_wait_in_lines_of_their_own_and_leave_nothing() {
        let loading = Loading::default();
        let [a, b] = ["a", "b"].map(|id| (EnvironmentNo(1), id.parse::<TenantId>().expect("an id")));
        let first = loading.turn(&a);
        let held = first.line.lock().await;
        let second = loading.turn(&a);
        assert!(second.line.try_lock().is_err(), "one load of a tenant at a time");
        let other = loading.turn(&b);
        assert!(other.line.try_lock().is_ok(), "another tenant does not wait");
        drop((held, other));
        assert_eq!(loading.0.lock().expect("whole").len(), 1);
        drop(first);
        assert!(second.line.try_lock().is_ok());
        drop(second);
        assert!(loading.0.lock().expect("whole").is_empty());
    }
}
