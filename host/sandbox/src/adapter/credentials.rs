//! `credentials`: handles to secrets. No function in here returns a byte of one.

mod challenge;
mod scram;
mod tokens;

pub use scram::Scram;

use super::{Credential, Guest, PIECE, encoded_twice, encoded_twice_in, failure, no_such_event, not_yet};
use crate::bindings::railhead::plugin::credentials::{Encoding, Failure, Host, HostCredential, Part};
use crate::bindings::railhead::plugin::types::Kind;
use crate::secret::token::{azure_sas, jwt};
use crate::secret::{Nature, Secret, encode};
use railhead_model::manifest::{CredentialKind, CredentialUse};
use std::collections::BTreeSet;
use std::sync::Arc;
use wasmtime::component::Resource;
use zeroize::Zeroizing;

type Handle = Resource<Credential>;
type Made = wasmtime::Result<Result<Handle, Failure>>;

/// Bytes of what `compose` joins.
const MAX_COMPOSED: usize = 64 * 1024;

impl HostCredential for Guest {
    fn attribute(&mut self, handle: Handle, name: String) -> wasmtime::Result<Option<String>> {
        Ok(self.secret(&handle)?.attribute(&name))
    }

    fn length(&mut self, handle: Handle, encoding: Encoding) -> wasmtime::Result<Result<u32, Failure>> {
        let secret = self.secret(&handle)?;
        let length = || u32::try_from(encode(secret.bytes(), encoding.into()).len()).unwrap_or(u32::MAX);
        Ok(self.allow_in_stream(&secret).map(|()| length()))
    }

    fn drop(&mut self, handle: Handle) -> wasmtime::Result<()> {
        let composed = self.composed.remove(&handle.rep());
        self.held = self.held.saturating_sub(composed.unwrap_or(0));
        self.table.delete(handle)?;
        Ok(())
    }
}

impl Host for Guest {
    fn get(&mut self, field: String) -> wasmtime::Result<Result<Vec<Handle>, Failure>> {
        let Some(versions) = self.scope.secrets.get(&field).cloned() else {
            let message = format!("The manifest has no credential field {}.", self.presentable(&field));
            return Ok(Err(failure(Kind::Denied, "credential-unknown", message)));
        };
        let mut handles = Vec::with_capacity(versions.len());
        for secret in versions {
            handles.push(self.table.push(Credential(secret))?);
        }
        Ok(Ok(handles))
    }

    fn kept(&mut self, name: String) -> wasmtime::Result<Option<Handle>> {
        let kept = self.scope.tokens.kept(&name, self.clock.monotonic_ms());
        Ok(kept.map(|token| self.table.push(Credential(token))).transpose()?)
    }

    fn placeholder(&mut self, value: Handle, encoding: Encoding) -> wasmtime::Result<Result<String, Failure>> {
        let secret = self.secret(&value)?;
        self.placeholder_of(secret, encoding.into())
    }

    fn compose(&mut self, parts: Vec<Part>, encoding: Encoding) -> Made {
        let meter = self.meter.clone();
        meter.charged(|| self.composed(parts, encoding))
    }

    fn jwt(&mut self, key: Handle, algorithm: String, header: String, claims: String) -> Made {
        self.token(&key, &|key, now_s| jwt(key, &algorithm, &header, &claims, now_s))
    }

    fn aws_presign(&mut self, keys: Handle, service: String, region: String, url: String, ttl_s: u32) -> Made {
        self.presigned(&keys, (&service, &region), &url, ttl_s)
    }

    fn azure_sas(&mut self, key: Handle, resource_uri: String, key_name: String, ttl_s: u32) -> Made {
        self.token(&key, &|key, now_s| azure_sas(key, &resource_uri, &key_name, ttl_s, now_s))
    }

    fn identity_token(&mut self, _: String) -> Made {
        Ok(Err(not_yet("identity-token")))
    }

    fn sign_challenge(
        &mut self,
        key: Handle,
        algorithm: String,
        message: Vec<u8>,
    ) -> wasmtime::Result<Result<Vec<u8>, Failure>> {
        let key = self.secret(&key)?;
        Ok(self.signed_challenge(&key, &algorithm, &message))
    }

    fn answer(
        &mut self,
        password: Handle,
        scheme: String,
        user: String,
        nonce: Vec<u8>,
    ) -> wasmtime::Result<Result<Vec<u8>, Failure>> {
        let password = self.secret(&password)?;
        Ok(self.answered(&password, &scheme, &user, &nonce))
    }
}

impl Guest {
    fn composed(&mut self, parts: Vec<Part>, encoding: Encoding) -> Made {
        let mut bytes = Zeroizing::new(Vec::new());
        let mut origins = Origins::All;
        let mut fields = BTreeSet::new();
        let mut usage = CredentialUse::Place;
        let mut nature = Nature::default();
        for part in parts {
            match part {
                Part::Bytes(more) => bytes.extend_from_slice(&more),
                Part::EventData(index) => match self.event_data(index) {
                    Some(data) => bytes.extend_from_slice(&data),
                    None => return Ok(Err(no_such_event(index))),
                },
                Part::EventDataBase64(index) => match self.event_data(index) {
                    Some(data) => bytes.extend_from_slice(&encode(&data, crate::secret::Encoding::Base64)),
                    None => return Ok(Err(no_such_event(index))),
                },
                Part::Secret((handle, encoding)) => {
                    let secret = self.secret(&handle)?;
                    usage = match joined(usage, &secret) {
                        Ok(usage) => usage,
                        Err(failure) => return Ok(Err(failure)),
                    };
                    if secret.kind() == CredentialKind::Headers {
                        let message = "A map of headers cannot be composed: its values stand in headers only.";
                        return Ok(Err(failure(Kind::Invalid, "header-map-misplaced", message)));
                    }
                    let Some(layers) = secret.layers_in(encoding.into()) else {
                        return Ok(Err(encoded_twice(&secret)));
                    };
                    nature.layers = nature.layers.and(layers);
                    nature.operator |= secret.is_operators();
                    bytes.extend_from_slice(&encode(secret.bytes(), encoding.into()));
                    origins = origins.and(&secret);
                    fields.insert(secret.field().to_owned());
                }
            }
            if bytes.len() > MAX_COMPOSED {
                return Ok(Err(failure(Kind::TooLarge, "composed-too-large", "At most 64 KiB can be composed.")));
            }
        }
        let origins = match origins {
            Origins::All => Vec::new(),
            Origins::Only(names) if names.is_empty() => {
                let message = "The credentials have no origin in common that they may go to.";
                return Ok(Err(failure(Kind::Denied, "credential-origin", message)));
            }
            Origins::Only(names) => names.into_iter().collect(),
        };
        let name = fields.into_iter().collect::<Vec<_>>().join("+");
        let Some(layers) = nature.layers.then(encoding.into(), &bytes) else {
            return Ok(Err(encoded_twice_in(&name)));
        };
        nature.layers = layers;
        let made = encode(&bytes, encoding.into()).to_vec();
        let held = made.len().saturating_add(PIECE);
        if !self.hold(held) {
            let message = "The credentials that this session composed hold more bytes than a session may.";
            return Ok(Err(failure(Kind::TooLarge, "session-too-large", message)));
        }
        let secret = Secret::derived_as(&name, usage, &origins, made, nature);
        let handle = self.table.push(Credential(secret))?;
        self.composed.insert(handle.rep(), held);
        Ok(Ok(handle))
    }
}

/// The use of something that one more secret is joined to: what holds a piece for token endpoints, or for streams, is for
/// them alone.
fn joined(usage: CredentialUse, secret: &Secret) -> Result<CredentialUse, Failure> {
    use CredentialUse::{Exchange, Place, Wire};
    match (usage, secret.usage()) {
        (Place, Place) => Ok(Place),
        (Place | Exchange, Place | Exchange) => Ok(Exchange),
        (Place | Wire, Place | Wire) => Ok(Wire),
        _ => Err(super::wrong_use(secret)),
    }
}

/// Where something may go that is made of several secrets: only where each of them may.
enum Origins {
    All,
    Only(BTreeSet<String>),
}

impl Origins {
    fn and(self, secret: &Arc<Secret>) -> Self {
        if secret.origins().is_empty() {
            return self;
        }
        let names: BTreeSet<String> = secret.origins().iter().cloned().collect();
        match self {
            Self::All => Self::Only(names),
            Self::Only(kept) => Self::Only(kept.intersection(&names).cloned().collect()),
        }
    }
}

#[cfg(test)]
mod tests;
