//! Access tokens of OAuth 2.0. The host keeps them, shared by the sessions of a destination; here are handles only.

use crate::config::{ClientAuth, Config, OAuth2, encoded};
use crate::request::USER_AGENT;
use railhead_sdk::prelude::*;

/// The name under which the host keeps the token.
const NAME: &str = "oauth2";

/// Gives access tokens.
pub struct TokenSource {
    settings: OAuth2,
    client_secret: Credential,
}

pub struct Token {
    bearer: Credential,
    /// It was there before: the endpoint may know better than its lifetime.
    pub kept: bool,
}

impl Token {
    pub fn fill(&self, request: &Request) -> Result<(), Failure> {
        request.header("authorization", &[parts::bytes("Bearer "), parts::secret(&self.bearer, Encoding::Raw)])
    }
}

impl TokenSource {
    /// The source that a configuration asks for, if it does.
    pub fn of_credentials(config: &Config) -> Result<Option<Self>, Failure> {
        match (&config.oauth2, credentials::first("oauth2_client_secret")?) {
            (Some(settings), Some(client_secret)) => Ok(Some(Self { settings: settings.clone(), client_secret })),
            (Some(_), None) => {
                Err(Failure::invalid("no-oauth2-client-secret", "oauth2 needs the credential oauth2_client_secret."))
            }
            (None, Some(_)) => Err(Failure::invalid("no-oauth2", "oauth2_client_secret needs the field oauth2.")),
            (None, None) => Ok(None),
        }
    }

    /// The token that is kept, or a new one.
    pub fn token(&self) -> Result<Token, Failure> {
        match credentials::kept(NAME) {
            Some(bearer) => Ok(Token { bearer, kept: true }),
            None => self.exchange(),
        }
    }

    /// A new token, which is kept instead of the one before.
    pub fn exchange(&self) -> Result<Token, Failure> {
        let request = Request::new("POST", &self.settings.token_url);
        for (name, value) in [
            ("accept", "application/json"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("user-agent", USER_AGENT),
        ] {
            request.text_header(name, value)?;
        }
        let client = encoded(&self.settings.client_id);
        let secret = parts::secret(&self.client_secret, Encoding::Form);
        request.body(&[parts::bytes(self.settings.form())])?;
        match self.settings.client_auth {
            ClientAuth::Basic => {
                let pair = credentials::compose(&[parts::bytes(format!("{client}:")), secret], Encoding::Base64)?;
                request.header("authorization", &[parts::bytes("Basic "), parts::secret(&pair, Encoding::Raw)])?;
            }
            ClientAuth::Body => request.body(&[parts::bytes(format!("&client_id={client}&client_secret=")), secret])?,
        }
        let take = [("token", "/access_token"), ("expires-in", "/expires_in")];
        let take = take.map(|(attribute, pointer)| (attribute.to_owned(), pointer.to_owned()));
        let bearer = http::exchange(NAME, request, "bearer", &take)?;
        Ok(Token { bearer, kept: false })
    }
}
