//! What is sent for a batch of events: objects, each with its key, headers and lines. Pure: the same batch, the same
//! objects.

mod time;

use self::time::Utc;
use crate::config::key::{KeyTemplate, Placeholder};
use crate::config::{Config, Encryption, PartitionBy};
use railhead_sdk::prelude::*;
use std::collections::HashMap;
use std::fmt::Write as _;

pub const USER_AGENT: &str = concat!("Railhead/", env!("CARGO_PKG_VERSION"));

/// Bytes that a key may have (Amazon S3 User Guide, "Naming Amazon S3 objects").
const MAX_KEY: usize = 1024;

/// Bytes of what is joined to one piece: a longer one would take twice its size while it grows.
const MAX_PIECE: usize = 64 * 1024;

/// An event of the call, and what the call says of it.
#[derive(Clone, Copy, Debug)]
pub struct Planned<'a> {
    /// By it the host puts the data in.
    pub index: u32,
    pub event: &'a Event,
    pub accepted_ms: u64,
}

/// An object but for its signature.
#[derive(Debug, Default)]
pub struct Object {
    pub key: String,
    /// Indexes of its events, in order.
    pub carries: Vec<u32>,
    /// Lines of NDJSON.
    pub body: Vec<Part<'static>>,
}

/// The objects of these events: one for each key, in the order in which keys first come. `hash` tells the batch from
/// all others.
pub fn objects(config: &Config, template: &KeyTemplate, hash: &str, events: &[Planned<'_>]) -> Vec<Object> {
    let (mut objects, mut places): (Vec<Object>, HashMap<String, usize>) = Default::default();
    let mut last: Option<(&str, Utc, usize)> = None;
    for planned in events {
        let (at, event_type) = (partition_time(config, planned), planned.event.type_.as_str());
        // Neighbours are mostly of one partition: then the key need not be spelled again.
        let same = last.take().filter(|(before, then, _)| *before == event_type && then.same_hour(&at));
        let place = same.map_or_else(
            || {
                let key = key(config, template, hash, planned.event, &at);
                *places.entry(key).or_insert_with_key(|key| {
                    objects.push(Object { key: key.clone(), ..Object::default() });
                    objects.len() - 1
                })
            },
            |(.., place)| place,
        );
        last = Some((event_type, at, place));
        if let Some(object) = objects.get_mut(place) {
            object.push(planned);
        }
    }
    objects
}

impl Object {
    /// Appends the line of an event. What stands between two payloads is one piece.
    fn push(&mut self, &Planned { index, event, accepted_ms }: &Planned<'_>) {
        self.carries.push(index);
        for part in row::json(index, event, accepted_ms).into_iter().chain([parts::bytes("\n")]) {
            match (self.body.last_mut(), part) {
                (Some(Part::Bytes(last)), Part::Bytes(more)) if last.len() + more.len() <= MAX_PIECE => {
                    last.extend(more)
                }
                (_, part) => self.body.push(part),
            }
        }
    }
}

fn partition_time(config: &Config, planned: &Planned<'_>) -> Utc {
    let accepted = || Utc::of_ms(planned.accepted_ms);
    match config.partition_by {
        PartitionBy::Accepted => accepted(),
        PartitionBy::Occurred => Utc::of_rfc3339(&planned.event.time).unwrap_or_else(accepted),
    }
}

fn key(config: &Config, template: &KeyTemplate, hash: &str, event: &Event, at: &Utc) -> String {
    template.render(|placeholder| match placeholder {
        Placeholder::EventType => partition_value(&event.type_),
        Placeholder::Tenant => partition_value(&event.tenant),
        Placeholder::Dt => at.date().to_owned(),
        Placeholder::Year => at.year().to_owned(),
        Placeholder::Month => at.month().to_owned(),
        Placeholder::Day => at.day().to_owned(),
        Placeholder::Hour => at.hour().to_owned(),
        Placeholder::Hash => partition_value(hash),
        Placeholder::Extension => config.compression.extension().to_owned(),
    })
}

/// A value in a key, as Hive writes partitions: what could end a segment, or be one that clients resolve, as `%XX`.
fn partition_value(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (byte == b'.' && at > 0);
        if plain {
            value.push(char::from(byte));
        } else {
            let _ = write!(value, "%{byte:02X}");
        }
    }
    value
}

/// True if the store takes a key of this length.
pub fn fits(key: &str) -> bool {
    key.len() <= MAX_KEY
}

/// A key as the path of a URL: all but unreserved characters and slashes as `%XX`, as its signature has it.
pub fn path_of(key: &str) -> String {
    let mut path = String::with_capacity(key.len() + 16);
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

/// A value of a form (`application/x-www-form-urlencoded`).
pub fn form_value(text: &str) -> String {
    path_of(text).replace('/', "%2F")
}

/// Headers of every object. `if_absent`: the store is not to touch one that is there.
pub fn headers(config: &Config, content_type: &'static str, if_absent: bool) -> Vec<(&'static str, String)> {
    let mut headers = vec![("user-agent", USER_AGENT.to_owned()), ("content-type", content_type.to_owned())];
    if if_absent {
        headers.push(("if-none-match", "*".to_owned()));
    }
    match config.encryption {
        Encryption::BucketDefault => {}
        Encryption::Aes256 => headers.push(("x-amz-server-side-encryption", "AES256".to_owned())),
        Encryption::Kms => headers.push(("x-amz-server-side-encryption", "aws:kms".to_owned())),
    }
    if let Some(key) = &config.kms_key_id {
        headers.push(("x-amz-server-side-encryption-aws-kms-key-id", key.clone()));
    }
    if config.bucket_key {
        headers.push(("x-amz-server-side-encryption-bucket-key-enabled", "true".to_owned()));
    }
    if let Some(class) = &config.storage_class {
        headers.push(("x-amz-storage-class", class.clone()));
    }
    if config.bucket_owner_full_control {
        headers.push(("x-amz-acl", "bucket-owner-full-control".to_owned()));
    }
    headers
}

#[cfg(test)]
mod tests;
