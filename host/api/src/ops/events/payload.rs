//! `GET /v1/tenants/{tenant}/events/{event}/payload`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::codes;
use crate::operation::{Documented, Example, operation};
use crate::problem::Problem;
use railhead_model::EventUid;
use railhead_store::directory::Tenant;

operation! {
    id: "events.payload",
    path: "/v1/tenants/{tenant}/events/{event}/payload",
    tag: "events",
    summary: "Get an event's payload",
    about: "The bytes exactly as they were published, under their own content type.",
    action: Some(Action::PayloadsRead),
    answers: &[Documented { status: 200, schema: "", about: "The payload's bytes." }],
    examples: &[Example::get("The payload", "/v1/tenants/acme/events/ord-1/payload", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let row = call.event(&tenant).await?;
    let content_type = super::get::head(&*call.keys(&tenant)?, &row)?.content_type;
    let payload = payload(&call, &tenant, row.uid).await?;
    let payload = payload.ok_or_else(|| Problem::new(&codes::PAYLOAD_GONE, "The payload was erased."))?;
    // Foreign content under our origin: downloaded, never rendered.
    Ok(Answer::bytes(200, &content_type, payload.into())
        .header(http::header::CONTENT_DISPOSITION, "attachment")
        .header(http::header::CONTENT_SECURITY_POLICY, "sandbox"))
}

/// An event's payload, opened; `None` if it was erased.
///
/// # Errors
/// The store's; 500 for what does not open.
pub async fn payload(call: &Call, tenant: &Tenant, uid: EventUid) -> Result<Option<Vec<u8>>, Problem> {
    let Some(sealed) = call.state.store.payload(tenant.no, uid).await? else { return Ok(None) };
    Ok(Some(call.keys(tenant)?.open_payload(uid, &sealed)?))
}
