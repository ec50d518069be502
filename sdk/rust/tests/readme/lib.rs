//! Events as lines of JSON, written to a stream of Loghouse.

use railhead_sdk::http::{Answer, Class};
use railhead_sdk::prelude::*;
use serde::Deserialize;

#[derive(Deserialize, Schema)]
#[serde(deny_unknown_fields)]
#[schema(title = "Loghouse")]
struct Config {
    /// The stream's address.
    #[schema(title = "URL", format = "uri", pattern = r"^https?://[^\s/?#@]+/v1/[a-z-]+$")]
    #[schema(examples = ["https://in.loghouse.example/v1/orders"])]
    url: String,
    /// Compresses what is sent.
    #[serde(default)]
    #[schema(title = "Compress", default = false)]
    gzip: bool,
}

struct Loghouse {
    config: Config,
    api_key: Credential,
}

impl Connector for Loghouse {
    type Config = Config;

    fn open(config: Config) -> Result<Self, Failure> {
        Ok(Self { config, api_key: credentials::required("api_key")? })
    }

    fn check(&mut self, call: &Call) -> Vec<Result<String, Reason>> {
        vec![self.look(call)]
    }

    fn deliver(&mut self, call: &Call, events: &[Event]) -> Result<(), Failure> {
        let mut requests = batch::Requests::new();
        for group in batch::groups(call, events) {
            match self.lines(call, events, &group) {
                Ok(request) => requests.add(request, group),
                Err(failure) => call.settle(&group, &outcome::of_unsendable(&failure, group.len())),
            }
        }
        requests.deliver(call, 16, |response, count| classify(&Answer::of(response, call.now_ms()), count));
        Ok(())
    }
}

impl Loghouse {
    /// One request with a line for each of these events.
    fn lines(&self, call: &Call, events: &[Event], group: &[u32]) -> Result<Request, Failure> {
        let request = self.request("POST")?;
        request.text_header("content-type", "application/x-ndjson")?;
        request.text_header("idempotency-key", &batch::identity(call, events, group))?;
        for &index in group {
            let event = &events[index as usize];
            request.append(row::json(index, event, call.accepted_ms(index)))?;
            request.append([parts::bytes("\n")])?;
        }
        if self.config.gzip {
            request.compress("gzip")?;
        }
        Ok(request)
    }

    fn request(&self, method: &str) -> Result<Request, Failure> {
        let request = Request::new(method, &self.config.url);
        request.header("authorization", &[parts::bytes("Bearer "), parts::secret(&self.api_key, Encoding::Raw)])?;
        Ok(request)
    }

    /// Loghouse answers a GET of a stream with 200 where the key may write to it.
    fn look(&self, call: &Call) -> Result<String, Reason> {
        let answer = Answer::of(&http::send(self.request("GET")?)?, call.now_ms());
        match classify(&answer, 1) {
            Outcome::Delivered(_) => Ok("The stream is there, and the key may write to it.".to_owned()),
            _ => Err(answer.reason("Loghouse")),
        }
    }
}

fn classify(answer: &Answer, events: usize) -> Outcome {
    match answer.status {
        404 => {
            let reason = Reason::new("stream-not-found", "There is no such stream. Make it, or set another address.");
            answer.outcome(Class::Misconfigured, reason.with_status(404))
        }
        _ => answer.usual_outcome("Loghouse", events),
    }
}

connector!(Loghouse, "tests/readme/manifest.json");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_stream_waits_for_somebody_who_makes_it() {
        let answer = Answer { status: 404, headers: Vec::new(), now_ms: 0 };
        assert!(matches!(classify(&answer, 1), Outcome::Misconfigured(_)));
    }
}
