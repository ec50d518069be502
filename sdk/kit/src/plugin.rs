//! A plugin as the suite takes it: a component, its example, and what its folder says for tests.

use crate::plan::Plan;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What is judged.
#[derive(Clone, Debug, Default)]
pub struct Plugin {
    /// The component, with its manifest.
    pub component: Vec<u8>,
    /// `example.json`: a destination as the API takes it.
    pub example: Value,
    /// `test.json`.
    pub plan: Plan,
    /// Where a real server is, for a connector of streams: events are delivered there, as its `test.json` configures it.
    pub server: Option<Address>,
}

/// A server's name or address, and its port: `127.0.0.1:5432`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Without brackets where it is an address of IPv6.
    pub host: String,
    /// Not 0.
    pub port: u16,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let split = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let host = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_owned();
        match split {
            Some((name, port @ 1..)) if !name.is_empty() => Ok(Self { host: host(name), port }),
            _ => Err(format!("{text:?} is no host and port, such as 127.0.0.1:5432")),
        }
    }
}

/// Why a folder cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {cause}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path} is not usable: {cause}")]
    Json {
        /// Which.
        path: PathBuf,
        /// Why, with line and column.
        cause: serde_json::Error,
    },
}

impl Plugin {
    /// A component, with `example.json` and, where there is one, `test.json` of its folder.
    ///
    /// # Errors
    /// A file that is missing or not JSON.
    pub fn in_folder(component: Vec<u8>, dir: &Path) -> Result<Self, PluginError> {
        let (example, plan) = (dir.join("example.json"), dir.join("test.json"));
        let plan = if plan.exists() { json(&plan)? } else { Plan::default() };
        Ok(Self { component, example: json(&example)?, plan, server: None })
    }
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T, PluginError> {
    let failed = |cause| PluginError::File { path: path.to_owned(), cause };
    let text = fs::read(path).map_err(failed)?;
    serde_json::from_slice(&text).map_err(|cause| PluginError::Json { path: path.to_owned(), cause })
}
