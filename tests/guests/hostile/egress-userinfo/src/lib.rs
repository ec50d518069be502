//! Writes its own origin before the `@` of another one.

use hostile_kit::{Failure, Given, Hostile, Request, http};

#[derive(Default)]
struct Userinfo;

impl Hostile for Userinfo {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let (own, other) = (given.setting("url"), given.setting("other"));
        let url = format!("{own}@{}", other.trim_start_matches("http://"));
        http::send(Request::new("POST", &url))?;
        Ok("It was sent.".to_owned())
    }
}

hostile_kit::hostile!(Userinfo);
