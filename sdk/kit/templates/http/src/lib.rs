//! The connector: one HTTP request an event.

use railhead_sdk::prelude::*;
use serde::Deserialize;

/// A destination's configuration.
#[derive(Deserialize, Schema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Where each event is posted to.
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
        for (index, event) in (0..).zip(events) {
            match self.request(index, event) {
                Ok(request) => requests.add(request, vec![index]),
                // Of this event alone: the others go on.
                Err(failure) => call.settle(&[index], &outcome::of_unsendable(&failure, 1)),
            }
        }
        requests.deliver(call, 16, |response, events| {
            http::Answer::of(response, call.now_ms()).usual_outcome("The endpoint", events)
        });
        Ok(())
    }
}

impl Session {
    fn request(&self, index: u32, event: &Event) -> Result<Request, Failure> {
        let request = Request::new("POST", &self.config.url);
        request.text_header("content-type", "application/json")?;
        // The same at every attempt: what the endpoint knows duplicates by.
        request.text_header("idempotency-key", event.uid())?;
        request.header("authorization", &[parts::bytes("Bearer "), Part::Secret((&self.key, Encoding::Raw))])?;
        // The data itself stays in the host: it is sent as it was published.
        request.append([if event.is_json() { Part::EventData(index) } else { Part::EventDataBase64(index) }])?;
        Ok(request)
    }
}

connector!(Session, "manifest.json");
