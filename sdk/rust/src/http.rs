//! Requests and answers: the contract's, and what an answer means.

mod answer;
mod request;

pub use crate::bindings::railhead::plugin::http::*;
pub use answer::{Answer, Class, USUAL, usual};
