//! What egress would say of a destination's URL, asked when the destination is written: before any event fails.

use railhead_api::state::UrlCheck;
use railhead_sandbox::egress::EgressPolicy;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Judges scheme and literal addresses. Names are judged at each connection, after they are resolved.
#[must_use]
pub fn url_check(policy: EgressPolicy) -> UrlCheck {
    Arc::new(move |text: &str| check(&policy, text))
}

fn check(policy: &EgressPolicy, text: &str) -> Result<(), String> {
    let url = url::Url::parse(text).map_err(|error| format!("not a URL: {error}; expected https://host/path"))?;
    let plain = match url.scheme() {
        "https" => false,
        "http" => true,
        // How it is protected is the connector's to say.
        "tcp" => false,
        other => return Err(format!("`{other}:` is not allowed; expected https://host/path")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL must not carry a user name or a password; use the connector's credentials".to_owned());
    }
    let port = url.port_or_known_default().unwrap_or(443);
    let literal = |ip: IpAddr| {
        let named = url.host_str().unwrap_or_default();
        policy.admit(SocketAddr::new(ip, port), plain, named).map_err(|failure| failure.message)
    };
    // Of a scheme that it does not know, the parser does not read addresses.
    let host = if url.scheme() == "tcp" {
        let host = url.host_str().ok_or("the server has no host; expected a name or an address")?;
        Some(url::Host::parse(host).map_err(|error| format!("not a host: {error}"))?)
    } else {
        url.host().map(|host| host.to_owned())
    };
    match host {
        Some(url::Host::Ipv4(ip)) => literal(ip.into()),
        Some(url::Host::Ipv6(ip)) => literal(ip.into()),
        Some(url::Host::Domain(_)) if plain && !policy.plaintext && policy.allow.is_empty() => {
            Err("plain http:// is not allowed here; use https://".to_owned())
        }
        Some(url::Host::Domain(_)) => Ok(()),
        None => Err("the URL has no host; expected https://host/path".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_and_plain_http_are_refused_in_every_spelling() {
        let policy = EgressPolicy::default();
        for url in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://10.0.0.1/",
            "https://169.254.169.254/",
            "http://example.com/",
            "http://93.184.216.34/",
            "ftp://example.com/",
            "https://user:pw@example.com/",
            "example.com",
            "",
        ] {
            assert!(check(&policy, url).is_err(), "{url}");
        }
        assert_eq!(check(&policy, "https://example.com/hook"), Ok(()));
        let allowed = EgressPolicy { allow: vec!["127.0.0.0/8".parse().expect("a net")], ..Default::default() };
        assert_eq!(check(&allowed, "http://127.0.0.1:9/"), Ok(()));
        for server in ["tcp://127.0.0.1:5432", "tcp://127.1:5432", "tcp://[::1]:5432", "tcp://0x7f.1:5432", "tcp://:1"]
        {
            assert!(check(&policy, server).is_err(), "{server}");
        }
        assert_eq!(check(&policy, "tcp://db.example.com:5432"), Ok(()));
        assert_eq!(check(&allowed, "tcp://127.0.0.1:5432"), Ok(()));
        assert!(check(&allowed, "http://10.0.0.1/").is_err());
    }
}
