//! A client of the public API, as a vendor would write one.

use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Speaks JSON to one host with one key.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
    kept: Option<Arc<Mutex<Vec<Kept>>>>,
}

/// An answer as it came, and what it was the answer to.
#[derive(Clone, Debug)]
pub struct Kept {
    /// `GET /v1/tenants`.
    pub request: String,
    /// Status, headers and body.
    pub answer: Vec<u8>,
}

impl Client {
    /// A client with a key.
    ///
    /// # Panics
    /// If the TLS back end cannot be set up.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // a client of the host, not the host
    pub fn new(address: SocketAddr, key: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { http, base: format!("http://{address}"), key: key.to_owned(), kept: None }
    }

    /// The same host with another key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    /// From now on keeps every answer; so do the clients made of it.
    #[must_use]
    pub fn keeping(&self) -> Self {
        Self { kept: Some(Arc::default()), ..self.clone() }
    }

    /// The answers kept so far.
    #[must_use]
    pub fn kept(&self) -> Vec<Kept> {
        let lock = |kept: &Arc<Mutex<Vec<Kept>>>| kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.kept.as_ref().map(lock).unwrap_or_default()
    }

    /// Any request: the status (0 if none came), and the body as JSON (or a string).
    pub async fn send(&self, method: &str, path: &str, content_type: &str, body: Vec<u8>) -> (u16, Value) {
        self.send_with(method, path, &[("content-type", content_type)], body).await
    }

    /// Any request with any headers.
    ///
    /// # Panics
    /// If `method` is none.
    pub async fn send_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, Value) {
        let told = format!("{method} {path}");
        let method = method.parse().expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let Ok(response) = request.body(body).send().await else { return (0, Value::Null) };
        let status = response.status().as_u16();
        let head = format!("{status} {:?}\n", response.headers());
        let bytes = response.bytes().await.unwrap_or_default();
        if let Some(kept) = &self.kept {
            let answer = [head.as_bytes(), &bytes].concat();
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(Kept { request: told, answer });
        }
        let value = serde_json::from_slice(&bytes);
        (status, value.unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned())))
    }

    /// GET.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, "application/json", Vec::new()).await
    }

    /// POST.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send("POST", path, "application/json", body.to_string().into_bytes()).await
    }

    /// PUT.
    pub async fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send("PUT", path, "application/json", body.to_string().into_bytes()).await
    }

    /// PATCH.
    pub async fn patch(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send("PATCH", path, "application/merge-patch+json", body.to_string().into_bytes()).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> (u16, Value) {
        self.send("DELETE", path, "application/json", Vec::new()).await
    }

    /// All rows of a list.
    ///
    /// # Panics
    /// If a page is not answered with 200.
    pub async fn list(&self, path: &str) -> Vec<Value> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let (mut rows, mut cursor) = (Vec::new(), String::new());
        loop {
            let (status, page) = self.get(&format!("{path}{separator}limit=200{cursor}")).await;
            assert_eq!(status, 200, "{path}: {page}");
            rows.extend(page["data"].as_array().cloned().unwrap_or_default());
            let Some(next) = page["next"].as_str() else { return rows };
            cursor = format!("&cursor={next}");
        }
    }

    /// Makes a tenant.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn make_tenant(&self, id: &str) {
        let (status, body) = self.put(&format!("/v1/tenants/{id}"), &serde_json::json!({})).await;
        assert!(matches!(status, 200 | 201), "{status}: {body}");
    }

    /// Makes or replaces a destination under an id; as it stands then.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn make_destination(&self, tenant: &str, id: &str, body: &Value) -> Value {
        let (status, body) = self.put(&format!("/v1/tenants/{tenant}/destinations/{id}"), body).await;
        assert!(matches!(status, 200 | 201), "{status}: {body}");
        body
    }

    /// The first attempt of the newest delivery at a destination, as the API shows it, once there is one.
    ///
    /// # Panics
    /// If there is none within 60 s.
    pub async fn first_attempt(&self, tenant: &str, destination: &str) -> Value {
        for _ in 0..600 {
            let deliveries = self.list(&format!("/v1/tenants/{tenant}/deliveries?destination={destination}")).await;
            if let Some(id) = deliveries.first().and_then(|delivery| delivery["id"].as_str()) {
                let attempts = format!("/v1/tenants/{tenant}/deliveries/{id}/attempts");
                if let Some(attempt) = self.list(&attempts).await.last().and_then(|attempt| attempt["id"].as_str()) {
                    let (status, attempt) = self.get(&format!("{attempts}/{attempt}")).await;
                    assert_eq!(status, 200, "{attempt}");
                    return attempt;
                }
            }
            // What the engine does shows when it is recorded; nothing tells when.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("no attempt at {destination} of {tenant} in 60 s");
    }
}
