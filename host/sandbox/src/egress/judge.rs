//! Whether a request may go where it points to, and its secrets with it: judged by name, before anything is filled in.

use super::failure::{Failure, FailureKind};
use super::outgoing::Part;
use super::{AllowedOrigin, Purpose, SendContext, origin};
use crate::secret::{Encoding, Secret, encode};
use railhead_model::manifest::{CredentialKind, CredentialUse};
use std::sync::Arc;
use url::Url;

/// Where a secret would stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The whole URL.
    Url,
    /// A header, a query parameter, the body.
    Part,
    /// A signature's key.
    Signature,
}

/// Refuses a secret whose one use is another.
pub(super) fn allow_use(secret: &Secret, place: Place) -> Result<(), Failure> {
    use CredentialUse::{Exchange, Place as Placed, SignRequest};
    let fits = match place {
        Place::Url => secret.usage() == CredentialUse::Url && secret.kind() == CredentialKind::Url,
        Place::Part => matches!(secret.usage(), Placed | Exchange),
        Place::Signature => secret.usage() == SignRequest,
    };
    if fits {
        return Ok(());
    }
    let message = format!("The connector's manifest does not allow this use of the credential `{}`.", secret.field());
    Err(Failure::denied("use-not-allowed", message))
}

/// The allowed origins that hold the URL; refused if there is none.
pub(super) fn judge<'a>(url: &Url, ctx: &'a SendContext) -> Result<Vec<&'a AllowedOrigin>, Failure> {
    let (scheme, host, port) = origin::parts(url)?;
    let holding: Vec<_> = ctx.origins.iter().filter(|origin| origin.holds(scheme, host, port)).collect();
    if holding.is_empty() {
        let message = format!(
            "{scheme}://{host}:{port} is not among the places that this destination may send to. Change the URL in its \
             configuration."
        );
        return Err(Failure::denied("origin-not-allowed", message));
    }
    let wants_token = ctx.purpose == Purpose::Exchange;
    let fitting: Vec<_> = holding.into_iter().filter(|origin| origin.token_endpoint == wants_token).collect();
    match (fitting.is_empty(), wants_token) {
        (false, _) => Ok(fitting),
        (true, false) => Err(Failure::denied(
            "token-endpoint",
            format!("{host} is a token endpoint: only a token exchange may go there."),
        )),
        (true, true) => {
            Err(Failure::denied("not-a-token-endpoint", format!("{host} is not a token endpoint of this connector.")))
        }
    }
}

/// Judges whether a secret may go where this URL points to, by name.
pub(crate) fn may_go(allowed: &[AllowedOrigin], secret: &Secret, url: &str) -> Result<(), Failure> {
    let url = origin::parse(url)?;
    let (scheme, host, port) = origin::parts(&url)?;
    let mut holding = allowed.iter().filter(|origin| origin.holds(scheme, host, port)).peekable();
    if holding.peek().is_none() {
        let message = format!("{scheme}://{host}:{port} is not among the places that this destination may send to.");
        return Err(Failure::denied("origin-not-allowed", message));
    }
    if holding.any(|origin| secret.may_go_to(&origin.name)) { Ok(()) } else { Err(not_for_origin(secret)) }
}

pub(super) fn judge_secret(secret: &Secret, origins: &[&AllowedOrigin], ctx: &SendContext) -> Result<(), Failure> {
    if secret.usage() == CredentialUse::Exchange && ctx.purpose != Purpose::Exchange {
        return Err(Failure::denied(
            "use-not-allowed",
            format!("The credential `{}` goes to token endpoints only.", secret.field()),
        ));
    }
    if origins.iter().any(|origin| secret.may_go_to(&origin.name)) {
        return Ok(());
    }
    Err(not_for_origin(secret))
}

fn not_for_origin(secret: &Secret) -> Failure {
    if secret.is_operators() {
        let message = "What the operator of this service got with an identity of its own goes to no address of your choice. \
                       Leave the address out of the configuration, or set a credential of your own.";
        return Failure::denied("secret-not-for-origin", message);
    }
    let message = format!("The connector's manifest does not allow the credential `{}` to go there.", secret.field());
    Failure::denied("secret-not-for-origin", message)
}

/// The TLS identity of the origins that a request goes to. One that expired is told to its owner: a peer would only
/// refuse the handshake.
pub(super) fn identity(origins: &[&AllowedOrigin], ctx: &SendContext) -> Result<Option<Arc<Secret>>, Failure> {
    let serves = |secret: &&Arc<Secret>| origins.iter().any(|origin| secret.may_go_to(&origin.name));
    let Some(secret) = ctx.identities.iter().find(serves) else { return Ok(None) };
    match secret.check_at(ctx.clock.now()) {
        Ok(()) => Ok(Some(secret.clone())),
        Err(error) => {
            let message = format!("The credential `{}`: {error}", secret.field());
            Err(Failure::new(FailureKind::Credential, "identity-expired", message))
        }
    }
}

/// Refuses a query parameter that maskers would not find: the host writes all but two encodings for a URL once more.
pub(super) fn check_query(part: &Part) -> Result<(), Failure> {
    let Part::Secret(secret, way) = part else { return Ok(()) };
    let twice = || Failure::invalid("encoded-twice", encoded_twice(secret.field()));
    let layers = secret.layers_in(*way).ok_or_else(twice)?;
    if !matches!(way, Encoding::Percent | Encoding::Form) {
        layers.then(Encoding::Percent, &encode(secret.bytes(), *way)).ok_or_else(twice)?;
    }
    Ok(())
}

/// Why something made of secrets cannot be written so.
pub(crate) fn encoded_twice(field: &str) -> String {
    format!(
        "The credential `{field}` would be encoded more than once, so that the host could not find it where it comes back. \
         Encode it once, or escape it and then encode it."
    )
}
