//! What goes out and what comes back, against peers on loopback.

#[path = "egress/addresses.rs"]
mod addresses;
#[path = "egress/answers.rs"]
mod answers;
#[path = "egress/aws.rs"]
mod aws;
#[path = "egress/denials.rs"]
mod denials;
#[path = "egress/header_maps.rs"]
mod header_maps;
#[path = "egress/identity.rs"]
mod identity;
#[path = "egress/requests.rs"]
mod requests;
#[path = "egress/secrets.rs"]
mod secrets;
#[path = "egress/signatures.rs"]
mod signatures;
#[path = "egress/support.rs"]
mod support;
#[path = "egress/tls.rs"]
mod tls;
