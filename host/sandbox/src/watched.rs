//! What is in a guest's memory when a call ends: searched for every kind of credential, however it is written.
//!
//! Guests run here on memories of our own. Each is searched at the end of each call into its guest, and once more when it
//! goes. What is planted in every configuration must be found there each time. Nothing of this is in the host: it is a
//! test.
#![allow(unsafe_code)] // a memory hands its address out

#[path = "../tests/hostile/canary.rs"]
mod canary;
#[path = "../tests/hostile/derived.rs"]
mod derived;
#[path = "../tests/hostile/expected.rs"]
mod expected;
mod memories;
mod plugins;
#[path = "../tests/hostile/run.rs"]
mod run;
#[path = "../tests/hostile/search.rs"]
mod search;
#[path = "../tests/hostile/world.rs"]
mod world;

pub(crate) use memories::{Memories, call_ended};

use crate::{Sandbox, SandboxConfig, engine};
use expected::{Call, Expected};
use memories::{Look, Watch};
use railhead_model::SystemClock;
use railhead_test_guests::HOSTILE;
use serde_json::json;
use std::sync::Arc;
use world::World;

/// What guests do that only burn what they are given: they get less of it here.
const BURNING: [&str; 5] = ["cpu", "flood", "memory", "output", "stack"];
/// Guests that end in `open`.
const ENDS_IN_OPEN: [&str; 1] = ["memory-open"];

fn sandbox(watch: &Watch) -> Arc<Sandbox> {
    sandbox_with(watch, world::config())
}

fn sandbox_with(watch: &Watch, config: SandboxConfig) -> Arc<Sandbox> {
    let engine = engine::watched(Arc::new(watch.clone())).unwrap();
    Sandbox::on(&engine, config, world::egress(), Arc::new(SystemClock::new())).unwrap()
}

/// Once all sessions are gone: the looks into them.
async fn looks(watch: &Watch, sandbox: &Sandbox) -> Vec<Look> {
    assert_eq!(run::all_leave(sandbox).await, None);
    watch.take()
}

/// What is wrong with looks into guests that were given what is planted.
fn wrong_in(looks: &[Look]) -> Vec<String> {
    let mut wrong = Vec::new();
    for Look { guest, call, bytes, found } in looks {
        wrong.extend(found.secrets.iter().map(|secret| format!("{guest}, {call}: {secret}")));
        // One memory of several need not hold it when it goes.
        if call != "Drop" && (*bytes < 64 * 1024 || !found.missed().is_empty()) {
            wrong.push(format!("{guest}, {call}: of {bytes} bytes, what is planted is missed: {:?}", found.missed()));
        }
    }
    wrong
}

fn count(looks: &[Look], call: &str) -> usize {
    looks.iter().filter(|look| look.call == call).count()
}

#[tokio::test]
async fn a_canary_that_a_guest_was_given_is_found() {
    let (watch, world) = (Watch::default(), World::start().await);
    let sandbox = sandbox(&watch);
    let guest = HOSTILE.iter().find(|guest| guest.name == "credentials-cache").unwrap();
    let connector = sandbox.load(guest.component).await.unwrap();
    let as_text = |bytes| String::from_utf8(bytes).ok();
    let spelt = |canary: &search::Canary| canary.spellings().into_iter().filter_map(move |(_, it)| as_text(it));
    for (number, canary) in (1..).zip(search::all()) {
        let given: Vec<String> = spelt(&canary).collect();
        let config = json!({ "url": world.own.origin, "other": given });
        run::deliver(&sandbox, &world.target_of(&connector, number, config, |_| true)).await;
        sandbox.retire(number);
        for look in looks(&watch, &sandbox).await {
            let all: Vec<&String> = look.found.secrets.iter().chain(&look.found.planted).collect();
            for (way, bytes) in canary.spellings() {
                // What JSON writes in another way is there as JSON writes it.
                let as_it_is = String::from_utf8(bytes).is_ok_and(|text| !text.contains(['"', '\\']));
                let name = format!("{} {way}", canary.name);
                assert!(!as_it_is || all.contains(&&name), "{name} is missed at {}: {all:?}", look.call);
            }
        }
    }
    let config = json!({ "url": world.own.origin, "planted": search::planted() });
    run::deliver(&sandbox, &world.target_of(&connector, 100, config, |_| true)).await;
    sandbox.retire(100);
    let looks = looks(&watch, &sandbox).await;
    assert_eq!((wrong_in(&looks), count(&looks, "Deliver")), (Vec::new(), 1));
}

#[tokio::test]
async fn a_look_that_misses_what_is_planted_is_wrong() {
    let (watch, world) = (Watch::default(), World::start().await);
    let sandbox = sandbox(&watch);
    let guest = HOSTILE.iter().find(|guest| guest.name == "credentials-cache").unwrap();
    let connector = sandbox.load(guest.component).await.unwrap();
    for (number, missing) in (0..).zip(search::planted()) {
        let planted: Vec<String> = search::planted().into_iter().filter(|text| *text != missing).collect();
        let config = json!({ "url": world.own.origin, "planted": planted });
        run::deliver(&sandbox, &world.target_of(&connector, number, config, |_| true)).await;
        sandbox.retire(number);
        let looks = looks(&watch, &sandbox).await;
        let ends = looks.iter().filter(|look| look.call != "Drop").count();
        assert_eq!(wrong_in(&looks).len(), ends, "{missing}");
    }
}

#[tokio::test]
async fn no_hostile_guest_has_a_secret_in_its_memory_when_a_call_ends() {
    let watch = Watch::default();
    let (whole, short) = (sandbox(&watch), SandboxConfig { cpu_budget_ms: 200, ..world::config() });
    let short = sandbox_with(&watch, short);
    let (mut wrong, mut all) = (Vec::new(), Vec::new());
    for (number, guest) in (0..).zip(HOSTILE) {
        let burns = BURNING.contains(&guest.family());
        let sandbox = if burns { &short } else { &whole };
        let (came, expected) = (run::run(sandbox, guest, number).await, Expected::read(guest.expected));
        let looks = looks(&watch, sandbox).await;
        // What it comes to with all that it may burn is another test's.
        let came = if burns { came.wrong } else { came.differences(&expected) };
        wrong.extend(came.into_iter().map(|it| format!("{}: {it}", guest.name)));
        wrong.extend(wrong_in(&looks));
        // Two destinations, one call each.
        let call = if expected.call == Call::Check { "Check" } else { "Deliver" };
        let counts = ["Open", call].map(|call| count(&looks, call));
        let wanted = match expected.call {
            Call::Load => [0, 0],
            _ if ENDS_IN_OPEN.contains(&guest.name) => [2, 0],
            Call::Check | Call::Deliver => [2, 2],
        };
        if counts != wanted {
            wrong.push(format!("{}: {counts:?} looks, not {wanted:?}", guest.name));
        }
        all.extend(looks);
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(count(&all, "Idle") > 0 && count(&all, "Close") > 0);
}

/// Which credential fields have a value.
type Given = fn(&str) -> bool;

#[tokio::test]
async fn the_webhook_connector_has_no_secret_in_its_memory_when_a_call_ends() {
    let (watch, world) = (Watch::default(), World::start().await);
    let sandbox = sandbox(&watch);
    let connector = sandbox.load(railhead_plugins::WEBHOOK).await.unwrap();
    let echo = format!("{}/echo", world.own.origin);
    let token = json!({ "token_url": format!("{}/token", world.token.origin), "client_id": "public" });
    let plain: Given = |name| ["signing_secret", "ed25519_key", "api_key", "basic_password", "headers"].contains(&name);
    let ways: [(_, Given); 5] = [
        (json!({ "url": echo, "basic_user": "public" }), plain),
        (json!({ "url": echo, "signatures": [] }), |name| name == "bearer_token"),
        (json!({ "url": echo, "signatures": [], "oauth2": token }), |name| name == "oauth2_client_secret"),
        (json!({}), |name| matches!(name, "url" | "signing_secret")),
        (json!({ "url": echo }), |name| matches!(name, "tls_identity" | "signing_secret")),
    ];
    for (number, (mut config, given)) in (1..).zip(ways) {
        // It reads its configuration, so that what JSON wrote is there as it was meant.
        let planted = format!("{} {}", search::planted().join(" "), json!(search::PLANTED_QUOTED));
        config["headers"] = json!({ "x-planted": planted });
        let target = world.target_of(&connector, number, config.clone(), given);
        let settled = run::deliver(&sandbox, &target).await;
        let classes: Vec<_> = settled.iter().map(|event| &event.outcome).collect();
        assert!(settled.iter().all(|event| event.outcome.class().as_str() == "delivered"), "{config}: {classes:?}");
        let no_events = railhead_sandbox::Call { events: Vec::new(), ..world::call() };
        sandbox.check(target.clone(), no_events).await.unwrap();
        assert_eq!(sandbox.preview(target, world::call()).await.unwrap().len(), 2);
        sandbox.retire(number);
        let looks = looks(&watch, &sandbox).await;
        assert_eq!(wrong_in(&looks), Vec::<String>::new(), "{config}");
        let counts = ["Open", "Deliver", "Check", "Preview"].map(|call| count(&looks, call));
        assert_eq!(counts, [2, 1, 1, 1], "{config}: the preview has a session of its own");
    }
}

#[tokio::test]
async fn a_guest_of_wasi_http_has_no_secret_in_its_memory_when_a_call_ends() {
    let (watch, world) = (Watch::default(), World::start().await);
    let sandbox = sandbox(&watch);
    let connector = sandbox.load(railhead_test_guests::WASI_HTTP).await.unwrap();
    let planted = format!("{} {}", search::planted().join(" "), json!(search::PLANTED_QUOTED));
    for (number, encoding) in (1..).zip(["raw", "base64"]) {
        let config = json!({
            "url": format!("{}/echo", world.own.origin),
            "encoding": encoding,
            "headers": { "x-planted": planted },
        });
        let target = world.target_of(&connector, number, config, |name| name == "token");
        let settled = run::deliver(&sandbox, &target).await;
        assert!(settled.iter().all(|event| event.outcome.class().as_str() == "delivered"), "{settled:?}");
        assert_eq!(sandbox.preview(target, world::call()).await.unwrap().len(), 2);
        sandbox.retire(number);
        let looks = looks(&watch, &sandbox).await;
        assert_eq!(wrong_in(&looks), Vec::<String>::new(), "{encoding}");
        assert_eq!(["Open", "Deliver", "Preview"].map(|call| count(&looks, call)), [2, 1, 1]);
    }
    assert_eq!(world.own.count(), 4);
}
