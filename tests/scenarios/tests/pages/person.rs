//! A browser without a window.

use railhead_harness::Host;
use reqwest::Response;

/// Somebody with a session, or without.
pub struct Person {
    http: reqwest::Client,
    base: String,
    /// The session's cookie; empty: none.
    pub cookie: String,
}

impl Person {
    /// Nobody yet.
    #[allow(clippy::disallowed_methods)] // a client of the host, not the host
    pub fn new(host: &Host) -> Self {
        let redirect = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().no_proxy().redirect(redirect).build().expect("a client");
        Self { http, base: format!("http://{}", host.address), cookie: String::new() }
    }

    /// The holder of a key, signed in.
    pub async fn sign_in(host: &Host, key: &str) -> Self {
        let mut person = Self::new(host);
        let answer = person.post("/ui/sign-in", &format!("key={key}")).await;
        assert_eq!(answer.status(), 303);
        person.keep(&answer);
        person
    }

    /// Keeps the cookie of an answer, as a browser would.
    pub fn keep(&mut self, answer: &Response) {
        let set = answer.headers()["set-cookie"].to_str().expect("text").to_owned();
        self.cookie = set.split(';').next().expect("a pair").to_owned();
    }

    /// Opens a page.
    pub async fn open(&self, path: &str) -> Response {
        let request = self.http.get(format!("{}{path}", self.base)).header("cookie", &self.cookie);
        request.send().await.expect("an answer")
    }

    /// Opens a page; its status and text.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.open(path).await;
        (answer.status().as_u16(), answer.text().await.expect("text"))
    }

    /// Sends a form of our own pages.
    pub async fn post(&self, path: &str, form: &str) -> Response {
        let request = self.http.post(format!("{}{path}", self.base)).header("cookie", &self.cookie);
        request.header("sec-fetch-site", "same-origin").body(form.to_owned()).send().await.expect("an answer")
    }
}
