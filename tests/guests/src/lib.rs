//! Connectors for tests, as components: they do what a connector must not, or as little as it can.
//!
//! One guest; its configuration picks what it does: `{"behave": "spin", "at": "open"}`. Every behaviour is listed in
//! `misbehave/manifest.json`, and documented in `misbehave/src/config.rs`.
//!
//! And many hostile ones, each a folder of `hostile/` with its source, its manifest and what the customer gets.

/// The connector `misbehave`: one event a request, where it sends any.
pub const MISBEHAVE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/misbehave.wasm"));

/// The connector `batching`: the same code, with a manifest that asks for stable batches. Its configuration must
/// name a behaviour; `batch` sends one JSON array for all events of a hand-over.
pub const BATCHING: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/batching.wasm"));

/// The connector `wasi-http`: one event a request, sent over `wasi:http` by the client that its language has for it.
/// `wasi-http/manifest.json` says what its configuration may hold.
pub const WASI_HTTP: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/wasi_http.wasm"));

/// The connector `streaming`: plays the script of its configuration over streams. `streaming/src/script.rs` has the steps.
pub const STREAMING: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/streaming.wasm"));

/// A guest that attacks the host in one way: a folder of `hostile/`.
#[derive(Clone, Copy, Debug)]
pub struct Hostile {
    /// Its folder: the family, a dash, the attack.
    pub name: &'static str,
    /// With its manifest.
    pub component: &'static [u8],
    /// What the customer gets, as TOML: `expected.toml` of the folder.
    pub expected: &'static str,
}

impl Hostile {
    /// What it attacks.
    #[must_use]
    pub fn family(&self) -> &'static str {
        self.name.split('-').next().unwrap_or_default()
    }
}

/// All hostile guests, by name.
pub const HOSTILE: &[Hostile] = include!(concat!(env!("OUT_DIR"), "/hostile.rs"));

#[cfg(test)]
mod tests {
    use super::{BATCHING, HOSTILE, MISBEHAVE};
    use railhead_guest_build::find;
    use railhead_model::manifest::{Manifest, SECTION};
    use std::collections::BTreeSet;

    fn manifest(component: &[u8]) -> Manifest {
        serde_json::from_slice(find(component, SECTION).unwrap().unwrap()).unwrap()
    }

    #[test]
    fn the_same_code_has_two_manifests() {
        let (misbehave, batching) = (manifest(MISBEHAVE), manifest(BATCHING));
        assert_eq!((misbehave.name.as_str(), batching.name.as_str()), ("misbehave", "batching"));
        assert_eq!(misbehave.batch, None);
        assert!(batching.batch.unwrap().stable);
    }

    #[test]
    fn there_are_many_hostile_guests_of_many_families() {
        let families: BTreeSet<&str> = HOSTILE.iter().map(|guest| guest.family()).collect();
        let all = ["cpu", "credentials", "egress", "flood", "handles", "memory", "output", "stack"];
        assert_eq!(families, all.into());
        assert!(HOSTILE.len() >= 25, "{}", HOSTILE.len());
        for guest in HOSTILE {
            assert_eq!(manifest(guest.component).name, format!("hostile-{}", guest.name));
        }
    }
}
