//! The API, called inside the process with the key of the person who is signed in.

use crate::failure::Failure;
use crate::foreign::encode;
use crate::session::Session;
use axum::Router;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, Request, Response};
use serde::de::DeserializeOwned;
use tower_service::Service as _;

/// Bytes of an answer that are read: a payload, or a page of destinations with large configurations.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// The API as one person sees it.
#[derive(Clone, Debug)]
pub struct Api {
    router: Router,
    session: Session,
}

impl Api {
    /// The API with this person's key.
    #[must_use]
    pub const fn new(router: Router, session: Session) -> Self {
        Self { router, session }
    }

    /// Reads an object or a list.
    ///
    /// # Errors
    /// What the API answered instead.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, Failure> {
        let bytes = self.bytes(path, query).await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            tracing::error!(%error, "an answer of the API is not what its page expects");
            Failure::internal()
        })
    }

    /// As [`Api::get`], for what a page can do without: `None` where the key does not reach, or nothing is there.
    ///
    /// # Errors
    /// Anything else.
    pub async fn get_if_allowed<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Option<T>, Failure> {
        match self.get(path, query).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if matches!(failure.status, 403 | 404 | 410) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Reads bytes as they are.
    ///
    /// # Errors
    /// What the API answered instead.
    pub async fn bytes(&self, path: &str, query: &[(&str, &str)]) -> Result<Bytes, Failure> {
        let response = self.send(path, query).await?;
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, MAX_ANSWER).await.map_err(|_| Failure::internal())?;
        if parts.status.is_success() { Ok(bytes) } else { Err(Failure::answered(parts.status, &bytes)) }
    }

    async fn send(&self, path: &str, query: &[(&str, &str)]) -> Result<Response<Body>, Failure> {
        let environment = self.session.environment.as_deref().map(|name| ("environment", name));
        let all: Vec<_> = query.iter().copied().chain(environment).collect();
        let pairs: Vec<_> = all.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let mut key = HeaderValue::from_str(&format!("Bearer {}", self.session.key.as_str()))
            .map_err(|_| Failure::unauthenticated())?;
        key.set_sensitive(true);
        let request = Request::get(format!("{path}?{}", pairs.join("&")))
            .header(AUTHORIZATION, key)
            .header(ACCEPT, "application/json")
            .body(Body::empty())
            .map_err(|_| Failure::missing())?;
        // A router is always ready.
        let Ok(response) = self.router.clone().call(request).await;
        Ok(response)
    }
}

/// `/v1/tenants/{tenant}` and what follows, each step encoded.
#[must_use]
pub fn tenant_path(tenant: &str, rest: &[&str]) -> String {
    let steps: String = rest.iter().map(|step| format!("/{}", encode(step))).collect();
    format!("/v1/tenants/{}{steps}", encode(tenant))
}
