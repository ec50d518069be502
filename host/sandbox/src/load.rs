//! From the bytes of a component to something that runs: check, compile (or take from the cache), link.

mod cache;
mod child;
mod compile;
mod imports;
mod inspect;

pub use child::{COMPILE_ARGUMENT, compile_child_main};
pub use compile::Compiler;
pub use inspect::{Inspected, inspect};

use crate::adapter::Guest;
use crate::bindings::ConnectorPre;
use crate::secret::AllTold;
use cache::Cache;
use railhead_model::Manifest;
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::Path;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

/// A connector that is ready to run.
pub struct Connector {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Of the component.
    pub sha256: [u8; 32],
    pub(crate) ready: ConnectorPre<Guest>,
    /// What token endpoints gave to its destinations.
    pub(crate) told: AllTold,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connector({} {})", self.manifest.name, self.manifest.version)
    }
}

/// Why a component cannot be loaded. Each has a stable [`LoadError::code`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Larger than a component may be.
    #[error("the component has {bytes} bytes; at most {most} are allowed")]
    TooLarge {
        /// What it has.
        bytes: usize,
        /// What it may have.
        most: usize,
    },
    /// Not a valid component.
    #[error("this is not a component that the host understands: {0}")]
    Invalid(String),
    /// Valid, but past a bound that keeps compiling cheap.
    #[error("the component goes past a limit: {0}")]
    Limit(String),
    /// It asks for something that the host does not have.
    #[error("the component imports {0}, which this host does not offer")]
    UnknownImport(String),
    /// It lacks an export of the contract.
    #[error("the component does not export {0}")]
    MissingExport(String),
    /// No manifest, more than one, or one that cannot be read.
    #[error("the manifest is not usable: {0}")]
    Manifest(String),
    /// The compiler refused it, or went past its limits.
    #[error("the component cannot be compiled: {0}")]
    Compile(String),
    /// The compiled code cannot be linked.
    #[error("the component cannot be linked: {0}")]
    Link(String),
}

impl LoadError {
    /// Stable, kebab-case.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "component-too-large",
            Self::Invalid(_) => "component-invalid",
            Self::Limit(_) => "component-limit",
            Self::UnknownImport(_) => "import-unknown",
            Self::MissingExport(_) => "export-missing",
            Self::Manifest(_) => "manifest-invalid",
            Self::Compile(_) => "compile-failed",
            Self::Link(_) => "link-failed",
        }
    }
}

/// Loads components for one engine.
pub(crate) struct Loader {
    engine: Engine,
    linker: Linker<Guest>,
    compiler: Compiler,
    cache: Option<Cache>,
    /// One compilation at a time: each may take a core for a minute.
    compiling: tokio::sync::Semaphore,
}

impl Loader {
    pub(crate) fn new(
        engine: &Engine,
        compiler: Compiler,
        cache_dir: Option<&Path>,
        cache_key: &[u8; 32],
    ) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(engine);
        crate::adapter::link(&mut linker)?;
        let cache = cache_dir.map(|dir| Cache::open(dir, cache_key, engine)).transpose()?;
        Ok(Self { engine: engine.clone(), linker, compiler, cache, compiling: tokio::sync::Semaphore::new(1) })
    }

    pub(crate) async fn load(&self, component: &[u8]) -> Result<Connector, LoadError> {
        let manifest = inspect::checked(component)?.0;
        let sha256: [u8; 32] = Sha256::digest(component).into();
        let compiled = self.compiled(component, &sha256).await?;
        let ready = self.link(&compiled).map_err(|error| LoadError::Link(format!("{error:#}")))?;
        Ok(Connector { manifest, sha256, ready, told: AllTold::default() })
    }

    async fn compiled(&self, component: &[u8], sha256: &[u8; 32]) -> Result<Component, LoadError> {
        if let Some(component) = self.cached(sha256) {
            return Ok(component);
        }
        let turn = self.compiling.acquire().await;
        // Another caller may have compiled the same meanwhile.
        if let Some(component) = self.cached(sha256) {
            return Ok(component);
        }
        let image = self.compiler.compile(&self.engine, component).await?;
        if let Some(cache) = &self.cache
            && let Err(error) = cache.put(sha256, &image)
        {
            tracing::warn!(%error, "a compiled image cannot be cached");
        }
        drop(turn);
        self.deserialize(&image).map_err(|error| LoadError::Compile(format!("{error:#}")))
    }

    fn cached(&self, sha256: &[u8; 32]) -> Option<Component> {
        let image = self.cache.as_ref()?.get(sha256)?;
        let component = self.deserialize(&image);
        component.inspect_err(|error| tracing::warn!(%error, "a cached image is of no use; compiling again")).ok()
    }

    /// The image is native code that will run with the host's rights.
    #[allow(unsafe_code)]
    fn deserialize(&self, image: &[u8]) -> wasmtime::Result<Component> {
        // SAFETY: the bytes come from our own compiler, in this process or in a child that runs our own binary, or from
        // the cache, which has verified their MAC; they are in memory that nobody else writes. A compiler that a
        // component takes over could make harmful code: its output is trusted, as the child's confinement cannot help it.
        unsafe { Component::deserialize(&self.engine, image) }
    }

    fn link(&self, component: &Component) -> wasmtime::Result<ConnectorPre<Guest>> {
        let mut linker = self.linker.clone();
        crate::adapter::link_wasi(&mut linker, component)?;
        ConnectorPre::new(linker.instantiate_pre(component)?)
    }
}
