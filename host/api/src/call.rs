//! One request on its way through an operation: authenticated, authorized, read.

use crate::answer::Answer;
use crate::auth::{Action, Permit};
use crate::codes;
use crate::json;
use crate::page::PageAsk;
use crate::precondition::{self, IfMatch};
use crate::problem::Problem;
use crate::query::Query;
use crate::state::ApiState;
use bytes::Bytes;
use http::HeaderMap;
use railhead_model::{DestinationId, EventUid, TenantId};
use railhead_store::directory::{Destination, Environment, Tenant};
use railhead_store::history::EventRow;
use railhead_vault::TenantKeys;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;

/// See the module.
#[derive(Clone, Debug)]
pub struct Call {
    /// Shared state.
    pub state: ApiState,
    /// Which operation, who asks, where it happens.
    pub permit: Permit,
    /// Path parameters, decoded.
    pub path: Vec<(String, String)>,
    /// Query parameters.
    pub query: Query,
    /// Request headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The request's id.
    pub request_id: Arc<str>,
}

impl Call {
    /// A path parameter. Operations ask for those of their own path only.
    #[must_use]
    pub fn param(&self, name: &str) -> &str {
        self.path.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value.as_str())
    }

    /// The environment.
    ///
    /// # Errors
    /// 400 `environment-required` where an administrator named none.
    pub fn environment(&self) -> Result<&Arc<Environment>, Problem> {
        self.permit.environment().ok_or_else(|| {
            Problem::new(&codes::ENVIRONMENT_REQUIRED, "Add `?environment=<name>`: this key belongs to no environment.")
        })
    }

    /// Decides about a further action of the same request.
    ///
    /// # Errors
    /// 403.
    pub fn authorize(&self, action: Action) -> Result<(), Problem> {
        self.permit.authorize(action)
    }

    /// True if the caller may do this too.
    pub fn may(&self, action: Action) -> bool {
        self.permit.may(action)
    }

    /// The tenant of the path.
    ///
    /// # Errors
    /// 404.
    pub async fn tenant(&self) -> Result<Tenant, Problem> {
        self.find_tenant()
            .await?
            .ok_or_else(|| Problem::new(&codes::UNKNOWN_TENANT, "There is no such tenant in this environment."))
    }

    /// The tenant of the path, if there is one.
    ///
    /// # Errors
    /// The store's.
    pub async fn find_tenant(&self) -> Result<Option<Tenant>, Problem> {
        let Ok(id) = self.param("tenant").parse::<TenantId>() else { return Ok(None) };
        Ok(self.state.store.tenant(self.environment()?.no, &id).await?)
    }

    /// A tenant's keys.
    ///
    /// # Errors
    /// 500 if its key does not open.
    pub fn keys(&self, tenant: &Tenant) -> Result<Arc<TenantKeys>, Problem> {
        Ok(self.state.delivery.keyring().keys(tenant)?)
    }

    /// What a tenant's owner writes into the trust policies of roles that this host assumes.
    ///
    /// # Errors
    /// 500 if the tenant's key does not open.
    pub fn external_id(&self, tenant: &Tenant) -> Result<String, Problem> {
        Ok(self.keys(tenant)?.external_id())
    }

    /// The destination of the path.
    ///
    /// # Errors
    /// 404.
    pub async fn destination(&self, tenant: &Tenant) -> Result<Destination, Problem> {
        let missing = || Problem::not_found("destination");
        let id: DestinationId = self.param("destination").parse().map_err(|_| missing())?;
        self.state.store.destination(tenant.no, &id).await?.ok_or_else(missing)
    }

    /// The event of the path: by `uid`, else the newest with this vendor `id`.
    ///
    /// # Errors
    /// 404.
    pub async fn event(&self, tenant: &Tenant) -> Result<EventRow, Problem> {
        let text = self.param("event");
        if let Ok(uid) = text.parse::<EventUid>()
            && let Some(row) = self.state.store.event(tenant.no, uid).await?
        {
            return Ok(row);
        }
        self.state.store.event_by_id(tenant.no, text).await?.ok_or_else(|| Problem::not_found("event"))
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// 400 for what is none, 422 for the character NUL in it.
    pub fn value(&self) -> Result<Value, Problem> {
        let value = json::value(&self.body)?;
        json::check_text(&value)?;
        Ok(value)
    }

    /// The body as a type; an empty body is an empty object. `nested` as in [`json::into`].
    ///
    /// # Errors
    /// 400, 422.
    pub fn json<T: DeserializeOwned>(&self, nested: &[&str]) -> Result<T, Problem> {
        let value = if self.body.is_empty() { Value::Object(serde_json::Map::new()) } else { self.value()? };
        json::into(value, nested)
    }

    /// `limit` and `cursor`.
    ///
    /// # Errors
    /// 400.
    pub fn page(&self) -> Result<PageAsk, Problem> {
        PageAsk::of(self)
    }

    /// `If-Match` and `If-None-Match`.
    ///
    /// # Errors
    /// 400.
    pub fn if_match(&self) -> Result<IfMatch, Problem> {
        precondition::read(&self.headers)
    }

    /// Tells the engine that destinations of a tenant changed.
    pub fn changed(&self, tenant: &Tenant, destinations: &[railhead_model::DestinationNo]) {
        self.state.delivery.config_changed(tenant.no, destinations);
    }

    /// Runs the operation.
    ///
    /// # Errors
    /// The operation's.
    pub async fn run(self) -> Result<Answer, Problem> {
        (self.permit.operation().run)(self).await
    }
}
