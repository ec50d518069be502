//! Destinations of the connector at peers of the suite, and what comes of what is handed over there.

mod answers;
mod config;

pub(crate) use answers::{Fault, all, answer_of, none, only};

use crate::canary::{Search, Secret, TOKEN};
use crate::data::carried;
use crate::findings::Findings;
use crate::plan::{Given, Plan, Way};
use crate::plugin::{Address, Plugin};
use answers::{bearer, usual};
use config::Place;
use railhead_model::{BodyPart, Event, OutcomeClass, Timestamp};
use railhead_plugin_harness::{Authority, Connector, Destination, Harness, HttpPeer, Received, SettledEvent};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// Where the clock of the suite stands, but for checks that move it: what is signed at two times differs.
pub(crate) const NOW: Timestamp = Timestamp(1_767_225_600_000);

/// Where peers are.
pub(crate) const PEER: &str = "127.0.0.1";

/// The connector under test, and all that its destinations are made of.
pub(crate) struct Stage {
    pub(crate) harness: Harness,
    pub(crate) connector: Arc<Connector>,
    pub(crate) plan: Plan,
    pub(crate) findings: RefCell<Findings>,
    /// Vouches for peers that speak TLS: a `tls-identity` of the suite's making trusts it.
    pub(crate) authority: Authority,
    /// A real server, where one was named.
    pub(crate) server: Option<Address>,
    example: Value,
    way: Way,
    search: RefCell<BTreeMap<String, Vec<u8>>>,
    tokens: HttpPeer,
}

/// A destination, and the server at its other end.
pub(crate) struct Scene {
    pub(crate) peer: HttpPeer,
    pub(crate) destination: Destination,
}

/// What came of one hand-over.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) settled: Vec<SettledEvent>,
    /// Requests that carried events, in a stable order.
    pub(crate) requests: Vec<Received>,
}

impl Stage {
    pub(crate) fn new(harness: Harness, connector: Arc<Connector>, plugin: &Plugin) -> io::Result<Self> {
        let plan = plugin.plan.clone();
        let tokens = HttpPeer::answering(plan.token.as_ref().map_or_else(bearer, answer_of))?;
        let search = BTreeMap::from([("the access token".to_owned(), TOKEN.as_bytes().to_vec())]).into();
        Ok(Self {
            harness,
            connector,
            plan,
            findings: RefCell::default(),
            authority: Authority::new("Peers").map_err(io::Error::other)?,
            server: plugin.server.clone(),
            example: plugin.example.clone(),
            way: Way::default(),
            search,
            tokens,
        })
    }

    /// From here on with another configuration and other credentials.
    pub(crate) fn set_way(&mut self, way: Way) {
        self.way = way;
    }

    /// A destination at a new peer that answers as a real server would, but for `fault`.
    pub(crate) fn scene(&self, fault: Fault) -> io::Result<Scene> {
        let answers = self.plan.answers.clone();
        let peer = HttpPeer::deciding(move |request| {
            let events = carried(request);
            let fault = (!events.is_empty()).then(|| fault(&events)).flatten();
            fault.unwrap_or_else(|| usual(&answers, request, events.len()))
        })?;
        let destination = self.at_origin(peer.origin(), &[1]);
        Ok(Scene { peer, destination })
    }

    /// A destination at an HTTP server.
    pub(crate) fn at_origin(&self, origin: &str, editions: &[u8]) -> Destination {
        self.at(&Place::of_origin(origin, self.tokens.origin()), editions)
    }

    /// A destination at a port of this machine.
    pub(crate) fn at_port(&self, port: u16) -> Destination {
        self.at(&Place::of_server(PEER, port, self.tokens.origin()), &[1])
    }

    /// A destination at a real server.
    pub(crate) fn at_server(&self, server: &Address) -> Destination {
        self.at(&Place::of_server(&server.host, server.port, self.tokens.origin()), &[1])
    }

    /// `editions`: of each credential's values, newest first.
    fn at(&self, place: &Place, editions: &[u8]) -> Destination {
        let config = config::pointed(&self.connector.manifest, &self.config(), place);
        let destination = self.harness.destination(&self.connector, config).deadline_ms(60_000);
        self.secrets(&place.origin, editions)
            .iter()
            .fold(destination, |destination, secret| destination.credential(&secret.field, &secret.value))
    }

    /// The values that a destination is given.
    pub(crate) fn secrets(&self, origin: &str, editions: &[u8]) -> Vec<Secret> {
        let given = if self.way.credentials.is_empty() { &self.plan.credentials } else { &self.way.credentials };
        let mut all = Vec::new();
        for field in &self.connector.manifest.credentials {
            let given = given.get(&field.name);
            if !Secret::is_wanted(field, given) {
                continue;
            }
            for edition in editions {
                let secret = match given {
                    Some(Given::Value(value)) => Ok(Secret::given(field, value)),
                    _ => Secret::make(field, *edition, origin, &self.authority),
                };
                // A machine without randomness makes no destination either.
                all.extend(secret);
            }
        }
        let mut search = self.search.borrow_mut();
        for secret in &all {
            for part in &secret.parts {
                search
                    .insert(format!("{} ({})", secret.field, hex::encode(part.get(..4).unwrap_or(part))), part.clone());
            }
        }
        all
    }

    /// For all secrets that were given so far.
    pub(crate) fn search(&self) -> Option<Search> {
        Search::of(
            self.search
                .borrow()
                .iter()
                .map(|(name, part)| (name.split(" (").next().unwrap_or(name).to_owned(), part.clone())),
        )
    }

    /// The example's configuration with the plan's and the way's changes, not pointed anywhere.
    pub(crate) fn config(&self) -> Value {
        let mut config = self.example.get("config").cloned().unwrap_or_else(|| json!({}));
        config::merge(&mut config, &self.plan.config);
        config::merge(&mut config, &self.way.config);
        config
    }

    /// Hands events over, and looks at what must hold whatever is answered.
    pub(crate) async fn hand_over(&self, scene: &Scene, destination: &Destination, events: Vec<Event>) -> Run {
        let before = scene.peer.received().len();
        let count = events.len();
        let settled = destination.deliver(events).await;
        let mut requests: Vec<Received> = scene.peer.received().into_iter().skip(before).collect();
        requests.retain(|request| !carried(request).is_empty());
        requests.sort_by_key(|request| (carried(request), request.line.clone()));
        let run = Run { settled, requests };
        self.always(&run.settled, count);
        self.named(&run);
        run
    }

    /// What holds for every hand-over.
    pub(crate) fn always(&self, settled: &[SettledEvent], count: usize) {
        let mut findings = self.findings.borrow_mut();
        findings.holds("D1", "every event is settled exactly once", settled.len() == count, || {
            format!("Of {count} events {} were settled.", settled.len())
        });
        for event in settled {
            let reason = event.outcome.reason();
            let (code, message) = (reason.code.as_str(), &reason.message);
            findings.holds("D1", "no event is left unsettled", code != "unsettled", || {
                format!("Event {} was left open when deliver returned. Call call.settle for each event.", event.index)
            });
            findings.holds("D11", "calls return before their deadline", code != "deadline", || {
                "deliver was still running at the deadline. The host ends requests and reads in time: settle and return then."
                    .to_owned()
            });
            let stopped = ["plugin-trap", "cpu-limit", "memory-limit", "output-limit"].contains(&code);
            findings.holds("N4", "nothing makes it trap", !stopped, || format!("{code}: {message}"));
            findings.holds("S4", "a session opens", code != "session-open-failed" || is_about_peer(event), || {
                format!("open failed with the example's configuration: {message}")
            });
            findings.holds("O4", "codes are kebab-case", is_kebab(code), || {
                format!("The code {code:?} is not kebab-case; the host records what is not as `unspecified`.")
            });
        }
    }

    /// What holds for every request.
    fn named(&self, run: &Run) {
        let mut findings = self.findings.borrow_mut();
        for request in &run.requests {
            for number in carried(request) {
                let index = usize::from(number).saturating_sub(1);
                let Some(event) = run.settled.iter().find(|event| event.index == index) else { continue };
                findings.holds("D4", "requests say which events they carry", !event.transcript.exchanges.is_empty(), || {
                    format!(
                        "{} carried event {index}, and is not on its record. Call request.carries before it is sent.",
                        request.line
                    )
                });
            }
        }
    }

    /// Keeps the word of a check.
    pub(crate) fn holds(&self, rule: &'static str, check: &str, holds: bool, wrong: impl FnOnce() -> String) {
        self.findings.borrow_mut().holds(rule, check, holds, wrong);
    }

    /// True where the host hands whole batches to this connector.
    pub(crate) fn is_batching(&self) -> bool {
        self.connector.manifest.batch.is_some()
    }
}

impl Run {
    /// The classes of all events, in their order.
    pub(crate) fn classes(&self) -> Vec<OutcomeClass> {
        self.settled.iter().map(|event| event.outcome.class()).collect()
    }

    /// In words: `delivered (http-200), permanent (http-400)`.
    pub(crate) fn words(&self) -> String {
        let word = |event: &SettledEvent| {
            format!(
                "{} ({}: {})",
                event.outcome.class().as_str(),
                event.outcome.reason().code,
                event.outcome.reason().message
            )
        };
        self.settled.iter().map(word).collect::<Vec<_>>().join(", ")
    }

    /// What the records of all events hold as text.
    pub(crate) fn recorded(&self) -> Vec<String> {
        let exchanges = self.settled.iter().flat_map(|event| &event.transcript.exchanges);
        let parts = exchanges.flat_map(|exchange| &exchange.request.body);
        parts.filter_map(|part| if let BodyPart::Text(text) = part { Some(text.clone()) } else { None }).collect()
    }
}

/// Many a connector logs in when it opens: what goes wrong with the peer then is no fault of the configuration.
fn is_about_peer(event: &SettledEvent) -> bool {
    matches!(event.outcome.class(), OutcomeClass::Transient | OutcomeClass::Uncertain)
}

fn is_kebab(code: &str) -> bool {
    code != "unspecified"
        && code.len() <= 64
        && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
