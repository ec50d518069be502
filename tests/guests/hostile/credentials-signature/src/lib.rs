//! Has a text of its own choice signed, and reads the signature where its destination sends it back.

use hostile_kit::{Encoding, Failure, Given, Hostile, Request, Signed, body, credential, http};

#[derive(Default)]
struct Signature;

impl Hostile for Signature {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let mut seen = Vec::new();
        for encoding in [Encoding::Hex, Encoding::Base64, Encoding::Base64url] {
            let request = given.post("/echo");
            signed(&request, "x-signature", encoding)?;
            let answer = http::send(request)?;
            let echo = answer.headers().into_iter().find(|(name, _)| name == "x-signature");
            seen.push(echo.map_or_else(|| body(&answer), |(_, value)| value));
        }
        Ok(seen.join(" "))
    }
}

fn signed(request: &Request, name: &str, encoding: Encoding) -> Result<(), Failure> {
    let message = [Signed::Text("account-of-somebody-else".to_owned())];
    request.sign_header(name, &[], "v1=", "", &message, &[&credential("signing_key")?], "hmac-sha256", encoding)
}

hostile_kit::hostile!(Signature);
