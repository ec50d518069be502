//! Follows by hand where its destination points.

use hostile_kit::{Failure, Given, Hostile, Request, http};

#[derive(Default)]
struct Redirect;

impl Hostile for Redirect {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let answer = http::send(given.post("/away"))?;
        let headers = answer.headers();
        let location = headers.iter().find(|(name, _)| name == "location").map_or("", |(_, value)| value);
        http::send(Request::new("POST", location))?;
        Ok("It was sent.".to_owned())
    }
}

hostile_kit::hostile!(Redirect);
