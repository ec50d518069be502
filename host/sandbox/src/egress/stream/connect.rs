//! From a host and a port to a connection.

use super::super::aside::starting_on;
use super::super::failure::Failure;
use super::super::timing::Stopwatch;
use super::super::{AllowedOrigin, Inner, SendContext, errors, judge, origin, resolver};
use super::inbox::Inbox;
use super::socket::Socket;
use super::{Security, Stream, Traffic, words};
use rustls::pki_types::ServerName;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use url::Host;

/// A server that takes longer to accept a connection, or to begin TLS, is not there.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// An address has so long at least before the next one is tried.
const LEAST: Duration = Duration::from_millis(500);

/// The allowed origins that hold a host and a port; refused if there is none.
pub(super) fn judge<'a>(host: &Host, port: u16, ctx: &'a SendContext) -> Result<Vec<&'a AllowedOrigin>, Failure> {
    let name = host.to_string();
    let holding: Vec<_> = ctx.origins.iter().filter(|origin| origin.reaches(&name, port)).collect();
    if holding.is_empty() { Err(words::not_allowed(&name, port)) } else { Ok(holding) }
}

impl Inner {
    /// Judges by name, resolves, judges by address, connects, begins TLS.
    pub(in super::super) async fn connect(
        &self,
        to: (&str, u16),
        security: Security,
        ctx: &SendContext,
        traffic: &Arc<Traffic>,
    ) -> Result<Stream, Failure> {
        let (host, port) = (origin::host(to.0)?, to.1);
        let origins = judge(&host, port, ctx)?;
        let named = host.to_string();
        if self.policy.proxy.is_some() {
            return Err(words::proxied(&named));
        }
        let identity = judge::identity(&origins, ctx)?;
        let tls = self.clients.tls_of(identity.as_ref().and_then(|secret| secret.identity()))?;
        if ctx.left.is_zero() {
            return Err(words::no_time());
        }
        let (left, watch) = (ctx.left.min(CONNECT_TIMEOUT), Stopwatch::start());
        let resolving = tokio::time::timeout(left, self.resolve(&host, port, security, traffic)).await;
        let addresses = resolving.map_err(|_| words::not_resolved(&named))??;
        let home = self.home.get().cloned();
        let connecting = starting_on(home.as_ref(), first(&addresses, left.saturating_sub(watch.elapsed()), &named));
        let (socket, address) = connecting.await?;
        // What is written is what somebody waits for.
        let _ = socket.set_nodelay(true);
        let mut stream = Stream {
            socket: Socket::Gone,
            security,
            name: server_name(&host, &named)?,
            host: named,
            tls: Arc::new(tls),
            origins: origins.iter().map(|origin| origin.name.clone()).collect(),
            address,
            trusted: self.policy.lists(address),
            home,
            inbox: Inbox::new(ctx.masker.clone()),
            ended: None,
            dead: None,
            traffic: traffic.clone(),
        };
        if security == Security::Tls {
            let secured = tokio::time::timeout(left.saturating_sub(watch.elapsed()), stream.secure(socket)).await;
            secured.unwrap_or_else(|_| Err(words::no_handshake(&stream.host)))?;
        } else {
            stream.socket = Socket::Plain(socket);
        }
        traffic.connected(watch);
        Ok(stream)
    }

    /// The addresses that the policy admits.
    async fn resolve(
        &self,
        host: &Host,
        port: u16,
        security: Security,
        traffic: &Traffic,
    ) -> Result<Vec<SocketAddr>, Failure> {
        let (plain, named) = (security == Security::Plain, host.to_string());
        let literal = |ip: IpAddr| {
            let address = SocketAddr::new(ip, port);
            self.policy.admit(address, plain, &named).map(|()| vec![address])
        };
        let found = match host {
            Host::Ipv4(ip) => literal((*ip).into()),
            Host::Ipv6(ip) => literal((*ip).into()),
            Host::Domain(_) if plain && self.policy.never_plain() => Err(words::plaintext(&named)),
            Host::Domain(name) => {
                let watch = Stopwatch::start();
                let found = resolver::admitted(&*self.names, &self.policy, name, port, plain).await;
                traffic.resolved(watch);
                found
            }
        };
        found.map_err(|failure| words::refused(failure, &named))
    }
}

/// The first address that accepts. Each has its share of the time, so that one that is silent does not keep the others from
/// being tried.
async fn first(addresses: &[SocketAddr], time: Duration, host: &str) -> Result<(TcpStream, IpAddr), Failure> {
    let watch = Stopwatch::start();
    let mut failure = errors::connect_timeout(host);
    for (tried, address) in addresses.iter().enumerate() {
        let left = time.saturating_sub(watch.elapsed());
        let others = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX).max(1);
        let share = (left / others).max(LEAST.min(left));
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => return Ok((socket, address.ip())),
            Ok(Err(error)) => failure = errors::of_io(error.kind(), true, host),
            Err(_) => failure = errors::connect_timeout(host),
        }
    }
    Err(failure)
}

/// What a certificate must be for.
fn server_name(host: &Host, named: &str) -> Result<ServerName<'static>, Failure> {
    match host {
        Host::Ipv4(ip) => Ok(ServerName::IpAddress(IpAddr::V4(*ip).into())),
        Host::Ipv6(ip) => Ok(ServerName::IpAddress(IpAddr::V6(*ip).into())),
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| {
            Failure::invalid("host-invalid", format!("`{named}` is no name that a certificate can be for."))
        }),
    }
}
