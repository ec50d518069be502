//! `credentials.scram`: one login, in order. What it returns is good for that login alone: see [`crate::secret::scram`].

use super::super::{Credential, Guest, PIECE, allow_use, failure};
use crate::bindings::railhead::plugin::credentials::{Failure, HostScram};
use crate::bindings::railhead::plugin::types::Kind;
use crate::limits::apart;
use crate::secret::Secret;
use crate::secret::scram::{Challenge, Client, Mechanism, NONCE, Proof, Wrong};
use railhead_model::manifest::{CredentialKind, CredentialUse};
use std::sync::Arc;
use wasmtime::component::Resource;
use zeroize::Zeroizing;

/// Behind a `scram` handle.
pub struct Scram {
    state: State,
    /// Bytes that it adds to [`Guest::held`].
    bytes: usize,
}

/// How far a login is.
enum State {
    /// It cannot begin: a constructor has no failure to answer with, so `final` tells.
    Refused(Failure),
    New(Login),
    /// `first` was called.
    Begun(Login),
    /// `final` was called.
    Answered(Proof),
    /// It ended, well or not; or calls came in another order.
    Over,
}

struct Login {
    client: Client,
    password: Arc<Secret>,
    user: String,
}

type Handle = Resource<Scram>;

impl HostScram for Guest {
    fn new(
        &mut self,
        password: Resource<Credential>,
        mechanism: String,
        user: String,
        channel_binding: Option<Vec<u8>>,
    ) -> wasmtime::Result<Handle> {
        let password = self.secret(&password)?;
        let state = match self.login(password, &mechanism, user, channel_binding) {
            Ok(login) => State::New(login),
            Err(failure) => State::Refused(failure),
        };
        let bytes = match &state {
            // Its user stands in it twice.
            State::New(login) => login.user.len().saturating_mul(2).saturating_add(4 * PIECE),
            _ => PIECE,
        };
        if !self.hold(bytes) {
            return Err(wasmtime::format_err!("the logins under way hold more bytes than a session may"));
        }
        Ok(self.table.push(Scram { state, bytes })?)
    }

    fn first(&mut self, handle: Handle) -> wasmtime::Result<Vec<u8>> {
        let scram = self.table.get_mut(&handle)?;
        Ok(match std::mem::replace(&mut scram.state, State::Over) {
            State::New(login) => {
                let message = login.client.first();
                scram.state = State::Begun(login);
                message
            }
            State::Refused(failure) => {
                scram.state = State::Refused(failure);
                Vec::new()
            }
            State::Begun(_) | State::Answered(_) | State::Over => Vec::new(),
        })
    }

    async fn final_(&mut self, handle: Handle, server_first: Vec<u8>) -> wasmtime::Result<Result<Vec<u8>, Failure>> {
        let login = match std::mem::replace(&mut self.table.get_mut(&handle)?.state, State::Over) {
            State::Begun(login) => login,
            State::Refused(failure) => return Ok(Err(failure)),
            State::New(_) | State::Answered(_) | State::Over => return Ok(Err(out_of_order())),
        };
        let challenge = match login.client.challenge(&server_first) {
            Ok(challenge) => challenge,
            Err(wrong) => return Ok(Err(self.told(&wrong))),
        };
        let bound_to = login.client.bound_to();
        let heard = self.heard(&login.password, |stream, recent| {
            recent.has(&server_first) && (bound_to.is_none() || stream.channel_binding().as_deref() == bound_to)
        });
        if let Err(failure) = heard {
            return Ok(Err(failure));
        }
        let Some(salted) = self.salted(&login, &challenge).await else {
            return Ok(Err(failure(Kind::Other, "scram-failed", "The host could not compute the answer.")));
        };
        let (message, proof) = self.meter.charged(|| login.client.answer(&challenge, &salted));
        self.table.get_mut(&handle)?.state = State::Answered(proof);
        Ok(Ok(message))
    }

    fn verify(&mut self, handle: Handle, server_final: Vec<u8>) -> wasmtime::Result<Result<(), Failure>> {
        Ok(match std::mem::replace(&mut self.table.get_mut(&handle)?.state, State::Over) {
            State::Answered(proof) => proof.verify(&server_final).map_err(|wrong| self.told(&wrong)),
            State::Refused(failure) => Err(failure),
            State::New(_) | State::Begun(_) | State::Over => Err(out_of_order()),
        })
    }

    fn drop(&mut self, handle: Handle) -> wasmtime::Result<()> {
        let scram = self.table.delete(handle)?;
        self.held = self.held.saturating_sub(scram.bytes);
        Ok(())
    }
}

impl Guest {
    fn login(
        &self,
        password: Arc<Secret>,
        mechanism: &str,
        user: String,
        channel_binding: Option<Vec<u8>>,
    ) -> Result<Login, Failure> {
        allow_password(&password)?;
        let mechanism = Mechanism::parse(mechanism).ok_or_else(|| {
            let message = "This host logs in with sha-256, sha-256-saslprep, sha-512 and sha-1-mongo.";
            failure(Kind::Invalid, "mechanism-unknown", message)
        })?;
        let mut nonce = [0; NONCE];
        self.random.fill(&mut nonce);
        let client = Client::new(mechanism, &user, channel_binding, &nonce).map_err(|wrong| self.told(&wrong))?;
        Ok(Login { client, password, user })
    }

    /// The salted password: kept, or made on a thread apart on the guest's CPU time. None if that thread failed.
    async fn salted(&mut self, login: &Login, challenge: &Challenge) -> Option<Arc<Zeroizing<Vec<u8>>>> {
        let scope = self.scope.clone();
        if let Some(known) = scope.salted.find(&login.password, &login.user, &challenge.salt) {
            return Some(known);
        }
        let (password, user, salt) = (login.password.clone(), login.user.clone(), challenge.salt.clone());
        let threads = self.slow.clone();
        self.meter.waits();
        let work = move || salt.password(&user, password.bytes());
        let (made, worked) = apart::run(&threads, scope.tenant, work).await?;
        self.meter.charge(worked);
        if let Some(running) = &self.running {
            running.made(worked);
        }
        Some(scope.salted.keep(&login.password, &login.user, &challenge.salt, made))
    }

    /// Why a login cannot go on, without what a server's words may hold.
    fn told(&self, wrong: &Wrong) -> Failure {
        let (kind, code) = match wrong {
            Wrong::Message(_) => (Kind::Protocol, "scram-malformed"),
            Wrong::Iterations(_) => (Kind::Credential, "scram-iterations"),
            Wrong::Refused(_) => (Kind::Credential, "scram-refused"),
            Wrong::Impostor => (Kind::Credential, "scram-server-unproven"),
            Wrong::Argument(_) => (Kind::Invalid, "scram-invalid"),
        };
        failure(kind, code, self.presentable(&wrong.to_string()))
    }
}

/// Fails where a field is not a password for challenges.
pub(super) fn allow_password(secret: &Secret) -> Result<(), Failure> {
    allow_use(secret, CredentialUse::Challenge)?;
    if matches!(secret.kind(), CredentialKind::Text | CredentialKind::Bytes) {
        return Ok(());
    }
    let message = format!("The credential field {} is not a password: its kind must be text or bytes.", secret.field());
    Err(failure(Kind::Invalid, "key-unsuitable", message))
}

fn out_of_order() -> Failure {
    let message = "A login is `first`, then `final`, then `verify`, each once. Begin another one.";
    failure(Kind::Invalid, "scram-order", message)
}
