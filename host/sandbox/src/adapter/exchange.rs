//! `http.exchange`: a token endpoint's answer becomes a handle; the guest sees none of it.

use super::{Credential, Guest, failure};
use crate::bindings::railhead::plugin::types::{Failure, Kind};
use crate::call::{Purpose, Running};
use crate::egress::{self, Egress, Outgoing, SendContext};
use crate::limits::Meter;
use crate::load::Connector;
use crate::secret::{Nature, Secret, SecretError, Told};
use crate::target::Scope;
use crate::tokens::{self, Fresh, Take, Taken, no_token, taken};
use railhead_model::Clock;
use railhead_model::manifest::CredentialUse;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Resource;
use zeroize::Zeroizing;

/// Bytes of a name.
const MAX_NAME: usize = 64;
/// An endpoint has so long, whatever the call that asks has left: others may wait for the same token.
const EXCHANGE: Duration = Duration::from_secs(20);
/// Stands for a token in a preview, where it is masked like one.
const PLACEHOLDER: &str = "made-when-it-is-sent";

type Made = Result<Resource<Credential>, Failure>;

impl Guest {
    /// See `exchange` in the contract.
    pub(super) async fn exchanged(
        &mut self,
        name: String,
        outgoing: Outgoing,
        kind: &str,
        take: Vec<(String, String)>,
    ) -> wasmtime::Result<Made> {
        let exchange = match self.exchange_of(&name, outgoing, kind, take) {
            Ok(exchange) => exchange,
            Err(failure) => return Ok(Err(failure)),
        };
        let token = if self.running.as_ref().is_some_and(|running| running.purpose == Purpose::Preview) {
            self.meter.charged(|| exchange.dummy())
        } else {
            let (tokens, clock, left) = (self.scope.tokens.clone(), self.clock.clone(), self.left());
            let waiting = tokio::time::timeout(left, tokens.exchanged(&name, &clock, exchange.run()));
            waiting.await.unwrap_or_else(|_| Err(timeout())).map_err(Into::into)
        };
        Ok(match token {
            Ok(token) => Ok(self.table.push(Credential(token))?),
            Err(failure) => Err(failure),
        })
    }

    fn exchange_of(
        &self,
        name: &str,
        outgoing: Outgoing,
        kind: &str,
        take: Vec<(String, String)>,
    ) -> Result<Exchange, Failure> {
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(failure(Kind::Invalid, "exchange-name", "The name of an exchange has 1 to 64 bytes."));
        }
        let take = Take::of(tokens::Kind::parse(kind)?, take)?;
        if take.kind == tokens::Kind::Aws && !outgoing.is_signed_by_aws_alone() {
            // What authenticates itself in another way may be given a token of another kind, under names of its choice.
            let message = "Keys of AWS are given for a request that `sign-aws` signs, and that holds no other secret.";
            return Err(failure(Kind::Invalid, "exchange-unsigned", message));
        }
        let nature = Nature { operator: is_operators(&self.scope, &outgoing), ..Nature::default() };
        Ok(Exchange {
            take,
            origins: origins(&self.scope, &outgoing, nature.operator)?,
            nature,
            egress: self.egress.clone(),
            connector: self.scope.connector.clone(),
            told: self.scope.told.clone(),
            clock: self.clock.clone(),
            destination: self.scope.destination,
            running: self.running.clone(),
            meter: self.meter.clone(),
            ctx: SendContext { left: EXCHANGE, purpose: egress::Purpose::Exchange, ..self.context() },
            outgoing,
        })
    }
}

fn timeout() -> egress::Failure {
    let message = "The token endpoint did not answer before the end of this call.";
    egress::Failure::new(egress::FailureKind::Timeout, "exchange-timeout", message)
}

/// One exchange, apart from the guest that asked for it.
struct Exchange {
    outgoing: Outgoing,
    take: Take,
    /// Where the token may go.
    origins: Vec<String>,
    nature: Nature,
    egress: Arc<Egress>,
    connector: Arc<Connector>,
    told: Arc<Told>,
    clock: Arc<dyn Clock>,
    destination: i64,
    running: Option<Arc<Running>>,
    meter: Arc<Meter>,
    ctx: SendContext,
}

impl Exchange {
    async fn run(self) -> Result<Fresh, egress::Failure> {
        let masker = self.ctx.masker.with(self.outgoing.secrets())?;
        let carried = self.outgoing.carried().to_vec();
        let sent = self.egress.send(self.destination, self.outgoing, &self.ctx).await;
        self.meter.charge(sent.making);
        if let Some(running) = &self.running {
            // It carries no event, but tells of each why it came out as it did.
            let all = || (0..running.uids.len()).filter_map(|index| u32::try_from(index).ok()).collect();
            let events: Vec<u32> = if carried.is_empty() { all() } else { carried };
            running.show(&events, sent.exchange);
        }
        let answer = sent.result?;
        let (given, life_ms) = taken(&answer, &self.take, &masker, self.clock.now())?;
        let token = made(&self.origins, given, self.nature).map_err(|error| no_token(&answer, &error.message))?;
        // Before anybody has it.
        let now_ms = self.clock.monotonic_ms();
        self.connector.told.forget(now_ms);
        let kept = self.meter.charged(|| self.told.keep(&token, life_ms, now_ms));
        kept.map_err(|full| {
            egress::Failure::new(egress::FailureKind::Other, "credentials-too-many", full.to_string())
        })?;
        Ok(Fresh { token, life_ms })
    }

    /// What a preview gets: judged and made as if it were sent.
    fn dummy(&self) -> Result<Arc<Secret>, Failure> {
        if let Err(refused) = self.egress.preview(&self.outgoing, &self.ctx) {
            if let Some(running) = &self.running {
                let exchange = railhead_model::Exchange { failure: Some(refused.reason()), ..Default::default() };
                running.show(&[], exchange);
            }
            return Err(refused.into());
        }
        let text = || Zeroizing::new(PLACEHOLDER.to_owned());
        let given = match self.take.kind {
            tokens::Kind::Bearer => Taken::Bearer(Zeroizing::new(PLACEHOLDER.as_bytes().to_vec())),
            tokens::Kind::Aws => Taken::Aws { id: PLACEHOLDER.to_owned(), secret: text(), token: Some(text()) },
        };
        made(&self.origins, given, self.nature).map_err(|error| failure(Kind::Invalid, error.code, error.message))
    }
}

/// The handle's secret: a token is placed, keys sign.
fn made(origins: &[String], given: Taken, nature: Nature) -> Result<Arc<Secret>, SecretError> {
    match given {
        Taken::Bearer(token) => Ok(Secret::derived_as("token", CredentialUse::Place, origins, token.to_vec(), nature)),
        Taken::Aws { id, secret, token } => Secret::made_aws("token", origins, &id, (secret, token), nature),
    }
}

/// True if something of the operator's gets the token: in the request, in its signature, or as the client's certificate.
fn is_operators(scope: &Scope, outgoing: &Outgoing) -> bool {
    let endpoints = || scope.connector.manifest.origins.iter().filter(|origin| origin.token_endpoint);
    let shown = |identity: &Arc<Secret>| endpoints().any(|origin| identity.may_go_to(&origin.name));
    let identities = scope.identities.iter().filter(|identity| shown(identity));
    outgoing.secrets().chain(identities).any(|secret| secret.is_operators())
}

/// Where a token may go: to all origins of the manifest that are no token endpoints; where a credential that is sent for
/// it, or signs for it, names such origins too, to those only. One that is sent may be made of another field: a JSON Web Token.
/// What something of the operator's got goes nowhere that a tenant chooses.
fn origins(scope: &Scope, outgoing: &Outgoing, operators: bool) -> Result<Vec<String>, Failure> {
    let places = scope.connector.manifest.origins.iter().filter(|origin| !origin.token_endpoint);
    let places = places.filter(|origin| !operators || origin.place.is_fixed());
    let mut names: BTreeSet<&str> = places.map(|origin| origin.name.as_str()).collect();
    let all = names.clone();
    for secret in outgoing.secrets() {
        let named: BTreeSet<&str> = secret.origins().iter().map(String::as_str).collect();
        if !named.is_disjoint(&all) {
            names.retain(|name| named.contains(name));
        }
    }
    if names.is_empty() {
        let message = "There is no origin that all credentials of this exchange, and so its token, may go to.";
        return Err(failure(Kind::Denied, "credential-origin", message));
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests;
