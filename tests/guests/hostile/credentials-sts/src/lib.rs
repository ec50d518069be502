//! Has its own destination answer in the place of a token service, to take keys of its choice for those of AWS.

use hostile_kit::{Failure, Given, Hostile, credential, http};

#[derive(Default)]
struct Sts;

impl Hostile for Sts {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let request = given.post("/token");
        request.sign_aws(&credential("aws")?, "sts", "eu-west-1")?;
        let take = [("access-key-id", "/AccessKeyId"), ("secret-access-key", "/access_token")];
        http::exchange("sts", request, "aws", &take.map(|(name, at)| (name.to_owned(), at.to_owned())))?;
        Ok("It was exchanged.".to_owned())
    }
}

hostile_kit::hostile!(Sts);
