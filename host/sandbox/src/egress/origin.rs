//! Where a session may send to, by name: judged before any DNS query.

use super::failure::Failure;
use url::Url;

/// An origin that a destination's manifest and configuration allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedOrigin {
    /// The manifest's name of it; credential fields refer to it.
    pub name: String,
    /// `https`, or `http`.
    pub scheme: String,
    /// As `url` normalizes it: lower case, IDNA in ASCII, IPv4 in dotted decimal, IPv6 in brackets.
    pub host: String,
    /// With the scheme's default filled in.
    pub port: u16,
    /// `send` to it is refused; a token exchange is allowed.
    pub token_endpoint: bool,
}

impl AllowedOrigin {
    /// The origin of a URL: of configuration, of a manifest's literal, or of a URL credential.
    ///
    /// # Errors
    /// `url-invalid` if it is not an `http` or `https` URL with a host.
    pub fn of(name: &str, url: &str, token_endpoint: bool) -> Result<Self, Failure> {
        let url = parse(url)?;
        let (scheme, host, port) = parts(&url)?;
        Ok(Self { name: name.to_owned(), scheme: scheme.to_owned(), host: host.to_owned(), port, token_endpoint })
    }

    /// True if the URL lies in it.
    pub(super) fn holds(&self, scheme: &str, host: &str, port: u16) -> bool {
        self.port == port && self.scheme == scheme && self.host == host
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
