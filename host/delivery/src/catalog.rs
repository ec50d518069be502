//! The connectors that this host can run.

use railhead_model::Manifest;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Connectors by name, fixed while the host runs.
#[derive(Clone, Debug, Default)]
pub struct Catalog(BTreeMap<String, Arc<Manifest>>);

impl Catalog {
    /// A catalogue of these manifests; of two with one name the later one counts.
    #[must_use]
    pub fn new(manifests: impl IntoIterator<Item = Manifest>) -> Self {
        Self(manifests.into_iter().map(|manifest| (manifest.name.clone(), Arc::new(manifest))).collect())
    }

    /// A connector's manifest; its version stands in it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Manifest>> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Manifest>> {
        self.0.values()
    }
}
