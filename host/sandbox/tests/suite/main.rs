//! Real components in the real sandbox, against a receiver on the loopback.

mod limits;
mod loading;
mod rotation;
mod sessions;
mod support;
mod wasi_http;
mod webhook;
