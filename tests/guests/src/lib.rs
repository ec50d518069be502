//! Connectors for tests, as components: they do what a connector must not, or as little as it can.
//!
//! One guest; its configuration picks what it does: `{"behave": "spin", "at": "open"}`. Every behaviour is listed in
//! `misbehave/manifest.json`, and documented in `misbehave/src/config.rs`.

/// The connector `misbehave`: one event a request, where it sends any.
pub const MISBEHAVE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/misbehave.wasm"));

/// The connector `batching`: the same code, with a manifest that asks for stable batches. Its configuration must
/// name a behaviour; `batch` sends one JSON array for all events of a hand-over.
pub const BATCHING: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/batching.wasm"));

#[cfg(test)]
mod tests {
    use super::{BATCHING, MISBEHAVE};
    use railhead_guest_build::find;
    use railhead_model::manifest::{Manifest, SECTION};

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
}
