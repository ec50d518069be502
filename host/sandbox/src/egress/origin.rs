//! Where a session may send to, by name: judged before any DNS query.

use super::failure::Failure;
use url::{Host, Url};

/// An origin that a destination's manifest and configuration allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedOrigin {
    /// The manifest's name of it; credential fields refer to it.
    pub name: String,
    /// `https`, or `http`; `tcp` of a server that streams connect to.
    pub scheme: String,
    /// As `url` normalizes it: lower case, IDNA in ASCII, IPv4 in dotted decimal, IPv6 in brackets.
    pub host: String,
    /// With the scheme's default filled in.
    pub port: u16,
    /// `send` to it is refused; a token exchange is allowed.
    pub token_endpoint: bool,
    /// Of a server: hosts of this domain and below it are allowed too, at its own port and at those of no system service.
    pub discover: Option<String>,
}

impl AllowedOrigin {
    /// The origin of a URL: of configuration, of a manifest's literal, or of a URL credential.
    ///
    /// # Errors
    /// `url-invalid` if it is not an `http` or `https` URL with a host.
    pub fn of(name: &str, url: &str, token_endpoint: bool) -> Result<Self, Failure> {
        let url = parse(url)?;
        let (scheme, host, port) = parts(&url)?;
        Ok(Self {
            name: name.to_owned(),
            scheme: scheme.to_owned(),
            host: host.to_owned(),
            port,
            token_endpoint,
            discover: None,
        })
    }

    /// The server that streams connect to. `discover`: hosts that it tells of are allowed too, where they lie under its
    /// parent domain.
    ///
    /// # Errors
    /// `host-invalid` if it is neither a name nor an address.
    pub fn server(name: &str, host: &str, port: u16, discover: bool) -> Result<Self, Failure> {
        let host = self::host(host)?;
        let discover = discover.then(|| parent(&host));
        let (name, scheme) = (name.to_owned(), "tcp".to_owned());
        Ok(Self { name, scheme, host: host.to_string(), port, token_endpoint: false, discover })
    }

    /// True if a stream may connect there.
    pub(super) fn reaches(&self, host: &str, port: u16) -> bool {
        let port_fits = port == self.port || port >= FIRST_OF_USERS;
        self.holds("tcp", host, port) || (port_fits && self.discovers(host))
    }

    /// True if this may be the name of a host, or of a service, that its server tells of.
    pub(super) fn discovers(&self, name: &str) -> bool {
        self.discover.as_deref().is_some_and(|domain| {
            let is_name = || matches!(self::host(domain), Ok(Host::Domain(_)));
            name.strip_suffix(domain).is_some_and(|below| below.is_empty() || (below.ends_with('.') && is_name()))
        })
    }

    /// True if the URL lies in it.
    pub(super) fn holds(&self, scheme: &str, host: &str, port: u16) -> bool {
        self.port == port && self.scheme == scheme && self.host == host
    }
}

/// Reads a host that a stream is to connect to, in one spelling: see [`AllowedOrigin::host`].
pub(super) fn host(text: &str) -> Result<Host, Failure> {
    let bare = text.parse().map(Host::Ipv6);
    let text = text.strip_suffix('.').unwrap_or(text);
    bare.or_else(|_| Host::parse(text)).map_err(|_| {
        let message = "The host must be a name or an address, without a scheme, a port or a path.";
        Failure::invalid("host-invalid", message)
    })
}

/// Ports below this one are those of system services (RFC 6335): the server's own may be one, and no other that it tells of.
const FIRST_OF_USERS: u16 = 1024;

/// The domain that the hosts of one service share: the name without its first label, unless strangers may have names there too
/// (a public suffix: `co.uk`, and what hosting companies told the Public Suffix List). Of an address itself.
fn parent(host: &Host) -> String {
    let Host::Domain(name) = host else { return host.to_string() };
    let shared = |parent: &str| psl::suffix_str(parent).is_none_or(|suffix| suffix == parent);
    match name.split_once('.') {
        Some((_, parent)) if !shared(parent) => parent.to_owned(),
        _ => name.clone(),
    }
}

/// Bytes of a URL.
const MAX_URL: usize = 16 * 1024;

/// Reads a URL that the host may connect to.
pub(super) fn parse(text: &str) -> Result<Url, Failure> {
    if text.len() > MAX_URL {
        return Err(Failure::invalid("url-invalid", format!("The URL has more than {MAX_URL} bytes.")));
    }
    Url::parse(text).map_err(|error| Failure::invalid("url-invalid", format!("The URL cannot be read: {error}.")))
}

/// Scheme, host and port of a URL; user info is refused, for it would hide a secret in plain sight.
pub(super) fn parts(url: &Url) -> Result<(&str, &str, u16), Failure> {
    let wrong = |message: &str| Failure::invalid("url-invalid", message);
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("The URL must begin with https:// (or http:// where the operator allows that network)."));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("The URL must not hold a user name or password; use a credential field."));
    }
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("The URL has no host."))?;
    let port =
        url.port_or_known_default().filter(|port| *port != 0).ok_or_else(|| wrong("The URL's port cannot be 0."))?;
    Ok((url.scheme(), host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discovered(host: &str) -> String {
        AllowedOrigin::server("server", host, 9092, true).unwrap().discover.unwrap()
    }

    #[test]
    fn hosts_that_a_server_tells_of_share_no_domain_with_strangers() {
        for (host, domain) in [
            ("b0.pkc-1.us-east-1.aws.confluent.cloud", "pkc-1.us-east-1.aws.confluent.cloud"),
            ("cluster0.abc12.mongodb.net", "abc12.mongodb.net"),
            ("db.example.co.uk", "example.co.uk"),
            ("kafka.svc.cluster.local", "svc.cluster.local"),
            ("example.co.uk", "example.co.uk"),
            ("co.uk", "co.uk"),
            ("example.com", "example.com"),
            ("localhost", "localhost"),
            // Names of strangers are next to these.
            ("acme.github.io", "acme.github.io"),
            ("acme.herokuapp.com", "acme.herokuapp.com"),
            ("broker-1.us-east-1.elb.amazonaws.com", "broker-1.us-east-1.elb.amazonaws.com"),
        ] {
            assert_eq!(discovered(host), domain, "{host}");
        }
    }

    #[test]
    fn ports_of_system_services_are_discovered_nowhere() {
        let server = AllowedOrigin::server("server", "seed.kafka.test", 443, true).unwrap();
        for (host, port, reaches) in [
            ("seed.kafka.test", 443, true),
            ("b1.kafka.test", 443, true),
            ("b1.kafka.test", 9092, true),
            ("b1.kafka.test", 1024, true),
            ("seed.kafka.test", 22, false),
            ("b1.kafka.test", 25, false),
            ("b1.other.test", 9092, false),
        ] {
            assert_eq!(server.reaches(host, port), reaches, "{host}:{port}");
        }
        let address = AllowedOrigin::server("server", "192.0.2.7", 9092, true).unwrap();
        assert!(address.reaches("192.0.2.7", 9093) && !address.reaches("192.0.2.8", 9092));
        assert!(!address.reaches("192.0.2.7", 80) && !address.reaches("b1.192.0.2.7", 9092));
    }
}
