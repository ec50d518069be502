//! What is sent for a batch of events: objects, each with its key, headers and lines. Pure: the same batch, the same
//! objects.

mod name;
mod time;

use self::time::Utc;
use crate::config::key::{KeyTemplate, Placeholder};
use crate::config::{Config, Encryption, PartitionBy};
use railhead_sdk::prelude::*;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fmt::Write as _;

pub const USER_AGENT: &str = concat!("Railhead/", env!("CARGO_PKG_VERSION"));

/// Of objects.
pub const CONTENT_TYPE: &str = "application/x-ndjson";

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

/// The objects of a batch: one for each key, in the order in which keys first come. `batch` tells it from all others.
///
/// Key and lines of an object are made of the batch's number and of its own events, and of nothing else of the batch: so it
/// stays the same where others have arrived, and only the rest of the batch comes again.
pub fn objects(config: &Config, template: &KeyTemplate, batch: &str, events: &[Planned<'_>]) -> Vec<Object> {
    let (mut objects, mut places): (Vec<Object>, HashMap<String, usize>) = Default::default();
    let mut last: Option<(&str, Utc, usize)> = None;
    for planned in events {
        let (at, event_type) = (partition_time(config, planned), planned.event.type_.as_str());
        // Neighbours are mostly of one partition: then the key need not be spelled again.
        let same = last.take().filter(|(before, then, _)| *before == event_type && then.same_hour(&at));
        let place = same.map_or_else(
            || {
                let key = key(config, template, batch, planned.event, &at);
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

/// The object of an event that goes by itself.
///
/// The event's id does not name it: another destination with the same bucket may select other fields of the same event,
/// and a replay may follow a change of settings. A digest of all that is stored does: an object that has this name is this
/// one.
pub fn alone(config: &Config, template: &KeyTemplate, planned: &Planned<'_>) -> Object {
    let mut object = Object::default();
    object.push(planned);
    let hash = format!("{}-{}", planned.event.uid(), name::mark(object.digest(config, planned.event)));
    object.key = key(config, template, &hash, planned.event, &partition_time(config, planned));
    object
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

    /// Of the lines of this one event, and of how they are stored.
    fn digest(&self, config: &Config, event: &Event) -> Sha256 {
        let mut digest = Sha256::new();
        for (name, value) in stored_as(config) {
            digest.update(format!("{name}: {value}\n"));
        }
        digest.update(config.compression.coding().unwrap_or_default());
        for part in &self.body {
            digest.update([0]);
            match part {
                Part::Bytes(bytes) => digest.update(bytes),
                Part::EventData(_) | Part::EventDataBase64(_) => digest.update(&event.data),
                // No secret stands in an object.
                Part::Secret(_) => {}
            }
        }
        digest
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
    template.render(|placeholder, most| match placeholder {
        Placeholder::EventType => name::value(&event.type_, most),
        Placeholder::Tenant => name::value(&event.tenant, most),
        Placeholder::Dt => at.date().to_owned(),
        Placeholder::Year => at.year().to_owned(),
        Placeholder::Month => at.month().to_owned(),
        Placeholder::Day => at.day().to_owned(),
        Placeholder::Hour => at.hour().to_owned(),
        Placeholder::Hash => name::value(hash, most),
        Placeholder::Extension => config.compression.extension().to_owned(),
    })
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
    headers.extend(stored_as(config));
    headers
}

/// How the store is to keep objects.
fn stored_as(config: &Config) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
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
