//! What its owner set. `manifest.json` says what each field is for.

use crate::credentials::Encoding;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub url: String,
    pub to: Option<String>,
    #[serde(default)]
    pub place: Place,
    pub placeholder: Option<String>,
    #[serde(default = "token")]
    pub field: String,
    #[serde(default)]
    pub encoding: Writing,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    pub timeout_ms: Option<u64>,
    #[serde(default = "one")]
    pub requests: usize,
    #[serde(default)]
    pub body_bytes: usize,
    #[serde(default)]
    pub tell: Tell,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// `authorization: Bearer` and the placeholder; of a map of headers, in the header `x-map`.
    #[default]
    Header,
    Body,
    Query,
    Name,
    Nowhere,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Writing {
    #[default]
    Raw,
    Base64,
}

impl From<Writing> for Encoding {
    fn from(writing: Writing) -> Self {
        match writing {
            Writing::Raw => Self::Raw,
            Writing::Base64 => Self::Base64,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tell {
    /// The answer's body.
    #[default]
    Body,
    /// The placeholder; nothing is sent.
    Placeholder,
    /// How the answer came and how many milliseconds the guest's own clock counted for a wait of ten.
    Clock,
}

fn token() -> String {
    "token".to_owned()
}

fn one() -> usize {
    1
}
