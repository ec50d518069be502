//! A session: the configuration, and handles of the credentials that its requests are filled and signed with.

mod placed;
mod signing;
mod token;

pub use token::Token;

use self::placed::Placed;
use self::signing::Signer;
use self::token::TokenSource;
use crate::config::{Config, Unusable};
use crate::exports::railhead::plugin::destination::Event;
use crate::railhead::plugin::credentials::{self, Credential, Encoding, Part};
use crate::railhead::plugin::http::{Request, Signed};
use crate::railhead::plugin::types::{Failure, Kind};
use crate::request::{self, Piece, Plan};

/// Bytes of the guest's own that are appended at once; the host takes at most 1 MiB.
const BODY_CHUNK: usize = 256 * 1024;

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
    pub fn from_config(json: &str) -> Result<Self, Failure> {
        let config = Config::parse(json).map_err(unusable)?;
        let secret_url = first("url")?;
        if config.url.is_some() == secret_url.is_some() {
            return Err(invalid("one-url", "Set either the field url or the credential url."));
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
        request.header("user-agent", &[bytes(request::USER_AGENT)])?;
        Ok(request)
    }

    /// The whole request for what is planned, which is of these events.
    pub fn request(&self, plan: &Plan, carries: &[u32], token: Option<&Token>) -> Result<Request, Failure> {
        let request = self.to(self.config.method.as_str())?;
        request.carries(carries);
        for (name, value) in &plan.headers {
            request.header(name, &[bytes(value)])?;
        }
        for placed in &self.placed {
            placed.fill(&request)?;
        }
        if let Some(token) = token {
            token.fill(&request)?;
        }
        append(&request, &plan.body)?;
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

/// As few host calls as the bound on the guest's own bytes allows.
fn append(request: &Request, pieces: &[Piece]) -> Result<(), Failure> {
    let mut parts = Vec::with_capacity(pieces.len());
    let mut own = 0;
    for piece in pieces {
        match piece {
            Piece::Data(index) => parts.push(Part::EventData(*index)),
            Piece::DataBase64(index) => parts.push(Part::EventDataBase64(*index)),
            Piece::Bytes(all) => {
                for chunk in all.chunks(BODY_CHUNK) {
                    if own + chunk.len() > BODY_CHUNK {
                        request.body(&parts)?;
                        (own, parts) = (0, Vec::new());
                    }
                    own += chunk.len();
                    parts.push(Part::Bytes(chunk.to_vec()));
                }
            }
        }
    }
    if parts.is_empty() { Ok(()) } else { request.body(&parts) }
}

/// The value in force of a field, if it is set: receivers take one password at a time.
fn first(field: &str) -> Result<Option<Credential>, Failure> {
    Ok(credentials::get(field)?.into_iter().next())
}

fn bytes(text: &str) -> Part<'static> {
    Part::Bytes(text.as_bytes().to_vec())
}

pub fn invalid(code: &str, message: &str) -> Failure {
    Failure { kind: Kind::Invalid, code: code.to_owned(), message: message.to_owned() }
}

fn unusable(Unusable { code, message }: Unusable) -> Failure {
    invalid(code, &message)
}

/// An event as planning reads it.
pub fn planned(index: u32, event: &Event) -> request::Event<'_> {
    request::Event {
        index,
        id: &event.id,
        event_type: &event.type_,
        source: &event.source,
        time: &event.time,
        subject: event.subject.as_deref(),
        tenant: &event.tenant,
        content_type: &event.content_type,
        attributes: &event.attributes,
        data: &event.data,
    }
}
