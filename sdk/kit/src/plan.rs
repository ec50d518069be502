//! `test.json`: what the suite has to know of a connector beside its example.
//!
//! All of it is optional. Texts of `config` may hold `{origin}`, `{host}` and `{port}` of the peer, and `{token}`: the origin
//! of the one that plays the token endpoint. `host/README.md` describes each member for authors.

use railhead_plugin_harness::Received;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A `test.json`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plan {
    /// Changes of the example's configuration, as a JSON Merge Patch (RFC 7396): `null` takes a field away.
    pub config: Value,
    /// Which credential fields are given: `true` has the suite make a value, a text is the value, `false` gives none.
    /// What is not named is given where the manifest requires or generates it.
    pub credentials: BTreeMap<String, Given>,
    /// What a real server would answer: the first that fits a request. Without any, 200 and nothing.
    pub answers: Vec<Answered>,
    /// What the token endpoint would answer; without it a bearer token.
    pub token: Option<Answered>,
    /// Answers that only this destination gives, and what they come to.
    pub cases: Vec<Case>,
    /// Other configurations and credentials: what is sent and kept is checked with each.
    pub ways: Vec<Way>,
    /// `real`: no peer of the suite can talk to this connector. Unless [`crate::Plugin::server`] says where the real one is,
    /// deliveries are left to its own tests, and the report says so; here it is refused, hung up on, and fed nonsense.
    pub server: Option<Server>,
    /// What a server that is no HTTP server says and expects, on each connection.
    pub dialogue: Vec<Line>,
    /// The members of the events' data beside the suite's own.
    pub data: serde_json::Map<String, Value>,
}

/// See [`Plan::server`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Server {
    /// Only the real one can answer.
    Real,
}

/// Whether and what a credential field is given.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Given {
    /// A value of the suite's making, or none.
    Made(bool),
    /// This value.
    Value(String),
}

/// Another configuration, with other credentials.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Way {
    /// For the report.
    pub name: String,
    /// On top of the plan's.
    pub config: Value,
    /// Instead of the plan's.
    pub credentials: BTreeMap<String, Given>,
}

/// An answer of a server, and to which requests.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// Requests of this method only.
    #[serde(default)]
    pub method: Option<String>,
    /// Requests whose path and query begin so only.
    #[serde(default)]
    pub path: Option<String>,
    /// Requests that carry so many events only.
    #[serde(default)]
    pub events: Option<usize>,
    /// The status.
    pub status: u16,
    /// Its headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Its body.
    #[serde(default)]
    pub body: String,
}

/// An answer that only this destination gives, and the outcomes that it comes to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// For the report: `a full disk is transient`.
    pub name: String,
    /// True: the events go as one batch.
    #[serde(default)]
    pub batched: bool,
    /// What requests that carry events are answered.
    pub answer: Answered,
    /// Of the events, in order: as many are handed over. `delivered`, `transient`, `too_large` and so on.
    pub outcomes: Vec<railhead_model::OutcomeClass>,
}

/// One step of a dialogue. Bytes are texts with the escapes of JSON, or hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The client writes exactly this.
    Expect(String),
    /// The client writes so many bytes.
    Read(usize),
    /// The client writes something that ends so.
    ReadUntil(String),
    /// The server writes this.
    Send(String),
    /// The server writes these bytes, in hexadecimal.
    SendHex(String),
    /// TLS begins.
    Tls,
    /// The client has ended a transaction: only from here on may have arrived what it wrote and nobody answered (O2). In a
    /// dialogue without this word that is so from the first byte.
    Commits,
    /// These lines again and again, until the client goes.
    Repeat(Vec<Line>),
}

impl Answered {
    /// True if it is meant for this request, which carries so many events.
    pub(crate) fn fits(&self, request: &Received, events: usize) -> bool {
        self.method.as_deref().is_none_or(|method| method == request.method())
            && self.path.as_deref().is_none_or(|path| request.path().starts_with(path))
            && self.events.is_none_or(|count| count == events)
    }
}
