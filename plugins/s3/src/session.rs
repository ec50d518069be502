//! A session: the configuration, and how its requests are signed.

mod role;

use crate::config::key::KeyTemplate;
use crate::config::{Config, Unusable};
use crate::request::{self, Object};
use railhead_sdk::prelude::*;

/// The name under which the host keeps the session of a role.
const ROLE_SESSION: &str = "role";
/// What the host's cache remembers of the store.
const UNCONDITIONAL: &str = "unconditional";
/// How long: a store may learn it.
const UNCONDITIONAL_MS: u64 = 24 * 3_600_000;

/// Lives as long as the instance: a handle never changes its value, and a rotation begins new sessions.
pub struct Session {
    pub config: Config,
    pub template: KeyTemplate,
    /// Ends in a slash.
    bucket_url: String,
    signer: Signer,
}

/// Whose keys sign.
enum Signer {
    /// The owner's own.
    Keys(Credential),
    /// A role's, which these keys assume: the owner's or the operator's.
    Role { arn: String, by: Credential },
}

/// Keys for requests.
pub enum Keys<'s> {
    Own(&'s Credential),
    /// Of a role's session; `true`: one that was kept, so that it may have ended meanwhile.
    Role(Credential, bool),
}

impl Keys<'_> {
    fn credential(&self) -> &Credential {
        match self {
            Self::Own(keys) => keys,
            Self::Role(keys, _) => keys,
        }
    }

    /// True if new keys may be taken where these are expired.
    pub fn may_be_stale(&self) -> bool {
        matches!(self, Self::Role(_, true))
    }
}

impl Session {
    /// Fails where nothing could ever be written: the host tells the owner.
    pub fn of_config(config: Config) -> Result<Self, Failure> {
        let template = config.checked().map_err(|Unusable { code, message }| Failure::invalid(code, message))?;
        let signer = match (&config.role_arn, first("keys")?) {
            (None, Some(keys)) => Signer::Keys(keys),
            (Some(arn), Some(by)) => Signer::Role { arn: arn.clone(), by },
            (Some(arn), None) => {
                leads_to_aws(&config)?;
                Signer::Role { arn: arn.clone(), by: operator()? }
            }
            (None, None) => {
                let message = "Set a key pair as the credential keys, or the field role_arn.";
                return Err(Failure::invalid("no-identity", message));
            }
        };
        let bucket_url = config.bucket_url();
        Ok(Self { config, template, bucket_url, signer })
    }

    /// What signs requests: the owner's keys, or those of a session of the role.
    pub fn keys(&self) -> Result<Keys<'_>, Failure> {
        match &self.signer {
            Signer::Keys(keys) => Ok(Keys::Own(keys)),
            Signer::Role { .. } => match credentials::kept(ROLE_SESSION) {
                Some(kept) => Ok(Keys::Role(kept, true)),
                None => self.fresh_keys(),
            },
        }
    }

    /// The same, of a new session of the role.
    pub fn fresh_keys(&self) -> Result<Keys<'_>, Failure> {
        match &self.signer {
            Signer::Keys(keys) => Ok(Keys::Own(keys)),
            Signer::Role { arn, by } => self.assume(arn, by).map(|keys| Keys::Role(keys, false)),
        }
    }

    /// True if a role is assumed.
    pub fn has_role(&self) -> bool {
        matches!(self.signer, Signer::Role { .. })
    }

    /// A session of a role. The operator's identity asks for it in a tenant's name: the role's trust policy wants to see
    /// that tenant's external id, and the session may do no more than is needed.
    fn assume(&self, arn: &str, by: &Credential) -> Result<Credential, Failure> {
        let form = role::form(&self.config, arn, by.attribute("external-id").as_deref());
        let request = Request::new("POST", &self.config.sts_url());
        request.text_header("user-agent", request::USER_AGENT)?;
        request.text_header("content-type", "application/x-www-form-urlencoded")?;
        request.append([parts::bytes(form)])?;
        request.sign_aws(by, "sts", &self.config.region)?;
        let made = |member: &str| format!("/AssumeRoleResponse/AssumeRoleResult/Credentials/{member}");
        let take = [
            ("access-key-id", "AccessKeyId"),
            ("secret-access-key", "SecretAccessKey"),
            ("session-token", "SessionToken"),
            ("expiration", "Expiration"),
        ];
        http::exchange(
            ROLE_SESSION,
            request,
            "aws",
            &take.map(|(attribute, member)| (attribute.to_owned(), made(member))),
        )
    }

    /// The PUT of an object.
    pub fn put(&self, object: &Object, conditional: bool, keys: &Keys<'_>) -> Result<Request, Failure> {
        let request = self.request("PUT", &object.key, request::CONTENT_TYPE, conditional)?;
        request.carries(&object.carries);
        request.append(object.body.iter().map(copied))?;
        if let Some(coding) = self.config.compression.coding() {
            request.compress(coding)?;
        }
        self.signed(request, keys)
    }

    /// The PUT of the object by which a check proves that it may write. It carries no event.
    pub fn put_mark(&self, keys: &Keys<'_>) -> Result<Request, Failure> {
        let request = self.request("PUT", &self.template.beside(".railhead-check"), "text/plain", false)?;
        request.append([parts::bytes("Railhead wrote this to see whether it may. It can be deleted.\n")])?;
        self.signed(request, keys)
    }

    /// Asks for the bucket.
    pub fn head_bucket(&self, keys: &Keys<'_>) -> Result<Request, Failure> {
        let request = Request::new("HEAD", &self.bucket_url);
        request.text_header("user-agent", request::USER_AGENT)?;
        self.signed(request, keys)
    }

    fn request(
        &self,
        method: &str,
        key: &str,
        content_type: &'static str,
        conditional: bool,
    ) -> Result<Request, Failure> {
        let request = Request::new(method, &format!("{}{}", self.bucket_url, request::path_of(key)));
        for (name, value) in request::headers(&self.config, content_type, conditional) {
            request.text_header(name, &value)?;
        }
        Ok(request)
    }

    fn signed(&self, request: Request, keys: &Keys<'_>) -> Result<Request, Failure> {
        request.sign_aws(keys.credential(), "s3", &self.config.region)?;
        Ok(request)
    }

    /// True if objects that are there are to be left alone, as far as is known of the store.
    pub fn is_conditional(&self) -> bool {
        !self.config.overwrite && host::cache_get(UNCONDITIONAL).is_none()
    }

    /// The store does not know `If-None-Match`: all sessions of the destination leave it out for a while.
    pub fn remember_unconditional(&self) {
        // Without the memory each object costs one more request.
        let _ = host::cache_put(UNCONDITIONAL, &[1], UNCONDITIONAL_MS);
    }
}

/// What this service's own identity signs is worth something wherever it is shown, and so is a session that it was given:
/// both go to AWS itself and to nobody else.
fn leads_to_aws(config: &Config) -> Result<(), Failure> {
    if config.sts_endpoint.is_some() {
        let message = "sts_endpoint is for a role that is assumed with the credential keys. Set them, or leave it out.";
        return Err(Failure::invalid("sts-endpoint-without-keys", message));
    }
    if config.endpoint.is_some() {
        let message = "With role_arn and no credential keys, this service's own identity assumes the role, and writes to AWS \
                       only. Leave endpoint out, or set a key pair as the credential keys.";
        return Err(Failure::invalid("endpoint-without-keys", message));
    }
    Ok(())
}

fn operator() -> Result<Credential, Failure> {
    let found = first("assume_role")?;
    found.ok_or_else(|| {
        let message = "This service has no identity of its own at AWS, so that it can assume no role. \
                       Set a key pair as the credential keys, or ask its operator.";
        Failure::invalid("no-operator-identity", message)
    })
}

/// A request takes its pieces along, and an object may be sent twice.
fn copied(part: &Part<'static>) -> Part<'static> {
    match part {
        Part::Bytes(bytes) => Part::Bytes(bytes.clone()),
        Part::EventData(index) => Part::EventData(*index),
        Part::EventDataBase64(index) => Part::EventDataBase64(*index),
        Part::Secret((secret, encoding)) => Part::Secret((secret, *encoding)),
    }
}

/// The value in force of a field, if it is set: one key signs.
fn first(field: &str) -> Result<Option<Credential>, Failure> {
    Ok(credentials::get(field)?.into_iter().next())
}
