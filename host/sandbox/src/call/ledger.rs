//! What the record of each event of a call keeps, within bounds.

use super::SettledEvent;
use crate::egress::Traffic;
use railhead_model::{BodyPart, Exchange, Timestamp};
use std::collections::VecDeque;
use std::sync::Arc;

/// Exchanges of one event that a record keeps: the last ones, for they tell how it ended.
pub(super) const MAX_EXCHANGES: usize = 16;
/// Bytes of them, unless one alone has more.
pub(super) const MAX_EVENT_BYTES: usize = 128 * 1024;
/// Bytes that all exchanges of a call have in its records. Those that come after that are kept without headers and
/// bodies.
pub(super) const MAX_CALL_BYTES: usize = 32 * 1024 * 1024;

#[derive(Default)]
pub(super) struct Ledger {
    pub(super) entries: Vec<Entry>,
    /// Of a preview: all that it showed.
    pub(super) shown: Vec<(Vec<u32>, Exchange)>,
    /// Of all exchanges so far.
    pub(super) bytes: usize,
    /// Not handed on yet.
    pub(super) settled: Vec<SettledEvent>,
    /// Streams that the call uses: the last ones.
    pub(super) streams: VecDeque<Arc<Traffic>>,
    /// True once a stream may have carried events.
    pub(super) written: bool,
}

#[derive(Clone, Default)]
pub(super) struct Entry {
    pub(super) settled: bool,
    /// Requests that carry it and may have arrived, or are still under way.
    pub(super) carried: u32,
    /// And the bytes of each. A request may carry many events.
    pub(super) exchanges: VecDeque<(Arc<Exchange>, usize)>,
    /// When its first request started: wall and monotonic.
    pub(super) started: Option<(Timestamp, u64)>,
}

impl Ledger {
    /// Keeps what a stream counts.
    pub(super) fn count(&mut self, traffic: Arc<Traffic>) {
        self.streams.push_back(traffic);
        if self.streams.len() > MAX_EXCHANGES {
            self.streams.pop_front();
        }
    }

    /// What streams exchanged so far, for an event of which nothing else is on record.
    pub(super) fn of_streams(&self) -> VecDeque<(Arc<Exchange>, usize)> {
        self.streams.iter().map(|traffic| (Arc::new(traffic.exchange()), 0)).collect()
    }

    /// Keeps an exchange for those of the events whose records are still open.
    pub(super) fn keep(&mut self, events: &[u32], mut exchange: Exchange) {
        let mut bytes = size(&exchange);
        if self.bytes.saturating_add(bytes) > MAX_CALL_BYTES {
            strip(&mut exchange);
            bytes = size(&exchange);
        } else {
            self.bytes += bytes;
        }
        let exchange = Arc::new(exchange);
        for index in events {
            if let Some(entry) = entry(&mut self.entries, *index).filter(|entry| !entry.settled) {
                entry.keep(&exchange, bytes);
            }
        }
    }
}

impl Entry {
    /// The oldest ones go where there are too many.
    fn keep(&mut self, exchange: &Arc<Exchange>, bytes: usize) {
        if self.exchanges.back().is_some_and(|(last, _)| Arc::ptr_eq(last, exchange)) {
            return;
        }
        self.exchanges.push_back((exchange.clone(), bytes));
        let mut all: usize = self.exchanges.iter().map(|(_, bytes)| *bytes).sum();
        while self.exchanges.len() > MAX_EXCHANGES || (all > MAX_EVENT_BYTES && self.exchanges.len() > 1) {
            all -= self.exchanges.pop_front().map_or(0, |(_, bytes)| bytes);
        }
    }
}

/// Bytes of an exchange's texts.
pub(super) fn size(exchange: &Exchange) -> usize {
    let request = &exchange.request;
    let (headers, body) =
        exchange.response.as_ref().map_or((&[][..], &[][..]), |answer| (&answer.headers, &answer.body));
    let headers = request.headers.iter().chain(headers).map(|header| header.0.len() + header.1.len());
    let bodies = request.body.iter().chain(body).map(|part| match part {
        BodyPart::Text(text) | BodyPart::Base64(text) => text.len(),
        BodyPart::EventData | BodyPart::OtherEvent(_) | BodyPart::Omitted(_) | BodyPart::InBase64 => 0,
    });
    headers.chain(bodies).fold(request.url.len(), usize::saturating_add)
}

/// Leaves of an exchange where it went, how it was answered and how long it took.
fn strip(exchange: &mut Exchange) {
    let request = &mut exchange.request;
    request.headers.clear();
    request.body = vec![BodyPart::Omitted(request.body_bytes)];
    if let Some(answer) = &mut exchange.response {
        answer.headers.clear();
        answer.body = vec![BodyPart::Omitted(answer.body_bytes)];
    }
}

/// The entry of this event.
pub(super) fn entry(entries: &mut [Entry], index: u32) -> Option<&mut Entry> {
    entries.get_mut(usize::try_from(index).ok()?)
}
