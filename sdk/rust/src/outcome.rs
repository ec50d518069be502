//! Outcomes, reasons and failures, in fewer words.
//!
//! A reason's code is kebab-case, at most 64 characters, and stable: people filter and alert by it. Its message is for the
//! customer who owns the destination, and says what to do.

use crate::types::{Failure, Kind, Outcome, Reason};

impl Reason {
    /// A reason without a word of the destination's own.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), status: None }
    }

    /// The same with the destination's own word, unchanged: an HTTP status, an SQLSTATE.
    #[must_use]
    pub fn with_status(self, status: impl ToString) -> Self {
        Self { status: Some(status.to_string()), ..self }
    }
}

impl From<&Failure> for Reason {
    fn from(failure: &Failure) -> Self {
        Self::new(failure.code.clone(), failure.message.clone())
    }
}

impl From<Failure> for Reason {
    fn from(Failure { code, message, .. }: Failure) -> Self {
        Self::new(code, message)
    }
}

impl Failure {
    /// A failure of the connector's own.
    pub fn new(kind: Kind, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, code: code.into(), message: message.into() }
    }

    /// The configuration, or what it was asked to do, can never work: what `open` answers with.
    pub fn invalid(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, code, message)
    }

    /// The peer does not speak the protocol as it should.
    pub fn protocol(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Kind::Protocol, code, message)
    }
}

/// It arrived. `message`: what the destination said.
pub fn delivered(code: impl Into<String>, message: impl Into<String>) -> Outcome {
    Outcome::Delivered(Reason::new(code, message))
}

/// It was there already.
pub fn duplicate(message: impl Into<String>) -> Outcome {
    Outcome::Delivered(Reason::new("duplicate", message))
}

/// Not before so many milliseconds; slows the whole destination, and costs the event no attempt.
pub fn throttled(code: impl Into<String>, message: impl Into<String>, ms: u64) -> Outcome {
    Outcome::Throttled((Reason::new(code, message), ms))
}

/// This event, later.
pub fn transient(code: impl Into<String>, message: impl Into<String>) -> Outcome {
    Outcome::Transient((Reason::new(code, message), None))
}

/// This event, not before so many milliseconds.
pub fn transient_after(code: impl Into<String>, message: impl Into<String>, ms: u64) -> Outcome {
    Outcome::Transient((Reason::new(code, message), Some(ms)))
}

/// It may have arrived. Tried again under the same identity.
pub fn uncertain(code: impl Into<String>, message: impl Into<String>) -> Outcome {
    Outcome::Uncertain(Reason::new(code, message))
}

/// This event never. Only for what is wrong with this one event.
pub fn permanent(code: impl Into<String>, message: impl Into<String>) -> Outcome {
    Outcome::Permanent(Reason::new(code, message))
}

/// Too many or too large at once: the host hands fewer over.
pub fn too_large(code: impl Into<String>, message: impl Into<String>) -> Outcome {
    Outcome::TooLarge(Reason::new(code, message))
}

/// Nothing gets through until a person acts.
pub fn misconfigured(code: impl Into<String>, message: impl Into<String>) -> Outcome {
    Outcome::Misconfigured(Reason::new(code, message))
}

/// The same, and the credential is the cause.
pub fn rejected_credentials(code: impl Into<String>, message: impl Into<String>) -> Outcome {
    Outcome::RejectedCredentials(Reason::new(code, message))
}

/// What the host's failure means for events that were on their way in a request or a stream (`wit/README.md`, "Outcomes").
///
/// Whatever broke after the connection stood may have come too late to stop them; an answer that is too large came after
/// them too. A preview settles nothing.
pub fn of_failure(failure: &Failure) -> Outcome {
    let reason = Reason::from(failure);
    match failure.kind {
        Kind::Dns | Kind::Connect | Kind::Tls | Kind::Other => Outcome::Transient((reason, None)),
        Kind::Timeout | Kind::Closed | Kind::Protocol | Kind::TooLarge => Outcome::Uncertain(reason),
        Kind::Denied | Kind::Invalid => Outcome::Misconfigured(reason),
        Kind::Credential => Outcome::RejectedCredentials(reason),
        Kind::Preview => Outcome::Untried,
    }
}

/// What it means for events that no request could be made of; `events`: how many it would have carried.
///
/// A configuration is judged when the session begins, so what is invalid now is of these events: one alone is at fault,
/// several go in smaller company until it is found.
pub fn of_unsendable(failure: &Failure, events: usize) -> Outcome {
    match failure.kind {
        Kind::Invalid | Kind::TooLarge if events <= 1 => Outcome::Permanent(failure.into()),
        Kind::Invalid | Kind::TooLarge => Outcome::TooLarge(failure.into()),
        _ => of_failure(failure),
    }
}

/// What it means for events that wait for a token, a login or a connection: nothing of them was sent.
pub fn of_unopened(failure: &Failure) -> Outcome {
    match failure.kind {
        Kind::Credential => Outcome::RejectedCredentials(failure.into()),
        Kind::Denied | Kind::Invalid => Outcome::Misconfigured(failure.into()),
        Kind::Preview => Outcome::Untried,
        _ => Outcome::Transient((failure.into(), None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: Kind) -> Failure {
        Failure::new(kind, "a-code", "A message.")
    }

    fn reason() -> Reason {
        Reason::new("a-code", "A message.")
    }

    #[test]
    fn only_what_may_have_arrived_is_uncertain() {
        for kind in [Kind::Timeout, Kind::Closed, Kind::Protocol, Kind::TooLarge] {
            assert_eq!(of_failure(&failure(kind)), Outcome::Uncertain(reason()), "{kind:?}");
            assert_eq!(of_unopened(&failure(kind)), transient("a-code", "A message."), "{kind:?}");
        }
        for kind in [Kind::Dns, Kind::Connect, Kind::Tls, Kind::Other] {
            assert_eq!(of_failure(&failure(kind)), transient("a-code", "A message."), "{kind:?}");
        }
    }

    #[test]
    fn what_needs_a_person_waits_for_one() {
        for of in [of_failure, of_unopened] {
            assert_eq!(of(&failure(Kind::Denied)), Outcome::Misconfigured(reason()));
            assert_eq!(of(&failure(Kind::Invalid)), Outcome::Misconfigured(reason()));
            assert_eq!(of(&failure(Kind::Credential)), Outcome::RejectedCredentials(reason()));
            assert_eq!(of(&failure(Kind::Preview)), Outcome::Untried);
        }
    }

    #[test]
    fn what_cannot_be_sent_is_of_the_event_or_of_its_company() {
        for kind in [Kind::Invalid, Kind::TooLarge] {
            assert_eq!(of_unsendable(&failure(kind), 1), Outcome::Permanent(reason()));
            assert_eq!(of_unsendable(&failure(kind), 2), Outcome::TooLarge(reason()));
        }
        assert_eq!(of_unsendable(&failure(Kind::Denied), 1), Outcome::Misconfigured(reason()));
    }

    #[test]
    fn the_destinations_word_is_kept() {
        assert_eq!(reason().with_status(404).status.as_deref(), Some("404"));
        assert_eq!(Reason::from(failure(Kind::Other)), reason());
    }
}
