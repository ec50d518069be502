//! One HTTP client per destination and origin: connections are never shared between destinations.

use super::failure::Failure;
use super::policy::EgressPolicy;
use super::resolver::{Filtered, Names, Unfiltered};
use super::timing::TimedConnect;
use super::{EgressError, errors};
use crate::secret::Identity;
use rustls::ClientConfig;
use rustls::client::Resumption;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Clients kept at once; the longest unused goes first.
const MAX_CLIENTS: usize = 4096;
/// An unused client is dropped after this long.
const CLIENT_IDLE_MS: u64 = 60_000;
/// How often unused clients are looked for.
const SWEEP_MS: u64 = 10_000;
/// An unused connection is closed after this long: shorter than most servers' own limit.
const CONNECTION_IDLE: Duration = Duration::from_secs(20);
/// Idle connections kept per destination and origin.
const MAX_IDLE_CONNECTIONS: usize = 64;
/// TLS sessions kept per destination and origin.
const TLS_SESSIONS: usize = 4;
/// A peer that takes longer to accept a connection is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an HTTP/2 answer's head.
const MAX_H2_HEAD: u32 = super::answer::MAX_HEAD as u32;

/// What a client connects to.
#[derive(Clone, Copy)]
pub(super) struct Route<'a> {
    pub(super) plain: bool,
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) http2: bool,
    pub(super) identity: Option<&'a Identity>,
    /// Its connections live on the threads apart: a client of its own, since those that there are stay where they are.
    pub(super) apart: bool,
}

/// All clients of the host.
pub(super) struct Clients {
    policy: Arc<EgressPolicy>,
    names: Arc<dyn Names>,
    tls: ClientConfig,
    proxy: Option<reqwest::Proxy>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_destination: HashMap<i64, Vec<Entry>>,
    count: usize,
    swept_ms: u64,
}

struct Entry {
    plain: bool,
    http2: bool,
    apart: bool,
    port: u16,
    host: Box<str>,
    /// A rotated identity makes new connections; those of the one before end with their calls.
    identity: Option<[u8; 32]>,
    used_ms: u64,
    client: reqwest::Client,
}

impl Clients {
    pub(super) fn new(
        policy: Arc<EgressPolicy>,
        names: Arc<dyn Names>,
        tls: ClientConfig,
    ) -> Result<Self, EgressError> {
        let proxy = policy.proxy.as_deref().map(reqwest::Proxy::all).transpose();
        let proxy = proxy.map_err(|error| EgressError::Proxy(error.without_url().to_string()))?;
        Ok(Self { policy, names, tls, proxy, kept: Mutex::default() })
    }

    /// The client of a destination for an origin: the one kept, or a new one.
    pub(super) fn get(&self, destination: i64, route: Route<'_>, now_ms: u64) -> Result<reqwest::Client, Failure> {
        if let Some(client) = self.lock().find(destination, route, now_ms) {
            return Ok(client);
        }
        let client = self.build(route)?;
        let mut kept = self.lock();
        kept.make_room(now_ms);
        // Another request may have made one meanwhile: then its connections serve both.
        Ok(kept.find(destination, route, now_ms).unwrap_or_else(|| kept.keep(destination, route, now_ms, client)))
    }

    /// Drops the clients of a destination.
    pub(super) fn forget(&self, destination: i64) {
        let mut kept = self.lock();
        let dropped = kept.by_destination.remove(&destination).map_or(0, |entries| entries.len());
        kept.count -= dropped;
    }

    #[allow(clippy::disallowed_methods)] // this is the place that puts the address policy into every client
    fn build(&self, route: Route<'_>) -> Result<reqwest::Client, Failure> {
        let builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(CONNECTION_IDLE)
            .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS)
            .http2_max_header_list_size(MAX_H2_HEAD)
            .tls_backend_preconfigured(self.tls_for(route)?)
            .connector_layer(TimedConnect);
        let builder = match (route.http2, route.plain) {
            (true, true) => builder.http2_prior_knowledge(),
            (true, false) => builder,
            (false, _) => builder.http1_only(),
        };
        let builder = match &self.proxy {
            Some(proxy) => builder.proxy(proxy.clone()).dns_resolver(Arc::new(Unfiltered(self.names.clone()))),
            None => builder.dns_resolver(Arc::new(Filtered {
                names: self.names.clone(),
                policy: self.policy.clone(),
                port: route.port,
                plain: route.plain,
            })),
        };
        builder.build().map_err(|error| errors::of(error, route.host))
    }

    /// What a connection is made with that keeps no TLS session.
    pub(super) fn tls_of(&self, identity: Option<&Identity>) -> Result<ClientConfig, Failure> {
        let mut tls = self.tls.clone();
        if let Some(identity) = identity {
            super::tls::with_identity(&mut tls, identity)?;
        }
        tls.resumption = Resumption::disabled();
        Ok(tls)
    }

    /// Verifier and cipher suites are shared; TLS sessions are the destination's own, for they can be told apart on the wire.
    fn tls_for(&self, route: Route<'_>) -> Result<ClientConfig, Failure> {
        let mut tls = self.tls_of(route.identity)?;
        tls.resumption = Resumption::in_memory_sessions(TLS_SESSIONS);
        tls.alpn_protocols =
            if route.http2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] };
        Ok(tls)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn find(&mut self, destination: i64, route: Route<'_>, now_ms: u64) -> Option<reqwest::Client> {
        let entry = self.by_destination.get_mut(&destination)?.iter_mut().find(|entry| entry.serves(route))?;
        entry.used_ms = now_ms;
        Some(entry.client.clone())
    }

    fn keep(&mut self, destination: i64, route: Route<'_>, now_ms: u64, client: reqwest::Client) -> reqwest::Client {
        let Route { plain, host, port, http2, identity, apart } = route;
        let (host, identity) = (host.into(), identity.map(Identity::fingerprint));
        let entry = Entry { plain, http2, apart, port, host, identity, used_ms: now_ms, client: client.clone() };
        self.by_destination.entry(destination).or_default().push(entry);
        self.count += 1;
        client
    }

    /// Drops what was not used for long, at most every [`SWEEP_MS`]; at the bound, half of the rest, longest unused first.
    fn make_room(&mut self, now_ms: u64) {
        if now_ms.saturating_sub(self.swept_ms) >= SWEEP_MS {
            self.swept_ms = now_ms;
            self.drop_unused_since(now_ms.saturating_sub(CLIENT_IDLE_MS));
        }
        if self.count >= MAX_CLIENTS {
            let mut used: Vec<u64> = self.by_destination.values().flatten().map(|entry| entry.used_ms).collect();
            used.sort_unstable();
            let median = used.get(used.len() / 2).copied().unwrap_or(now_ms);
            self.drop_unused_since(median.saturating_add(1));
        }
    }

    fn drop_unused_since(&mut self, ms: u64) {
        self.by_destination.retain(|_, entries| {
            entries.retain(|entry| entry.used_ms >= ms);
            !entries.is_empty()
        });
        self.count = self.by_destination.values().map(Vec::len).sum();
    }
}

impl Entry {
    fn serves(&self, route: Route<'_>) -> bool {
        self.port == route.port
            && self.plain == route.plain
            && self.http2 == route.http2
            && self.apart == route.apart
            && *self.host == *route.host
            && self.identity == route.identity.map(Identity::fingerprint)
    }
}
