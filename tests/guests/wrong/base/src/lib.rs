//! A connector that keeps the contract. The wrong ones differ from it in one line each: see `variants`.

use railhead_sdk::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A destination's configuration.
#[derive(Deserialize, Schema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Where events are posted to.
    #[schema(title = "URL", max_length = 2048)]
    url: String,
    /// The header that signatures stand in; `x-signature` else.
    #[schema(title = "Signature header", max_length = 64)]
    signature_header: Option<String>,
    /// Sent with every event.
    #[schema(title = "Note", max_length = 64)]
    #[serde(rename = "note")]
    note: Option<String>,
}

/// One session.
struct Session {
    config: Config,
    key: Credential,
    signing: Vec<Credential>,
    calls: u32,
}

impl Connector for Session {
    type Config = Config;

    fn open(config: Config) -> Result<Self, Failure> {
        let key = credentials::required("api_key")?;
        Ok(Self { config, key, signing: credentials::get("signing_secret")?, calls: 0 })
    }

    fn check(&mut self, _: &Call) -> Vec<Result<String, Reason>> {
        let request = Request::new("HEAD", &self.config.url);
        let answer = http::send(request);
        let told = answer.map(|answer| format!("The endpoint answers {}.", answer.status()));
        vec![told.map_err(|failure| Reason::from(&failure))]
    }

    fn deliver(&mut self, call: &Call, events: &[Event]) -> Result<(), Failure> {
        self.hand_over(call, events)
    }

    fn preview(&mut self, call: &Call, events: &[Event]) -> Result<(), Failure> {
        Self::hand_over(self, call, events)
    }
}

impl Session {
    fn hand_over(&mut self, call: &Call, events: &[Event]) -> Result<(), Failure> {
        self.calls += 1;
        let (mut requests, mut sent) = (Vec::new(), Vec::new());
        let groups = batch::groups(call, events);
        for group in groups {
            match self.request(call, events, &group) {
                Ok(request) => {
                    requests.push(request);
                    sent.push(group);
                }
                Err(failure) => call.settle(&group, &outcome::of_unsendable(&failure, group.len())),
            }
        }
        if requests.is_empty() {
            return Ok(());
        }
        for (group, result) in sent.iter().zip(http::send_all(requests, 8)) {
            let settled = match result {
                Ok(answer) => self.classed(&answer, group.len()),
                Err(failure) => outcome::of_failure(&failure),
            };
            call.settle(group, &settled);
        }
        Ok(())
    }

    fn request(&self, call: &Call, events: &[Event], group: &[u32]) -> Result<Request, Failure> {
        let request = Request::new("POST", &self.config.url);
        request.carries(group);
        request.text_header("x-event-id", &batch::identity(call, events, group))?;
        request.text_header("x-calls", "1")?;
        request.header("x-api-key", &[Part::Secret((&self.key, Encoding::Raw))])?;
        if let Some(note) = &self.config.note {
            request.text_header("x-note", note)?;
        }
        let mut body = vec![parts::bytes("[")];
        for (position, index) in group.iter().enumerate() {
            let Some(event) = events.get(*index as usize) else { continue };
            if let (Some(subject), false) = (&event.subject, call.batched()) {
                request.text_header("x-subject", subject)?;
            }
            let attributes: BTreeMap<&str, &str> = event.extensions().collect();
            let attributes = serde_json::to_string(&attributes).unwrap_or_default();
            let comma = if position == 0 { "" } else { "," };
            body.push(parts::bytes(format!("{comma}{{\"attributes\":{attributes},\"data\":")));
            if event.is_json() {
                body.push(Part::EventData(*index));
            } else {
                body.extend([parts::bytes("\""), Part::EventDataBase64(*index), parts::bytes("\"")]);
            }
            body.push(parts::bytes("}"));
        }
        body.push(parts::bytes("]"));
        request.append(body)?;
        let header = self.config.signature_header.as_deref().unwrap_or("x-signature");
        let keys: Vec<&Credential> = self.signing.iter().collect();
        request.sign_header(header, &[], "v1=", ",", &[Signed::Body], &keys, "hmac-sha256", Encoding::Hex)?;
        Ok(request)
    }

    fn classed(&self, answer: &Response, events: usize) -> Outcome {
        let status = answer.status();
        let told = |name: &str| answer.headers().into_iter().find(|(key, _)| key == name).map(|(_, value)| value);
        let after = told("retry-after").and_then(|value| value.parse::<u64>().ok()).map(|seconds| seconds * 1000);
        let code = format!("http-{status}");
        let reason = Reason::new(code, format!("The endpoint answered {status}."));
        let reason = reason.with_status(status);
        let rejected = answer.body(64) == b"rejected";
        match status {
            200..=299 if rejected => Outcome::Permanent(reason),
            200..=299 => Outcome::Delivered(reason),
            300..=399 => Outcome::Misconfigured(reason),
            401 | 403 => Outcome::RejectedCredentials(reason),
            404 => Outcome::Misconfigured(reason),
            408 => Outcome::Transient((reason, after)),
            413 if events > 1 => Outcome::TooLarge(reason),
            429 => Outcome::Throttled((reason, after.unwrap_or(30_000))),
            400..=499 => Outcome::Permanent(reason),
            500..=599 => Outcome::Transient((reason, after)),
            _ => Outcome::Uncertain(reason),
        }
    }
}

connector!(Session, "manifest.json");
