//! What an answer, or the lack of one, means for an event.

use serde::Deserialize;
use std::time::UNIX_EPOCH;

/// The classes that a status can be given by the owner of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    Delivered,
    Throttled,
    Transient,
    Permanent,
    Misconfigured,
    RejectedCredentials,
}

/// What an attempt came to: the contract's `outcome`, without its types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    Delivered,
    /// Not before so many milliseconds.
    Throttled(u64),
    /// Not before so many milliseconds, where the destination said so.
    Transient(Option<u64>),
    Uncertain,
    Permanent,
    TooLarge,
    Misconfigured,
    RejectedCredentials,
    Untried,
}

/// A meaning and its reason.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    pub meaning: Meaning,
    pub code: String,
    pub message: String,
}

/// What a classification reads of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    pub status: u16,
    pub headers: &'a [(String, String)],
    /// How many events the request carried.
    pub events: usize,
}

/// How long a destination is left alone that answers 429 and does not say for how long.
const DEFAULT_THROTTLE_MS: u64 = 30_000;

/// Classes an answer. `wanted` is what the owner set for this status; `now_ms` is for dates in `retry-after`.
pub fn answer(answer: Answer<'_>, wanted: Option<Class>, now_ms: u64) -> Verdict {
    let Answer { status, headers, events } = answer;
    if !(200..300).contains(&status)
        && let Some(verdict) = asked_to_stop(status, find(headers, "webhook-delivery"))
    {
        return verdict;
    }
    let retry_after = find(headers, "retry-after").and_then(|value| retry_after_ms(value, now_ms));
    let class = wanted.unwrap_or_else(|| usual(status));
    let meaning = match class {
        Class::Delivered => Meaning::Delivered,
        Class::Throttled => Meaning::Throttled(retry_after.unwrap_or(DEFAULT_THROTTLE_MS)),
        Class::Transient => Meaning::Transient(retry_after),
        Class::Permanent => Meaning::Permanent,
        Class::Misconfigured => Meaning::Misconfigured,
        Class::RejectedCredentials => Meaning::RejectedCredentials,
    };
    if wanted.is_none() && status == 410 {
        return Verdict { meaning, code: GONE.to_owned(), message: say(status) };
    }
    if wanted.is_none() && meaning == Meaning::Permanent && events > 1 {
        // Too many, or one among them that it cannot take: with fewer in a request the others arrive.
        let message = format!("The endpoint answered {status} to {events} events; they go in smaller batches.");
        return Verdict { meaning: Meaning::TooLarge, code: format!("http-{status}"), message };
    }
    Verdict { meaning, code: format!("http-{status}"), message: say(status) }
}

/// The host switches a destination off whose delivery ends with this code.
const GONE: &str = "destination-gone";
/// And with this one: it asked for it.
const DISABLE: &str = "disable-destination";

/// What a status means where nobody said otherwise.
fn usual(status: u16) -> Class {
    match status {
        200..=299 => Class::Delivered,
        401 | 403 | 407 => Class::RejectedCredentials,
        404 | 408 | 409 | 425 => Class::Transient,
        429 => Class::Throttled,
        400..=499 => Class::Permanent,
        // 3xx and 5xx; what no server should answer with is tried again too.
        _ => Class::Transient,
    }
}

/// A receiver's own word on what is to become of the message or of the destination.
fn asked_to_stop(status: u16, header: Option<&str>) -> Option<Verdict> {
    let (code, message) = match header?.trim() {
        "abort-message" => {
            ("abort-message", format!("The endpoint answered {status} and asked not to be sent this again."))
        }
        "disable" => (DISABLE, format!("The endpoint answered {status} and asked to be sent nothing any more.")),
        _ => return None,
    };
    Some(Verdict { meaning: Meaning::Permanent, code: code.to_owned(), message })
}

fn say(status: u16) -> String {
    match status {
        200..=299 => format!("The endpoint answered {status}."),
        300..=399 => {
            format!("The endpoint answered {status}; redirects are not followed. Set the address it points to.")
        }
        401 | 403 | 407 => format!("The endpoint answered {status}: it does not accept what we authenticate with."),
        404 => "The endpoint answered 404: there is nothing at this address.".to_owned(),
        410 => "The endpoint answered 410: it is gone for good.".to_owned(),
        413 => "The endpoint answered 413: the event is too large for it.".to_owned(),
        429 => "The endpoint answered 429: it gets too many requests.".to_owned(),
        400..=499 => format!("The endpoint answered {status}: it refuses this event."),
        500..=599 => format!("The endpoint answered {status}: it failed."),
        _ => format!("The endpoint answered {status}, which is not a status."),
    }
}

/// The contract's kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Denied,
    Dns,
    Connect,
    Tls,
    Timeout,
    Closed,
    TooLarge,
    Protocol,
    Credential,
    Preview,
    Invalid,
    Other,
}

/// Classes a request that has no answer. It carried its event: whatever broke after the connection stood may have come
/// too late to stop it. An answer that is too large came after it too.
pub fn failure(kind: Kind) -> Meaning {
    match kind {
        Kind::Dns | Kind::Connect | Kind::Tls | Kind::Other => Meaning::Transient(None),
        Kind::Timeout | Kind::Closed | Kind::Protocol | Kind::TooLarge => Meaning::Uncertain,
        Kind::Denied | Kind::Invalid => Meaning::Misconfigured,
        Kind::Credential => Meaning::RejectedCredentials,
        Kind::Preview => Meaning::Untried,
    }
}

/// Classes events that no request could be made of; `alone`: it would have carried one.
///
/// The configuration was checked when the session began, so what is invalid now is of these events.
pub fn not_sendable(kind: Kind, alone: bool) -> Meaning {
    match kind {
        Kind::Invalid | Kind::TooLarge if alone => Meaning::Permanent,
        Kind::Invalid | Kind::TooLarge => Meaning::TooLarge,
        kind => failure(kind),
    }
}

/// Classes events for which there was no access token: nothing was sent to their endpoint.
pub fn no_token(kind: Kind) -> Meaning {
    match kind {
        Kind::Credential => Meaning::RejectedCredentials,
        Kind::Denied | Kind::Invalid => Meaning::Misconfigured,
        Kind::Preview => Meaning::Untried,
        _ => Meaning::Transient(None),
    }
}

/// The value of the first header of that name.
fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds, or a date in any of the three forms. A date that has passed is 0.
fn retry_after_ms(value: &str, now_ms: u64) -> Option<u64> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(value.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(1000));
    }
    let at = httpdate::parse_http_date(value).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(u64::try_from(at.as_millis()).unwrap_or(u64::MAX).saturating_sub(now_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-01T00:00:00Z
    const NOW: u64 = 1_767_225_600_000;

    fn classed(status: u16, headers: &[(&str, &str)], wanted: Option<Class>) -> Verdict {
        let headers: Vec<_> = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        answer(Answer { status, headers: &headers, events: 1 }, wanted, NOW)
    }

    #[test]
    fn every_status_has_its_class() {
        let cases = [
            (&[200, 201, 202, 204, 299][..], Meaning::Delivered),
            (&[301, 302, 307, 308, 404, 408, 409, 425, 500, 502, 503, 504, 599, 600], Meaning::Transient(None)),
            (&[401, 403, 407], Meaning::RejectedCredentials),
            (&[400, 405, 410, 413, 415, 422, 451], Meaning::Permanent),
            (&[429], Meaning::Throttled(DEFAULT_THROTTLE_MS)),
        ];
        for (statuses, meaning) in cases {
            for &status in statuses {
                assert_eq!(classed(status, &[], None).meaning, meaning, "{status}");
            }
        }
    }

    #[test]
    fn the_code_names_the_status_and_gone_has_its_own() {
        assert_eq!(classed(302, &[], None).code, "http-302");
        assert!(classed(302, &[], None).message.contains("redirects are not followed"));
        assert_eq!(classed(410, &[], None).code, "destination-gone");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_in_three_forms() {
        let cases = [
            ("120", Some(120_000)),
            (" 0 ", Some(0)),
            ("Thu, 01 Jan 2026 00:01:00 GMT", Some(60_000)),
            ("Thursday, 01-Jan-26 00:01:00 GMT", Some(60_000)),
            ("Thu Jan  1 00:01:00 2026", Some(60_000)),
            ("Wed, 31 Dec 2025 00:00:00 GMT", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("-5", None),
            ("soon", None),
            ("", None),
        ];
        for (value, expected) in cases {
            assert_eq!(retry_after_ms(value, NOW), expected, "{value:?}");
        }
    }

    #[test]
    fn retry_after_counts_wherever_it_is_tried_again() {
        assert_eq!(classed(503, &[("Retry-After", "7")], None).meaning, Meaning::Transient(Some(7_000)));
        assert_eq!(classed(429, &[("retry-after", "7")], None).meaning, Meaning::Throttled(7_000));
        assert_eq!(classed(400, &[("retry-after", "7")], None).meaning, Meaning::Permanent);
    }

    #[test]
    fn the_owner_overrides_a_status() {
        assert_eq!(classed(404, &[], Some(Class::Permanent)).meaning, Meaning::Permanent);
        assert_eq!(classed(409, &[], Some(Class::Delivered)).meaning, Meaning::Delivered);
        let gone = classed(410, &[], Some(Class::Transient));
        assert_eq!((gone.meaning, gone.code.as_str()), (Meaning::Transient(None), "http-410"));
    }

    #[test]
    fn a_receiver_may_ask_to_stop_unless_it_took_the_event() {
        let aborted = classed(500, &[("Webhook-Delivery", "abort-message")], None);
        assert_eq!((aborted.meaning, aborted.code.as_str()), (Meaning::Permanent, "abort-message"));
        let disabled = classed(500, &[("webhook-delivery", "disable")], Some(Class::Transient));
        assert_eq!((disabled.meaning, disabled.code.as_str()), (Meaning::Permanent, "disable-destination"));
        assert_eq!(classed(200, &[("webhook-delivery", "disable")], None).meaning, Meaning::Delivered);
        assert_eq!(classed(500, &[("webhook-delivery", "hello")], None).meaning, Meaning::Transient(None));
    }

    #[test]
    fn only_what_may_have_arrived_is_uncertain() {
        for kind in [Kind::Timeout, Kind::Closed, Kind::Protocol, Kind::TooLarge] {
            assert_eq!(failure(kind), Meaning::Uncertain, "{kind:?}");
        }
        for kind in [Kind::Dns, Kind::Connect, Kind::Tls] {
            assert_eq!(failure(kind), Meaning::Transient(None), "{kind:?}");
        }
        assert_eq!(failure(Kind::Denied), Meaning::Misconfigured);
        assert_eq!(failure(Kind::Credential), Meaning::RejectedCredentials);
    }

    #[test]
    fn what_cannot_be_sent_is_of_the_event_or_of_its_company() {
        assert_eq!(not_sendable(Kind::Invalid, true), Meaning::Permanent);
        assert_eq!(not_sendable(Kind::Invalid, false), Meaning::TooLarge);
        assert_eq!(not_sendable(Kind::TooLarge, false), Meaning::TooLarge);
        assert_eq!(not_sendable(Kind::TooLarge, true), Meaning::Permanent);
        assert_eq!(not_sendable(Kind::Denied, true), Meaning::Misconfigured);
    }

    #[test]
    fn a_refused_batch_is_split_until_one_event_is_at_fault() {
        let batch = |status, wanted| answer(Answer { status, headers: &[], events: 2 }, wanted, NOW);
        for status in [400, 413, 422] {
            let verdict = batch(status, None);
            assert_eq!((verdict.meaning, verdict.code), (Meaning::TooLarge, format!("http-{status}")));
        }
        assert_eq!(batch(410, None).code, "destination-gone");
        assert_eq!(batch(413, Some(Class::Permanent)).meaning, Meaning::Permanent);
        assert_eq!(batch(401, None).meaning, Meaning::RejectedCredentials);
        assert_eq!(batch(204, None).meaning, Meaning::Delivered);
    }

    #[test]
    fn without_a_token_nothing_was_sent() {
        for kind in [Kind::Timeout, Kind::Closed, Kind::Protocol, Kind::Connect, Kind::Other] {
            assert_eq!(no_token(kind), Meaning::Transient(None), "{kind:?}");
        }
        assert_eq!(no_token(Kind::Credential), Meaning::RejectedCredentials);
        assert_eq!(no_token(Kind::Invalid), Meaning::Misconfigured);
    }
}
