//! What went wrong with a connection, in stable codes and words for the customer.

use super::super::errors;
use super::super::failure::{Failure, FailureKind};
use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::IpAddr;

/// An error of a connection that stood.
pub(super) fn of(error: &io::Error, host: &str) -> Failure {
    if let Some(tls) = tls_in(error) {
        return errors::of_tls(tls, host);
    }
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
            Failure::new(FailureKind::Closed, "connection-reset", format!("{host} reset the connection."))
        }
        ErrorKind::TimedOut => {
            Failure::new(FailureKind::Closed, "connection-lost", format!("{host} cannot be reached any more."))
        }
        ErrorKind::UnexpectedEof => {
            let message = format!("{host} closed the connection in the middle of it: TLS did not end in order.");
            Failure::new(FailureKind::Closed, "connection-cut", message)
        }
        _ => closed(host),
    }
}

/// An error of a TLS handshake.
pub(super) fn handshake(error: &io::Error, host: &str) -> Failure {
    match tls_in(error) {
        Some(tls) => errors::of_tls(tls, host),
        None if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
            errors::of_io(ErrorKind::UnexpectedEof, true, host)
        }
        None => errors::of_io(error.kind(), true, host),
    }
}

fn tls_in(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner: &(dyn Error + Send + Sync + 'static)| inner.downcast_ref())
}

pub(super) fn closed(host: &str) -> Failure {
    Failure::new(FailureKind::Closed, "connection-closed", format!("{host} closed the connection."))
}

pub(super) fn no_time() -> Failure {
    Failure::new(FailureKind::Timeout, "deadline", "No time was left in this call.")
}

pub(super) fn not_resolved(host: &str) -> Failure {
    Failure::new(FailureKind::Dns, "dns-failed", format!("The name `{host}` could not be resolved in time."))
}

pub(super) fn no_handshake(host: &str) -> Failure {
    Failure::new(FailureKind::Tls, "tls-timeout", format!("{host} did not end the TLS handshake in time."))
}

pub(super) fn not_written(host: &str) -> Failure {
    let message = format!("{host} did not take all that was written in time.");
    Failure::new(FailureKind::Timeout, "write-timeout", message)
}

pub(super) fn nothing_came(host: &str) -> Failure {
    Failure::new(FailureKind::Timeout, "read-timeout", format!("{host} sent nothing in time."))
}

pub(super) fn bytes_before_tls(host: &str) -> Failure {
    let message = format!(
        "{host}, or somebody on the way to it, sent bytes before TLS that were not asked for. They would be taken for what \
         came over TLS, so the connection was closed."
    );
    Failure::new(FailureKind::Protocol, "bytes-before-tls", message)
}

pub(super) fn not_allowed(host: &str, port: u16) -> Failure {
    let message = format!(
        "{host}:{port} is not among the places that this destination may connect to. Change host and port in its \
         configuration."
    );
    Failure::denied("origin-not-allowed", message)
}

pub(super) fn not_for_origin(field: &str) -> Failure {
    let message = format!("The connector's manifest does not allow the credential `{field}` to go there.");
    Failure::denied("secret-not-for-origin", message)
}

pub(super) fn secret_before_tls(field: &str, address: IpAddr) -> Failure {
    let message = format!(
        "The credential `{field}` is written over TLS only. Turn TLS on in the destination, or ask the operator of this \
         service to allow the network of {address}."
    );
    Failure::denied("secret-before-tls", message)
}

pub(super) fn proxied(host: &str) -> Failure {
    let message = format!(
        "The operator of this service sends everything through an HTTP proxy, and {host} speaks no HTTP. Ask them to run \
         this destination without one."
    );
    Failure::denied("proxy-speaks-http-only", message)
}

/// The code of what the policy says of plain HTTP.
const PLAINTEXT: &str = "plaintext-not-allowed";

pub(super) fn plaintext(host: &str) -> Failure {
    let message = format!(
        "`{host}` was to be reached without TLS. Turn TLS on in the destination, or ask the operator of this service to \
         allow that network."
    );
    Failure::denied(PLAINTEXT, message)
}

/// What the policy says of HTTP, in words that fit a server.
pub(super) fn refused(failure: Failure, host: &str) -> Failure {
    if failure.code == PLAINTEXT { plaintext(host) } else { failure }
}
