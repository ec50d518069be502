//! SRV records (RFC 2782): where the hosts of a service are.

use super::super::failure::{Failure, FailureKind};
use super::super::resolver::{Names, Service};
use super::super::{SendContext, origin};
use super::words;

/// Hosts that are given back, at most.
const MAX_HOSTS: usize = 64;

/// See [`super::super::Egress::lookup_srv`].
pub(in super::super) async fn lookup(
    names: &dyn Names,
    name: &str,
    ctx: &SendContext,
) -> Result<Vec<(String, u16)>, Failure> {
    let asked = service(name)?;
    if !ctx.origins.iter().any(|origin| origin.discovers(&asked)) {
        let message = format!("`{asked}` is not under the domain of the server that this destination connects to.");
        return Err(Failure::denied("srv-not-allowed", message));
    }
    let found = match tokio::time::timeout(ctx.left, names.services(&asked)).await {
        Ok(Ok(found)) => found,
        Ok(Err(_)) | Err(_) => return Err(words::not_resolved(&asked)),
    };
    let hosts = in_order(found);
    if hosts.is_empty() {
        let message = format!("The name `{asked}` has no SRV record. Check the host in the configuration.");
        return Err(Failure::new(FailureKind::Dns, "dns-not-found", message));
    }
    Ok(hosts)
}

/// `_service._protocol.domain`, in one spelling.
fn service(name: &str) -> Result<String, Failure> {
    let wrong = || Failure::invalid("srv-invalid", "The name must be of the form `_service._tcp.domain`.");
    let mut labels = name.splitn(3, '.');
    let (Some(service), Some(protocol), Some(domain)) = (labels.next(), labels.next(), labels.next()) else {
        return Err(wrong());
    };
    let fits = |label: &str| {
        let letters = label.strip_prefix('_').unwrap_or_default();
        (1..=62).contains(&letters.len()) && letters.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let url::Host::Domain(domain) = origin::host(domain)? else { return Err(wrong()) };
    if !fits(service) || !fits(protocol) || domain.len() > 200 {
        return Err(wrong());
    }
    Ok(format!("{}.{}.{domain}", service.to_ascii_lowercase(), protocol.to_ascii_lowercase()))
}

/// By priority, then the heavier first. A target of the root says that there is no such service.
fn in_order(mut found: Vec<Service>) -> Vec<(String, u16)> {
    found.sort_by_key(|service| (service.priority, u16::MAX - service.weight));
    let named = found.into_iter().map(|service| (service.host.trim_end_matches('.').to_owned(), service.port));
    named.filter(|(host, port)| !host.is_empty() && *port > 0).take(MAX_HOSTS).collect()
}
