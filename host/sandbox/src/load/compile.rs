//! Where compilation happens.

use super::{LoadError, child};
use std::path::PathBuf;
use wasmtime::Engine;

/// Where compilation happens.
#[derive(Clone, Debug, Default)]
pub enum Compiler {
    /// In this process: for tests, and for components that nobody else can choose.
    #[default]
    InProcess,
    /// In a child process that runs this binary with [`super::COMPILE_ARGUMENT`] and can do nothing but compile: a hostile
    /// component can take minutes and gigabytes, and compiling cannot be interrupted.
    Child(PathBuf),
}

impl Compiler {
    pub(super) async fn compile(&self, engine: &Engine, component: &[u8]) -> Result<Vec<u8>, LoadError> {
        match self {
            Self::InProcess => {
                let (engine, component) = (engine.clone(), component.to_vec());
                let compiled = tokio::task::spawn_blocking(move || engine.precompile_component(&component)).await;
                let compiled = compiled.map_err(|_| LoadError::Compile("the compiler failed".to_owned()))?;
                compiled.map_err(|error| LoadError::Compile(format!("{error:#}")))
            }
            Self::Child(program) => child::compile(program, component).await,
        }
    }
}
