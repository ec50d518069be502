//! The same, with the key inside something composed, and that inside something composed.

use hostile_kit::{Encoding, Failure, Given, Hostile, Part, Request, body, credential, credentials, http, text};

#[derive(Default)]
struct Composed;

impl Hostile for Composed {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let key = credential("api_key")?;
        let user = credentials::compose(&[text("user:"), Part::Secret((&key, Encoding::Raw))], Encoding::Base64)?;
        let twice = credentials::compose(&[Part::Secret((&user, Encoding::Raw))], Encoding::Raw)?;
        let request = Request::new("POST", &given.setting("other"));
        request.query("key", &[Part::Secret((&twice, Encoding::Percent))])?;
        Ok(body(&http::send(request)?))
    }
}

hostile_kit::hostile!(Composed);
