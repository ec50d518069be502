//! `GET /v1/tenants/{tenant}/deliveries/{delivery}/attempts/{attempt}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, answers, operation};
use crate::ops::events::payload::payload;
use crate::problem::Problem;
use crate::views::{self, Wire};
use railhead_model::{AttemptKey, BodyPart, DeliveryKey, EventUid, Transcript};
use railhead_store::directory::Tenant;
use railhead_store::history::AttemptRow;
use railhead_vault::TenantKeys;
use serde_json::Value;
use std::collections::BTreeSet;

operation! {
    id: "attempts.get",
    path: "/v1/tenants/{tenant}/deliveries/{delivery}/attempts/{attempt}",
    tag: "deliveries",
    summary: "Get an attempt",
    about: "The request as sent (masked), the response, how long every phase took, the outcome, the connector's version \
            and the revision of the configuration. The payload shows only to keys with `payloads:read`.",
    action: Some(Action::DeliveriesRead),
    answers: &[answers(200, "Attempt", "The attempt.")],
    examples: &[Example::get("An attempt", "/v1/tenants/acme/deliveries/{delivery}/attempts/{attempt}", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let missing = || Problem::not_found("attempt");
    let tenant = call.tenant().await?;
    let delivery: DeliveryKey = call.param("delivery").parse().map_err(|_| missing())?;
    let key: AttemptKey = call.param("attempt").parse().map_err(|_| missing())?;
    if key.delivery != delivery {
        return Err(missing());
    }
    Answer::ok(&find(&call, &tenant, key).await?.ok_or_else(missing)?)
}

/// An attempt of this tenant, as JSON.
///
/// # Errors
/// The store's.
pub async fn find(call: &Call, tenant: &Tenant, key: AttemptKey) -> Result<Option<Value>, Problem> {
    let mut rows = call.state.store.attempts(tenant.no, key.delivery).await?;
    rows.retain(|row| row.attempt.n == key.n);
    Ok(views(call, tenant, key.delivery, &rows).await?.pop())
}

/// Attempts of one delivery with what went over the wire, in the order given.
///
/// # Errors
/// The store's; 500 for what does not open.
pub async fn views(
    call: &Call,
    tenant: &Tenant,
    delivery: DeliveryKey,
    rows: &[AttemptRow],
) -> Result<Vec<Value>, Problem> {
    let keys = call.keys(tenant)?;
    let mut opened = Vec::with_capacity(rows.len());
    for row in rows {
        opened.push((row, open(&keys, delivery, row)?));
    }
    let wire = wire(call, tenant, delivery.event, opened.iter().filter_map(|(_, read)| read.as_ref())).await?;
    let view = |(row, transcript): &(&AttemptRow, Option<Transcript>)| {
        views::attempt(AttemptKey { delivery, n: row.attempt.n }, &row.attempt, transcript.as_ref(), &wire)
    };
    Ok(opened.iter().map(view).collect())
}

/// What went over the wire at an attempt, if it is on record.
///
/// # Errors
/// 500 for what does not open.
pub fn open(keys: &TenantKeys, delivery: DeliveryKey, row: &AttemptRow) -> Result<Option<Transcript>, Problem> {
    // Sealed for the first of those that share it.
    let owner = row.owner.unwrap_or(AttemptKey { delivery, n: row.attempt.n });
    let Some(sealed) = row.transcript.as_deref() else { return Ok(None) };
    let plain = keys.open_transcript(owner.delivery, owner.n, sealed)?;
    let read: Transcript = serde_json::from_slice(&plain).map_err(|error| Problem::internal(&error))?;
    Ok(Some(read.seen_by(delivery.event)))
}

/// Payloads of other events of the same request that are looked up at most.
pub const MAX_OTHERS: usize = 100;

/// The payloads that these transcripts refer to, for those who may see them.
async fn wire(
    call: &Call,
    tenant: &Tenant,
    own: EventUid,
    transcripts: impl Iterator<Item = &Transcript>,
) -> Result<Wire, Problem> {
    if !call.may(crate::auth::Action::PayloadsRead) {
        return Ok(Wire::default());
    }
    let mut refers = false;
    let mut uids = BTreeSet::new();
    for part in transcripts.flat_map(|transcript| &transcript.exchanges).flat_map(|one| &one.request.body) {
        match part {
            BodyPart::EventData => refers = true,
            BodyPart::OtherEvent(uid) => _ = uids.insert(*uid),
            _ => {}
        }
    }
    let mut wire = Wire { own: if refers { payload(call, tenant, own).await? } else { None }, ..Wire::default() };
    for uid in uids.into_iter().take(MAX_OTHERS) {
        if let Some(bytes) = payload(call, tenant, uid).await? {
            wire.others.insert(uid, bytes);
        }
    }
    Ok(wire)
}
