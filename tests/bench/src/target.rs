//! What is driven: a host of our own, or any other webhook server, by templates of its publish call.

use railhead_harness::Host;
use railhead_harness::host::API_KEY;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A server's publish call. `{id}`, `{n}`, `{tenant}` and `{data}` are filled in, in the URL and in the body.
#[derive(Clone, Debug)]
pub struct Publish {
    /// Taken in turn.
    pub urls: Vec<String>,
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
    /// Railhead's own, of all hosts.
    #[must_use]
    pub fn railhead(hosts: &[Host]) -> Self {
        Self {
            urls: hosts.iter().map(|host| format!("http://{}/v1/events", host.address)).collect(),
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
        let url = self.urls.get(n % self.urls.len().max(1)).map_or("", String::as_str);
        let mut request = http.post(fill(url)).header("content-type", "application/json");
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
