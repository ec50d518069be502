//! What the owner of a destination chooses from.

use railhead_sdk::Schema;
use serde::Deserialize;

/// Whose time partitions go by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum PartitionBy {
    #[default]
    Accepted,
    Occurred,
}

/// How objects are compressed; the host does it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    #[default]
    Gzip,
    Zstd,
    None,
}

impl Compression {
    /// What a key of such objects ends with.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Gzip => "ndjson.gz",
            Self::Zstd => "ndjson.zst",
            Self::None => "ndjson",
        }
    }

    /// The contract's name of it.
    pub const fn coding(self) -> Option<&'static str> {
        match self {
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
            Self::None => None,
        }
    }
}

/// How the store encrypts objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Encryption {
    #[default]
    BucketDefault,
    Aes256,
    Kms,
}
