//! Why a request has no (whole) answer.

use crate::secret::TooManySecrets;
use railhead_model::Reason;
use std::fmt;

/// What kind of thing went wrong (WIT `kind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The host's policy refuses it. Nothing was sent.
    Denied,
    /// The name does not resolve. Nothing was sent.
    Dns,
    /// No connection. Nothing was sent.
    Connect,
    /// No verified TLS. Nothing was sent.
    Tls,
    /// No (whole) answer in time.
    Timeout,
    /// The connection ended early.
    Closed,
    /// Past a bound of the host, or of the protocol.
    TooLarge,
    /// The peer does not speak HTTP as it should.
    Protocol,
    /// A token endpoint gave nothing, or a client certificate is of no use. Nothing of the request was taken.
    Credential,
    /// A preview: nothing is sent.
    Preview,
    /// The request makes no sense. Nothing was sent.
    Invalid,
    /// Anything else.
    Other,
}

/// Why a request has no (whole) answer: never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of thing went wrong.
    pub kind: FailureKind,
    /// Stable, kebab-case: `dns-not-found`.
    pub code: &'static str,
    /// For the customer.
    pub message: String,
}

impl From<TooManySecrets> for Failure {
    fn from(_: TooManySecrets) -> Self {
        let message = "One request, or one connection, has at most 64 composed credentials of 128 KiB together.";
        Self::new(FailureKind::TooLarge, "too-many-secrets", message)
    }
}

impl Failure {
    /// A failure of a kind; a message past [`Reason::MAX_MESSAGE`] is cut.
    #[must_use]
    pub fn new(kind: FailureKind, code: &'static str, message: impl Into<String>) -> Self {
        let mut message = message.into();
        let end = (0..=Reason::MAX_MESSAGE.min(message.len())).rev().find(|at| message.is_char_boundary(*at));
        message.truncate(end.unwrap_or(0));
        Self { kind, code, message }
    }

    /// The host's policy refuses it.
    #[must_use]
    pub fn denied(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(FailureKind::Denied, code, message)
    }

    /// The request makes no sense.
    #[must_use]
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(FailureKind::Invalid, code, message)
    }

    /// As the record keeps it.
    #[must_use]
    pub fn reason(&self) -> Reason {
        Reason::new(self.code, self.message.clone())
    }

    /// True if not a byte of the request can have reached the peer.
    #[must_use]
    pub const fn before_sending(&self) -> bool {
        use FailureKind::{Connect, Credential, Denied, Dns, Invalid, Preview, Tls};
        matches!(self.kind, Denied | Dns | Connect | Tls | Credential | Invalid | Preview)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Failure {}
