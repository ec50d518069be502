//! Configuration of owned destinations: loaded, followed, and disabled by the engine's word.

use crate::core::Input;
use crate::fleet::{Loaded, settings};
use crate::operator::Notice;
use crate::patience::patiently;
use crate::running::Shared;
use railhead_model::{DestinationNo, DestinationState, Reason, ShardNo, TenantNo};
use railhead_store::StoreError;
use railhead_store::directory::{Destination, Expect, Tenant};
use railhead_store::work::StableBatch;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Destinations, or tenants, read by one query.
const PAGE: u32 = 500;
/// Re-reading the whole fleet reads at most so many destinations per second.
const RELOAD_PER_S: u64 = 1_000;
/// Pause before something that could not be read is read again.
const AGAIN: Duration = Duration::from_millis(500);

/// Tenants read while loading, so that each is read once.
type Tenants = BTreeMap<TenantNo, Option<Arc<Tenant>>>;
/// Revisions of destinations as they run here.
type Revisions = BTreeMap<DestinationNo, i64>;

/// Loads all destinations of these shards, with their open batches, and surveys them. Repeatable.
///
/// # Errors
/// Of the store.
pub(crate) async fn load_shards(shared: &Shared, shards: &[ShardNo]) -> Result<(), StoreError> {
    let mut tenants = Tenants::new();
    let mut page = shared.store.destinations_of(shards, None, PAGE).await?;
    while let Some(last) = page.last().map(|last| last.no) {
        // The next one is on its way meanwhile: after a take-over deliveries wait for it.
        let next = shared.store.destinations_of(shards, Some(last), PAGE);
        page = tokio::try_join!(next, load_page(shared, &mut tenants, page))?.0;
    }
    Ok(())
}

async fn load_page(shared: &Shared, tenants: &mut Tenants, page: Vec<Destination>) -> Result<(), StoreError> {
    let nos: Vec<_> = page.iter().map(|destination| destination.no).collect();
    let (batches, due) = tokio::try_join!(open_batches(shared, &nos), shared.store.survey(&nos))?;
    take_in(shared, tenants, page, batches).await?;
    shared.input(Input::Surveyed(due));
    Ok(())
}

async fn open_batches(
    shared: &Shared,
    nos: &[DestinationNo],
) -> Result<BTreeMap<DestinationNo, Vec<StableBatch>>, StoreError> {
    let mut by_destination: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for batch in shared.store.batches(nos).await? {
        by_destination.entry(batch.destination).or_default().push(batch);
    }
    Ok(by_destination)
}

/// Gives the engine destinations as they are configured now, with their open batches.
async fn take_in(
    shared: &Shared,
    tenants: &mut Tenants,
    destinations: Vec<Destination>,
    mut batches: BTreeMap<DestinationNo, Vec<StableBatch>>,
) -> Result<(), StoreError> {
    read_tenants(shared, tenants, destinations.iter().map(|destination| destination.tenant)).await?;
    for destination in destinations {
        let open = batches.remove(&destination.no);
        match tenants.get(&destination.tenant).cloned().flatten() {
            Some(tenant) => put(shared, tenant, destination, open),
            None => drop_destination(shared, destination.no),
        }
    }
    Ok(())
}

/// Reads those that were not read yet.
async fn read_tenants(
    shared: &Shared,
    tenants: &mut Tenants,
    wanted: impl Iterator<Item = TenantNo>,
) -> Result<(), StoreError> {
    let missing: BTreeSet<_> = wanted.filter(|no| !tenants.contains_key(no)).collect();
    let missing: Vec<_> = missing.into_iter().collect();
    for nos in missing.chunks(PAGE as usize) {
        let found = shared.store.tenants_by_no(nos).await?;
        tenants.extend(nos.iter().map(|no| (*no, None)));
        tenants.extend(found.into_iter().map(|tenant| (tenant.no, Some(Arc::new(tenant)))));
    }
    Ok(())
}

/// Without a pause, so that the shard cannot go meanwhile.
fn put(shared: &Shared, tenant: Arc<Tenant>, destination: Destination, batches: Option<Vec<StableBatch>>) {
    let held = shared.lease.held();
    if !held.contains(&destination.no.shard()) {
        return;
    }
    match shared.fleet.revision(destination.no) {
        // Somebody else read it later than this.
        Some(known) if known > destination.revision => return,
        // A session may have begun with the old one since the change.
        Some(known) if known < destination.revision && has_lost_a_credential(shared, &destination) => {
            shared.connectors.revoke(destination.no, destination.revision);
        }
        Some(known) if known < destination.revision => shared.connectors.retire(destination.no),
        _ => {}
    }
    let settings = settings(&destination, &shared.catalog, &shared.options);
    shared.fleet.insert(Loaded { destination: Arc::new(destination), tenant });
    let config = Input::Config(Box::new(settings));
    match batches {
        // At once, so that no member starts by itself in between.
        Some(batches) => shared.inputs(vec![config, Input::Batches(batches)]),
        None => shared.input(config),
    }
}

/// True if a field that had a value has none any more: it was withdrawn, not rotated.
fn has_lost_a_credential(shared: &Shared, destination: &Destination) -> bool {
    let Some(before) = shared.fleet.get(destination.no) else { return false };
    let is_set = |field: &str| destination.credentials.iter().any(|credential| credential.field == field);
    before.destination.credentials.iter().any(|credential| !is_set(&credential.field))
}

/// Forgets a destination that was deleted, or that another host owns now.
pub(crate) fn drop_destination(shared: &Shared, no: DestinationNo) {
    if shared.fleet.remove(no) {
        shared.connectors.retire(no);
        shared.input(Input::Gone(no));
    }
}

/// What is to be read again.
#[derive(Debug)]
pub(crate) struct Changed {
    /// With all of its destinations that run here.
    pub tenant: Option<TenantNo>,
    /// These, whoever has them.
    pub destinations: Vec<DestinationNo>,
}

/// Follows changes, wherever they were made.
pub(crate) async fn follow(shared: Arc<Shared>, mut changed: mpsc::UnboundedReceiver<Changed>) {
    let mut came = Vec::new();
    while changed.recv_many(&mut came, 64).await > 0 {
        let mut nos = BTreeSet::new();
        let mut tenants = BTreeSet::new();
        for Changed { tenant, destinations } in came.drain(..) {
            nos.extend(destinations);
            nos.extend(tenant.into_iter().flat_map(|tenant| shared.fleet.of_tenant(tenant)));
            tenants.extend(tenant);
        }
        let nos: Vec<_> = nos.into_iter().collect();
        if apply_patiently(&shared, &tenants, &nos).await.is_err() {
            apply_one_by_one(&shared, &tenants, &nos).await;
        }
    }
}

async fn apply_patiently(
    shared: &Shared,
    tenants: &BTreeSet<TenantNo>,
    nos: &[DestinationNo],
) -> Result<(), StoreError> {
    patiently("changed destinations cannot be read", || apply(shared, tenants, nos)).await
}

/// Something there cannot be read, however often: other changes must not wait for it.
async fn apply_one_by_one(shared: &Shared, tenants: &BTreeSet<TenantNo>, nos: &[DestinationNo]) {
    for no in nos {
        if let Err(error) = apply_patiently(shared, &BTreeSet::new(), std::slice::from_ref(no)).await {
            tracing::error!(%error, destination = %no, "a changed destination cannot be read");
        }
    }
    for no in tenants {
        if let Err(error) = apply_patiently(shared, &BTreeSet::from([*no]), &[]).await {
            tracing::error!(%error, tenant = no.0, "a changed tenant cannot be read");
        }
    }
}

async fn apply(shared: &Shared, changed: &BTreeSet<TenantNo>, nos: &[DestinationNo]) -> Result<(), StoreError> {
    let mut tenants = Tenants::new();
    read_tenants(shared, &mut tenants, changed.iter().copied()).await?;
    for nos in nos.chunks(PAGE as usize) {
        let found = shared.store.destinations_by_no(nos).await?;
        let there: BTreeSet<_> = found.iter().map(|destination| destination.no).collect();
        take_in_changed(shared, &mut tenants, found).await?;
        nos.iter().filter(|no| !there.contains(no)).for_each(|no| drop_destination(shared, *no));
        shared.input(Input::Hinted(there.into_iter().collect()));
    }
    // Last, so that no attempt opens it again: its destinations are gone.
    for (no, _) in tenants.iter().filter(|(_, tenant)| tenant.is_none()) {
        shared.keyring.forget(*no);
        shared.payloads.clear();
    }
    Ok(())
}

/// Takes destinations in; those that were not known with the batches that are open.
async fn take_in_changed(shared: &Shared, tenants: &mut Tenants, found: Vec<Destination>) -> Result<(), StoreError> {
    let missing = shared.fleet.missing(found.iter().map(|destination| destination.no));
    let batches = if missing.is_empty() { BTreeMap::new() } else { open_batches(shared, &missing).await? };
    take_in(shared, tenants, found, batches).await
}

/// Re-reads all owned destinations now and then: finds what changed through other hosts.
pub(crate) async fn reload(shared: Arc<Shared>) {
    loop {
        let paced_ms = shared.fleet.len() as u64 * 1_000 / RELOAD_PER_S;
        let pause = Duration::from_millis(shared.options.reload_ms.max(paced_ms));
        // Without a pause where anything may have changed.
        let _ = tokio::time::timeout(pause, shared.reload.notified()).await;
        if let Err(error) = reload_once(&shared).await {
            tracing::warn!(%error, "destinations cannot be read again now");
        }
    }
}

async fn reload_once(shared: &Shared) -> Result<(), StoreError> {
    let shards = shared.lease.shards();
    match reload_shards(shared, &shards, shared.fleet.revisions()).await {
        Err(error) if !error.is_retryable() => reload_one_by_one(shared, &shards).await,
        answer => answer,
    }
}

/// Something there cannot be read, however often: the other shards must not wait for it.
async fn reload_one_by_one(shared: &Shared, shards: &[ShardNo]) -> Result<(), StoreError> {
    let mut known: BTreeMap<ShardNo, Revisions> = BTreeMap::new();
    for (no, revision) in shared.fleet.revisions() {
        known.entry(no.shard()).or_default().insert(no, revision);
    }
    for shard in shards {
        let known = known.remove(shard).unwrap_or_default();
        match reload_shards(shared, std::slice::from_ref(shard), known).await {
            Err(error) if !error.is_retryable() => {
                tracing::error!(%error, shard = shard.0, "a shard's destinations cannot be read again");
            }
            answer => answer?,
        }
    }
    Ok(())
}

async fn reload_shards(shared: &Shared, shards: &[ShardNo], mut known: Revisions) -> Result<(), StoreError> {
    let mut tenants = Tenants::new();
    let mut after = None;
    loop {
        let page = shared.store.destinations_of(shards, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.no);
        let changed = page.into_iter().filter(|one| known.remove(&one.no) != Some(one.revision)).collect();
        take_in_changed(shared, &mut tenants, changed).await?;
    }
    // What was known and is not there any more was deleted, if its shard was read at all.
    let gone = known.into_keys().filter(|no| shards.contains(&no.shard()));
    gone.for_each(|no| drop_destination(shared, no));
    Ok(())
}

/// Disables a destination by itself, with the reason for its owner.
pub(crate) async fn disable(shared: Arc<Shared>, no: DestinationNo, reason: Reason) {
    loop {
        match try_disable(&shared, no, &reason).await {
            Ok(()) => return,
            Err(StoreError::Conflict(_)) => {} // somebody wrote it meanwhile: look again
            Err(error) if error.is_retryable() => tokio::time::sleep(AGAIN).await,
            Err(error) => {
                tracing::error!(%error, destination = %no, "a destination could not be disabled");
                return;
            }
        }
    }
}

async fn try_disable(shared: &Shared, no: DestinationNo, reason: &Reason) -> Result<(), StoreError> {
    let Some(mut destination) = shared.store.destinations_by_no(&[no]).await?.pop() else { return Ok(()) };
    if destination.state == DestinationState::Disabled {
        return Ok(());
    }
    destination.state = DestinationState::Disabled;
    destination.state_reason = Some(reason.code.clone());
    destination.updated_at = shared.clock.now();
    let expect = Expect::Revision(destination.revision);
    let destination = shared.store.put_destination(&destination, expect).await?;
    tracing::warn!(destination = %destination.id, code = reason.code, "destination disabled");
    shared.config_changed(destination.tenant, &[no]);
    shared.notices.tell(Notice::Disabled { no, reason: reason.clone() });
    Ok(())
}
