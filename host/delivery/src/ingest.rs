//! Accepting events: route, seal, commit, answer.

mod admission;
mod gather;
mod lane;
mod prepare;
mod tables;

pub(crate) use lane::{AcceptLane, AcceptQueue, new as lane};
pub(crate) use tables::Tables;

use crate::draft::{Draft, Overloaded, Published, Refusal};
use crate::handle::TestError;
use crate::running::Shared;
use admission::{Entered, Load, Ticket};
use prepare::Prepared;
use railhead_model::{Attempt, DeliveryKey, EnvironmentNo, EventUid, Origin, TenantNo};
use railhead_store::directory::{Destination, Tenant};
use railhead_store::{Accepted, FirstEvent};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tables::{Table, TableError};

/// How often a draft is routed again because its tenant's configuration changed meanwhile.
const ROUTINGS: usize = 6;

/// A draft on its way: where its answer goes, and the uid that it keeps over all sendings.
struct Open<'a> {
    index: usize,
    uid: EventUid,
    draft: &'a Draft,
}

/// See [`crate::Delivery::publish`].
#[tracing::instrument(level = "debug", skip_all, fields(environment = %environment, events = drafts.len()))]
pub(crate) async fn publish(
    shared: &Arc<Shared>,
    environment: EnvironmentNo,
    drafts: Vec<Draft>,
) -> Result<Vec<Published>, Overloaded> {
    shared.admit()?;
    let mut answers: Vec<Option<Published>> = vec![None; drafts.len()];
    let mut open: Vec<_> =
        drafts.iter().enumerate().map(|(index, draft)| Open { index, uid: shared.mint(), draft }).collect();
    for round in 0..ROUTINGS {
        open = send(shared, environment, open, &mut answers, round == 0).await?;
        if open.is_empty() {
            return all(answers.into_iter().flatten().collect());
        }
    }
    Err(Overloaded::Unavailable("the tenant's configuration changes all the time".into()))
}

/// What is so of all drafts is said once.
fn all(answers: Vec<Published>) -> Result<Vec<Published>, Overloaded> {
    let (mut away, mut over_share) = (None, None);
    for answer in &answers {
        match answer {
            Published::Unavailable(why) => away = Some(Overloaded::Unavailable(why.clone())),
            Published::OverShare { retry_after_s } => {
                over_share = Some(Overloaded::OverShare { retry_after_s: *retry_after_s });
            }
            Published::Accepted { .. } | Published::Duplicate { .. } | Published::Refused(_) => return Ok(answers),
        }
    }
    match (away, over_share) {
        (Some(error), None) | (None, Some(error)) => Err(error),
        _ => Ok(answers),
    }
}

/// A draft whose tenant is known, and how its events are routed.
type Routed<'a> = (Open<'a>, Arc<Table>);

/// Routes, seals and commits what is open; answers with what must be routed again. `first`: it is let in, or not.
async fn send<'a>(
    shared: &Arc<Shared>,
    environment: EnvironmentNo,
    open: Vec<Open<'a>>,
    answers: &mut [Option<Published>],
    first: bool,
) -> Result<Vec<Open<'a>>, Overloaded> {
    let mut routed = look_up(shared, environment, open, answers).await;
    let ticket =
        if first { enter(shared, &mut routed, answers)? } else { shared.accept.admission.again(loads(&routed)) };
    if routed.is_empty() {
        return Ok(Vec::new());
    }
    let (mut group, mut sent) = (Vec::with_capacity(routed.len()), Vec::with_capacity(routed.len()));
    for (one, table) in routed {
        let prepared = prepare::prepare(one.draft, one.uid, &table);
        let brief = (prepared.new.digest, prepared.deliveries());
        group.push(prepared);
        sent.push((one, table, brief));
        // Routing a long list takes time: other tasks get their turn between its events.
        tokio::task::coop::consume_budget().await;
    }
    let accepted = commit(shared, group, ticket).await?;
    let mut again = Vec::new();
    for ((one, table, (digest, deliveries)), accepted) in sent.into_iter().zip(accepted) {
        match accepted {
            Accepted::Stored => {
                let id = one.draft.id.clone().unwrap_or_else(|| one.uid.to_string());
                tracing::debug!(event = %one.uid, deliveries, "accepted");
                set(answers, one.index, Published::Accepted { uid: one.uid, id, deliveries });
            }
            Accepted::Duplicate(first) => set(answers, one.index, duplicate(first, digest)),
            Accepted::Stale | Accepted::NoTenant => {
                shared.tables.outdated(environment, &table);
                again.push(one);
            }
        }
    }
    Ok(again)
}

/// The tables of the drafts' tenants; answers for those that have none.
async fn look_up<'a>(
    shared: &Shared,
    environment: EnvironmentNo,
    open: Vec<Open<'a>>,
    answers: &mut [Option<Published>],
) -> Vec<Routed<'a>> {
    let mut routed = Vec::with_capacity(open.len());
    for one in open {
        match shared.tables.get(environment, &one.draft.tenant).await {
            Ok(table) => routed.push((one, table)),
            Err(TableError::Unknown) => set(answers, one.index, Published::Refused(unknown_tenant(one.draft))),
            Err(TableError::Unavailable(why)) => set(answers, one.index, Published::Unavailable(why)),
        }
    }
    routed
}

/// Lets in what may come in; answers for tenants that are over their share.
fn enter(
    shared: &Shared,
    routed: &mut Vec<Routed<'_>>,
    answers: &mut [Option<Published>],
) -> Result<Ticket, Overloaded> {
    let Entered { ticket, over_share, retry_after_s } =
        shared.accept.admission.enter(shared.clock.monotonic_ms(), loads(routed))?;
    routed.retain(|(one, table)| {
        let is_in = !over_share.contains(&table.tenant.no);
        if !is_in {
            set(answers, one.index, Published::OverShare { retry_after_s });
        }
        is_in
    });
    Ok(ticket)
}

fn loads(routed: &[Routed<'_>]) -> BTreeMap<TenantNo, Load> {
    let mut loads = BTreeMap::<_, Load>::new();
    for (one, table) in routed {
        let load = loads.entry(table.tenant.no).or_default();
        load.events += 1;
        load.bytes += prepare::room(one.draft, table);
    }
    loads
}

fn set(answers: &mut [Option<Published>], index: usize, answer: Published) {
    if let Some(slot) = answers.get_mut(index) {
        *slot = Some(answer);
    }
}

fn unknown_tenant(draft: &Draft) -> Refusal {
    Refusal {
        code: Refusal::UNKNOWN_TENANT,
        pointer: "/tenant",
        detail: format!("there is no tenant `{}` in this environment", draft.tenant),
    }
}

fn duplicate(first: FirstEvent, digest: [u8; 16]) -> Published {
    if first.digest == digest {
        return Published::Duplicate { uid: first.uid, id: first.id, deliveries: first.deliveries };
    }
    let detail = format!("the id `{}` was used for another event ({}) with other content", first.id, first.uid);
    Published::Refused(Refusal { code: Refusal::EVENT_ID_CONFLICT, pointer: "/id", detail })
}

/// The lane owns the events from here on: a caller that leaves cancels nothing.
async fn commit(shared: &Shared, group: Vec<Prepared>, ticket: Ticket) -> Result<Vec<Accepted>, Overloaded> {
    let gone = || Overloaded::Unavailable("the host shuts down".into());
    shared.accept.send(group, ticket).ok_or_else(gone)?.await.map_err(|_| gone())?
}

/// Between looks into the store while a test waits: another host may own the destination.
const TEST_POLL: Duration = Duration::from_millis(500);
/// What a test waits beyond the destination's own timeout: for its turn, and for the record.
const TEST_GRACE_MS: u64 = 3_000;

/// See [`crate::Delivery::test`].
#[tracing::instrument(level = "debug", skip_all, fields(destination = %destination.id))]
pub(crate) async fn test(
    shared: &Arc<Shared>,
    tenant: &Tenant,
    destination: &Destination,
    draft: Draft,
) -> Result<(DeliveryKey, Option<Attempt>), TestError> {
    shared.admit()?;
    let key = DeliveryKey { event: shared.mint(), destination: destination.no, run: 0 };
    let waiter = shared.waiters.wait_for(key);
    for _ in 0..ROUTINGS {
        let table = match shared.tables.get(tenant.environment, &tenant.id).await {
            Ok(table) => table,
            Err(TableError::Unknown) => return Err(TestError::Refused(unknown_tenant(&draft))),
            Err(TableError::Unavailable(why)) => return Err(Overloaded::Unavailable(why).into()),
        };
        let mut prepared = prepare::prepare(&draft, key.event, &table);
        prepared.only(&table, destination);
        let load = Load { events: 1, bytes: prepare::room(&draft, &table) };
        let ticket = shared.accept.admission.again(BTreeMap::from([(table.tenant.no, load)]));
        prepared.new.origin = Origin::Test;
        let digest = prepared.new.digest;
        match commit(shared, vec![prepared], ticket).await?.pop() {
            Some(Accepted::Stored) => {
                let wait = Duration::from_millis(u64::from(destination.spec.timeout_ms) + TEST_GRACE_MS);
                let first = tokio::time::timeout(wait, first_attempt(shared, tenant, key, waiter)).await;
                return Ok((key, first.ok()));
            }
            Some(Accepted::Duplicate(first)) => {
                return match duplicate(first, digest) {
                    Published::Refused(refusal) => Err(TestError::Refused(refusal)),
                    Published::Unavailable(why) => Err(Overloaded::Unavailable(why).into()),
                    Published::OverShare { retry_after_s } => Err(Overloaded::OverShare { retry_after_s }.into()),
                    Published::Accepted { uid, .. } | Published::Duplicate { uid, .. } => {
                        Ok((DeliveryKey { event: uid, ..key }, None))
                    }
                };
            }
            Some(Accepted::Stale | Accepted::NoTenant) | None => shared.tables.outdated(tenant.environment, &table),
        }
    }
    Err(Overloaded::Unavailable("the tenant's configuration changes all the time".into()).into())
}

async fn first_attempt(
    shared: &Shared,
    tenant: &Tenant,
    key: DeliveryKey,
    mut waiter: crate::record::Waiter<'_>,
) -> Attempt {
    loop {
        if let Ok(attempt) = tokio::time::timeout(TEST_POLL, waiter.attempt()).await {
            return attempt;
        }
        match shared.store.attempts(tenant.no, key).await {
            Ok(mut attempts) if !attempts.is_empty() => return attempts.swap_remove(0).attempt,
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "a test's attempts cannot be read now"),
        }
    }
}
