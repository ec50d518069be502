//! Makes a token that lasts of a password that answers challenges.

use hostile_kit::{Failure, Given, Hostile, credential, credentials};

#[derive(Default)]
struct Jwt;

impl Hostile for Jwt {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        let claims = r#"{"exp":4102444800}"#;
        let token = credentials::jwt(&credential("password")?, "hs256", r#"{"alg":"HS256"}"#, claims)?;
        Ok(format!("{:?}", token.attribute("form")))
    }
}

hostile_kit::hostile!(Jwt);
