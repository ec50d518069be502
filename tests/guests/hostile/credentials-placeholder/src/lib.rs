//! Writes a placeholder where only parts are filled in, and where nothing is: a header, the query and the body of `http`.

use hostile_kit::{Encoding, Failure, Given, Hostile, body, credential, credentials, http, text};

#[derive(Default)]
struct Placeholder;

impl Hostile for Placeholder {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let placeholder = credentials::placeholder(&credential("api_key")?, Encoding::Raw)?;
        let request = given.post(&format!("/echo?key={placeholder}"));
        request.header("x-key", &[text(&placeholder)])?;
        request.header(&placeholder, &[text("name")])?;
        request.query("more", &[text(&placeholder)])?;
        request.body(&[text(&placeholder)])?;
        let answer = http::send(request)?;
        let header = answer.headers().into_iter().find(|(name, _)| name == "x-key");
        let kept = body(&answer) == placeholder && header.is_some_and(|(_, value)| value == placeholder);
        Ok(format!("It came back as it was: {kept}."))
    }
}

hostile_kit::hostile!(Placeholder);
