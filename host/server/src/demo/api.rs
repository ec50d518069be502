//! The demo speaks to the host as any vendor does: over the public API.

use serde_json::Value;

/// Why the demo cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The host answered otherwise than the demo expects.
    #[error("{method} {path}: the host answered {status}: {body}")]
    Answer {
        /// `GET`.
        method: &'static str,
        /// `/v1/…`.
        path: String,
        /// Status.
        status: u16,
        /// Body.
        body: String,
    },
    /// The host could not be reached, or could not be started.
    #[error("{0}")]
    Host(String),
    /// Something is missing at the end.
    #[error("the demo did not come out as it should: {0}")]
    Outcome(String),
}

/// A client with one key.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    key: String,
}

impl Api {
    /// A client of the host at `base`.
    ///
    /// # Errors
    /// The client cannot be set up.
    #[allow(clippy::disallowed_methods)] // the demo plays a vendor, on loopback
    pub fn new(base: String, key: String) -> Result<Self, DemoError> {
        let http = reqwest::Client::builder().no_proxy().build().map_err(|error| DemoError::Host(error.to_string()))?;
        Ok(Self { http, base, key })
    }

    /// GET.
    ///
    /// # Errors
    /// Anything but a success.
    pub async fn get(&self, path: &str) -> Result<Value, DemoError> {
        self.send("GET", path, None).await
    }

    /// POST.
    ///
    /// # Errors
    /// Anything but a success.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, DemoError> {
        self.send("POST", path, Some(body)).await
    }

    /// PUT.
    ///
    /// # Errors
    /// Anything but a success.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, DemoError> {
        self.send("PUT", path, Some(body)).await
    }

    async fn send(&self, method: &'static str, path: &str, body: Option<&Value>) -> Result<Value, DemoError> {
        let url = format!("{}{path}", self.base);
        let request = match method {
            "GET" => self.http.get(url),
            "PUT" => self.http.put(url),
            _ => self.http.post(url),
        };
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let response =
            request.bearer_auth(&self.key).send().await.map_err(|error| DemoError::Host(error.to_string()))?;
        let status = response.status();
        let text = response.text().await.map_err(|error| DemoError::Host(error.to_string()))?;
        if !status.is_success() {
            return Err(DemoError::Answer { method, path: path.to_owned(), status: status.as_u16(), body: text });
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}
