//! What can go wrong while a guest is built.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitStatus;

/// Why there is no component. Build scripts return it from `main`, so that cargo prints it.
pub enum Error {
    /// Not run by cargo as a build script: this variable is missing.
    Variable(&'static str),
    /// A file could not be read or written.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// Cargo could not be started.
    Start(std::io::Error),
    /// The guest does not compile; the compiler's own words were passed through.
    Compile {
        /// The guest's package.
        dir: PathBuf,
        /// How cargo ended.
        status: ExitStatus,
    },
    /// What was compiled does not bear its manifest as it should.
    Manifest {
        /// The guest's package.
        dir: PathBuf,
        /// Why.
        cause: Unliftable,
    },
}

/// Why a component's manifest cannot be lifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unliftable {
    /// Not a WebAssembly binary, cut off, or nested too deep.
    Malformed,
    /// There is no manifest in it.
    None,
    /// There are so many.
    Several(usize),
}

impl fmt::Display for Unliftable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("not a WebAssembly binary, cut off, or nested too deep"),
            Self::None => f.write_str("no manifest in it; connector!(Type, \"manifest.json\") puts one in"),
            Self::Several(count) => write!(f, "{count} manifests in it; there is to be one"),
        }
    }
}

impl std::error::Error for Unliftable {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "{name} is not set: this is to be called from a build script"),
            Self::File { path, cause } => write!(f, "{}: {cause}", path.display()),
            Self::Start(cause) => write!(f, "cargo could not be started for a guest: {cause}"),
            Self::Compile { dir, status } => write!(
                f,
                "the guest in {} does not compile ({status}). If its target is missing: rustup target add wasm32-wasip2",
                dir.display()
            ),
            Self::Manifest { dir, cause } => write!(f, "the component of {}: {cause}", dir.display()),
        }
    }
}

/// As [`fmt::Display`]: a `main` that returns an error prints this one.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}
