//! Which headers a guest may set, and what may stand in them.

use super::failure::Failure;
use http::HeaderName;

/// Bytes of one header's value.
pub(super) const MAX_VALUE: usize = 16 * 1024;

/// Headers that are the host's. Every `proxy-…` is too. `accept-encoding`: answers come uncompressed, so that secrets in
/// them are found.
const HOSTS_OWN: [&str; 10] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Reads a header name that a guest may set.
pub(crate) fn name(text: &str) -> Result<HeaderName, Failure> {
    let name = HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| Failure::invalid("header-invalid", format!("`{}` is not a header name.", text.escape_debug())))?;
    if HOSTS_OWN.contains(&name.as_str()) || name.as_str().starts_with("proxy-") {
        let message =
            format!("The header `{name}` is set by the host and cannot be set here. Remove it from the configuration.");
        return Err(Failure::denied("header-not-allowed", message));
    }
    Ok(name)
}

/// Judges a value, or a piece of one: the value itself is not in the message, it may be a secret.
pub(crate) fn check_value(name: &HeaderName, value: &[u8]) -> Result<(), Failure> {
    check_length(name, value.len())?;
    if value.iter().any(|&byte| (byte < 0x20 && byte != b'\t') || byte == 0x7f) {
        let message = format!("The header `{name}` holds a line break or another control character.");
        return Err(Failure::invalid("header-invalid", message));
    }
    Ok(())
}

/// Judges how long a value is, before it is put together.
pub(super) fn check_length(name: &HeaderName, bytes: usize) -> Result<(), Failure> {
    if bytes <= MAX_VALUE {
        return Ok(());
    }
    Err(Failure::invalid("header-too-long", format!("The header `{name}` has more than {MAX_VALUE} bytes.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_own_headers_are_denied_in_any_case() {
        for text in [
            "Host",
            "content-length",
            "Connection",
            "KEEP-ALIVE",
            "Proxy-Authorization",
            "proxy-anything",
            "TE",
            "Transfer-Encoding",
            "upgrade",
            "Expect",
            "trailer",
            "accept-encoding",
        ] {
            assert_eq!(name(text).unwrap_err().code, "header-not-allowed", "{text}");
        }
        for text in ["", "a b", "a:b", "a\r\nb", ":path", "é"] {
            assert_eq!(name(text).unwrap_err().code, "header-invalid", "{text}");
        }
        assert_eq!(name("X-Thing").unwrap(), "x-thing");
    }

    #[test]
    fn values_hold_no_control_characters() {
        let header = name("x-a").unwrap();
        for value in ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "a\x7f", "a\x1b[0m"] {
            assert_eq!(check_value(&header, value.as_bytes()).unwrap_err().code, "header-invalid", "{value:?}");
        }
        assert_eq!(check_value(&header, "tab\tand é".as_bytes()), Ok(()));
        assert_eq!(check_value(&header, &[b'a'; MAX_VALUE + 1]).unwrap_err().code, "header-too-long");
    }
}
