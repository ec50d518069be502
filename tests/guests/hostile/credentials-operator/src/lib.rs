//! Tries every verb on the operator's own keys, which no tenant may see: they sign requests to a token service, and that is all.

use hostile_kit::{Encoding, Failure, Given, Hostile, Part, Request, Scram, credential, credentials, http};
use std::collections::BTreeSet;

#[derive(Default)]
struct Operator;

impl Hostile for Operator {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let keys = &credential("service")?;
        let part = || Part::Secret((keys, Encoding::Raw));
        let url = given.setting("url");
        let tries = [
            keys.length(Encoding::Raw).err(),
            credentials::compose(&[part()], Encoding::Raw).err(),
            credentials::placeholder(keys, Encoding::Raw).err(),
            given.post("/echo").header("x-keys", &[part()]).err(),
            given.post("/echo").query("keys", &[part()]).err(),
            given.post("/echo").body(&[part()]).err(),
            Request::to_secret("POST", keys).err(),
            credentials::jwt(keys, "rs256", "{}", "{}").err(),
            credentials::aws_presign(keys, "s3", "eu-west-1", &url, 60).err(),
            credentials::azure_sas(keys, &url, "name", 60).err(),
            credentials::sign_challenge(keys, "ed25519", b"a-nonce-of-a-server").err(),
            credentials::answer(keys, "mysql-native", "user", &[0; 20]).err(),
            Scram::new(keys, "sha-256", "user", None).final_(b"").err(),
            signed(given.post("/echo"), keys).err(),
        ];
        let told = ["secret-access-key", "session-token", "value"].into_iter().filter_map(|name| keys.attribute(name));
        let codes: BTreeSet<String> = tries.iter().flatten().map(|failure| failure.code.clone()).collect();
        let refused = tries.iter().flatten().count();
        Ok(format!("Refused: {refused} of {}; {codes:?}; told: {}.", tries.len(), told.count()))
    }
}

/// At its own destination, which sends everything back.
fn signed(request: Request, keys: &hostile_kit::Credential) -> Result<(), Failure> {
    request.sign_aws(keys, "sts", "eu-west-1")?;
    http::send(request).map(drop)
}

hostile_kit::hostile!(Operator);
