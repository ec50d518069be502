//! A writer as one would write it without Railhead: rows by `serde_json`, gzip, Signature Version 4, reqwest.

use aws_lc_rs::{digest, hmac};
use flate2::Compression;
use flate2::write::GzEncoder;
use railhead_harness::S3Fs;
use railhead_model::{Clock as _, Event, SystemClock};
use serde_json::json;
use serde_json::value::RawValue;
use std::io::Write as _;

#[derive(Clone)]
pub struct Native {
    http: reqwest::Client,
    endpoint: String,
    gzip: bool,
}

/// The events as the connector writes them, byte for byte but for spaces.
pub fn ndjson(events: &[Event]) -> Vec<u8> {
    let mut lines = Vec::new();
    for event in events {
        let payload: &RawValue = serde_json::from_slice(&event.data).expect("json");
        let row = Row {
            event_id: event.uid.to_string(),
            id: &event.id,
            event_type: &event.event_type,
            occurred_at: &event.head.time,
            tenant: "acme",
            source: &event.head.source,
            payload,
            metadata: json!({"content_type": event.head.content_type}),
            received_at: event.accepted_at.to_string(),
        };
        serde_json::to_writer(&mut lines, &row).expect("written");
        lines.push(b'\n');
    }
    lines
}

#[derive(serde::Serialize)]
struct Row<'a> {
    event_id: String,
    id: &'a str,
    event_type: &'a str,
    occurred_at: &'a str,
    tenant: &'a str,
    source: &'a str,
    payload: &'a RawValue,
    metadata: serde_json::Value,
    received_at: String,
}

impl Native {
    pub fn new(endpoint: &str, gzip: bool) -> Self {
        Self { http: reqwest::Client::new(), endpoint: endpoint.to_owned(), gzip }
    }

    /// Writes one object and expects it to be stored.
    pub async fn write(&self, key: &str, events: &[Event]) {
        let extension = if self.gzip { "ndjson.gz" } else { "ndjson" };
        let (path, mut body) = (format!("/events/{key}.{extension}"), ndjson(events));
        if self.gzip {
            let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
            encoder.write_all(&body).expect("compressed");
            body = encoder.finish().expect("compressed");
        }
        let (date, hash) = (now(), hex(digest::digest(&digest::SHA256, &body).as_ref()));
        let authorization = authorization(self.endpoint.trim_start_matches("http://"), &path, &date, &hash);
        let request = self.http.put(format!("{}{path}", self.endpoint)).header("x-amz-date", date);
        let request = request.header("x-amz-content-sha256", hash).header("authorization", authorization);
        let answer = request.body(body).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap_or_default());
    }
}

/// Signature Version 4 of a PUT without a query, for the region us-east-1.
fn authorization(host: &str, path: &str, date: &str, hash: &str) -> String {
    let names = "host;x-amz-content-sha256;x-amz-date";
    let headers = format!("host:{host}\nx-amz-content-sha256:{hash}\nx-amz-date:{date}\n");
    let request = format!("PUT\n{path}\n\n{headers}\n{names}\n{hash}");
    let day = &date[..8];
    let scope = format!("{day}/us-east-1/s3/aws4_request");
    let request = hex(digest::digest(&digest::SHA256, request.as_bytes()).as_ref());
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{request}");
    let mut key = format!("AWS4{}", S3Fs::SECRET_KEY).into_bytes();
    for piece in [day, "us-east-1", "s3", "aws4_request"] {
        key = mac(&key, piece);
    }
    let signature = hex(&mac(&key, &text));
    format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", S3Fs::ACCESS_KEY)
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

/// `20260131T235959Z`
fn now() -> String {
    let now = SystemClock::new().now().to_string();
    let seconds = now.split('.').next().unwrap_or_default();
    seconds.chars().filter(|c| !matches!(c, '-' | ':')).chain(['Z']).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
