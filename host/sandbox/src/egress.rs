//! The one way out of the host: address policy, allow-lists, secrets, TLS, and the record of what went over the wire.
//!
//! A connector hands over an [`Outgoing`] made of pieces. Egress judges where it goes before any DNS query and again after
//! it, fills secrets in, signs, sends, and masks what comes back. It knows nothing of guests.

mod address;
mod answer;
mod aside;
mod capture;
mod clients;
mod errors;
mod failure;
mod fill;
mod headers;
mod judge;
mod masks;
mod origin;
mod outgoing;
mod policy;
mod resolver;
mod send;
mod sign;
mod sign_aws;
mod sign_azure;
mod stream;
mod timing;
mod tls;

pub use address::{AddressClass, classify};
pub use answer::{MAX_ANSWER, MAX_HEAD, Response};
pub(crate) use capture::make_own;
pub use capture::seen_by;
pub(crate) use capture::shown;
pub use failure::{Failure, FailureKind};
pub(crate) use headers::{check_value as check_header_value, name as header_name};
pub(crate) use judge::{encoded_twice, may_go};
pub use origin::AllowedOrigin;
pub(crate) use outgoing::base64_length;
pub use outgoing::{Algorithm, MAX_BODY, MAX_HEADERS, MAX_QUERY, Outgoing, Part, Signed, Signer, Target};
pub use policy::EgressPolicy;
pub use resolver::{Names, Service, SystemNames};
pub use sign_aws::AwsSigner;
pub(crate) use sign_aws::presigned as aws_presigned;
pub use sign_azure::AzureSigner;
pub(crate) use stream::{CONNECTION_BYTES, Recent, Traffic};
pub use stream::{Security, Stream};

use crate::secret::{Masker, Secret};
use railhead_model::{Clock, EventUid, Exchange};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Why egress could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The operator's extra root certificates cannot be read.
    #[error("the extra root certificates cannot be read: {0}")]
    Roots(String),
    /// No trust anchors, or a TLS set-up that the library refuses.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// The operator's proxy cannot be used.
    #[error("the egress proxy cannot be used: {0}")]
    Proxy(String),
}

/// What a session brings to each request. Cheap to clone.
#[derive(Clone)]
pub struct SendContext {
    /// Where the session may send to.
    pub origins: Arc<[AllowedOrigin]>,
    /// Of all secrets of the session. Secrets of a request that it does not know are masked too.
    pub masker: Arc<Masker>,
    /// TLS identities of the session, the one in force of each field first: each serves the origins that its field names.
    pub identities: Arc<[Arc<Secret>]>,
    /// Until the call's deadline. The exchange ends before it; leave room for the guest's own ending.
    pub left: Duration,
    /// For signatures.
    pub clock: Arc<dyn Clock>,
    /// Uids of the hand-over's events, by index: what [`Part::EventData`] refers to in captures.
    pub events: Arc<[EventUid]>,
    /// What the request is for.
    pub purpose: Purpose,
    /// True if it belongs to a slow call: its connection lives on the threads apart, and serves slow calls only.
    pub slow: bool,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// `send`: token endpoints are refused, the answer is masked.
    #[default]
    Send,
    /// A token exchange: only token endpoints, fields of use `exchange`; bodies are not captured, and the answer is not
    /// masked, for the host itself takes the token from it.
    Exchange,
}

/// What came of a request.
#[derive(Debug)]
pub struct Sent {
    /// What the guest sees, masked.
    pub result: Result<Response, Failure>,
    /// What the record keeps, masked. Event data is `OtherEvent(uid)` for every event: see [`seen_by`].
    pub exchange: Exchange,
    /// True if the request, or a piece of it, may have reached the peer: its events are then never `untried`.
    pub may_have_arrived: bool,
    /// Time that it took to make the request: masking, filling in, compressing, signing.
    pub making: Duration,
}

/// The way out. One for the whole host; cheap to clone.
#[derive(Clone)]
pub struct Egress {
    inner: Arc<Inner>,
}

struct Inner {
    policy: Arc<EgressPolicy>,
    names: Arc<dyn Names>,
    clients: clients::Clients,
    aside: aside::Aside,
    /// Where connections of streams are watched.
    home: OnceLock<tokio::runtime::Handle>,
}

impl Egress {
    /// Sets up TLS once for all destinations. `extra_roots`: certificates in PEM that the operator trusts besides the
    /// machine's own.
    ///
    /// # Errors
    /// If the certificates, TLS or the proxy cannot be used.
    pub fn new(policy: EgressPolicy, extra_roots: Option<&[u8]>) -> Result<Self, EgressError> {
        Self::with_names(policy, extra_roots, Arc::new(SystemNames))
    }

    /// The same with another resolver of names.
    ///
    /// # Errors
    /// As [`Egress::new`].
    pub fn with_names(
        policy: EgressPolicy,
        extra_roots: Option<&[u8]>,
        names: Arc<dyn Names>,
    ) -> Result<Self, EgressError> {
        let policy = Arc::new(policy);
        let clients = clients::Clients::new(policy.clone(), names.clone(), tls::config(extra_roots)?)?;
        Ok(Self {
            inner: Arc::new(Inner { policy, names, clients, aside: aside::Aside::default(), home: OnceLock::new() }),
        })
    }

    /// Sends a request of a destination. Never takes longer than `ctx.left`; connections are the destination's own.
    pub async fn send(&self, destination: i64, outgoing: Outgoing, ctx: &SendContext) -> Sent {
        self.inner.send(destination, outgoing, ctx).await
    }

    /// What [`Egress::send`] would send: judged by name, filled in, signed and captured. Nothing is resolved or sent.
    ///
    /// # Errors
    /// Why it would be refused before any DNS query.
    pub fn preview(&self, outgoing: &Outgoing, ctx: &SendContext) -> Result<Exchange, Failure> {
        let request = fill::ready(outgoing, ctx)?.captured;
        Ok(Exchange { request, ..Exchange::default() })
    }

    /// Where connections of peers live that let requests wait, apart from all others. Set once.
    pub fn set_aside(&self, threads: tokio::runtime::Handle) {
        self.inner.aside.set(threads);
    }

    /// Connects to a server that an origin of the session allows. Never takes longer than `ctx.left`.
    ///
    /// # Errors
    /// `origin-not-allowed` before any name is looked up; or why there is no connection, or no verified TLS.
    pub async fn connect(
        &self,
        host: &str,
        port: u16,
        security: Security,
        ctx: &SendContext,
    ) -> Result<Stream, Failure> {
        self.connect_counted((host, port), security, ctx, &Traffic::new(host, port)).await
    }

    /// The same, where somebody counts.
    pub(crate) async fn connect_counted(
        &self,
        to: (&str, u16),
        security: Security,
        ctx: &SendContext,
        traffic: &Arc<Traffic>,
    ) -> Result<Stream, Failure> {
        self.inner.connect(to, security, ctx, traffic).await.inspect_err(|failure| traffic.failed(failure))
    }

    /// What [`Egress::connect`] would say before it looks any name up.
    ///
    /// # Errors
    /// As it does.
    pub fn allows(&self, host: &str, port: u16, ctx: &SendContext) -> Result<(), Failure> {
        stream::allows(host, port, ctx)
    }

    /// Looks the hosts and ports of a service up, where an origin of the session discovers them. Whether a stream may
    /// connect there is judged then.
    ///
    /// # Errors
    /// `srv-not-allowed` before it is looked up, `dns-not-found`, `dns-failed`.
    pub async fn lookup_srv(&self, name: &str, ctx: &SendContext) -> Result<Vec<(String, u16)>, Failure> {
        stream::lookup_srv(&*self.inner.names, name, ctx).await
    }

    /// Where connections of streams are watched, whichever threads use them. Set once.
    pub fn set_home(&self, threads: tokio::runtime::Handle) {
        let _ = self.inner.home.set(threads); // the first ones count
    }

    /// Drops a destination's idle connections; requests under way finish.
    pub fn forget(&self, destination: i64) {
        self.inner.clients.forget(destination);
    }
}
