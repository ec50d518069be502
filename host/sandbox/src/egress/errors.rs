//! What the HTTP client's errors mean, in stable codes and words for the customer.

use super::failure::{Failure, FailureKind};
use std::error::Error;
use std::io;

/// Says what went wrong with a request to `host`. The client's own words hold the URL, which may be a secret: none of
/// them is passed on.
pub(super) fn of(error: reqwest::Error, host: &str) -> Failure {
    let connecting = error.is_connect();
    let timed_out = error.is_timeout();
    let error = error.without_url();
    let causes = || std::iter::successors(Some(&error as &(dyn Error + 'static)), |cause| behind(*cause));
    if let Some(own) = causes().find_map(|cause| cause.downcast_ref::<Failure>()) {
        return own.clone();
    }
    if let Some(tls) = causes().find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        return of_tls(tls, host);
    }
    let kinds = causes().filter_map(|cause| Some(cause.downcast_ref::<io::Error>()?.kind()));
    if let Some(kind) = kinds.filter(|kind| *kind != io::ErrorKind::Other).last() {
        return of_io(kind, connecting, host);
    }
    if connecting && timed_out {
        return connect_timeout(host);
    }
    if let Some(http) = causes().find_map(|cause| cause.downcast_ref::<hyper::Error>()) {
        return of_http(http, host);
    }
    if connecting {
        return Failure::new(FailureKind::Connect, "connect-failed", format!("No connection to {host} could be made."));
    }
    if error.is_body() || error.is_decode() {
        return closed(host);
    }
    Failure::new(FailureKind::Other, "request-failed", format!("The request to {host} failed."))
}

/// What an error was made from. An I/O error's own source leaves out what it wraps.
fn behind<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// An I/O error: while it connected, or after that.
pub(super) fn of_io(kind: io::ErrorKind, connecting: bool, host: &str) -> Failure {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable, TimedOut, UnexpectedEof};
    let connect = |code, message: String| Failure::new(FailureKind::Connect, code, message);
    match (connecting, kind) {
        (true, ConnectionRefused) => {
            connect("connect-refused", format!("{host} refused the connection: nothing listens there."))
        }
        (true, TimedOut) => connect_timeout(host),
        (true, HostUnreachable | NetworkUnreachable) => {
            connect("connect-unreachable", format!("There is no route to {host}."))
        }
        (true, UnexpectedEof) => Failure::new(
            FailureKind::Tls,
            "tls-closed",
            format!("{host} closed the connection during the TLS handshake."),
        ),
        (true, _) => connect("connect-failed", format!("No connection to {host} could be made.")),
        (false, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => Failure::new(
            FailureKind::Closed,
            "connection-reset",
            format!("{host} reset the connection before it answered."),
        ),
        (false, TimedOut) => Failure::new(FailureKind::Timeout, "timeout", format!("{host} did not answer in time.")),
        // How the HTTP client says that chunks or trailers are none.
        (false, io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => not_http(host),
        (false, _) => closed(host),
    }
}

/// Why there is no verified TLS.
pub(super) fn of_tls(error: &rustls::Error, host: &str) -> Failure {
    use rustls::CertificateError as Certificate;
    let (code, what) = match error {
        rustls::Error::InvalidCertificate(why) => {
            let what = match why {
                Certificate::Expired | Certificate::ExpiredContext { .. } => "has expired",
                Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => "is not valid yet",
                Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => "is for another name",
                Certificate::UnknownIssuer => {
                    "is not signed by an authority that this host trusts (or the chain is incomplete)"
                }
                Certificate::Revoked => "was revoked",
                _ => "is not valid",
            };
            ("tls-certificate", format!("The certificate of {host} {what}."))
        }
        rustls::Error::InvalidMessage(_) => ("tls-protocol", format!("{host} does not speak TLS on that port.")),
        rustls::Error::AlertReceived(alert) if is_of_our_certificate(*alert) => {
            let message = format!("{host} asks for a client certificate, and refuses the one that it got or got none.");
            return Failure::new(FailureKind::Credential, "tls-client-certificate", message);
        }
        rustls::Error::AlertReceived(_) => ("tls-refused", format!("{host} refused the TLS handshake.")),
        _ => (
            "tls-protocol",
            format!("No TLS connection to {host} could be made: it offers no version or cipher that is safe."),
        ),
    };
    Failure::new(FailureKind::Tls, code, what)
}

/// Alerts (RFC 8446, section 6.2) that a server sends about the client's certificate.
fn is_of_our_certificate(alert: rustls::AlertDescription) -> bool {
    use rustls::AlertDescription as Alert;
    matches!(
        alert,
        Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
    )
}

fn of_http(error: &hyper::Error, host: &str) -> Failure {
    if error.is_parse_too_large() {
        return head_too_large(host);
    }
    if error.is_parse() {
        return not_http(host);
    }
    if error.is_timeout() {
        return Failure::new(FailureKind::Timeout, "timeout", format!("{host} did not answer in time."));
    }
    closed(host)
}

fn not_http(host: &str) -> Failure {
    Failure::new(FailureKind::Protocol, "http-invalid", format!("What {host} answered is not HTTP."))
}

/// The peer closed the connection before its answer was whole.
fn closed(host: &str) -> Failure {
    Failure::new(
        FailureKind::Closed,
        "connection-closed",
        format!("{host} closed the connection before its answer was whole."),
    )
}

/// Nobody accepted.
pub(super) fn connect_timeout(host: &str) -> Failure {
    Failure::new(FailureKind::Connect, "connect-timeout", format!("{host} did not accept a connection in time."))
}

/// An answer's head past the host's bounds.
pub(super) fn head_too_large(host: &str) -> Failure {
    let message = format!(
        "The answer of {host} has more than {} headers, or {} KiB of them.",
        super::answer::MAX_ANSWER_HEADERS,
        super::answer::MAX_HEAD / 1024
    );
    Failure::new(FailureKind::TooLarge, "answer-head-too-large", message)
}
