//! Whether a request that changes something comes from our own pages.

use http::HeaderMap;
use http::header::{HOST, ORIGIN};

/// True if the browser says that the form is ours. `Sec-Fetch-Site` decides where it is sent; else `Origin` must be there
/// and name this host. A request with neither is refused: no browser of today sends one.
#[must_use]
pub fn is_own(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    let (Some(origin), Some(host)) = (text(ORIGIN.as_str()), text(HOST.as_str())) else { return false };
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn own(pairs: &[(&'static str, &'static str)]) -> bool {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        is_own(&pairs.iter().map(pair).collect())
    }

    #[test]
    fn only_our_own_pages_may_post() {
        assert!(own(&[("sec-fetch-site", "same-origin"), ("origin", "null"), ("host", "a:1")]));
        assert!(own(&[("origin", "http://a:1"), ("host", "a:1")]));
        assert!(own(&[("origin", "https://A"), ("host", "a")]));
        for foreign in [
            &[("sec-fetch-site", "cross-site"), ("origin", "http://a:1"), ("host", "a:1")][..],
            &[("sec-fetch-site", "same-site"), ("host", "a:1")],
            &[("sec-fetch-site", "none"), ("host", "a:1")],
            &[("origin", "http://evil.example"), ("host", "a:1")],
            &[("origin", "http://a:2"), ("host", "a:1")],
            &[("origin", "null"), ("host", "a:1")],
            &[("host", "a:1")],
            &[],
        ] {
            assert!(!own(foreign), "{foreign:?}");
        }
    }
}
