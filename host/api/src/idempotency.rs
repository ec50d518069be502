//! `Idempotency-Key`: the same POST again gets the first one's answer.

use crate::answer::Answer;
use crate::call::Call;
use crate::codes;
use crate::operation::Verb;
use crate::problem::Problem;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::HeaderName;
use railhead_model::TenantNo;
use railhead_store::directory;
use railhead_vault::TenantKeys;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, PoisonError};

const HEADER: &str = "idempotency-key";
/// Characters of a key at most.
const MAX_KEY: usize = 255;

/// An answer as it is sealed.
#[derive(Serialize, Deserialize)]
struct Stored {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// Runs a call, or repeats the answer that its key already has. Answers of success are stored; after any other the same
/// key may be sent again, and is carried out.
///
/// What a tenant's route answered is sealed under the tenant's keys, and given again only while the tenant is there:
/// deleting the tenant erases it.
///
/// # Errors
/// 422 `idempotency-key-reused`, 409 `idempotency-in-progress`; the call's own.
pub async fn run(call: Call) -> Result<Answer, Problem> {
    let Some(key) = key(&call)? else { return call.run().await };
    let (tenant, tenant_keys) = tenant(&call).await?.unzip();
    let scope = scope(&call, &key, tenant);
    let request = request_hash(&call);
    let Some(_guard) = Guard::enter(&call, scope) else {
        return Err(
            Problem::new(&codes::IDEMPOTENCY_IN_PROGRESS, "The first request with this key still runs.").retry_after(1)
        );
    };
    let (state, now) = (call.state.clone(), call.state.now());
    let keys: &TenantKeys = tenant_keys.as_deref().unwrap_or(&state.host_keys);
    if let Some(stored) = state.store.answer(&scope, now).await? {
        if stored.request != request {
            let detail = "This Idempotency-Key came before, with another request.";
            return Err(Problem::new(&codes::IDEMPOTENCY_KEY_REUSED, detail));
        }
        let answer = unpack(&keys.open_other("answer", &scope, &stored.sealed)?)?;
        tracing::info!(
            target: "railhead::audit", key = %call.permit, operation = call.permit.operation().id,
            request_id = %call.request_id, "a stored answer was given again"
        );
        return Ok(answer);
    }
    let answer = call.run().await?;
    if (200..300).contains(&answer.status) {
        let sealed = keys.seal_other("answer", &scope, &pack(&answer)?).into();
        // What was made is made: an answer that cannot be stored must not turn success into failure.
        if let Err(error) = state.store.put_answer(&scope, &directory::Answer { request, sealed }, now).await {
            tracing::warn!(%error, "the answer to an Idempotency-Key was not stored");
        }
    }
    Ok(answer)
}

/// The key of a call whose answer may be kept.
fn key(call: &Call) -> Result<Option<String>, Problem> {
    let kept = call.permit.operation().verb == Verb::Post && call.permit.operation().kept;
    let Some(key) = call.headers.get(HEADER).filter(|_| kept) else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| (1..=MAX_KEY).contains(&key.len()));
    key.map(|key| Some(key.to_owned())).ok_or_else(|| {
        Problem::new(&codes::INVALID_HEADER, "`Idempotency-Key` must be 1 to 255 visible ASCII characters.")
    })
}

/// The tenant of a path that names one, and its keys; 404 once it is deleted.
async fn tenant(call: &Call) -> Result<Option<(TenantNo, Arc<TenantKeys>)>, Problem> {
    if !call.path.iter().any(|(name, _)| name == "tenant") {
        return Ok(None);
    }
    let tenant = call.tenant().await?;
    Ok(Some((tenant.no, call.keys(&tenant)?)))
}

fn scope(call: &Call, key: &str, tenant: Option<TenantNo>) -> [u8; 32] {
    let environment = call.permit.environment().map_or(-1, |environment| environment.no.0);
    let mut hash = Sha256::new();
    // A tenant made anew under the same id is another one.
    let tenant = tenant.map_or(-1, |no| no.0);
    // An answer may hold what only its caller may see, such as a new key's secret.
    let caller = call.permit.mark();
    for piece in [&environment.to_be_bytes()[..], &tenant.to_be_bytes(), caller, key.as_bytes()] {
        hash.update((piece.len() as u64).to_be_bytes());
        hash.update(piece);
    }
    hash.finalize().into()
}

fn request_hash(call: &Call) -> [u8; 32] {
    let mut hash = Sha256::new();
    let place = serde_json::json!([call.permit.operation().id, call.path, call.query.filters()]).to_string();
    let content_type = call.headers.get(http::header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    for piece in [place.as_bytes(), content_type, &call.body] {
        hash.update((piece.len() as u64).to_be_bytes());
        hash.update(piece);
    }
    // Binary CloudEvents carry their attributes in headers.
    for (name, value) in call.headers.iter().filter(|(name, _)| name.as_str().starts_with("ce-")) {
        hash.update(name.as_str());
        hash.update(b":");
        hash.update(value.as_bytes());
    }
    hash.finalize().into()
}

fn pack(answer: &Answer) -> Result<Vec<u8>, Problem> {
    let headers = answer.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.clone())).collect();
    let stored = Stored { status: answer.status, headers, body: STANDARD.encode(&answer.body) };
    serde_json::to_vec(&stored).map_err(|error| Problem::internal(&error))
}

fn unpack(plain: &[u8]) -> Result<Answer, Problem> {
    let stored: Stored = serde_json::from_slice(plain).map_err(|error| Problem::internal(&error))?;
    let body = STANDARD.decode(&stored.body).map_err(|error| Problem::internal(&error))?.into();
    let named = |(name, value): (String, String)| Some((name.parse::<HeaderName>().ok()?, value));
    let headers = stored.headers.into_iter().filter_map(named).collect();
    let answer = Answer { status: stored.status, headers, body };
    Ok(answer.header(HeaderName::from_static("idempotent-replayed"), "true"))
}

/// Marks a key as running; ends with the call, however it ends.
struct Guard {
    state: crate::state::ApiState,
    scope: [u8; 32],
}

impl Guard {
    fn enter(call: &Call, scope: [u8; 32]) -> Option<Self> {
        let entered = call.state.in_progress.lock().unwrap_or_else(PoisonError::into_inner).insert(scope);
        entered.then(|| Self { state: call.state.clone(), scope })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.state.in_progress.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.scope);
    }
}
