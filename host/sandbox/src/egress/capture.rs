//! What the record keeps of an exchange: masked, bounded, event data by reference.

use super::answer::Response;
use super::outgoing::{Outgoing, Part, Target, base64_length};
use super::{Purpose, SendContext};
use crate::secret::{Encoding, MASK, Masker, always_masked, encode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use railhead_model::attempt::MAX_CAPTURE;
use railhead_model::{BodyPart, EventUid, Exchange, ExchangeRequest, ExchangeResponse, Header};
use url::Url;

/// Bytes of a URL or of one header's value that a capture keeps.
const MAX_TEXT: usize = 8 * 1024;
/// What stands for event data in a URL or a header, which are text and cannot refer to it.
const EVENT_DATA: &str = "…(event data)…";

/// The exchange as one event's attempt keeps it: its own data is [`BodyPart::EventData`].
#[must_use]
pub fn seen_by(mut exchange: Exchange, own: EventUid) -> Exchange {
    make_own(&mut exchange, own);
    exchange
}

/// See [`seen_by`].
pub(crate) fn make_own(exchange: &mut Exchange, own: EventUid) {
    for part in &mut exchange.request.body {
        if *part == BodyPart::OtherEvent(own) {
            *part = BodyPart::EventData;
        }
    }
}

/// A request that was refused before it was filled in: as much as can be shown.
pub(super) fn refused(outgoing: &Outgoing, masker: &Masker) -> ExchangeRequest {
    let url = match &outgoing.target {
        Target::Plain(url) => without_user_info(masker.text(url).into_owned()),
        Target::Secret(secret) => format!("{}/{MASK}", secret.attribute("origin").unwrap_or_default()),
    };
    ExchangeRequest { method: bounded(outgoing.method.clone()), url: bounded(url), ..ExchangeRequest::default() }
}

/// A password in a URL is refused, and shown to nobody.
fn without_user_info(text: String) -> String {
    if !text.contains('@') {
        return text;
    }
    let Ok(mut url) = Url::parse(&text) else { return MASK.to_owned() };
    match (url.set_username(""), url.set_password(None)) {
        (Ok(()), Ok(())) => url.into(),
        _ => MASK.to_owned(),
    }
}

/// Text of a head, cut where it is too long to be shown.
fn bounded(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        let end = (0..=MAX_TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The URL with its secret places masked; all but the origin of a secret one.
pub(super) fn url(outgoing: &Outgoing, url: &Url, masker: &Masker) -> String {
    if matches!(outgoing.target, Target::Secret(_)) {
        return format!("{}/{MASK}", url.origin().ascii_serialization());
    }
    let mut shown = masker.text(url.as_str()).into_owned();
    for (name, parts) in &outgoing.query {
        shown.push(if shown.contains('?') { '&' } else { '?' });
        shown.push_str(&percent(name));
        shown.push('=');
        for part in parts {
            match part {
                Part::Bytes(bytes) => shown.push_str(&percent(&masker.text(&String::from_utf8_lossy(bytes)))),
                Part::EventData(..) | Part::EventBase64(..) => shown.push_str(EVENT_DATA),
                Part::Secret(..) => shown.push_str(MASK),
            }
        }
    }
    bounded(shown)
}

/// The headers that the guest set, their secret places masked.
pub(super) fn headers(outgoing: &Outgoing, masker: &Masker) -> Vec<Header> {
    let shown = |(name, parts): &(http::HeaderName, Vec<Part>)| {
        let has_secret = parts.iter().any(|part| matches!(part, Part::Secret(..)));
        let value =
            if always_masked(name.as_str()) && !has_secret { MASK.to_owned() } else { bounded(pieces(parts, masker)) };
        Header(name.as_str().to_owned(), value)
    };
    outgoing.headers.iter().map(shown).collect()
}

/// Headers that the host added, by name.
pub(super) fn added(headers: &HeaderMap, names: &[http::HeaderName], masker: &Masker) -> Vec<Header> {
    let shown = |(index, name): (usize, &http::HeaderName)| {
        // A name that was added twice has its values last, in that order.
        let later = names.iter().skip(index + 1).filter(|other| *other == name).count();
        let value = headers.get_all(name).iter().rev().nth(later)?;
        Some(Header(name.as_str().to_owned(), bounded(masker.header(name.as_str(), value.as_bytes()))))
    };
    names.iter().enumerate().filter_map(shown).collect()
}

/// The body's pieces; nothing of a token exchange's.
pub(super) fn body(outgoing: &Outgoing, ctx: &SendContext, masker: &Masker) -> Vec<BodyPart> {
    if ctx.purpose == Purpose::Exchange {
        return omitted(outgoing.body_bytes as u64);
    }
    let mut shown = Shown { parts: Vec::with_capacity(outgoing.body.len()), left: MAX_CAPTURE };
    for part in &outgoing.body {
        match part {
            Part::Bytes(bytes) => shown.bytes(masker.bytes(bytes.clone()).as_ref()),
            Part::Secret(..) => shown.bytes(MASK.as_bytes()),
            Part::EventData(index, data) => shown.parts.push(reference(*index, data.len(), ctx)),
            Part::EventBase64(index, data) => match reference(*index, base64_length(data.len()), ctx) {
                omitted @ BodyPart::Omitted(_) => shown.parts.push(omitted),
                refers => shown.parts.extend([BodyPart::InBase64, refers]),
            },
        }
    }
    shown.parts
}

/// Event data by reference.
fn reference(index: u32, bytes: usize, ctx: &SendContext) -> BodyPart {
    let uid = usize::try_from(index).ok().and_then(|index| ctx.events.get(index));
    uid.map_or(BodyPart::Omitted(bytes as u64), |uid| BodyPart::OtherEvent(*uid))
}

/// Headers of a token endpoint's answer that the record keeps; the token itself could stand in any other.
const OF_AN_EXCHANGE: [&str; 6] = ["cache-control", "content-length", "content-type", "date", "retry-after", "server"];

/// An answer; not the body of a token endpoint's, nor most of its headers' values.
pub(super) fn response(response: &Response, ctx: &SendContext) -> ExchangeResponse {
    let headers = response.headers.iter().chain(&response.trailers);
    let exchange = ctx.purpose == Purpose::Exchange;
    let mask = |name: &str, value: &str| {
        if always_masked(name) || (exchange && !OF_AN_EXCHANGE.contains(&name)) {
            return MASK.to_owned();
        }
        bounded(if exchange { ctx.masker.text(value).into_owned() } else { value.to_owned() })
    };
    let body = if exchange {
        omitted(response.body_bytes)
    } else {
        let mut shown = Shown { parts: Vec::new(), left: MAX_CAPTURE };
        shown.bytes(&response.body);
        shown.parts
    };
    ExchangeResponse {
        status: response.status,
        headers: headers.map(|(name, value)| Header(name.clone(), mask(name, value))).collect(),
        body,
        body_bytes: response.body_bytes,
        cut: response.cut,
    }
}

/// Bytes that a connector shows, masked before.
pub(crate) fn shown(bytes: &[u8]) -> Vec<BodyPart> {
    let mut shown = Shown { parts: Vec::new(), left: MAX_CAPTURE };
    shown.bytes(bytes);
    shown.parts
}

fn omitted(bytes: u64) -> Vec<BodyPart> {
    if bytes == 0 { Vec::new() } else { vec![BodyPart::Omitted(bytes)] }
}

fn percent(text: &str) -> String {
    String::from_utf8_lossy(&encode(text.as_bytes(), Encoding::Percent)).into_owned()
}

fn pieces(parts: &[Part], masker: &Masker) -> String {
    let mut shown = String::new();
    for part in parts {
        match part {
            Part::Bytes(bytes) => shown.push_str(&masker.text(&String::from_utf8_lossy(bytes))),
            Part::EventData(..) | Part::EventBase64(..) => shown.push_str(EVENT_DATA),
            Part::Secret(..) => shown.push_str(MASK),
        }
    }
    shown
}

/// A body as it is shown: text where it is text, joined; bounded.
struct Shown {
    parts: Vec<BodyPart>,
    left: usize,
}

impl Shown {
    fn bytes(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let (kept, dropped) = self.split(bytes);
        self.left -= kept.len();
        match (std::str::from_utf8(kept), self.parts.last_mut()) {
            (Ok(""), _) => {}
            (Ok(text), Some(BodyPart::Text(before))) => before.push_str(text),
            (Ok(text), _) => self.parts.push(BodyPart::Text(text.to_owned())),
            (Err(_), _) => self.parts.push(BodyPart::Base64(STANDARD.encode(kept))),
        }
        match (dropped as u64, self.parts.last_mut()) {
            (0, _) => {}
            (more, Some(BodyPart::Omitted(before))) => *before = before.saturating_add(more),
            (more, _) => self.parts.push(BodyPart::Omitted(more)),
        }
    }

    /// What fits; of text, whole characters. And how many bytes do not.
    fn split<'a>(&self, bytes: &'a [u8]) -> (&'a [u8], usize) {
        let Some((kept, dropped)) = bytes.split_at_checked(self.left) else { return (bytes, 0) };
        match std::str::from_utf8(kept) {
            Err(error) if error.error_len().is_none() => {
                let (kept, torn) = kept.split_at(error.valid_up_to());
                (kept, torn.len() + dropped.len())
            }
            _ => (kept, dropped.len()),
        }
    }
}
