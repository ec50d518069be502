//! Somebody who looks at the pages under `/ui`, signed in with a key.

use std::net::SocketAddr;

/// A page as it came.
#[derive(Clone, Debug)]
pub struct Page {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub html: String,
}

impl Page {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// A browser without JavaScript, with one cookie.
#[derive(Clone, Debug)]
pub struct Browser {
    http: reqwest::Client,
    base: String,
    cookie: String,
}

impl Browser {
    /// Signs in.
    ///
    /// # Panics
    /// If that is refused.
    #[allow(clippy::disallowed_methods)] // a client of the host, not the host
    pub async fn sign_in(address: SocketAddr, key: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let (http, base) = (http.build().expect("a client"), format!("http://{address}"));
        let form: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("key", key).finish();
        let request = http.post(format!("{base}/ui/sign-in")).header("origin", &base);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        let response = request.send().await.expect("an answer");
        let status = response.status();
        let cookie = response.headers().get("set-cookie").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        assert!(status.is_redirection() && cookie.contains('='), "{status}: {cookie}");
        Self { http, base, cookie }
    }

    /// GET of one page.
    ///
    /// # Panics
    /// If no answer comes.
    pub async fn get(&self, path: &str) -> Page {
        let request = self.http.get(format!("{}{path}", self.base)).header("cookie", &self.cookie);
        let response = request.send().await.expect("an answer");
        let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        let status = response.status().as_u16();
        Page { status, headers, html: response.text().await.expect("text") }
    }
}
