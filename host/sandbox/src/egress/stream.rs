//! Connections for protocols that are not HTTP: judged by name, then by address; protected, masked and counted by the host.

mod binding;
mod connect;
mod flow;
mod inbox;
mod socket;
mod srv;
mod traffic;
mod words;

pub(crate) use inbox::Recent;
pub(super) use srv::lookup as lookup_srv;
pub(crate) use traffic::Traffic;

use self::inbox::Inbox;
use self::socket::Socket;
use super::SendContext;
use super::failure::Failure;
use super::outgoing::Part;
use crate::secret::Secret;
use bytes::Bytes;
use railhead_model::manifest::CredentialKind;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::runtime::Handle;

/// Bytes that the host reads ahead of a guest on one connection; what comes after that waits at the peer.
pub(crate) const MAX_UNREAD: usize = 256 * 1024;
/// Bytes of memory that a connection is charged with: what it may read ahead, twice while it is masked, and its TLS.
pub(crate) const CONNECTION_BYTES: usize = 2 * MAX_UNREAD + 64 * 1024;
/// Bytes that are read at once.
const PIECE: usize = 16 * 1024;
/// What looks like the beginning of a secret waits so long for the rest of it.
const REST: Duration = Duration::from_millis(100);

/// See [`super::Egress::allows`].
pub(super) fn allows(host: &str, port: u16, ctx: &SendContext) -> Result<(), Failure> {
    connect::judge(&super::origin::host(host)?, port, ctx).map(drop)
}

/// How a connection is protected (WIT `security`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// Plain until [`Stream::start_tls`].
    Upgrade,
    /// Never protected.
    Plain,
}

/// One connection of one session. It closes when it goes.
pub struct Stream {
    socket: Socket,
    security: Security,
    /// As it was asked for, and as it must be vouched for.
    host: String,
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
    /// Names of the origins that it lies in.
    origins: Vec<String>,
    address: IpAddr,
    /// The operator allows that network: secrets may be written without TLS.
    trusted: bool,
    /// Where its readiness is looked for.
    home: Option<Handle>,
    inbox: Inbox,
    /// How the peer ended it: orderly or not.
    ended: Option<Result<(), Failure>>,
    /// Why nothing can be done with it any more.
    dead: Option<Failure>,
    traffic: Arc<Traffic>,
}

impl Stream {
    /// Begins TLS on a connection opened as [`Security::Upgrade`]. Takes no longer than `left`.
    ///
    /// # Errors
    /// `bytes-before-tls` where the peer sent more than was read: somebody may have put it there, and it would be taken for
    /// what came over TLS (CVE-2021-23222). Or why there is no verified TLS. The connection is of no more use then.
    pub async fn start_tls(&mut self, left: Duration) -> Result<(), Failure> {
        self.alive()?;
        if self.security != Security::Upgrade || self.socket.is_tls() {
            let message = "TLS can begin once, on a connection that was opened as `upgrade`.";
            return Err(Failure::invalid("not-an-upgrade", message));
        }
        let begun = match tokio::time::timeout(left.min(connect::CONNECT_TIMEOUT), self.upgraded()).await {
            Ok(begun) => begun,
            Err(_) => Err(words::no_handshake(&self.host)),
        };
        self.noted(begun)
    }

    async fn upgraded(&mut self) -> Result<(), Failure> {
        if !self.inbox.is_empty() {
            return Err(words::bytes_before_tls(&self.host));
        }
        let (home, host) = (self.home.clone(), self.host.clone());
        let taken = std::mem::replace(&mut self.socket, Socket::Gone);
        let plain = super::aside::starting_on(home.as_ref(), async { taken.silent(&host) }).await?;
        self.secure(plain).await
    }

    async fn secure(&mut self, plain: tokio::net::TcpStream) -> Result<(), Failure> {
        let connector = tokio_rustls::TlsConnector::from(self.tls.clone());
        let stream = connector.connect(self.name.clone(), plain).await;
        let stream = stream.map_err(|error| words::handshake(&error, &self.host))?;
        let version = stream.get_ref().1.protocol_version();
        self.traffic.secured(version.and_then(|version| version.as_str()).unwrap_or("TLS"));
        self.socket = Socket::Tls(Box::new(stream));
        Ok(())
    }

    /// The `tls-server-end-point` channel binding (RFC 5929, section 4); `None` before TLS, and where the certificate's
    /// signature has no hash of its own.
    #[must_use]
    pub fn channel_binding(&self) -> Option<Vec<u8>> {
        binding::of(self.socket.certificate()?)
    }

    /// Judges pieces that are to be written: secrets go to origins that they are bound to, over verified TLS or in a network
    /// that the operator allows.
    ///
    /// # Errors
    /// `secret-before-tls`, `secret-not-for-origin`, `header-map-misplaced`.
    pub fn judge(&self, parts: &[Part]) -> Result<(), Failure> {
        self.alive()?;
        for secret in secrets(parts) {
            if secret.kind() == CredentialKind::Headers {
                let message = "A map of headers cannot be written to a stream: its values stand in headers only.";
                return Err(Failure::invalid("header-map-misplaced", message));
            }
            if !self.origins.iter().any(|origin| secret.may_go_to(origin)) {
                return Err(words::not_for_origin(secret.field()));
            }
            if !self.socket.is_tls() && !self.trusted {
                return Err(words::secret_before_tls(secret.field(), self.address));
            }
        }
        Ok(())
    }

    /// Writes pieces in order. Takes no longer than `left`; what the peer sends meanwhile is read, so that none waits for the
    /// other.
    ///
    /// # Errors
    /// As [`Stream::judge`]; `too-many-secrets`; why not all was written: the connection is of no more use then.
    pub async fn write(&mut self, parts: &[Part], left: Duration) -> Result<(), Failure> {
        self.judge(parts)?;
        self.look_for(parts)?;
        let written = match tokio::time::timeout(left, self.write_all(parts)).await {
            Ok(written) => written,
            Err(_) => Err(words::not_written(&self.host)),
        };
        self.noted(written)
    }

    /// Reads 1 to `max` bytes, masked; none: the peer closed. Takes no longer than `wait`.
    ///
    /// # Errors
    /// `read-timeout`: nothing came. Or how the connection ended, if it was not in order.
    pub async fn read(&mut self, max: usize, wait: Duration) -> Result<Bytes, Failure> {
        self.alive()?;
        if max == 0 {
            return Err(Failure::invalid("read-nothing", "A read takes 1 byte at least."));
        }
        if tokio::time::timeout(wait, poll_fn(|cx| self.poll_ready(cx))).await.is_err() {
            return Err(words::nothing_came(&self.host));
        }
        poll_fn(|cx| self.poll_all_there_is(cx, max)).await;
        if !self.inbox.is_readable() {
            let rest = poll_fn(|cx| self.poll_readable(cx));
            if tokio::time::timeout(wait.min(REST), rest).await.is_err() {
                self.inbox.let_go();
            }
        }
        match &self.ended {
            Some(Err(failure)) if self.inbox.is_empty() => Err(failure.clone()),
            _ => Ok(self.inbox.take(max)),
        }
    }

    /// Ready once there are bytes, or none will come any more.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.inbox.is_empty() || self.ended.is_some() || self.dead.is_some() {
            return Poll::Ready(());
        }
        self.poll_fill(cx)
    }

    /// What is about to be written is masked where it comes back. Gives bytes of memory that this takes more than before.
    pub(crate) fn look_for(&mut self, parts: &[Part]) -> Result<usize, Failure> {
        let before = self.inbox.looking();
        self.inbox.look_for(secrets(parts))?;
        Ok(self.inbox.looking().saturating_sub(before))
    }

    /// Bytes of memory that [`Stream::look_for`] told of so far.
    pub(crate) fn looking(&self) -> usize {
        self.inbox.looking()
    }

    /// How often, since this was asked last, something was held back that was no secret in the end.
    pub(crate) fn in_vain(&mut self) -> usize {
        self.inbox.in_vain()
    }

    /// What was read of it last, where it stands and a secret may go there.
    pub(crate) fn heard_for(&self, secret: &Secret) -> Option<&Recent> {
        let stands = self.dead.is_none() && self.ended.is_none();
        (stands && self.origins.iter().any(|origin| secret.may_go_to(origin))).then(|| self.inbox.recent())
    }

    /// Looks for nothing of its own any more, and is of no more use.
    pub(crate) fn forget(&mut self) {
        self.inbox.forget();
        self.dead = Some(words::closed(&self.host));
        self.socket = Socket::Gone;
    }

    /// Counts for another call from here on.
    pub(crate) fn counted_anew(&mut self) -> Arc<Traffic> {
        self.traffic = self.traffic.again();
        self.traffic.clone()
    }

    /// Tells the peer, as far as that can be done at once.
    pub fn close(mut self) {
        self.socket.close();
    }

    fn alive(&self) -> Result<(), Failure> {
        self.dead.clone().map_or(Ok(()), Err)
    }

    fn noted<T>(&mut self, result: Result<T, Failure>) -> Result<T, Failure> {
        if let Err(failure) = &result {
            self.traffic.failed(failure);
            self.dead = Some(failure.clone());
            self.socket = Socket::Gone;
        }
        result
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stream({:?} to {})", self.security, self.host)
    }
}

fn secrets(parts: &[Part]) -> impl Iterator<Item = &Arc<Secret>> {
    parts.iter().filter_map(|part| match part {
        Part::Secret(secret, _) => Some(secret),
        Part::Bytes(_) | Part::EventData(..) | Part::EventBase64(..) => None,
    })
}

#[cfg(test)]
mod tests;
