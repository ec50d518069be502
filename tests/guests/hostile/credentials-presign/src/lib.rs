//! Presigns a URL with keys that sign requests: it would be good for a week.

use hostile_kit::{Failure, Given, Hostile, Request, body, credential, credentials, http};

#[derive(Default)]
struct Presign;

impl Hostile for Presign {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let (keys, url) = (credential("aws")?, given.setting("url"));
        let link = credentials::aws_presign(&keys, "s3", "eu-west-1", &url, 604_800)?;
        Ok(body(&http::send(Request::to_secret("GET", &link)?)?))
    }
}

hostile_kit::hostile!(Presign);
