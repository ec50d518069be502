//! Pages over a stand-in of the API that answers samples.

mod callers;
mod handlers;
mod hostile;
pub mod samples;
mod stand_in;
