//! Names to addresses: what the policy refuses is taken out after resolution, so that no name can lead inside.

mod services;

use super::failure::{Failure, FailureKind};
use super::policy::EgressPolicy;
use super::timing::{self, Stopwatch};
use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Resolves names. A parameter, so that tests can count queries and answer them.
#[async_trait]
pub trait Names: Send + Sync + 'static {
    /// Every address of a name.
    ///
    /// # Errors
    /// The resolver's own.
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;

    /// Every SRV record of a name; none where there is no such name.
    ///
    /// # Errors
    /// The resolver's own.
    async fn services(&self, name: &str) -> io::Result<Vec<Service>>;
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Of the host.
    pub host: String,
    /// Where it listens.
    pub port: u16,
    /// Lower ones come first.
    pub priority: u16,
    /// Of one priority, heavier ones are to be taken more often.
    pub weight: u16,
}

/// The machine's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }

    async fn services(&self, name: &str) -> io::Result<Vec<Service>> {
        services::of(name).await
    }
}

/// Resolves a name and keeps what the policy admits.
///
/// # Errors
/// A failure of kind `dns`; or the first refusal, if nothing was left.
pub(super) async fn admitted(
    names: &dyn Names,
    policy: &EgressPolicy,
    name: &str,
    port: u16,
    plain: bool,
) -> Result<Vec<SocketAddr>, Failure> {
    let watch = Stopwatch::start();
    let phases = timing::current();
    let found = names.addresses(name).await;
    if let Some(phases) = phases {
        phases.resolved(watch);
    }
    let found = found.map_err(|error| not_resolved(name, &error))?;
    let mut first_refusal = None;
    let mut kept = Vec::with_capacity(found.len());
    for ip in found {
        let address = SocketAddr::new(ip, port);
        match policy.admit(address, plain, name) {
            Ok(()) => kept.push(address),
            Err(refusal) => first_refusal = first_refusal.or(Some(refusal)),
        }
    }
    match (kept.is_empty(), first_refusal) {
        (false, _) => Ok(kept),
        (true, Some(refusal)) => Err(refusal),
        (true, None) => Err(not_found(name)),
    }
}

/// What one client resolves with: it connects to one port, with or without TLS.
pub(super) struct Filtered {
    pub(super) names: Arc<dyn Names>,
    pub(super) policy: Arc<EgressPolicy>,
    pub(super) port: u16,
    pub(super) plain: bool,
}

impl Resolve for Filtered {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, policy, port, plain) = (self.names.clone(), self.policy.clone(), self.port, self.plain);
        Box::pin(async move {
            let kept = admitted(&*names, &policy, name.as_str(), port, plain).await?;
            Ok(Box::new(kept.into_iter()) as Addrs)
        })
    }
}

/// Resolves the operator's own proxy, which the policy does not judge.
pub(super) struct Unfiltered(pub(super) Arc<dyn Names>);

impl Resolve for Unfiltered {
    fn resolve(&self, name: Name) -> Resolving {
        let names = self.0.clone();
        Box::pin(async move {
            let found = names.addresses(name.as_str()).await?;
            Ok(Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs)
        })
    }
}

fn not_resolved(name: &str, error: &io::Error) -> Failure {
    // The system's resolver has no error kinds for these, only words.
    let words = error.to_string();
    if words.contains("not known") || words.contains("No address") || error.kind() == io::ErrorKind::NotFound {
        return not_found(name);
    }
    Failure::new(FailureKind::Dns, "dns-failed", format!("The name `{name}` could not be resolved just now."))
}

fn not_found(name: &str) -> Failure {
    Failure::new(
        FailureKind::Dns,
        "dns-not-found",
        format!("The name `{name}` does not exist, or has no address. Check the URL."),
    )
}
