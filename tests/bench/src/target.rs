//! What is driven: a host of our own, or any other webhook server, by templates of its publish call.

use railhead_harness::host::API_KEY;
use railhead_harness::{Client, Host, HostOptions};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// A server's publish call. `{id}`, `{n}`, `{tenant}` and `{data}` are filled in, in the URL and in the body.
#[derive(Clone, Debug)]
pub struct Publish {
    pub url: String,
    /// `Name: value`.
    pub headers: Vec<String>,
    pub body: String,
}

/// A payload of about a kilobyte. The receiver finds the event's number in it, whatever is wrapped around.
#[must_use]
pub fn payload(n: usize) -> Value {
    json!({
        "order": format!("bench-{n}"), "customer": {"id": "cus_8841", "name": "Ana Ruiz"}, "note": "x".repeat(900),
    })
}

impl Publish {
    /// Railhead's own.
    #[must_use]
    pub fn railhead(host: &Host) -> Self {
        Self {
            url: format!("http://{}/v1/events", host.address),
            headers: vec![format!("authorization: Bearer {API_KEY}")],
            body: r#"{"tenant": "{tenant}", "type": "order.created", "id": "{id}", "data": {data}}"#.to_owned(),
        }
    }

    /// Publishes the n-th event; the status, 0 if there was none.
    pub async fn send(&self, http: &reqwest::Client, tenant: &str, n: usize) -> u16 {
        let fill = |template: &str| {
            let (id, number) = (format!("e{n}"), n.to_string());
            template.replace("{id}", &id).replace("{n}", &number).replace("{tenant}", tenant)
        };
        let mut request = http.post(fill(&self.url)).header("content-type", "application/json");
        for header in &self.headers {
            if let Some((name, value)) = header.split_once(':') {
                request = request.header(name.trim(), value.trim());
            }
        }
        let body = fill(&self.body).replace("{data}", &payload(n).to_string());
        let Ok(response) = request.body(body).send().await else { return 0 };
        let status = response.status().as_u16();
        let _ = response.bytes().await; // so that the connection is used again
        status
    }
}

/// A host of our own with one tenant.
pub async fn host(folder: &Path, sink: &str, destinations: usize) -> (Host, Client) {
    let host = Host::start(folder, &HostOptions::default()).await;
    let client = host.client();
    client.make_tenant("acme").await;
    for n in 0..destinations {
        let body = json!({"connector": "webhook", "config": {"url": format!("{sink}/d{n}")}});
        client.make_destination("acme", &format!("d{n}"), &body).await;
    }
    (host, client)
}

/// The host's counters, the labels left out and summed.
pub async fn counters(http: &reqwest::Client, host: &Host) -> BTreeMap<String, f64> {
    let url = format!("http://{}/metrics", host.metrics);
    let text = http.get(url).send().await.expect("metrics").text().await.expect("text");
    let mut sums = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, value)) = line.rsplit_once(' ') else { continue };
        let name = name.split('{').next().unwrap_or(name);
        *sums.entry(name.to_owned()).or_insert(0.0) += value.parse::<f64>().unwrap_or(0.0);
    }
    sums
}
