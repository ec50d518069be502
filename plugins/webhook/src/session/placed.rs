//! Headers that end in a secret.

use crate::config::Config;
use railhead_sdk::prelude::*;
use std::collections::BTreeSet;
use std::rc::Rc;

pub struct Placed {
    header: String,
    before: &'static str,
    /// The sealed map has one handle for all of its headers; the host takes the value of the header that it stands in.
    secret: Rc<Credential>,
}

impl Placed {
    pub fn fill(&self, request: &Request) -> Result<(), Failure> {
        request.header(&self.header, &[parts::bytes(self.before), parts::secret(&self.secret, Encoding::Raw)])
    }
}

/// What authenticates us. `tokens`: an access token will stand in `authorization`.
pub fn of_credentials(config: &Config, tokens: bool) -> Result<Vec<Placed>, Failure> {
    let mut placed = Vec::new();
    let mut place = |header: &str, before, secret| {
        placed.push(Placed { header: header.to_ascii_lowercase(), before, secret });
    };
    if let Some(secret) = credentials::first("bearer_token")? {
        place("authorization", "Bearer ", Rc::new(secret));
    }
    if let Some(secret) = basic(config)? {
        place("authorization", "Basic ", Rc::new(secret));
    }
    if let Some(secret) = credentials::first("api_key")? {
        place(&config.api_key_header, "", Rc::new(secret));
    }
    if let Some(secret) = credentials::first("headers")? {
        let secret = Rc::new(secret);
        for name in secret.attribute("names").unwrap_or_default().lines() {
            config.check_sealed(name)?;
            place(name, "", Rc::clone(&secret));
        }
    }
    check(config, &placed, tokens)?;
    Ok(placed)
}

fn basic(config: &Config) -> Result<Option<Credential>, Failure> {
    match (credentials::first("basic_password")?, &config.basic_user) {
        (Some(password), Some(user)) => {
            let parts = [parts::bytes(format!("{user}:")), parts::secret(&password, Encoding::Raw)];
            credentials::compose(&parts, Encoding::Base64).map(Some)
        }
        (Some(_), None) => Err(Failure::invalid("no-basic-user", "basic_password needs the field basic_user.")),
        (None, Some(_)) => {
            Err(Failure::invalid("no-basic-password", "basic_user needs the credential basic_password."))
        }
        (None, None) => Ok(None),
    }
}

/// A receiver takes one value of each of these headers.
fn check(config: &Config, placed: &[Placed], tokens: bool) -> Result<(), Failure> {
    let mut taken: BTreeSet<&str> = if tokens { BTreeSet::from(["authorization"]) } else { BTreeSet::new() };
    for Placed { header, .. } in placed {
        if !taken.insert(header) {
            let message = "bearer_token, basic_password, oauth2_client_secret and a header authorization exclude each \
                           other: set one.";
            return Err(match header.as_str() {
                "authorization" => Failure::invalid("two-authorizations", message),
                _ => Failure::invalid("two-headers", format!("The header {header:?} stands in two credentials.")),
            });
        }
    }
    let mut doubled = taken.iter().filter(|header| config.is_signature(header) || config.header(header).is_some());
    match doubled.next() {
        Some(header) => Err(Failure::invalid(
            "two-headers",
            format!("The header {header:?} is one of a credential; leave it out elsewhere."),
        )),
        None => Ok(()),
    }
}
