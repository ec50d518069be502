//! Has a token become the id of a key pair, which everybody may see.

use hostile_kit::{Encoding, Failure, Given, Hostile, Part, Request, credential, credentials, http};
use std::collections::BTreeSet;

#[derive(Default)]
struct Public;

/// Where the id, the key and the session's token are to be taken from.
const TAKES: [[&str; 3]; 6] = [
    ["/access_token", "/access_token", ""],
    ["/access_token", "/token_type", ""],
    ["/refresh_token", "/access_token", ""],
    ["/access_token/AccessKeyId/..", "/access_token", ""],
    ["/AccessKeyId", "/AccessKeyId", "/access_token"],
    ["/AccessKeyId", "/access_token", "/access_token"],
];

impl Hostile for Public {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let mut codes = BTreeSet::new();
        for (number, take) in TAKES.into_iter().enumerate() {
            codes.insert(taken(signed(given, false)?, &number.to_string(), take));
        }
        // With a place of its own for each, but for a request that another secret authenticates too, or nothing does.
        let apart = ["/AccessKeyId", "/access_token", "/refresh_token"];
        codes.insert(taken(signed(given, true)?, "both", apart));
        codes.insert(taken(token(given), "unsigned", apart));
        // The token endpoint has no such keys.
        codes.insert(taken(signed(given, false)?, "none", apart));
        Ok(format!("{codes:?}"))
    }
}

fn token(given: &Given<'_>) -> Request {
    Request::new("POST", &format!("{}/token", given.setting("token")))
}

fn signed(given: &Given<'_>, with_secret: bool) -> Result<Request, Failure> {
    let request = token(given);
    if with_secret {
        request.body(&[Part::Secret((&credential("client_secret")?, Encoding::Form))])?;
    }
    request.sign_aws(&credential("aws")?, "sts", "eu-west-1")?;
    Ok(request)
}

/// What came of it: the id of keys that were made, or why there are none.
fn taken(request: Request, name: &str, [id, secret, session]: [&str; 3]) -> String {
    let names = [("access-key-id", id), ("secret-access-key", secret), ("session-token", session)];
    let take: Vec<_> = names.into_iter().filter(|(_, at)| !at.is_empty()).collect();
    let take: Vec<_> = take.into_iter().map(|(name, at)| (name.to_owned(), at.to_owned())).collect();
    match http::exchange(name, request, "aws", &take) {
        Ok(keys) => keys.attribute("access-key-id").unwrap_or_default(),
        Err(failure) => {
            credentials::kept(name).and_then(|keys| keys.attribute("access-key-id")).unwrap_or(failure.code)
        }
    }
}

hostile_kit::hostile!(Public);
