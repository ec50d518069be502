//! Events whose data is known again wherever it went.

use bytes_of::unpacked;
use railhead_model::Event;
use railhead_plugin_harness::{Received, numbered};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// So many events, each with a mark in its data. The spaces are on purpose: data that was read and written again has none.
pub(crate) fn marked(count: u8, members: &Map<String, Value>) -> Vec<Event> {
    (1..=count).map(|number| with_mark(number, members)).collect()
}

/// The event of this number.
pub(crate) fn with_mark(number: u8, members: &Map<String, Value>) -> Event {
    let more: String =
        members.iter().map(|(name, value)| format!(", {}: {value}", Value::from(name.as_str()))).collect();
    let mut event = numbered(number, format!("{{ \"mark\" : \"{}\"{more}}}", mark(number)).as_bytes());
    // Many, so that an order that is not theirs shows.
    let names = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel"];
    event.head.attributes = names.map(|name| (name.to_owned(), format!("{name}-{number}"))).into();
    event
}

/// Letters and digits alone: they look the same in JSON, forms and URLs.
pub(crate) fn mark(number: u8) -> String {
    format!("mark{number:03}q7x4k9w2")
}

/// The numbers of the events whose data is somewhere in a request.
pub(crate) fn carried(request: &Received) -> BTreeSet<u8> {
    let head = request.headers.values().flatten().map(String::as_bytes).chain([request.line.as_bytes()]);
    let body = unpacked(&request.body);
    head.chain([request.body.as_slice(), body.as_slice()]).flat_map(marks_in).collect()
}

/// The numbers of the events whose marks are in these bytes, as they are or in base64.
pub(crate) fn marks_in(bytes: &[u8]) -> BTreeSet<u8> {
    let plain = bytes.windows(4).enumerate().filter(|(_, window)| *window == b"mark");
    let plain = plain.filter_map(|(at, _)| number_at(bytes.get(at..)?));
    let mut found: BTreeSet<u8> = plain.collect();
    if found.is_empty() {
        found.extend((1..=9).filter(|number| in_base64(bytes, *number)));
    }
    found
}

fn number_at(bytes: &[u8]) -> Option<u8> {
    let number = std::str::from_utf8(bytes.get(4..7)?).ok()?.parse().ok()?;
    bytes.starts_with(mark(number).as_bytes()).then_some(number)
}

fn in_base64(bytes: &[u8], number: u8) -> bool {
    let spelt = crate::canary::spellings(mark(number).as_bytes());
    let mut spelt = spelt.iter().filter(|(way, _)| way.contains("base64"));
    spelt.any(|(_, spelt)| bytes.windows(spelt.len()).any(|window| window == spelt))
}

/// What stands in compressed bytes.
mod bytes_of {
    use std::io::Read as _;

    /// A body of the suite's events has no more.
    const MOST: u64 = 64 * 1024 * 1024;

    /// As it is, where it is not compressed.
    pub(crate) fn unpacked(bytes: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        let read = match bytes {
            [0x1f, 0x8b, ..] => flate2::read::MultiGzDecoder::new(bytes).take(MOST).read_to_end(&mut plain),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => {
                zstd::Decoder::new(bytes).and_then(|decoder| decoder.take(MOST).read_to_end(&mut plain))
            }
            _ => return bytes.to_vec(),
        };
        read.map_or_else(|_| bytes.to_vec(), |_| plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;

    #[test]
    fn marks_are_found_as_they_are_and_in_base64() {
        let events = marked(3, &Map::new());
        let all = events.iter().flat_map(|event| event.data.to_vec()).collect::<Vec<u8>>();
        assert_eq!(marks_in(&all), [1, 2, 3].into());
        for shift in 0..3 {
            let mut shifted = vec![b'x'; shift];
            shifted.extend(&*events[1].data);
            let text = base64::engine::general_purpose::STANDARD.encode(shifted);
            assert_eq!(marks_in(text.as_bytes()), [2].into());
        }
        assert_eq!(marks_in(b"mark999 mark mark00"), BTreeSet::new());
    }
}
