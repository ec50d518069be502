//! Connectors in their sandbox: wasmtime, limits, sessions, and the one way out.
//!
//! [`Sandbox::load`] checks and compiles a component; [`Sandbox::deliver`] hands events to it. What a guest can reach is
//! in `adapter`; where it can send to, in [`egress`]. The crate knows no scheduling and no store.

mod adapter;
mod bindings;
mod call;
mod compression;
pub mod egress;
mod engine;
mod lanes;
pub mod limits;
mod load;
mod platform;
mod sandbox;
pub mod secret;
mod session;
mod sessions;
mod target;
mod tokens;

#[cfg(test)]
extern crate self as railhead_sandbox;
#[cfg(test)]
mod watched;

pub use adapter::inert;
pub use call::{Call, CallEvent, Settle, SettledEvent};
pub use load::{COMPILE_ARGUMENT, Compiler, Connector, Inspected, LoadError, compile_child_main, inspect};
pub use sandbox::{Sandbox, SandboxConfig, SandboxError};
pub use target::{CredentialValue, Target};
