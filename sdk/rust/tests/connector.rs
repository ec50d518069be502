//! A whole connector compiles natively, and its manifest is put together.

use railhead_sdk::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

/// What is set.
#[derive(Deserialize, Schema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Where to.
    url: String,
}

struct Probe {
    config: Config,
}

impl Connector for Probe {
    type Config = Config;

    fn open(config: Config) -> Result<Self, Failure> {
        Ok(Self { config })
    }

    fn check(&mut self, _: &Call) -> Vec<Result<String, Reason>> {
        vec![Ok(self.config.url.clone())]
    }

    fn deliver(&mut self, call: &Call, events: &[Event]) -> Result<(), Failure> {
        let mut requests = batch::Requests::new();
        for index in batch::indexes(events) {
            let request = Request::new("POST", &self.config.url);
            request.append([Part::EventData(index)])?;
            requests.add(request, vec![index]);
        }
        requests.deliver(call, 8, |response, count| {
            http::Answer::of(response, call.now_ms()).usual_outcome("The endpoint", count)
        });
        Ok(())
    }
}

connector!(Probe, "tests/connector/manifest.json");

#[test]
fn the_manifest_is_the_file_and_what_is_known_already() {
    let manifest: Value = serde_json::from_str(RAILHEAD_MANIFEST).unwrap();
    let expected = json!({
        "name": "probe",
        "version": env!("CARGO_PKG_VERSION"),
        "contract": "0.1.0",
        "label": "Probe é \"1\"",
        "category": "http",
        "config_schema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "description": "What is set.",
            "type": "object",
            "additionalProperties": false,
            "properties": {"url": {"description": "Where to.", "type": "string"}},
            "required": ["url"],
        },
        "origins": [{"name": "endpoint", "config": "/url"}],
    });
    assert_eq!(manifest, expected);
}

#[test]
fn a_session_begins_with_its_configuration() {
    let config = railhead_sdk::config::parse(r#"{"url": "https://example.com"}"#).unwrap();
    assert_eq!(Probe::open(config).unwrap().config.url, "https://example.com");
}
