//! A session: the configuration, and handles of the credentials that its requests are filled and signed with.

mod placed;
mod signing;
mod token;

pub use token::Token;

use self::placed::Placed;
use self::signing::Signer;
use self::token::TokenSource;
use crate::config::Config;
use crate::request::{self, Plan};
use railhead_sdk::prelude::*;

/// Lives as long as the instance: a handle never changes its value, and a rotation begins new sessions.
pub struct Session {
    config: Config,
    /// Where the URL itself is the secret.
    secret_url: Option<Credential>,
    placed: Vec<Placed>,
    /// Absent where the owner uses no OAuth 2.0.
    tokens: Option<TokenSource>,
    signers: Vec<Signer>,
}

impl Session {
    /// Fails where nothing could ever be sent: the host tells the owner.
    pub fn of_config(config: Config) -> Result<Self, Failure> {
        config.check()?;
        let secret_url = credentials::first("url")?;
        if config.url.is_some() == secret_url.is_some() {
            return Err(Failure::invalid("one-url", "Set either the field url or the credential url."));
        }
        let signers = signing::of_credentials(&config)?;
        let tokens = TokenSource::of_credentials(&config)?;
        let placed = placed::of_credentials(&config, tokens.is_some())?;
        Ok(Self { config, secret_url, placed, tokens, signers })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// For people; of a secret URL the origin only.
    pub fn address(&self) -> String {
        match (&self.config.url, &self.secret_url) {
            (Some(url), _) => url.clone(),
            (None, Some(secret)) => secret.attribute("origin").unwrap_or_default(),
            (None, None) => String::new(),
        }
    }

    /// What gives access tokens, where the owner set it.
    pub fn tokens(&self) -> Option<&TokenSource> {
        self.tokens.as_ref()
    }

    /// For a check: carries no event and no secret but the URL.
    pub fn head_request(&self) -> Result<Request, Failure> {
        let request = self.to("HEAD")?;
        request.text_header("user-agent", request::USER_AGENT)?;
        Ok(request)
    }

    /// The whole request for what is planned.
    pub fn request(&self, plan: &Plan, token: Option<&Token>) -> Result<Request, Failure> {
        let request = self.to(self.config.method.as_str())?;
        for (name, value) in &plan.headers {
            request.text_header(name, value)?;
        }
        for placed in &self.placed {
            placed.fill(&request)?;
        }
        if let Some(token) = token {
            token.fill(&request)?;
        }
        request.append(plan.body.iter().cloned())?;
        // A signer without keys writes what stands before the signatures: the time, the same in all of them.
        let name = format!("{}timestamp", self.config.header_prefix);
        request.sign_header(&name, &[Signed::Timestamp], "", "", &[], &[], "hmac-sha256", Encoding::Raw)?;
        self.signers.iter().try_for_each(|signer| signer.sign(&request, &plan.id))?;
        Ok(request)
    }

    fn to(&self, method: &str) -> Result<Request, Failure> {
        match (&self.secret_url, &self.config.url) {
            (Some(secret), _) => Request::to_secret(method, secret),
            (None, url) => Ok(Request::new(method, url.as_deref().unwrap_or_default())),
        }
    }
}
