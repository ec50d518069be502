//! What is in a guest's memory when its calls are over: searched for every kind of credential, however it is written.
//!
//! Guests run here on memories of our own, each searched when it is given back: after every call, for the destination is
//! retired then. Nothing of this is in the host: it is a test.
#![allow(unsafe_code)] // a memory hands its address out

#[path = "../tests/hostile/canary.rs"]
mod canary;
#[path = "../tests/hostile/expected.rs"]
mod expected;
#[path = "../tests/hostile/run.rs"]
mod run;
#[path = "../tests/hostile/search.rs"]
mod search;
#[path = "../tests/hostile/world.rs"]
mod world;

use crate::{Sandbox, engine};
use railhead_model::SystemClock;
use railhead_test_guests::HOSTILE;
use serde_json::json;
use std::sync::{Arc, Mutex};
use wasmtime::{LinearMemory, MemoryCreator, MemoryType};
use world::World;

/// What was found in memories that are gone, and how many bytes of them were searched.
#[derive(Clone, Default)]
struct Watch(Arc<Mutex<(Vec<String>, usize)>>);

impl Watch {
    fn sandbox(&self) -> Arc<Sandbox> {
        let engine = engine::watched(Arc::new(self.clone())).unwrap();
        Sandbox::on(&engine, world::config(), world::egress(), Arc::new(SystemClock::new())).unwrap()
    }

    /// Once all sessions are gone: what was found since the last time. Their memories were searched, or this fails.
    async fn found(&self, sandbox: &Sandbox) -> Vec<String> {
        assert_eq!(run::all_leave(sandbox).await, None);
        let (found, searched) = std::mem::take(&mut *self.0.lock().unwrap());
        assert!(searched >= 64 * 1024, "{searched} bytes were searched");
        found
    }
}

// SAFETY: a memory is a vector of its own, zeroed, that is as long as it says.
unsafe impl MemoryCreator for Watch {
    fn new_memory(
        &self,
        _: MemoryType,
        minimum: usize,
        _: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        assert_eq!((reserved.unwrap_or(0), guard), (0, 0), "code that relies on a guard would leave the vector");
        Ok(Box::new(Watched { bytes: vec![0; minimum], watch: self.clone() }))
    }
}

struct Watched {
    bytes: Vec<u8>,
    watch: Watch,
}

// SAFETY: the address is that of `byte_size` bytes, until the memory grows.
unsafe impl LinearMemory for Watched {
    fn byte_size(&self) -> usize {
        self.bytes.len()
    }

    fn byte_capacity(&self) -> usize {
        self.bytes.len()
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        self.bytes.resize(new_size, 0);
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.bytes.as_ptr().cast_mut()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let found = search::found_in(&self.bytes);
        let mut kept = self.watch.0.lock().unwrap();
        kept.0.extend(found);
        kept.1 += self.bytes.len();
    }
}

#[tokio::test]
async fn a_canary_that_a_guest_was_given_is_found() {
    let (watch, world) = (Watch::default(), World::start().await);
    let sandbox = watch.sandbox();
    let guest = HOSTILE.iter().find(|guest| guest.name == "credentials-cache").unwrap();
    let connector = sandbox.load(guest.component).await.unwrap();
    for (number, planted) in [(1, canary::TEXT), (2, canary::PATH), (3, "nothing")] {
        let config = json!({ "url": world.own.origin, "other": planted });
        run::deliver(&sandbox, &world.target_of(&connector, number, config, |_| true)).await;
        sandbox.retire(number);
        let found = watch.found(&sandbox).await;
        assert_eq!(found.is_empty(), planted == "nothing", "{planted}: {found:?}");
    }
}

#[tokio::test]
async fn hostile_guests_have_no_secret_in_their_memory() {
    let watch = Watch::default();
    let sandbox = watch.sandbox();
    for (number, guest) in (0..).zip(HOSTILE.iter().filter(|guest| guest.family() == "credentials")) {
        let came = run::run(&sandbox, guest, number).await;
        let expected = expected::Expected::read(guest.expected);
        assert_eq!(came.differences(&expected), Vec::<String>::new(), "{}", guest.name);
        if expected.call != expected::Call::Load {
            assert_eq!(watch.found(&sandbox).await, Vec::<String>::new(), "{}", guest.name);
        }
    }
}

/// Which credential fields have a value.
type Given = fn(&str) -> bool;

#[tokio::test]
async fn the_webhook_connector_has_no_secret_in_its_memory() {
    let (watch, world) = (Watch::default(), World::start().await);
    let sandbox = watch.sandbox();
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
    for (number, (config, given)) in (1..).zip(ways) {
        let target = world.target_of(&connector, number, config.clone(), given);
        let settled = run::deliver(&sandbox, &target).await;
        let classes: Vec<_> = settled.iter().map(|event| &event.outcome).collect();
        assert!(settled.iter().all(|event| event.outcome.class().as_str() == "delivered"), "{config}: {classes:?}");
        sandbox.retire(number);
        assert_eq!(watch.found(&sandbox).await, Vec::<String>::new(), "{config}");
    }
    assert_eq!(world.own.count(), 10);
}
