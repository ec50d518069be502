//! Operations: destinations.

pub mod check;
pub mod create;
pub mod credential_delete;
pub mod credential_put;
pub mod credential_reveal;
pub mod delete;
pub mod get;
pub mod list;
pub mod patch;
pub mod put;
pub mod state;
pub mod test;
