//! What an answer means for the events that its request carried.

use railhead_sdk::http::{Answer, Class};
use railhead_sdk::types::{Outcome, Reason};

/// Who answers, in words for the owner.
const WHO: &str = "The endpoint";

/// The host switches a destination off whose delivery ends with this code.
const GONE: &str = "destination-gone";
/// And with this one: it asked for it.
const DISABLE: &str = "disable-destination";

/// Classes an answer to so many events. `wanted` is what the owner set for this status.
pub fn answer(answer: &Answer, events: usize, wanted: Option<Class>) -> Outcome {
    if !(200..300).contains(&answer.status)
        && let Some(reason) = asked_to_stop(answer)
    {
        return Outcome::Permanent(reason);
    }
    match wanted {
        Some(class) => answer.outcome(class, answer.reason(WHO)),
        None if answer.status == 410 => Outcome::Permanent(Reason { code: GONE.to_owned(), ..answer.reason(WHO) }),
        None => answer.usual_outcome(WHO, events),
    }
}

/// A receiver's own word on what is to become of the message or of the destination.
fn asked_to_stop(answer: &Answer) -> Option<Reason> {
    let (code, what) = match answer.header("webhook-delivery")?.trim() {
        "abort-message" => ("abort-message", "not to be sent this again"),
        "disable" => (DISABLE, "to be sent nothing any more"),
        _ => return None,
    };
    let message = format!("{WHO} answered {} and asked {what}.", answer.status);
    Some(Reason::new(code, message).with_status(answer.status))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classed(status: u16, headers: &[(&str, &str)], wanted: Option<Class>) -> Outcome {
        together(1, status, headers, wanted)
    }

    fn together(events: usize, status: u16, headers: &[(&str, &str)], wanted: Option<Class>) -> Outcome {
        let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        answer(&Answer { status, headers, now_ms: 0 }, events, wanted)
    }

    /// A dead letter's code.
    fn permanent(outcome: Outcome) -> String {
        match outcome {
            Outcome::Permanent(reason) => reason.code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_usual_is_usual_and_gone_has_a_code_of_its_own() {
        let Outcome::Transient((reason, None)) = classed(302, &[], None) else { panic!("a redirect is tried again") };
        assert_eq!((reason.code.as_str(), reason.status.as_deref()), ("http-302", Some("302")));
        assert!(reason.message.contains("redirects are not followed"));
        assert!(matches!(classed(401, &[], None), Outcome::RejectedCredentials(_)));
        assert!(matches!(classed(429, &[("retry-after", "7")], None), Outcome::Throttled((_, 7_000))));
        assert_eq!(permanent(classed(422, &[], None)), "http-422");
        assert_eq!(permanent(classed(410, &[], None)), "destination-gone");
    }

    #[test]
    fn the_owner_overrides_a_status() {
        assert_eq!(permanent(classed(404, &[], Some(Class::Permanent))), "http-404");
        assert!(matches!(classed(409, &[], Some(Class::Delivered)), Outcome::Delivered(_)));
        let Outcome::Transient((gone, None)) = classed(410, &[], Some(Class::Transient)) else { panic!("overridden") };
        assert_eq!(gone.code, "http-410");
    }

    #[test]
    fn a_receiver_may_ask_to_stop_unless_it_took_the_event() {
        let aborted = classed(500, &[("Webhook-Delivery", "abort-message")], None);
        assert_eq!(permanent(aborted), "abort-message");
        let disabled = classed(500, &[("webhook-delivery", "disable")], Some(Class::Transient));
        assert_eq!(permanent(disabled), "disable-destination");
        assert!(matches!(classed(200, &[("webhook-delivery", "disable")], None), Outcome::Delivered(_)));
        assert!(matches!(classed(500, &[("webhook-delivery", "hello")], None), Outcome::Transient(_)));
    }

    #[test]
    fn a_refused_batch_is_split_until_one_event_is_at_fault() {
        for status in [400, 413, 422] {
            let Outcome::TooLarge(reason) = together(2, status, &[], None) else { panic!("{status}") };
            assert_eq!(reason.code, format!("http-{status}"));
        }
        assert_eq!(permanent(together(2, 410, &[], None)), "destination-gone");
        assert_eq!(permanent(together(2, 413, &[], Some(Class::Permanent))), "http-413");
        assert!(matches!(together(2, 401, &[], None), Outcome::RejectedCredentials(_)));
        assert!(matches!(together(2, 204, &[], None), Outcome::Delivered(_)));
    }
}
