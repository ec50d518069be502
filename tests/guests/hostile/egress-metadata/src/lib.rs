//! Has the cloud's metadata service in its manifest, written as one decimal number.

use hostile_kit::{Failure, Given, Hostile, Request, http};

#[derive(Default)]
struct Metadata;

impl Hostile for Metadata {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        http::send(Request::new("GET", "http://2852039166/latest/meta-data/"))?;
        Ok("It was sent.".to_owned())
    }
}

hostile_kit::hostile!(Metadata);
