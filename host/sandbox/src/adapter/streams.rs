//! `streams`: connections of a session, on the guest's account. Who waits for a peer burns nothing.

use super::{Guest, failure};
use crate::bindings::railhead::plugin::credentials::{Encoding, Part};
use crate::bindings::railhead::plugin::streams::{Failure, Host, HostConnection, Security};
use crate::bindings::railhead::plugin::types::Kind;
use crate::call::{Purpose, Running};
use crate::egress::{self, CONNECTION_BYTES, Traffic};
use crate::limits::{MAX_APPEND, MAX_CONNECTIONS, MAX_IN_VAIN, MAX_WRITE, Meter, Stopped};
use crate::secret::Secret;
use railhead_model::manifest::CredentialUse;
use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;
use wasmtime::component::Resource;

/// Behind a `connection` handle.
pub struct Connection {
    pub(super) stream: egress::Stream,
    /// The call that it counts for.
    counted_by: Weak<Running>,
}

#[cfg(test)]
impl Connection {
    /// Of no call.
    pub(super) fn of(stream: egress::Stream) -> Self {
        Self { stream, counted_by: Weak::new() }
    }
}

/// The widest that a byte of a secret is written, in any encoding.
const WIDEST: usize = 6;

type Handle = Resource<Connection>;
type Answer<T> = wasmtime::Result<Result<T, Failure>>;

impl HostConnection for Guest {
    async fn connect(&mut self, host: String, port: u16, security: Security) -> Answer<Handle> {
        let ctx = self.context();
        if let Err(refused) = self.egress.allows(&host, port, &ctx) {
            self.traffic_to(&host, port).failed(&refused);
            return Ok(Err(refused.into()));
        }
        if self.running.as_ref().is_some_and(|running| running.purpose == Purpose::Preview) {
            return Ok(Err(failure(Kind::Preview, "preview", "This is a preview: no connection is made.")));
        }
        if self.connections.len() >= MAX_CONNECTIONS || !self.hold(CONNECTION_BYTES) {
            let message = "A session has at most 8 connections at once; drop those that are not used any more.";
            return Ok(Err(failure(Kind::TooLarge, "too-many-connections", message)));
        }
        let (egress, traffic, security) = (self.egress.clone(), self.traffic_to(&host, port), security.into());
        let connecting = egress.connect_counted((&host, port), security, &ctx, &traffic);
        let stream = match charged(&self.meter, connecting).await? {
            Ok(stream) => stream,
            Err(failure) => {
                self.held = self.held.saturating_sub(CONNECTION_BYTES);
                return Ok(Err(failure.into()));
            }
        };
        let counted_by = self.running.as_ref().map(Arc::downgrade).unwrap_or_default();
        let handle = self.table.push(Connection { stream, counted_by })?;
        self.connections.push(handle.rep());
        Ok(Ok(handle))
    }

    async fn start_tls(&mut self, handle: Handle) -> Answer<()> {
        let (left, meter) = (self.waiting(), self.meter.clone());
        let stream = self.stream(&handle)?;
        Ok(charged(&meter, stream.start_tls(left)).await?.map_err(Into::into))
    }

    fn channel_binding(&mut self, handle: Handle) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(self.table.get(&handle)?.stream.channel_binding())
    }

    async fn write(&mut self, handle: Handle, parts: Vec<Part>) -> Answer<()> {
        let own = |part: &Part| if let Part::Bytes(bytes) = part { bytes.len() } else { 0 };
        if parts.iter().map(own).sum::<usize>() > MAX_APPEND {
            let message = "At most 1 MiB can be written to a stream at once; write in several calls.";
            return Ok(Err(failure(Kind::TooLarge, "part-too-large", message)));
        }
        if self.meter.charged(|| self.written_bytes(&parts)) > MAX_WRITE {
            let message =
                "At most 32 MiB can be written to a stream at once, event data included; write in several calls.";
            return Ok(Err(failure(Kind::TooLarge, "write-too-large", message)));
        }
        let held = self.bytes_of(&parts);
        if !self.hold(held) {
            return Ok(Err(too_much()));
        }
        let done = self.write_parts(&handle, parts).await;
        self.held = self.held.saturating_sub(held);
        done
    }

    async fn read(&mut self, handle: Handle, max: u32, timeout_ms: u32) -> Answer<Vec<u8>> {
        let (wait, meter) = (self.waiting().min(Duration::from_millis(timeout_ms.into())), self.meter.clone());
        let max = usize::try_from(max)?;
        let stream = self.stream(&handle)?;
        let read = charged(&meter, stream.read(max, wait)).await?;
        let in_vain = stream.in_vain();
        self.in_vain = self.in_vain.saturating_add(in_vain);
        if self.in_vain > MAX_IN_VAIN {
            return Err(wasmtime::Error::new(Stopped::Guesses));
        }
        Ok(read.map(Into::into).map_err(Into::into))
    }

    fn drop(&mut self, handle: Handle) -> wasmtime::Result<()> {
        let connection = self.table.delete(Handle::new_own(handle.rep()))?;
        let meter = self.meter.clone();
        let held = CONNECTION_BYTES.saturating_add(connection.stream.looking());
        meter.charged(|| connection.stream.close());
        self.held = self.held.saturating_sub(held);
        self.connections.retain(|open| *open != handle.rep());
        Ok(())
    }
}

impl Host for Guest {
    async fn wait(&mut self, handles: Vec<Handle>, timeout_ms: u32) -> wasmtime::Result<Vec<u32>> {
        let each: HashSet<u32> = handles.iter().take(MAX_CONNECTIONS + 1).map(Handle::rep).collect();
        if each.len() < handles.len() || handles.len() > MAX_CONNECTIONS {
            return Err(wasmtime::format_err!("a wait takes each connection once"));
        }
        let (wait, meter) = (self.waiting().min(Duration::from_millis(timeout_ms.into())), self.meter.clone());
        for handle in &handles {
            self.stream(handle)?; // each is known, and counts for this call
        }
        let table = &mut self.table;
        let ready = poll_fn(|cx| {
            let mut ready = Vec::new();
            for (index, handle) in (0..).zip(&handles) {
                if let Ok(connection) = table.get_mut(handle)
                    && connection.stream.poll_ready(cx).is_ready()
                {
                    ready.push(index);
                }
            }
            if ready.is_empty() { Poll::Pending } else { Poll::Ready(ready) }
        });
        Ok(charged(&meter, tokio::time::timeout(wait, ready)).await?.unwrap_or_default())
    }

    async fn lookup_srv(&mut self, name: String) -> Answer<Vec<(String, u16)>> {
        let ctx = self.context();
        if self.running.as_ref().is_some_and(|running| running.purpose == Purpose::Preview) {
            return Ok(Err(failure(Kind::Preview, "preview", "This is a preview: no name is looked up.")));
        }
        let (egress, meter) = (self.egress.clone(), self.meter.clone());
        Ok(charged(&meter, egress.lookup_srv(&name, &ctx)).await?.map_err(Into::into))
    }
}

impl Guest {
    /// A connection, which counts for the call under way from here on.
    fn stream(&mut self, handle: &Handle) -> wasmtime::Result<&mut egress::Stream> {
        let running = self.running.clone();
        let connection = self.table.get_mut(handle)?;
        if let Some(running) = running.filter(|running| !Weak::ptr_eq(&connection.counted_by, &Arc::downgrade(running)))
        {
            connection.counted_by = Arc::downgrade(&running);
            running.counts(connection.stream.counted_anew());
        }
        Ok(&mut connection.stream)
    }

    async fn write_parts(&mut self, handle: &Handle, parts: Vec<Part>) -> Answer<()> {
        let parts = match self.parts_allowed(parts, |secret| self.allow_in_stream(secret))? {
            Ok(parts) => parts,
            Err(failure) => return Ok(Err(failure)),
        };
        let meter = self.meter.clone();
        let stream = self.stream(handle)?;
        if let Err(refused) = meter.charged(|| stream.judge(&parts)) {
            return Ok(Err(refused.into()));
        }
        let more = match meter.charged(|| stream.look_for(&parts)) {
            Ok(more) => more,
            Err(refused) => return Ok(Err(refused.into())),
        };
        if !self.hold(more) {
            // It looks for them already, on nobody's account.
            let stream = &mut self.table.get_mut(handle)?.stream;
            let before = stream.looking().saturating_sub(more);
            stream.forget();
            self.held = self.held.saturating_sub(before);
            return Ok(Err(too_much()));
        }
        if let Some(running) = &self.running {
            running.wrote();
        }
        let left = self.waiting();
        let stream = self.stream(handle)?;
        Ok(charged(&meter, stream.write(&parts, left)).await?.map_err(Into::into))
    }

    /// Bytes that pieces come to where they are written, at most.
    fn written_bytes(&self, parts: &[Part]) -> usize {
        let bytes = |part: &Part| match part {
            Part::Bytes(bytes) => bytes.len(),
            Part::EventData(index) => self.event_data(*index).map_or(0, |data| data.len()),
            Part::EventDataBase64(index) => self.event_data(*index).map_or(0, |data| egress::base64_length(data.len())),
            Part::Secret((handle, Encoding::Raw)) => self.secret(handle).map_or(0, |secret| secret.bytes().len()),
            Part::Secret((handle, _)) => {
                self.secret(handle).map_or(0, |secret| secret.bytes().len().saturating_mul(WIDEST))
            }
        };
        parts.iter().map(bytes).fold(0, usize::saturating_add)
    }

    /// Counts what goes to a server, for the record of the call under way.
    fn traffic_to(&self, host: &str, port: u16) -> Arc<Traffic> {
        let traffic = Traffic::new(&self.presentable(host), port);
        if let Some(running) = &self.running {
            running.counts(traffic.clone());
        }
        traffic
    }

    /// Until what the host waits for must be over; from here on the guest's time stands still.
    fn waiting(&self) -> Duration {
        self.meter.waits();
        self.left()
    }

    /// Fails where a secret may not stand in a stream: fields of use `wire`, and what was made of others, may.
    pub(super) fn allow_in_stream(&self, secret: &Arc<Secret>) -> Result<(), Failure> {
        let is_field = || self.scope.secrets.values().flatten().any(|field| Arc::ptr_eq(field, secret));
        match secret.usage() {
            CredentialUse::Wire => Ok(()),
            CredentialUse::Place if !is_field() => Ok(()),
            _ => Err(super::wrong_use(secret)),
        }
    }
}

/// What the host does while it is asked for something is the guest's time; what it waits for is not. A guest whose time is
/// used up does not get to the end of it.
async fn charged<F: Future>(meter: &Meter, future: F) -> wasmtime::Result<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match meter.charged(|| future.as_mut().poll(cx)) {
        Poll::Pending if meter.is_used_up() => Poll::Ready(Err(wasmtime::Error::new(Stopped::Cpu))),
        polled => polled.map(Ok),
    })
    .await
}

fn too_much() -> Failure {
    let message =
        "What this session writes, and what is looked for in its answers, holds more bytes than a session may.";
    failure(Kind::TooLarge, "session-too-large", message)
}

impl From<Security> for egress::Security {
    fn from(security: Security) -> Self {
        match security {
            Security::Tls => Self::Tls,
            Security::Upgrade => Self::Upgrade,
            Security::Plain => Self::Plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_used_its_time_up_does_not_wait_to_the_end() {
        let meter = Meter::new(Duration::from_millis(20));
        let mut polls = 0_u32;
        let endless = poll_fn(|cx| {
            polls += 1;
            std::thread::sleep(Duration::from_millis(1));
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        let stopped = charged(&meter, endless).await.unwrap_err();
        assert_eq!(stopped.downcast_ref(), Some(&Stopped::Cpu));
        assert!(polls <= 21, "{polls}");
        let meter = Meter::new(Duration::ZERO);
        let done = charged(&meter, async { std::thread::sleep(Duration::from_millis(1)) }).await;
        assert!(done.is_ok(), "what is done is told");
    }
}
