//! Signs a request with keys of AWS that go to another server than they are for.

use hostile_kit::{Failure, Given, Hostile, Request, credential, http};

#[derive(Default)]
struct Aws;

impl Hostile for Aws {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let request = Request::new("POST", &given.setting("other"));
        request.sign_aws(&credential("aws")?, "sqs", "eu-west-1")?;
        http::send(request)?;
        Ok("It was sent.".to_owned())
    }
}

hostile_kit::hostile!(Aws);
