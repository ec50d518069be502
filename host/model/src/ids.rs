//! Identities: numbers inside the store, prefixed texts outside.

use crate::time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// A text that is not an id of the expected kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IdError(pub String);

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// An environment's number: `sandbox`, `live`.
    EnvironmentNo, i32
);
number!(
    /// A tenant's number in the store. Never shown outside.
    TenantNo, i64
);
number!(
    /// A destination's number in the store. Never shown outside.
    DestinationNo, i64
);
number!(
    /// One of the 256 shards by which hosts share the destinations.
    ShardNo, u8
);

impl DestinationNo {
    /// `hash(no) % 256`. Fibonacci hashing: consecutive numbers spread over all shards.
    #[must_use]
    pub const fn shard(self) -> ShardNo {
        ShardNo(((self.0 as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8)
    }
}

macro_rules! prefixed_uuid {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);
        impl $name {
            /// What its text begins with.
            pub const PREFIX: &'static str = $prefix;
            /// A UUIDv7 of this time; `random` fills the bits that time leaves free.
            #[must_use]
            pub fn new(at: Timestamp, random: [u8; 10]) -> Self {
                let ms = u64::try_from(at.0).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid())
            }
            /// The time that it carries.
            #[must_use]
            pub fn at(self) -> Timestamp {
                Timestamp((self.0.as_u128() >> 80) as i64)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0.simple())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let wrong = || IdError(format!(concat!("expected an id that begins with `", $prefix, "`, got `{}`"), shorten(text)));
                let rest = text.strip_prefix($prefix).ok_or_else(wrong)?;
                if rest.len() != 32 {
                    return Err(wrong());
                }
                Uuid::try_parse(rest).map(Self).map_err(|_| wrong())
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

prefixed_uuid!(
    /// An accepted event's own identity (`evt_`, UUIDv7 of its acceptance): it orders, partitions, is the key.
    EventUid, "evt_"
);
prefixed_uuid!(
    /// An API key's identity (`key_`); not its secret.
    KeyId, "key_"
);
prefixed_uuid!(
    /// A durable job, such as a replay (`rpl_`).
    JobId, "rpl_"
);
prefixed_uuid!(
    /// One run of one host process (`hst_`). A fenced process starts again under a new one.
    HostId, "hst_"
);

/// Our own destination ids: `dst_` and a UUIDv7.
#[must_use]
pub fn new_destination_id(at: Timestamp, random: [u8; 10]) -> DestinationId {
    DestinationId(format!("dst_{}", EventUid::new(at, random).0.simple()))
}

macro_rules! vendor_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);
        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let fits = (1..=128).contains(&text.len())
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b) || b == b'_');
                if !fits {
                    return Err(IdError(format!(
                        concat!("a ", $what, " id is 1 to 128 characters of A-Z a-z 0-9 . _ : -, got `{}`"),
                        shorten(text)
                    )));
                }
                Ok(Self(text.to_owned()))
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

vendor_id!(
    /// A tenant's id: the vendor's own. Ids that begin with `_` are the host's (`_operator`).
    TenantId, "tenant"
);
vendor_id!(
    /// A destination's id: `dst_…` of ours, or the vendor's own.
    DestinationId, "destination"
);

impl TenantId {
    /// The built-in tenant that receives operational events.
    #[must_use]
    pub fn operator() -> Self {
        Self("_operator".to_owned())
    }

    /// True for ids that a vendor cannot create.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with('_')
    }
}

/// Keeps refused input in messages short and printable.
fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(64).map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect();
    if text.chars().nth(64).is_some() {
        short.push('…');
    }
    short
}

/// One event on its way to one destination; `run` counts deliveries of the pair (0 is the first, a replay adds one).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryKey {
    /// The event.
    pub event: EventUid,
    /// The destination.
    pub destination: DestinationNo,
    /// 0 for the delivery made at publish.
    pub run: u32,
}

/// One try of a delivery: `n` counts from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptKey {
    /// The delivery.
    pub delivery: DeliveryKey,
    /// 1 for the first.
    pub n: u32,
}

impl DeliveryKey {
    fn bytes(self) -> [u8; 28] {
        let mut bytes = [0; 28];
        bytes[..16].copy_from_slice(self.event.0.as_bytes());
        bytes[16..24].copy_from_slice(&self.destination.0.to_be_bytes());
        bytes[24..].copy_from_slice(&self.run.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (event, rest) = bytes.split_first_chunk::<16>()?;
        let (destination, run) = rest.split_first_chunk::<8>()?;
        Some(Self {
            event: EventUid(Uuid::from_bytes(*event)),
            destination: DestinationNo(i64::from_be_bytes(*destination)),
            run: u32::from_be_bytes(run.try_into().ok()?),
        })
    }
}

impl fmt::Display for DeliveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dlv_{}", URL_SAFE_NO_PAD.encode(self.bytes()))
    }
}

impl FromStr for DeliveryKey {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        text.strip_prefix("dlv_")
            .and_then(|rest| URL_SAFE_NO_PAD.decode(rest).ok())
            .and_then(|bytes| Self::from_bytes(&bytes))
            .ok_or_else(|| IdError(format!("expected an id that begins with `dlv_`, got `{}`", shorten(text))))
    }
}

impl AttemptKey {
    /// As a row refers to it.
    #[must_use]
    pub fn bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..28].copy_from_slice(&self.delivery.bytes());
        bytes[28..].copy_from_slice(&self.n.to_be_bytes());
        bytes
    }

    /// Reads what [`AttemptKey::bytes`] made; `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (delivery, n) = bytes.split_at_checked(28)?;
        Some(Self { delivery: DeliveryKey::from_bytes(delivery)?, n: u32::from_be_bytes(n.try_into().ok()?) })
    }
}

impl fmt::Display for AttemptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "att_{}", URL_SAFE_NO_PAD.encode(self.bytes()))
    }
}

impl FromStr for AttemptKey {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = || IdError(format!("expected an id that begins with `att_`, got `{}`", shorten(text)));
        let bytes = text.strip_prefix("att_").and_then(|rest| URL_SAFE_NO_PAD.decode(rest).ok()).ok_or_else(wrong)?;
        Self::from_bytes(&bytes).ok_or_else(wrong)
    }
}

macro_rules! serde_as_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
serde_as_text!(DeliveryKey);
serde_as_text!(AttemptKey);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_print() {
        let event = EventUid::new(Timestamp(1_700_000_000_000), [7; 10]);
        assert_eq!(event.to_string().parse(), Ok(event));
        assert_eq!(event.at(), Timestamp(1_700_000_000_000));
        let delivery = DeliveryKey { event, destination: DestinationNo(42), run: 3 };
        assert_eq!(delivery.to_string().parse(), Ok(delivery));
        let attempt = AttemptKey { delivery, n: 11 };
        assert_eq!(attempt.to_string().parse(), Ok(attempt));
    }

    #[test]
    fn foreign_texts_are_refused() {
        for text in ["", "evt_", "evt_00", "dst_0190", "dlv_%%", "att_AAAA"] {
            assert!(text.parse::<EventUid>().is_err(), "{text}");
            assert!(text.parse::<DeliveryKey>().is_err(), "{text}");
            assert!(text.parse::<AttemptKey>().is_err(), "{text}");
        }
        for text in ["", "a b", "ä", "a/b", &"x".repeat(129)] {
            assert!(text.parse::<TenantId>().is_err(), "{text}");
        }
    }

    #[test]
    fn shards_are_spread() {
        let mut hit = std::collections::BTreeSet::new();
        for no in 1..=2048 {
            hit.insert(DestinationNo(no).shard());
        }
        assert_eq!(hit.len(), 256);
    }
}
