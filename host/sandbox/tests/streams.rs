//! Streams, against servers on loopback.

#[path = "streams/bounds.rs"]
mod bounds;
#[path = "streams/calls.rs"]
mod calls;
#[path = "streams/denials.rs"]
mod denials;
#[path = "streams/masks.rs"]
mod masks;
#[path = "streams/srv.rs"]
mod srv;
#[path = "streams/support.rs"]
mod support;
#[path = "streams/tls.rs"]
mod tls;
