//! One hostile guest's turn.

use super::expected::{Call, Expected, Word};
use super::search;
use super::world::{World, call};
use railhead_model::manifest::CredentialField;
use railhead_sandbox::{Connector, Sandbox, Settle, SettledEvent, Target};
use railhead_test_guests::Hostile;
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Bytes that the record of one event may have, as JSON: `call::ledger` keeps 128 KiB of texts.
const MAX_RECORD: usize = 256 * 1024;

/// Guests that have the host mask so much that a debug build would take longer for it than a call may: they have no secret.
const MASKED_FOR_LONG: [&str; 2] = ["handles-responses", "output-shown"];

/// What came of a guest.
#[derive(Default)]
pub struct Came {
    /// Of the first and the second event, for each of two destinations of different tenants.
    pub words: Vec<[Word; 2]>,
    /// At its own server, for each destination.
    pub requests: Vec<usize>,
    /// Anything else that should not be.
    pub wrong: Vec<String>,
}

impl Came {
    /// In words; none: all is as expected.
    pub fn differences(&self, expected: &Expected) -> Vec<String> {
        let mut all = self.wrong.clone();
        if self.words.is_empty() {
            all.push("it never ran".to_owned());
        }
        for words in &self.words {
            for (came, expected) in words.iter().zip([&expected.first, &expected.second]) {
                if came != expected {
                    all.push(format!("expected {expected:?}\n    came {came:?}"));
                }
            }
        }
        for requests in &self.requests {
            if *requests != expected.requests {
                all.push(format!("expected {} requests; {requests} arrived", expected.requests));
            }
        }
        all
    }
}

/// Loads it and hands events over to it, at two destinations of two tenants, one after the other: what it did at the first
/// must not show at the second. Whether its sessions go by themselves shows in a sandbox without others only.
pub async fn run(sandbox: &Arc<Sandbox>, guest: &Hostile, number: i64) -> Came {
    let (world, expected) = (World::start().await, Expected::read(guest.expected));
    let mut came = Came::default();
    let connector = match sandbox.load(guest.component).await {
        Ok(connector) if MASKED_FOR_LONG.contains(&guest.name) => connector,
        Ok(connector) => with_every_kind(connector),
        Err(error) => {
            let word = refused(error.code(), &error.to_string(), &world);
            came.words.push([word.clone(), word]);
            return came;
        }
    };
    if expected.call == Call::Load {
        came.wrong.push("it was loaded".to_owned());
        return came;
    }
    for destination in [number * 2 + 1_000, number * 2 + 1_001] {
        let before = world.own.count();
        let mut target = Arc::unwrap_or_clone(world.target(&connector, destination));
        target.config["planted"] = search::planted().into();
        let target = Arc::new(target);
        let words = match expected.call {
            Call::Check => {
                let no_events = railhead_sandbox::Call { events: Vec::new(), ..call() };
                let checked = sandbox.check(target, no_events).await;
                let word = checked.map_or_else(
                    |reason| refused(&reason.code, &reason.message, &world),
                    |steps| refused("checked", &format!("{} steps", steps.len()), &world),
                );
                [word.clone(), word]
            }
            Call::Load | Call::Deliver => {
                let settled = deliver(sandbox, &target).await;
                came.wrong.extend(wrong_in(&settled));
                [word(&settled, 0, &world), word(&settled, 1, &world)]
            }
        };
        came.words.push(words);
        came.requests.push(world.own.count() - before);
        if expected.leaves {
            came.wrong.extend(all_leave(sandbox).await);
        }
        sandbox.retire(destination);
    }
    let exchanges = expected.exchanges * came.words.len();
    for (name, server, all) in [("another server", &world.other, 0), ("the token endpoint", &world.token, exchanges)] {
        if server.count() != all {
            came.wrong.push(format!("{} requests arrived at {name}", server.count()));
        }
    }
    came
}

/// The connector with a field of each kind beside its own: whatever a guest uses, the host holds every kind for it.
fn with_every_kind(mut connector: Arc<Connector>) -> Arc<Connector> {
    let fields = [
        ("text", "place"),
        ("text", "challenge"),
        ("text", "wire"),
        ("aws", "token"),
        ("bytes", "sign-request"),
        ("azure-key", "sign-request"),
        ("aws", "sign-request"),
        ("google-service-account", "token"),
        ("private-key", "sign-request"),
        ("tls-identity", "tls-identity"),
        ("url", "url"),
        ("headers", "place"),
    ];
    let spare = fields.map(|(kind, usage)| {
        json!({ "name": format!("spare_{kind}_{usage}"), "label": "Spare", "kind": kind, "use": usage, "origins": ["nowhere"] })
    });
    let spare = spare.map(|field| serde_json::from_value::<CredentialField>(field).unwrap());
    Arc::get_mut(&mut connector).expect("nobody has it yet").manifest.credentials.extend(spare);
    connector
}

/// Hands two events over.
pub async fn deliver(sandbox: &Sandbox, target: &Arc<Target>) -> Vec<SettledEvent> {
    let settled = Arc::new(Mutex::new(Vec::new()));
    let keep = settled.clone();
    let settle: Settle = Arc::new(move |settled| keep.lock().unwrap().extend(settled));
    sandbox.deliver(target.clone(), call(), settle).await;
    let mut settled = std::mem::take(&mut *settled.lock().unwrap());
    settled.sort_by_key(|event| event.index);
    settled
}

/// What is wrong with the record: not every event once, a secret, too much.
fn wrong_in(settled: &[SettledEvent]) -> Vec<String> {
    let mut wrong = Vec::new();
    let indexes: Vec<usize> = settled.iter().map(|event| event.index).collect();
    if indexes != [0, 1] {
        wrong.push(format!("settled: {indexes:?}"));
    }
    for event in settled {
        let record = serde_json::to_vec(&event.transcript).unwrap();
        let reason = event.outcome.reason();
        for text in [&record, reason.message.as_bytes(), reason.code.as_bytes()] {
            wrong.extend(search::found_in(text).into_iter().map(|found| format!("in the record: {found}")));
        }
        if record.len() > MAX_RECORD {
            wrong.push(format!("a record of {} bytes", record.len()));
        }
    }
    wrong
}

/// All sessions go, though nobody told them to.
pub async fn all_leave(sandbox: &Sandbox) -> Option<String> {
    let gone = async {
        while sandbox.live() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let left = tokio::time::timeout(Duration::from_secs(30), gone).await;
    left.err().map(|_| format!("{} sessions stay", sandbox.live()))
}

fn word(settled: &[SettledEvent], index: usize, world: &World) -> Word {
    let Some(event) = settled.iter().find(|event| event.index == index) else { return Word::default() };
    let reason = event.outcome.reason();
    said(event.outcome.class().as_str(), &reason.code, &reason.message, world)
}

fn refused(code: &str, message: &str, world: &World) -> Word {
    said("refused", code, message, world)
}

/// With the names of servers in the place of their ports.
fn said(class: &str, code: &str, message: &str, world: &World) -> Word {
    let servers = [("{own}", &world.own), ("{other}", &world.other), ("{token}", &world.token)];
    let message =
        servers.into_iter().fold(message.to_owned(), |text, (name, server)| text.replace(&server.origin, name));
    Word { class: class.to_owned(), code: code.to_owned(), message }
}
