//! What a failure of the host is called in `wasi:http`.

use crate::bindings::railhead::plugin::types::{Failure, Kind};
use crate::bindings::wasi::wasi::http::types::{DnsErrorPayload, ErrorCode};

/// The code that says what a guest has to know: whether anything may have arrived. Where there is none for it, the host's own
/// code and message stand in `internal-error`.
pub(super) fn code(failure: Failure) -> ErrorCode {
    match (failure.kind, failure.code.as_str()) {
        (Kind::Denied, "address-not-allowed") => ErrorCode::DestinationIpProhibited,
        (Kind::Denied, _) => ErrorCode::HttpRequestDenied,
        (Kind::Dns, _) => ErrorCode::DnsError(DnsErrorPayload { rcode: None, info_code: None }),
        (Kind::Connect, "connect-timeout") | (Kind::Timeout, "deadline") => ErrorCode::ConnectionTimeout,
        (Kind::Connect, _) => ErrorCode::ConnectionRefused,
        (Kind::Tls, "tls-certificate") => ErrorCode::TlsCertificateError,
        (Kind::Tls, _) => ErrorCode::TlsProtocolError,
        (Kind::Timeout, _) => ErrorCode::HttpResponseTimeout,
        (Kind::Closed, _) => ErrorCode::ConnectionTerminated,
        (Kind::Protocol, _) => ErrorCode::HttpProtocolError,
        (Kind::Invalid, "url-invalid") => ErrorCode::HttpRequestUriInvalid,
        (Kind::Invalid, "method-invalid") => ErrorCode::HttpRequestMethodInvalid,
        (Kind::TooLarge, "body-too-large") => ErrorCode::HttpRequestBodySize(None),
        (Kind::TooLarge, "answer-head-too-large") => ErrorCode::HttpResponseHeaderSectionSize(None),
        _ => ErrorCode::InternalError(Some(format!("{}: {}", failure.code, failure.message))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::failure;

    #[test]
    fn a_guest_can_tell_whether_anything_may_have_arrived() {
        let told = |kind, name: &str| format!("{:?}", code(failure(kind, name, "Why.")));
        for (kind, name, expected) in [
            (Kind::Denied, "origin-not-allowed", "ErrorCode::HttpRequestDenied"),
            (Kind::Denied, "address-not-allowed", "ErrorCode::DestinationIpProhibited"),
            (Kind::Connect, "connect-refused", "ErrorCode::ConnectionRefused"),
            (Kind::Timeout, "deadline", "ErrorCode::ConnectionTimeout"),
            (Kind::Timeout, "timeout", "ErrorCode::HttpResponseTimeout"),
            (Kind::Tls, "tls-certificate", "ErrorCode::TlsCertificateError"),
            (Kind::Tls, "tls-protocol", "ErrorCode::TlsProtocolError"),
            (Kind::Closed, "connection-reset", "ErrorCode::ConnectionTerminated"),
            (Kind::Protocol, "http-invalid", "ErrorCode::HttpProtocolError"),
        ] {
            assert_eq!(told(kind, name), expected, "{name}");
        }
        assert!(told(Kind::Credential, "identity-expired").contains("identity-expired: Why."));
        assert!(told(Kind::Preview, "preview").contains("preview: Why."));
    }
}
