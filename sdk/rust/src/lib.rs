//! What connectors for Railhead are written with.
//!
//! A connector is a struct that holds one session, the struct of its configuration, and a `manifest.json`:
//!
//! - [`Connector`] is what the host calls;
//! - [`derive@Schema`] makes the configuration's JSON Schema from the struct and its documentation;
//! - [`connector!`] exports the component and puts the manifest into it.
//!
//! [`types`], [`credentials`], [`http`], [`streams`] and [`host`] are the contract itself, as `wit/0.1.0/plugin.wit` has it.
//! No secret is ever in the memory of a connector: it says where one goes, and the host puts it there.

extern crate self as railhead_sdk;

pub mod batch;
#[doc(hidden)]
#[allow(missing_docs, unsafe_code, clippy::all)]
pub mod bindings;
pub mod config;
mod connector;
pub mod credentials;
mod event;
pub mod http;
pub mod outcome;
pub mod parts;
pub mod row;
pub mod schema;
pub mod stream;

pub use bindings::railhead::plugin::{host, streams, types};
pub use connector::Connector;
pub use railhead_sdk_macros::Schema;
pub use schema::Schema;

/// What most connectors use.
pub mod prelude {
    pub use crate::connector;
    pub use crate::credentials::{self, Credential, Encoding, Part};
    pub use crate::host::{self, Call};
    pub use crate::http::{self, Request, Response, Signed};
    pub use crate::streams::{self, Connection, Security};
    pub use crate::types::{Event, Failure, Kind, Outcome, Reason};
    pub use crate::{Connector, Schema, batch, outcome, parts, row, stream};
}

/// What [`connector!`] expands to. Not for use by hand.
#[doc(hidden)]
pub mod expanded {
    pub use crate::bindings;
    pub use crate::bindings::export;
    pub use crate::connector::Component;
    pub use crate::schema::{Piece, SCHEMA_2020_12, about, join, length, text};
    pub use railhead_sdk_macros::{manifest_members, tracked};
}
