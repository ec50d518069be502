//! `railhead health`: asks a host whether it is ready, for images that hold no other program.

use crate::cli::HealthArgs;
use crate::config::Config;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// A host that takes longer is not well.
const LONGEST: Duration = Duration::from_secs(5);

/// Asks and says what the host said.
///
/// # Errors
/// No answer, or another one than 200.
#[allow(clippy::disallowed_methods, clippy::print_stdout)] // a client of the host, not the host; it prints its answer
pub async fn run(args: &HealthArgs, config: &Config) -> Result<(), String> {
    let base = args.url.clone().unwrap_or_else(|| format!("http://{}", reachable(config.listen)));
    let path = if args.live { "/healthz" } else { "/readyz" };
    let url = format!("{}{path}", base.trim_end_matches('/'));
    let unreachable = |_| format!("no answer from {url}");
    let client = reqwest::Client::builder().no_proxy().timeout(LONGEST).build().map_err(unreachable)?;
    let response = client.get(&url).send().await.map_err(unreachable)?;
    let status = response.status();
    let text = response.text().await.map_err(unreachable)?;
    if !status.is_success() {
        return Err(format!("{url} answered {}: {text}", status.as_u16()));
    }
    println!("{text}");
    Ok(())
}

/// A host that listens on all addresses is asked on loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let loopback = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(loopback, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_on_all_addresses_is_asked_on_loopback() {
        for (listen, asked) in
            [("0.0.0.0:8080", "127.0.0.1:8080"), ("[::]:8080", "[::1]:8080"), ("10.0.0.7:80", "10.0.0.7:80")]
        {
            assert_eq!(reachable(listen.parse().expect("an address")).to_string(), asked);
        }
    }
}
