//! `http`: requests are built from pieces and sent by egress, which judges where they go.

mod sender;

pub(super) use self::sender::size;

use self::sender::Sender;
use super::{Credential, Guest, PIECE, Request, Response, allow_use, failure};
use crate::bindings::railhead::plugin::credentials::{Encoding, Part};
use crate::bindings::railhead::plugin::http::{Failure, Host, HostRequest, HostResponse, Signed};
use crate::bindings::railhead::plugin::types::Kind;
use crate::egress::{self, Algorithm, AwsSigner, AzureSigner, Outgoing, SendContext, Signer};
use crate::limits::{MAX_APPEND, MAX_HELD};
use futures::StreamExt;
use railhead_model::manifest::CredentialUse;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use wasmtime::component::Resource;

type Handle = Resource<Request>;
type Done = wasmtime::Result<Result<(), Failure>>;

/// Requests of one `send-all` under way at once, whatever the guest asks.
const MAX_AT_ONCE: u32 = 64;
/// Keys of one signature header: the one in force, and older ones while rotations overlap.
const MAX_KEYS: usize = 8;

impl HostRequest for Guest {
    fn new(&mut self, method: String, url: String) -> wasmtime::Result<Handle> {
        let bytes = method.len().saturating_add(url.len());
        // A constructor has no failure to answer with: past the bound the guest ends.
        if !self.hold(bytes) {
            return Err(wasmtime::format_err!("the requests under construction hold more bytes than a session may"));
        }
        Ok(self.table.push(Request { outgoing: Outgoing::new(method, url), bytes })?)
    }

    fn to_secret(&mut self, method: String, url: Resource<Credential>) -> wasmtime::Result<Result<Handle, Failure>> {
        let secret = self.secret(&url)?;
        if let Err(failure) = allow_use(&secret, CredentialUse::Url) {
            return Ok(Err(failure));
        }
        Ok(match Outgoing::to_secret(method, secret) {
            Ok(outgoing) => Ok(self.table.push(Request { outgoing, bytes: 0 })?),
            Err(failure) => Err(failure.into()),
        })
    }

    fn header(&mut self, handle: Handle, name: String, value: Vec<Part>) -> Done {
        self.change(&handle, name.len(), value, |outgoing, parts| outgoing.header(&name, parts))
    }

    fn query(&mut self, handle: Handle, name: String, value: Vec<Part>) -> Done {
        self.change(&handle, name.len(), value, |outgoing, parts| outgoing.query(&name, parts))
    }

    fn body(&mut self, handle: Handle, parts: Vec<Part>) -> Done {
        let bytes = parts.iter().map(|part| if let Part::Bytes(bytes) = part { bytes.len() } else { 0 }).sum::<usize>();
        if bytes > MAX_APPEND {
            let message = "At most 1 MiB can be appended to a body at once; append in several calls.";
            return Ok(Err(failure(Kind::TooLarge, "part-too-large", message)));
        }
        self.change(&handle, 0, parts, |outgoing, parts| outgoing.body(parts))
    }

    fn compress(&mut self, handle: Handle, coding: String) -> Done {
        Ok(self.table.get_mut(&handle)?.outgoing.compress(&coding).map_err(Into::into))
    }

    fn carries(&mut self, handle: Handle, events: Vec<u32>) -> wasmtime::Result<()> {
        let known = self.running.as_ref().map_or(0, |running| running.uids.len());
        let known = |index: &u32| usize::try_from(*index).is_ok_and(|index| index < known);
        // As long as the guest likes.
        let events = self.meter.charged(|| {
            let mut events: Vec<u32> = events.into_iter().filter(known).collect();
            events.sort_unstable();
            events.dedup();
            events
        });
        self.table.get_mut(&handle)?.outgoing.carries(events);
        Ok(())
    }

    fn timeout_ms(&mut self, handle: Handle, ms: u32) -> wasmtime::Result<()> {
        self.table.get_mut(&handle)?.outgoing.timeout(Duration::from_millis(ms.into()));
        Ok(())
    }

    fn http2(&mut self, handle: Handle) -> wasmtime::Result<()> {
        self.table.get_mut(&handle)?.outgoing.http2();
        Ok(())
    }

    fn sign_aws(&mut self, handle: Handle, keys: Resource<Credential>, service: String, region: String) -> Done {
        let keys = self.secret(&keys)?;
        if let Err(failure) = allow_use(&keys, CredentialUse::SignRequest) {
            return Ok(Err(failure));
        }
        // They outlive the handle, which may be one that an exchange made.
        let bytes = PIECE + keys.bytes().len() + service.len() + region.len();
        let signer = Signer::Aws(AwsSigner { keys, service, region });
        self.change(&handle, bytes, Vec::new(), |outgoing, _| outgoing.sign(signer))
    }

    fn sign_azure(&mut self, handle: Handle, key: Resource<Credential>, account: String) -> Done {
        let key = self.secret(&key)?;
        if let Err(failure) = allow_use(&key, CredentialUse::SignRequest) {
            return Ok(Err(failure));
        }
        let bytes = PIECE + account.len();
        let signer = Signer::Azure(AzureSigner { key, account });
        self.change(&handle, bytes, Vec::new(), |outgoing, _| outgoing.sign(signer))
    }

    fn sign_header(
        &mut self,
        handle: Handle,
        name: String,
        before: Vec<Signed>,
        each: String,
        join: String,
        message: Vec<Signed>,
        keys: Vec<Resource<Credential>>,
        algorithm: String,
        encoding: Encoding,
    ) -> Done {
        if keys.len() > MAX_KEYS {
            return Ok(Err(failure(Kind::Invalid, "too-many-keys", "A signature header takes at most 8 keys.")));
        }
        let mut secrets = Vec::with_capacity(keys.len());
        for key in &keys {
            let secret = self.secret(key)?;
            if let Err(failure) = allow_use(&secret, CredentialUse::SignRequest) {
                return Ok(Err(failure));
            }
            secrets.push(secret);
        }
        let algorithm = match Algorithm::parse(&algorithm) {
            Ok(algorithm) => algorithm,
            Err(failure) => return Ok(Err(failure.into())),
        };
        let texts = before.iter().chain(&message).map(|piece| match piece {
            Signed::Text(text) | Signed::Header(text) => text.len(),
            Signed::Body | Signed::Timestamp => 0,
        });
        let pieces = (before.len() + message.len()).saturating_mul(PIECE);
        let bytes = texts.fold(pieces + name.len() + each.len() + join.len(), usize::saturating_add);
        let (before, message) =
            (before.into_iter().map(Into::into).collect(), message.into_iter().map(Into::into).collect());
        let encoding = encoding.into();
        let signer = Signer::Header { name, before, each, join, message, keys: secrets, algorithm, encoding };
        self.change(&handle, bytes, Vec::new(), |outgoing, _| outgoing.sign(signer))
    }

    fn drop(&mut self, handle: Handle) -> wasmtime::Result<()> {
        self.take(handle)?;
        Ok(())
    }
}

impl HostResponse for Guest {
    fn status(&mut self, handle: Resource<Response>) -> wasmtime::Result<u16> {
        Ok(self.table.get(&handle)?.answer.status)
    }

    fn headers(&mut self, handle: Resource<Response>) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.table.get(&handle)?.answer.headers.clone())
    }

    fn body(&mut self, handle: Resource<Response>, max: u32) -> wasmtime::Result<Vec<u8>> {
        let response = self.table.get_mut(&handle)?;
        let rest = response.answer.body.get(response.read..).unwrap_or_default();
        let chunk = rest.get(..usize::try_from(max)?).unwrap_or(rest).to_vec();
        response.read += chunk.len();
        Ok(chunk)
    }

    fn trailers(&mut self, handle: Resource<Response>) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.table.get(&handle)?.answer.trailers.clone())
    }

    fn drop(&mut self, handle: Resource<Response>) -> wasmtime::Result<()> {
        let response = self.table.delete(handle)?;
        self.held = self.held.saturating_sub(response.bytes);
        Ok(())
    }
}

impl Host for Guest {
    async fn send(&mut self, request: Handle) -> wasmtime::Result<Result<Resource<Response>, Failure>> {
        let outgoing = self.take(request)?;
        let answer = self.sender().send(outgoing).await;
        self.keep(answer)
    }

    async fn send_all(
        &mut self,
        requests: Vec<Handle>,
        at_once: u32,
    ) -> wasmtime::Result<Vec<Result<Resource<Response>, Failure>>> {
        let mut outgoing = Vec::with_capacity(requests.len());
        for request in requests {
            outgoing.push(self.take(request)?);
        }
        let sender = self.sender();
        let at_once = usize::try_from(at_once.clamp(1, MAX_AT_ONCE))?;
        let answers: Vec<_> =
            futures::stream::iter(outgoing).map(|outgoing| sender.send(outgoing)).buffered(at_once).collect().await;
        answers.into_iter().map(|answer| self.keep(answer)).collect()
    }

    async fn exchange(
        &mut self,
        name: String,
        request: Handle,
        kind: String,
        take: Vec<(String, String)>,
    ) -> wasmtime::Result<Result<Resource<Credential>, Failure>> {
        let outgoing = self.take(request)?;
        self.exchanged(name, outgoing, &kind, take).await
    }
}

impl Guest {
    /// Changes a request by pieces that the guest gave, and `more` bytes of names and texts.
    fn change(
        &mut self,
        handle: &Handle,
        more: usize,
        parts: Vec<Part>,
        change: impl FnOnce(&mut Outgoing, Vec<egress::Part>) -> Result<(), egress::Failure>,
    ) -> Done {
        let bytes = self.bytes_of(&parts).saturating_add(more);
        if !self.hold(bytes) {
            let message = "The requests under construction hold more bytes than a session may.";
            return Ok(Err(failure(Kind::TooLarge, "session-too-large", message)));
        }
        let done = match self.parts(parts)? {
            Ok(parts) => change(&mut self.table.get_mut(handle)?.outgoing, parts).map_err(Into::into),
            Err(failure) => Err(failure),
        };
        match &done {
            Ok(()) => self.table.get_mut(handle)?.bytes += bytes,
            Err(_) => self.held = self.held.saturating_sub(bytes),
        }
        Ok(done)
    }

    /// Counts bytes that the host is about to hold; false where the session may hold no more.
    pub(super) fn hold(&mut self, bytes: usize) -> bool {
        let held = self.held.saturating_add(bytes);
        let fits = held.saturating_add(self.wasi.held()) <= MAX_HELD;
        if fits {
            self.held = held;
        }
        fits
    }

    /// Takes a request out of the guest's hands.
    fn take(&mut self, handle: Handle) -> wasmtime::Result<Outgoing> {
        let request = self.table.delete(handle)?;
        self.held = self.held.saturating_sub(request.bytes);
        Ok(request.outgoing)
    }

    fn keep(
        &mut self,
        answer: Result<egress::Response, Failure>,
    ) -> wasmtime::Result<Result<Resource<Response>, Failure>> {
        Ok(match answer {
            Ok(answer) => {
                let bytes = size(&answer);
                self.held = self.held.saturating_add(bytes);
                Ok(self.table.push(Response { answer, read: 0, bytes })?)
            }
            Err(failure) => Err(failure),
        })
    }

    pub(super) fn sender(&self) -> Sender {
        Sender {
            egress: self.egress.clone(),
            destination: self.scope.destination,
            running: self.running.clone(),
            meter: self.meter.clone(),
            room: AtomicUsize::new(self.room()),
            ctx: self.context(),
        }
    }

    /// What a request of this session is sent with.
    pub(super) fn context(&self) -> SendContext {
        self.meter.waits();
        SendContext {
            origins: self.scope.origins.clone(),
            masker: self.scope.masker(),
            identities: self.scope.identities.clone(),
            left: self.left(),
            clock: self.clock.clone(),
            events: self.running.as_ref().map_or_else(|| Vec::new().into(), |running| running.uids.clone()),
            purpose: egress::Purpose::Send,
            // What is outside of calls runs among the slow.
            slow: self.running.as_ref().is_none_or(|running| running.is_slow()),
        }
    }

    /// Until requests must be over.
    pub(super) fn left(&self) -> Duration {
        usable(self.running.as_ref().map_or(self.outside_ms, |running| running.left_ms()))
    }
}

/// Of the time left in a call, what requests have: the guest needs some to settle what came of them.
fn usable(left_ms: u32) -> Duration {
    Duration::from_millis(left_ms.saturating_sub((left_ms / 10).min(250)).into())
}

impl From<Signed> for egress::Signed {
    fn from(signed: Signed) -> Self {
        match signed {
            Signed::Text(text) => Self::Text(text),
            Signed::Body => Self::Body,
            Signed::Timestamp => Self::Timestamp,
            Signed::Header(name) => Self::Header(name),
        }
    }
}
