//! Signatures over the request as it goes over the wire, made last and on the host's clock.

use super::failure::{Failure, FailureKind};
use super::headers;
use super::judge::{self, Place};
use super::outgoing::{Algorithm, Signed, Signer};
use super::{sign_aws, sign_azure};
use crate::secret::{Secret, encode};
use aws_lc_rs::hmac;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use railhead_model::Timestamp;
use railhead_model::manifest::CredentialKind;
use std::sync::Arc;
use url::Url;

/// What signers see of a request.
pub(super) struct Wire<'a> {
    pub(super) method: &'a Method,
    pub(super) url: &'a Url,
    pub(super) headers: &'a mut HeaderMap,
    pub(super) body: &'a [u8],
    /// When it is signed; the same for all signers.
    pub(super) now: Timestamp,
    /// The same in seconds since the epoch, in decimal.
    pub(super) timestamp: &'a str,
    /// Bytes that may still be signed: one signer can name the body any number of times.
    pub(super) left: usize,
    /// The signatures so far, as bytes: they are masked in the answer.
    pub(super) made: Vec<Vec<u8>>,
}

/// Bytes that all signatures of a request cover together: a body of the largest size four times.
pub(super) const MAX_SIGNED: usize = 4 * super::outgoing::MAX_BODY;

/// Judges a signer before anything is sent: header, texts and keys.
pub(super) fn check(signer: &Signer) -> Result<(), Failure> {
    match signer {
        Signer::Header { .. } => check_header(signer),
        Signer::Aws(signer) => sign_aws::check(signer),
        Signer::Azure(signer) => sign_azure::check(signer),
    }
}

/// Runs one signer: adds its headers, and says which. Where [`takes_place`], earlier ones of that name are gone.
pub(super) fn run(signer: &Signer, wire: &mut Wire<'_>) -> Result<Vec<HeaderName>, Failure> {
    match signer {
        Signer::Header { .. } => header_signature(signer, wire),
        Signer::Aws(signer) => sign_aws::run(signer, wire),
        Signer::Azure(signer) => sign_azure::run(signer, wire),
    }
}

/// True if its headers take the place of earlier ones of their names: its own form has them once, or what stands before
/// its signatures holds the header that it writes, so that signatures of several schemes stand in one value.
pub(super) fn takes_place(signer: &Signer) -> bool {
    match signer {
        Signer::Header { name, before, .. } => {
            before.iter().any(|piece| matches!(piece, Signed::Header(earlier) if earlier.eq_ignore_ascii_case(name)))
        }
        Signer::Aws(_) | Signer::Azure(_) => true,
    }
}

fn check_header(signer: &Signer) -> Result<(), Failure> {
    let Signer::Header { name, before, each, join, message: _, keys, algorithm, encoding: _ } = signer else {
        return Ok(());
    };
    let name = headers::name(name)?;
    for text in [each, join] {
        headers::check_value(&name, text.as_bytes())?;
    }
    for piece in before {
        match piece {
            Signed::Text(text) => headers::check_value(&name, text.as_bytes())?,
            Signed::Timestamp | Signed::Header(_) => {}
            Signed::Body => return Err(Failure::invalid("header-invalid", "A header cannot hold the body.")),
        }
    }
    keys.iter().try_for_each(|key| check_key(key, *algorithm))
}

fn check_key(key: &Arc<Secret>, algorithm: Algorithm) -> Result<(), Failure> {
    judge::allow_use(key, Place::Signature)?;
    let suits = match algorithm {
        Algorithm::Ed25519 => key.ed25519().is_some(),
        // A part of an AWS key pair's own signature, such as the key of a day, is not to be had so; nor is what an Azure
        // account's key signs when a signature of it is to last.
        _ => matches!(key.kind(), CredentialKind::Text | CredentialKind::Bytes),
    };
    if suits {
        return Ok(());
    }
    let message = format!("The credential `{}` is not a key that this signature can be made with.", key.field());
    Err(Failure::invalid("key-unsuitable", message))
}

fn header_signature(signer: &Signer, wire: &mut Wire<'_>) -> Result<Vec<HeaderName>, Failure> {
    let Signer::Header { name, before, each, join, message, keys, algorithm, encoding } = signer else {
        return Ok(Vec::new());
    };
    let name = headers::name(name)?;
    let mut value = Vec::with_capacity(128);
    for piece in gather(before, wire)? {
        value.extend_from_slice(&piece);
        if value.len() > headers::MAX_VALUE {
            break; // it is refused below
        }
    }
    let pieces = gather(message, wire)?;
    let covered = pieces.iter().map(|piece| piece.len()).fold(0, usize::saturating_add).saturating_mul(keys.len());
    let Some(left) = wire.left.checked_sub(covered) else {
        let message = format!("The signatures of a request cover at most {MAX_SIGNED} bytes.");
        return Err(Failure::new(FailureKind::TooLarge, "signature-too-large", message));
    };
    let mut made = Vec::with_capacity(keys.len());
    for (index, key) in keys.iter().enumerate() {
        if index > 0 {
            value.extend_from_slice(join.as_bytes());
        }
        value.extend_from_slice(each.as_bytes());
        let signature = signature(key, *algorithm, &pieces)?;
        value.extend_from_slice(&encode(&signature, *encoding));
        made.push(signature);
    }
    drop(pieces);
    wire.left = left;
    wire.made.extend(made);
    if takes_place(signer) {
        wire.headers.remove(&name);
    }
    headers::check_value(&name, &value)?;
    let made = HeaderValue::from_bytes(&value).map_err(|_| {
        Failure::invalid("header-invalid", format!("The signature in `{name}` cannot stand in a header."))
    })?;
    wire.headers.append(name.clone(), made);
    Ok(vec![name])
}

fn gather<'a>(pieces: &'a [Signed], wire: &'a Wire<'_>) -> Result<Vec<std::borrow::Cow<'a, [u8]>>, Failure> {
    pieces
        .iter()
        .map(|piece| match piece {
            Signed::Text(text) => Ok(text.as_bytes().into()),
            Signed::Body => Ok(wire.body.into()),
            Signed::Timestamp => Ok(wire.timestamp.as_bytes().into()),
            Signed::Header(name) => header(name, wire.headers),
        })
        .collect()
}

/// A header as a receiver reads it: several of one name as one list.
fn header<'a>(name: &str, headers: &'a HeaderMap) -> Result<std::borrow::Cow<'a, [u8]>, Failure> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().ok_or_else(|| {
        Failure::invalid(
            "signed-header-absent",
            format!("The signature covers the header `{}`, which is not set.", name.escape_debug()),
        )
    })?;
    let mut joined = std::borrow::Cow::from(first.as_bytes());
    for value in values {
        joined.to_mut().extend_from_slice(b", ");
        joined.to_mut().extend_from_slice(value.as_bytes());
    }
    Ok(joined)
}

fn signature(key: &Secret, algorithm: Algorithm, pieces: &[std::borrow::Cow<'_, [u8]>]) -> Result<Vec<u8>, Failure> {
    let hmac_with = |algorithm, key: &[u8]| {
        let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, key));
        pieces.iter().for_each(|piece| context.update(piece));
        Ok(context.sign().as_ref().to_vec())
    };
    match algorithm {
        Algorithm::HmacSha256 => hmac_with(hmac::HMAC_SHA256, key.bytes()),
        Algorithm::HmacSha256Text => hmac_with(hmac::HMAC_SHA256, key.characters()),
        Algorithm::HmacSha512 => hmac_with(hmac::HMAC_SHA512, key.bytes()),
        Algorithm::HmacSha512Text => hmac_with(hmac::HMAC_SHA512, key.characters()),
        Algorithm::HmacSha1 => hmac_with(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.bytes()),
        Algorithm::HmacSha1Text => hmac_with(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.characters()),
        Algorithm::Ed25519 => {
            let pair =
                key.ed25519().ok_or_else(|| Failure::invalid("key-unsuitable", "The key is not an Ed25519 key."))?;
            Ok(pair.sign(&pieces.concat()).as_ref().to_vec())
        }
    }
}
