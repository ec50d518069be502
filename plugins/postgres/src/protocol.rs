//! The few messages of PostgreSQL's protocol 3.0 that a login and an insert need ("Frontend/Backend Protocol" in its
//! manual). Pure: bytes in, messages out.

pub mod backend;
pub mod frontend;
