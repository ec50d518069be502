//! The connector: one HTTP request a batch, a JSON array of events.

use railhead_sdk::prelude::*;
use serde::Deserialize;

/// A destination's configuration.
#[derive(Deserialize, Schema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Where batches are posted to.
    #[schema(title = "URL", max_length = 2048, pattern = "^https?://[^\\s]+$", examples = ["https://events.example.com/orders"])]
    url: String,
}

/// One session: the configuration, and a handle of the key. Its bytes stay in the host.
struct Session {
    config: Config,
    key: Credential,
}

impl Connector for Session {
    type Config = Config;

    fn open(config: Config) -> Result<Self, Failure> {
        Ok(Self { config, key: credentials::required("api_key")? })
    }

    fn check(&mut self, _: &Call) -> Vec<Result<String, Reason>> {
        let answer = http::send(Request::new("HEAD", &self.config.url));
        vec![match answer {
            Ok(answer) => Ok(format!("The endpoint is there: it answers HEAD with {}.", answer.status())),
            Err(failure) => Err(Reason::from(&failure)),
        }]
    }

    fn deliver(&mut self, call: &Call, events: &[Event]) -> Result<(), Failure> {
        let mut requests = batch::Requests::new();
        // All together where the host made a batch of them; else each by itself.
        for group in batch::groups(call, events) {
            match self.request(call, events, &group) {
                Ok(request) => requests.add(request, group),
                Err(failure) => call.settle(&group, &outcome::of_unsendable(&failure, group.len())),
            }
        }
        requests.deliver(call, 16, |response, events| {
            http::Answer::of(response, call.now_ms()).usual_outcome("The endpoint", events)
        });
        Ok(())
    }
}

impl Session {
    fn request(&self, call: &Call, events: &[Event], group: &[u32]) -> Result<Request, Failure> {
        let request = Request::new("POST", &self.config.url);
        request.text_header("content-type", "application/json")?;
        // The same at every attempt: what the endpoint knows duplicates by.
        request.text_header("idempotency-key", &batch::identity(call, events, group))?;
        request.header("authorization", &[parts::bytes("Bearer "), Part::Secret((&self.key, Encoding::Raw))])?;
        let mut body = Vec::new();
        for (position, index) in group.iter().enumerate() {
            body.push(parts::bytes(if position == 0 { "[" } else { "," }));
            body.extend(element(*index, events));
        }
        body.push(parts::bytes("]"));
        request.append(body)?;
        Ok(request)
    }
}

/// One event of the array. Data that is not JSON becomes a text in base64.
fn element(index: u32, events: &[Event]) -> Vec<Part<'static>> {
    let is_json = events.get(index as usize).is_some_and(Event::is_json);
    if is_json {
        return vec![Part::EventData(index)];
    }
    vec![parts::bytes("\""), Part::EventDataBase64(index), parts::bytes("\"")]
}

connector!(Session, "manifest.json");
