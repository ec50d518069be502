//! Goes on with a request after it was sent.

use hostile_kit::{Failure, Given, Hostile, Request, http};

#[derive(Default)]
struct Sent;

impl Hostile for Sent {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let request = given.post("/");
        let number = request.handle();
        http::send(request)?;
        // SAFETY: none. The handle is no longer this guest's.
        let sent = unsafe { Request::from_handle(number) };
        http::send(sent)?;
        Ok("It was sent twice.".to_owned())
    }
}

hostile_kit::hostile!(Sent);
