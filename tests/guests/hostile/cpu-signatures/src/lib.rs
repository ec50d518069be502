//! Has the host sign 64 KiB fifty thousand times over in one signature.

use hostile_kit::{Encoding, Failure, Given, Hostile, Signed, credential, http, text};

#[derive(Default)]
struct Signatures;

impl Hostile for Signatures {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let (request, key) = (given.post("/"), credential("signing_key")?);
        request.body(&[text(&"x".repeat(64 << 10))])?;
        let message = vec![Signed::Body; 50_000];
        request.sign_header("x-signature", &[], "", "", &message, &[&key], "hmac-sha256", Encoding::Hex)?;
        http::send(request)?;
        Ok("It was signed.".to_owned())
    }
}

hostile_kit::hostile!(Signatures);
