//! A request as a connector builds it: pieces, not bytes, so that secrets are filled in last.

use super::failure::{Failure, FailureKind};
use super::fill;
use super::headers;
use super::judge::{self, Place, allow_use};
use super::sign_aws::{self, AwsSigner};
use super::sign_azure::{self, AzureSigner};
use crate::compression::Codec;
use crate::secret::{Encoding, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use railhead_model::manifest::CredentialKind;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a body that one request may carry.
pub const MAX_BODY: usize = 32 * 1024 * 1024;
/// Headers that one request may carry, signature headers included.
pub const MAX_HEADERS: usize = 100;
/// Bytes of query parameters, names and values, before they are encoded: receivers take 8 to 64 KiB in all.
pub const MAX_QUERY: usize = 64 * 1024;

/// A piece of something sent.
#[derive(Clone, Debug)]
pub enum Part {
    /// Bytes of the guest's own making.
    Bytes(Bytes),
    /// The data of the event with this index of the hand-over. Its bytes are shared, and captured as a reference.
    EventData(u32, Bytes),
    /// The same, in base64 (RFC 4648, padded): encoded where it is written, so that many of them cost nothing before that.
    EventBase64(u32, Bytes),
    /// Filled in by egress, after capture. A headers map gives the value of the header that it stands in.
    Secret(Arc<Secret>, Encoding),
}

/// Where a request goes.
#[derive(Clone, Debug)]
pub enum Target {
    /// A URL as the guest wrote it, not yet judged.
    Plain(String),
    /// The whole URL is the secret; only its origin is known outside.
    Secret(Arc<Secret>),
}

/// What a signature covers, or what stands before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// Literal text.
    Text(String),
    /// The body as it goes over the wire (after compression).
    Body,
    /// Seconds since the epoch in decimal, on the host's clock; the same for all signers of a request.
    Timestamp,
    /// The value of this header as it goes over the wire, set by the guest or by an earlier signer.
    Header(String),
}

/// How to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `hmac-sha256`
    HmacSha256,
    /// `hmac-sha512`
    HmacSha512,
    /// `hmac-sha1`: only for receivers that know nothing better.
    HmacSha1,
    /// `hmac-sha256-text`, and the two below: the key is the secret's characters as they were written down, for receivers
    /// that do not decode them.
    HmacSha256Text,
    /// `hmac-sha512-text`
    HmacSha512Text,
    /// `hmac-sha1-text`
    HmacSha1Text,
    /// `ed25519`
    Ed25519,
}

impl Algorithm {
    /// Reads the contract's name of an algorithm.
    ///
    /// # Errors
    /// `algorithm-unknown`.
    pub fn parse(name: &str) -> Result<Self, Failure> {
        match name {
            "hmac-sha256" => Ok(Self::HmacSha256),
            "hmac-sha512" => Ok(Self::HmacSha512),
            "hmac-sha1" => Ok(Self::HmacSha1),
            "hmac-sha256-text" => Ok(Self::HmacSha256Text),
            "hmac-sha512-text" => Ok(Self::HmacSha512Text),
            "hmac-sha1-text" => Ok(Self::HmacSha1Text),
            "ed25519" => Ok(Self::Ed25519),
            _ => Err(Failure::invalid(
                "algorithm-unknown",
                "This host signs with hmac-sha256, hmac-sha512, hmac-sha1, each with -text too, or ed25519.",
            )),
        }
    }
}

/// Runs last, in egress, on the host's clock.
#[derive(Clone, Debug)]
pub enum Signer {
    /// One header: `before`, then per key `each` and the encoded signature of `message`, joined by `join`.
    ///
    /// Without keys the header is `before` alone (a timestamp header of the host's clock).
    Header {
        /// Of the header.
        name: String,
        /// What stands before the first signature.
        before: Vec<Signed>,
        /// What stands before each signature.
        each: String,
        /// What stands between signatures.
        join: String,
        /// What is signed: the pieces, one after the other.
        message: Vec<Signed>,
        /// The key in force, then the older one while a rotation overlaps.
        keys: Vec<Arc<Secret>>,
        /// How to sign.
        algorithm: Algorithm,
        /// How a signature is written.
        encoding: Encoding,
    },
    /// AWS Signature Version 4: after all signature headers, over what they wrote too.
    Aws(AwsSigner),
    /// The shared key of an Azure Storage account: the same.
    Azure(AzureSigner),
}

impl Signer {
    /// The keys that it signs with.
    pub(super) fn keys(&self) -> &[Arc<Secret>] {
        match self {
            Self::Header { keys, .. } => keys,
            Self::Aws(signer) => std::slice::from_ref(&signer.keys),
            Self::Azure(signer) => std::slice::from_ref(&signer.key),
        }
    }

    /// True if these are the keys that it signs with, by AWS's rules.
    fn is_aws_with(&self, keys: &Arc<Secret>) -> bool {
        matches!(self, Self::Aws(signer) if Arc::ptr_eq(&signer.keys, keys))
    }

    /// True if it signs the request as a whole: it runs last, and there is one such.
    const fn is_whole(&self) -> bool {
        match self {
            Self::Header { .. } => false,
            Self::Aws(_) | Self::Azure(_) => true,
        }
    }

    /// Headers that it adds.
    const fn headers(&self) -> usize {
        match self {
            Self::Header { .. } => 1,
            Self::Aws(_) => sign_aws::HEADERS,
            Self::Azure(_) => sign_azure::HEADERS,
        }
    }
}

/// A request under construction.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub(super) method: String,
    pub(super) target: Target,
    pub(super) headers: Vec<(http::HeaderName, Vec<Part>)>,
    pub(super) query: Vec<(String, Vec<Part>)>,
    query_bytes: usize,
    pub(super) body: Vec<Part>,
    pub(super) body_bytes: usize,
    pub(super) carries: Vec<u32>,
    pub(super) timeout: Option<Duration>,
    pub(super) http2: bool,
    pub(super) coding: Option<Codec>,
    pub(super) signers: Vec<Signer>,
}

impl Outgoing {
    /// A request to a URL as the guest wrote it. Method and URL are judged when it is sent.
    #[must_use]
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self::to(method.into(), Target::Plain(url.into()))
    }

    /// A request to a URL that is itself the secret.
    ///
    /// # Errors
    /// `use-not-allowed` if the field is not of use `url`.
    pub fn to_secret(method: impl Into<String>, url: Arc<Secret>) -> Result<Self, Failure> {
        allow_use(&url, Place::Url)?;
        Ok(Self::to(method.into(), Target::Secret(url)))
    }

    pub(super) fn to(method: String, target: Target) -> Self {
        Self {
            method,
            target,
            headers: Vec::new(),
            query: Vec::new(),
            query_bytes: 0,
            body: Vec::new(),
            body_bytes: 0,
            carries: Vec::new(),
            timeout: None,
            http2: false,
            coding: None,
            signers: Vec::new(),
        }
    }

    /// Adds a header; a name given twice is sent twice. A headers map gives the value of that name.
    ///
    /// # Errors
    /// `header-absent` for a name that a headers map does not have,
    /// `header-not-allowed` for headers that are the host's, `header-invalid` for a name or value that HTTP forbids,
    /// `use-not-allowed` for a secret that may not be placed, `too-many-headers`.
    pub fn header(&mut self, name: &str, value: Vec<Part>) -> Result<(), Failure> {
        let name = headers::name(name)?;
        headers::check_length(&name, value.iter().map(Part::size_hint).fold(0, usize::saturating_add))?;
        for part in &value {
            match part {
                Part::Bytes(bytes) | Part::EventData(_, bytes) => headers::check_value(&name, bytes)?,
                Part::EventBase64(..) => {}
                Part::Secret(secret, _) => {
                    allow_use(secret, Place::Part)?;
                    fill::header_secret(&name, secret)?;
                }
            }
        }
        self.room_for_headers(1)?;
        self.headers.push((name, value));
        Ok(())
    }

    /// Adds a query parameter; the host percent-encodes name and value.
    ///
    /// # Errors
    /// `use-not-allowed` for a secret that may not be placed, `encoded-twice`, `too-many-parameters` past 1,000, `query-too-large` past
    /// [`MAX_QUERY`].
    pub fn query(&mut self, name: &str, value: Vec<Part>) -> Result<(), Failure> {
        check_uses(&value)?;
        value.iter().try_for_each(judge::check_query)?;
        if self.query.len() >= 1000 {
            return Err(Failure::invalid("too-many-parameters", "A request has at most 1000 query parameters."));
        }
        let more = value.iter().map(Part::size_hint).sum::<usize>().saturating_add(name.len());
        if self.query_bytes.saturating_add(more) > MAX_QUERY {
            let message = format!("The query parameters of a request have at most {MAX_QUERY} bytes.");
            return Err(Failure::new(FailureKind::TooLarge, "query-too-large", message));
        }
        self.query_bytes += more;
        self.query.push((name.to_owned(), value));
        Ok(())
    }

    /// Appends to the body.
    ///
    /// # Errors
    /// `use-not-allowed` for a secret that may not be placed, `body-too-large` past [`MAX_BODY`].
    pub fn body(&mut self, parts: Vec<Part>) -> Result<(), Failure> {
        check_uses(&parts)?;
        let more: usize = parts.iter().map(Part::size_hint).sum();
        self.body_bytes = self.body_bytes.saturating_add(more);
        if self.body_bytes > MAX_BODY {
            let message = format!("A request body has at most {MAX_BODY} bytes; send fewer events at once.");
            return Err(Failure::new(FailureKind::TooLarge, "body-too-large", message));
        }
        self.body.extend(parts);
        Ok(())
    }

    /// Has the host compress the body, after secrets are filled in. Sets `content-encoding`.
    ///
    /// # Errors
    /// `coding-unknown` for anything but `gzip` and `zstd`.
    pub fn compress(&mut self, coding: &str) -> Result<(), Failure> {
        let known = Codec::parse(coding).filter(|codec| codec.is_http());
        self.coding = Some(known.ok_or_else(|| {
            Failure::invalid("coding-unknown", "This host compresses request bodies with `gzip` or `zstd`.")
        })?);
        Ok(())
    }

    /// Says which events of the hand-over it carries.
    pub fn carries(&mut self, events: Vec<u32>) {
        self.carries = events;
    }

    /// Events of the hand-over that it carries, as the guest said.
    #[must_use]
    pub fn carried(&self) -> &[u32] {
        &self.carries
    }

    /// Bounds the whole exchange; the call's own time left bounds it too.
    pub fn timeout(&mut self, bound: Duration) {
        self.timeout = Some(bound);
    }

    /// Asks for HTTP/2; without it the host speaks HTTP/1.1.
    pub fn http2(&mut self) {
        self.http2 = true;
    }

    /// Adds a signer; signers run in the order added.
    ///
    /// # Errors
    /// `use-not-allowed` for a key of another use, `key-unsuitable` for a key that the algorithm cannot take, and the
    /// errors of [`Outgoing::header`].
    pub fn sign(&mut self, signer: Signer) -> Result<(), Failure> {
        super::sign::check(&signer)?;
        self.room_for_headers(signer.headers())?;
        let before_last = self.signers.iter().position(Signer::is_whole);
        if before_last.is_some() && signer.is_whole() {
            return Err(Failure::invalid("signed-twice", "A request as a whole is signed once."));
        }
        self.signers.insert(before_last.unwrap_or(self.signers.len()), signer);
        Ok(())
    }

    /// Every secret that it uses.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Arc<Secret>> {
        fill::secrets(self)
    }

    /// True if keys of AWS sign it, and there is no other secret in it.
    pub(crate) fn is_signed_by_aws_alone(&self) -> bool {
        let signs = |secret: &Arc<Secret>| self.signers.iter().any(|signer| signer.is_aws_with(secret));
        self.secrets().next().is_some() && self.secrets().all(signs)
    }

    /// Where it goes.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    fn room_for_headers(&self, more: usize) -> Result<(), Failure> {
        let signed: usize = self.signers.iter().map(Signer::headers).sum();
        if self.headers.len() + signed + more > MAX_HEADERS {
            return Err(Failure::invalid("too-many-headers", "A request has at most 100 headers."));
        }
        Ok(())
    }
}

fn check_uses(parts: &[Part]) -> Result<(), Failure> {
    parts.iter().try_for_each(|part| match part {
        Part::Secret(secret, _) if secret.kind() == CredentialKind::Headers => Err(Failure::invalid(
            "header-map-misplaced",
            format!("The credential `{}` is a map of headers: its values stand in headers only.", secret.field()),
        )),
        Part::Secret(secret, _) => allow_use(secret, Place::Part),
        Part::Bytes(_) | Part::EventData(..) | Part::EventBase64(..) => Ok(()),
    })
}

impl Part {
    fn size_hint(&self) -> usize {
        match self {
            Self::Bytes(bytes) | Self::EventData(_, bytes) => bytes.len(),
            Self::EventBase64(_, data) => base64_length(data.len()),
            Self::Secret(secret, _) => secret.bytes().len(),
        }
    }
}

/// Bytes that are encoded at once: a multiple of three, so that the pieces are those of the whole.
const ENCODED: usize = 12 * 1024;

/// Base64 of event data, piece by piece.
pub(super) fn base64_pieces(data: &[u8]) -> impl Iterator<Item = String> {
    data.chunks(ENCODED).map(|piece| STANDARD.encode(piece))
}

/// Bytes of so many in base64.
pub(crate) const fn base64_length(bytes: usize) -> usize {
    bytes.div_ceil(3).saturating_mul(4)
}
