//! A session: the configuration, and handles of the credentials that its requests are filled and signed with.

use crate::config::{Config, Scheme, Unusable};
use crate::exports::railhead::plugin::destination::Event;
use crate::railhead::plugin::credentials::{self, Credential, Encoding, Part};
use crate::railhead::plugin::host::Call;
use crate::railhead::plugin::http::{Request, Signed};
use crate::railhead::plugin::types::{Failure, Kind};
use crate::request::{self, Piece, Plan};

/// The host takes at most 1 MiB of the guest's own bytes in one call.
const BODY_CHUNK: usize = 1 << 20;

const HMAC: &str = "hmac-sha256";

/// Lives as long as the instance: a handle never changes its value, and a rotation begins new sessions.
pub struct Session {
    config: Config,
    /// Where the URL itself is the secret.
    secret_url: Option<Credential>,
    placed: Vec<PlacedSecret>,
    /// Absent where the owner wants no signature.
    signing: Option<Signing>,
}

/// The keys of a signature: the one in force, then the older one while a rotation overlaps.
struct Signing {
    keys: Vec<Credential>,
    /// What stands before each signature.
    version: &'static str,
    algorithm: &'static str,
}

/// A header that ends in a secret.
struct PlacedSecret {
    header: String,
    before: &'static str,
    secret: Credential,
}

impl Session {
    /// Fails where nothing could ever be sent: the host tells the owner.
    pub fn from_config(json: &str) -> Result<Self, Failure> {
        let config = Config::parse(json).map_err(|Unusable { code, message }| invalid(code, &message))?;
        let secret_url = first("url")?;
        if config.url.is_some() == secret_url.is_some() {
            return Err(invalid("one-url", "Set either the field url or the credential url."));
        }
        let signs = config.signatures.iter().any(|signature| signature.scheme == Scheme::Standard);
        let signing = if signs { Some(Signing::of_credentials()?) } else { None };
        let placed = placed_secrets(&config)?;
        Ok(Self { config, secret_url, placed, signing })
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

    /// For a check: carries no event and no secret but the URL.
    pub fn head_request(&self) -> Result<Request, Failure> {
        let request = self.to("HEAD")?;
        request.header("user-agent", &[bytes(request::USER_AGENT)])?;
        Ok(request)
    }

    /// The whole request for an event.
    pub fn request(&self, call: &Call, index: u32, event: &Event) -> Result<Request, Failure> {
        let plan = request::plan(&self.config, planned(event), call.traceparent(index).as_deref());
        let request = self.to(self.config.method.as_str())?;
        request.carries(&[index]);
        for (name, value) in &plan.headers {
            request.header(name, &[bytes(value)])?;
        }
        for PlacedSecret { header, before, secret } in &self.placed {
            request.header(header, &[bytes(before), Part::Secret((secret, Encoding::Raw))])?;
        }
        for piece in &plan.body {
            match piece {
                Piece::Data => request.body(&[Part::EventData(index)])?,
                Piece::DataBase64 => request.body(&[Part::EventDataBase64(index)])?,
                Piece::Bytes(all) => {
                    all.chunks(BODY_CHUNK).try_for_each(|chunk| request.body(&[Part::Bytes(chunk.to_vec())]))?;
                }
            }
        }
        self.sign(&request, &plan)?;
        Ok(request)
    }

    fn to(&self, method: &str) -> Result<Request, Failure> {
        match (&self.secret_url, &self.config.url) {
            (Some(secret), _) => Request::to_secret(method, secret),
            (None, url) => Ok(Request::new(method, url.as_deref().unwrap_or_default())),
        }
    }

    /// Standard Webhooks 1.0: signatures of `id.timestamp.body`, side by side in one header. The host sets the time
    /// when the request leaves, the same in both headers.
    fn sign(&self, request: &Request, plan: &Plan) -> Result<(), Failure> {
        let header = |word: &str| format!("{}{word}", self.config.header_prefix);
        // A signer without keys writes what stands before the signatures.
        request.sign_header(&header("timestamp"), &[Signed::Timestamp], "", "", &[], &[], HMAC, Encoding::Raw)?;
        let Some(Signing { keys, version, algorithm }) = &self.signing else { return Ok(()) };
        let message =
            [Signed::Text(format!("{}.", plan.id)), Signed::Timestamp, Signed::Text(".".into()), Signed::Body];
        let keys: Vec<_> = keys.iter().collect();
        request.sign_header(&header("signature"), &[], version, " ", &message, &keys, algorithm, Encoding::Base64)
    }
}

impl Signing {
    /// The Ed25519 key where the owner set one; else the secret, which every destination has.
    fn of_credentials() -> Result<Self, Failure> {
        for (field, version, algorithm) in [("ed25519_key", "v1a,", "ed25519"), ("signing_secret", "v1,", HMAC)] {
            let keys = credentials::get(field)?;
            if !keys.is_empty() {
                return Ok(Self { keys, version, algorithm });
            }
        }
        Err(invalid("no-signing-key", "Set signing_secret or ed25519_key, or an empty list of signatures."))
    }
}

/// What authenticates us, as headers.
fn placed_secrets(config: &Config) -> Result<Vec<PlacedSecret>, Failure> {
    let mut placed = Vec::new();
    let bearer = first("bearer_token")?;
    let password = first("basic_password")?;
    if bearer.is_some() && password.is_some() {
        return Err(invalid("two-authorizations", "bearer_token and basic_password exclude each other: set one."));
    }
    if let Some(secret) = bearer {
        placed.push(PlacedSecret { header: "authorization".to_owned(), before: "Bearer ", secret });
    }
    match (password, &config.basic_user) {
        (Some(password), Some(user)) => {
            let parts = [bytes(&format!("{user}:")), Part::Secret((&password, Encoding::Raw))];
            let secret = credentials::compose(&parts, Encoding::Base64)?;
            placed.push(PlacedSecret { header: "authorization".to_owned(), before: "Basic ", secret });
        }
        (Some(_), None) => return Err(invalid("no-basic-user", "basic_password needs the field basic_user.")),
        (None, Some(_)) => return Err(invalid("no-basic-password", "basic_user needs the credential basic_password.")),
        (None, None) => {}
    }
    if let Some(secret) = first("api_key")? {
        if config.header(&config.api_key_header).is_some() {
            return Err(invalid("two-api-keys", "The header of api_key is also in the field headers."));
        }
        placed.push(PlacedSecret { header: config.api_key_header.clone(), before: "", secret });
    }
    Ok(placed)
}

/// The value in force of a field, if it is set: receivers take one password at a time.
fn first(field: &str) -> Result<Option<Credential>, Failure> {
    Ok(credentials::get(field)?.into_iter().next())
}

fn bytes(text: &str) -> Part<'static> {
    Part::Bytes(text.as_bytes().to_vec())
}

fn invalid(code: &str, message: &str) -> Failure {
    Failure { kind: Kind::Invalid, code: code.to_owned(), message: message.to_owned() }
}

fn planned(event: &Event) -> request::Event<'_> {
    request::Event {
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
