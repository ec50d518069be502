//! The host's side of contract 0.1.0: what each import does. Thin: it judges, converts and delegates.

mod credentials;
mod exchange;
mod host;
mod http;
mod presign;
mod streams;
pub(crate) mod wasi;
pub(crate) mod wasi_http;

pub use credentials::Scram;
pub(crate) use host::Cache;
pub use streams::Connection;
pub(crate) use wasi::link as link_wasi;

use crate::bindings::railhead::plugin::{credentials as wit, types};
use crate::call::Running;
use crate::egress::{self, Egress, FailureKind, Outgoing, Part};
use crate::limits::{Limiter, Meter};
use crate::secret::{Encoding, Secret};
use crate::target::Scope;
use bytes::Bytes;
use railhead_model::manifest::CredentialUse;
use railhead_model::{Clock, Outcome, Random, Reason};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};

/// Behind a `credential` handle.
pub struct Credential(pub(crate) Arc<Secret>);

/// Behind a `request` handle.
pub struct Request {
    pub(crate) outgoing: Outgoing,
    /// Bytes that it adds to [`Guest::held`].
    pub(crate) bytes: usize,
}

/// Behind a `response` handle.
pub struct Response {
    pub(crate) answer: egress::Response,
    /// Bytes of the body that the guest has read.
    pub(crate) read: usize,
    /// Bytes that it adds to [`Guest::held`].
    pub(crate) bytes: usize,
}

/// Behind a `call` handle: the call under way, of which there is only one ([`Guest::running`]).
pub struct CallHandle;

/// A store's data: all that a guest can reach.
pub(crate) struct Guest {
    pub(crate) table: ResourceTable,
    pub(crate) limiter: Limiter,
    pub(crate) meter: Arc<Meter>,
    pub(crate) scope: Arc<Scope>,
    pub(crate) egress: Arc<Egress>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) cache: Arc<Cache>,
    /// The call under way; `None` in `open`, `idle` and `close`.
    pub(crate) running: Option<Arc<Running>>,
    /// Milliseconds that `open`, `idle` and `close` have, where there is no call to ask.
    pub(crate) outside_ms: u32,
    /// Bytes of requests under construction, and of answers.
    pub(crate) held: usize,
    /// What each composed credential adds to it, by handle.
    pub(crate) composed: HashMap<u32, usize>,
    /// Lines logged in the call under way.
    pub(crate) log_lines: u32,
    /// Handles of connections of streams that are open.
    pub(crate) connections: Vec<u32>,
    /// How often what they read began like a secret, and was none.
    pub(crate) in_vain: usize,
    /// Where the host does what takes long.
    pub(crate) slow: tokio::runtime::Handle,
    /// Requests over `wasi:http`.
    pub(crate) wasi: wasi_http::State,
}

/// Links all imports of contract 0.1.0.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    crate::bindings::Connector::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    crate::bindings::wasi::Wasi::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)
}

impl types::Host for Guest {}

/// Bytes that the host needs for a piece, however short it is.
pub(crate) const PIECE: usize = 96;

/// What taking a piece over costs the host, however short it is. Most of it is done before any code of ours runs, so it is
/// counted and not measured.
const PIECE_TIME: Duration = Duration::from_nanos(150);

impl Guest {
    /// The secret behind a handle.
    fn secret(&self, handle: &Resource<Credential>) -> wasmtime::Result<Arc<Secret>> {
        Ok(self.table.get(handle)?.0.clone())
    }

    /// Pieces as egress takes them. Secret pieces must be of use `place`, or of use `exchange`: egress sends those to token
    /// endpoints only.
    fn parts(&self, parts: Vec<wit::Part>) -> wasmtime::Result<Result<Vec<Part>, types::Failure>> {
        self.parts_allowed(parts, |secret| allow_part(secret))
    }

    /// Pieces as egress takes them, where each secret may stand.
    fn parts_allowed(
        &self,
        parts: Vec<wit::Part>,
        allow: impl Fn(&Arc<Secret>) -> Result<(), types::Failure>,
    ) -> wasmtime::Result<Result<Vec<Part>, types::Failure>> {
        self.meter.charge(PIECE_TIME.saturating_mul(u32::try_from(parts.len()).unwrap_or(u32::MAX)));
        let mut out = Vec::with_capacity(parts.len());
        for part in parts {
            out.push(match part {
                wit::Part::Bytes(bytes) => Part::Bytes(Bytes::from(bytes)),
                wit::Part::EventData(index) => match self.event_data(index) {
                    Some(data) => Part::EventData(index, data),
                    None => return Ok(Err(no_such_event(index))),
                },
                wit::Part::EventDataBase64(index) => match self.event_data(index) {
                    Some(data) => Part::EventBase64(index, data),
                    None => return Ok(Err(no_such_event(index))),
                },
                wit::Part::Secret((handle, encoding)) => {
                    let secret = self.secret(&handle)?;
                    if let Err(failure) = allow(&secret).and_then(|()| written(&secret, encoding.into())) {
                        return Ok(Err(failure));
                    }
                    Part::Secret(secret, encoding.into())
                }
            });
        }
        Ok(Ok(out))
    }

    /// Bytes that the host holds once it took these pieces. Event data as it is stays shared. What was composed may live on
    /// in them alone.
    fn bytes_of(&self, parts: &[wit::Part]) -> usize {
        let bytes = |part: &wit::Part| match part {
            wit::Part::Bytes(bytes) => bytes.len(),
            wit::Part::EventDataBase64(index) => {
                self.event_data(*index).map_or(0, |data| egress::base64_length(data.len()))
            }
            wit::Part::Secret((handle, _)) => self.secret(handle).map_or(0, |secret| secret.bytes().len()),
            wit::Part::EventData(_) => 0,
        };
        parts.iter().map(bytes).fold(parts.len().saturating_mul(PIECE), usize::saturating_add)
    }

    fn event_data(&self, index: u32) -> Option<Bytes> {
        Some(self.running.as_ref()?.event(index)?.event.data.clone())
    }

    /// Text of a guest as people may see it: masked, without control characters, bounded.
    fn presentable(&self, text: &str) -> String {
        presentable(&self.scope.masker().text(text))
    }

    /// A reason of a guest as the record keeps it.
    pub(crate) fn reason(&self, reason: types::Reason) -> Reason {
        Reason {
            code: code(&reason.code),
            message: self.presentable(&reason.message),
            status: reason.status.map(|status| self.presentable(&status)),
        }
    }

    /// An outcome of a guest as the engine takes it.
    fn outcome(&self, outcome: types::Outcome) -> Outcome {
        match outcome {
            types::Outcome::Delivered(reason) => Outcome::Delivered(self.reason(reason)),
            types::Outcome::Throttled((reason, ms)) => Outcome::Throttled(self.reason(reason), ms),
            types::Outcome::Transient((reason, ms)) => Outcome::Transient(self.reason(reason), ms),
            types::Outcome::Uncertain(reason) => Outcome::Uncertain(self.reason(reason)),
            types::Outcome::Permanent(reason) => Outcome::Permanent(self.reason(reason)),
            types::Outcome::TooLarge(reason) => Outcome::TooLarge(self.reason(reason)),
            types::Outcome::Misconfigured(reason) => Outcome::Misconfigured(self.reason(reason)),
            types::Outcome::RejectedCredentials(reason) => Outcome::RejectedCredentials(self.reason(reason)),
            types::Outcome::Untried => {
                Outcome::Untried(Reason::new("untried", "The connector did not send this event."))
            }
        }
    }

    /// A failure of a guest's export as a reason.
    pub(crate) fn failure_reason(&self, failure: &types::Failure) -> Reason {
        Reason::new(code(&failure.code), self.presentable(&failure.message))
    }
}

/// The longest code that is kept.
const MAX_CODE: usize = 64;

/// A guest's code if it is kebab-case, else `unspecified`: codes are keys of statistics and documents.
fn code(text: &str) -> String {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() || text.len() > MAX_CODE || !text.chars().all(fits) {
        return "unspecified".to_owned();
    }
    text.to_owned()
}

/// True for what a page or a terminal would act on: control characters, other line breaks, changes of direction.
pub(crate) fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Of any length, without what a page or a terminal would act on: a space stands in the place of each.
#[must_use]
pub fn inert(text: &str) -> String {
    text.chars().map(|c| if acts(c) { ' ' } else { c }).collect()
}

/// Without control characters, at most [`Reason::MAX_MESSAGE`] bytes.
pub(crate) fn presentable(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(Reason::MAX_MESSAGE));
    for c in text.chars().map(|c| if acts(c) { ' ' } else { c }) {
        if out.len() + c.len_utf8() > Reason::MAX_MESSAGE {
            break;
        }
        out.push(c);
    }
    out
}

/// Fails where a field is used in another way than its manifest says.
fn allow_use(secret: &Secret, wanted: CredentialUse) -> Result<(), types::Failure> {
    if secret.usage() == wanted {
        return Ok(());
    }
    Err(wrong_use(secret))
}

/// Fails where a secret, encoded like this, would not be found where it comes back.
fn written(secret: &Secret, encoding: crate::secret::Encoding) -> Result<(), types::Failure> {
    secret.layers_in(encoding).map(drop).ok_or_else(|| encoded_twice(secret))
}

fn encoded_twice(secret: &Secret) -> types::Failure {
    encoded_twice_in(secret.field())
}

fn encoded_twice_in(field: &str) -> types::Failure {
    failure(types::Kind::Invalid, "encoded-twice", egress::encoded_twice(field))
}

/// Fails where a field may not stand in a request: it is neither placed, nor sent to a token endpoint.
fn allow_part(secret: &Secret) -> Result<(), types::Failure> {
    if matches!(secret.usage(), CredentialUse::Place | CredentialUse::Exchange) {
        return Ok(());
    }
    Err(wrong_use(secret))
}

fn wrong_use(secret: &Secret) -> types::Failure {
    let message = format!("The credential field {} may not be used in this way.", secret.field());
    failure(types::Kind::Denied, "credential-use", message)
}

fn failure(kind: types::Kind, code: &str, message: impl Into<String>) -> types::Failure {
    types::Failure { kind, code: code.to_owned(), message: message.into() }
}

/// For verbs that the contract declares and this version of the host does not do.
fn not_yet(verb: &str) -> types::Failure {
    failure(types::Kind::Other, "not-yet", format!("This version of the host does not offer {verb}."))
}

fn no_such_event(index: u32) -> types::Failure {
    failure(types::Kind::Invalid, "no-such-event", format!("This call has no event {index}."))
}

impl From<egress::Failure> for types::Failure {
    fn from(given: egress::Failure) -> Self {
        failure(given.kind.into(), given.code, given.message)
    }
}

impl From<FailureKind> for types::Kind {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Denied => Self::Denied,
            FailureKind::Dns => Self::Dns,
            FailureKind::Connect => Self::Connect,
            FailureKind::Tls => Self::Tls,
            FailureKind::Timeout => Self::Timeout,
            FailureKind::Closed => Self::Closed,
            FailureKind::TooLarge => Self::TooLarge,
            FailureKind::Protocol => Self::Protocol,
            FailureKind::Credential => Self::Credential,
            FailureKind::Preview => Self::Preview,
            FailureKind::Invalid => Self::Invalid,
            FailureKind::Other => Self::Other,
        }
    }
}

impl From<wit::Encoding> for Encoding {
    fn from(encoding: wit::Encoding) -> Self {
        match encoding {
            wit::Encoding::Raw => Self::Raw,
            wit::Encoding::Base64 => Self::Base64,
            wit::Encoding::Base64url => Self::Base64url,
            wit::Encoding::Hex => Self::Hex,
            wit::Encoding::Percent => Self::Percent,
            wit::Encoding::Form => Self::Form,
            wit::Encoding::Json => Self::Json,
            wit::Encoding::Xml => Self::Xml,
        }
    }
}

#[cfg(test)]
mod charges;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_guests_is_bounded_and_has_no_control_characters() {
        assert_eq!(presentable("a\u{1b}[31m\nb"), "a [31m b");
        assert!(presentable(&"é".repeat(2_000)).len() <= Reason::MAX_MESSAGE);
    }

    #[test]
    fn only_kebab_case_is_a_code() {
        assert_eq!(code("http-503"), "http-503");
        for bad in ["", "Http", "a b", "é", &"a".repeat(65)] {
            assert_eq!(code(bad), "unspecified", "{bad}");
        }
    }
}
