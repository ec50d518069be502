//! `streams`: connections of a session, on the guest's account. Who waits for a peer burns nothing.

use super::{Guest, failure};
use crate::bindings::railhead::plugin::credentials::Part;
use crate::bindings::railhead::plugin::streams::{Failure, Host, HostConnection, Security};
use crate::bindings::railhead::plugin::types::Kind;
use crate::call::{Purpose, Running};
use crate::egress::{self, CONNECTION_BYTES, Traffic};
use crate::limits::{MAX_APPEND, MAX_CONNECTIONS, Meter};
use crate::secret::Secret;
use railhead_model::manifest::CredentialUse;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;
use wasmtime::component::Resource;

/// Behind a `connection` handle.
pub struct Connection {
    stream: egress::Stream,
    /// The call that it counts for.
    counted_by: Weak<Running>,
}

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
        if self.connections >= MAX_CONNECTIONS || !self.hold(CONNECTION_BYTES) {
            let message = "A session has at most 8 connections at once; drop those that are not used any more.";
            return Ok(Err(failure(Kind::TooLarge, "too-many-connections", message)));
        }
        let (egress, traffic, security) = (self.egress.clone(), self.traffic_to(&host, port), security.into());
        let connecting = egress.connect_counted((&host, port), security, &ctx, &traffic);
        let stream = match charged(&self.meter, connecting).await {
            Ok(stream) => stream,
            Err(failure) => {
                self.held = self.held.saturating_sub(CONNECTION_BYTES);
                return Ok(Err(failure.into()));
            }
        };
        let counted_by = self.running.as_ref().map(Arc::downgrade).unwrap_or_default();
        self.connections += 1;
        Ok(Ok(self.table.push(Connection { stream, counted_by })?))
    }

    async fn start_tls(&mut self, handle: Handle) -> Answer<()> {
        let (left, meter) = (self.waiting(), self.meter.clone());
        let stream = self.stream(&handle)?;
        Ok(charged(&meter, stream.start_tls(left)).await.map_err(Into::into))
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
        let parts = match self.parts_allowed(parts, |secret| self.allow_in_stream(secret))? {
            Ok(parts) => parts,
            Err(failure) => return Ok(Err(failure)),
        };
        if let Err(refused) = self.stream(&handle)?.judge(&parts) {
            return Ok(Err(refused.into()));
        }
        if let Some(running) = &self.running {
            running.wrote();
        }
        let (left, meter) = (self.waiting(), self.meter.clone());
        let stream = self.stream(&handle)?;
        Ok(charged(&meter, stream.write(&parts, left)).await.map_err(Into::into))
    }

    async fn read(&mut self, handle: Handle, max: u32, timeout_ms: u32) -> Answer<Vec<u8>> {
        let (wait, meter) = (self.waiting().min(Duration::from_millis(timeout_ms.into())), self.meter.clone());
        let max = usize::try_from(max)?;
        let stream = self.stream(&handle)?;
        let read = charged(&meter, stream.read(max, wait)).await;
        Ok(read.map(Into::into).map_err(Into::into))
    }

    fn drop(&mut self, handle: Handle) -> wasmtime::Result<()> {
        let connection = self.table.delete(handle)?;
        let meter = self.meter.clone();
        meter.charged(|| connection.stream.close());
        self.held = self.held.saturating_sub(CONNECTION_BYTES);
        self.connections = self.connections.saturating_sub(1);
        Ok(())
    }
}

impl Host for Guest {
    async fn wait(&mut self, handles: Vec<Handle>, timeout_ms: u32) -> wasmtime::Result<Vec<u32>> {
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
        Ok(charged(&meter, tokio::time::timeout(wait, ready)).await.unwrap_or_default())
    }

    async fn lookup_srv(&mut self, name: String) -> Answer<Vec<(String, u16)>> {
        let ctx = self.context();
        if self.running.as_ref().is_some_and(|running| running.purpose == Purpose::Preview) {
            return Ok(Err(failure(Kind::Preview, "preview", "This is a preview: no name is looked up.")));
        }
        let (egress, meter) = (self.egress.clone(), self.meter.clone());
        Ok(charged(&meter, egress.lookup_srv(&name, &ctx)).await.map_err(Into::into))
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

/// What the host does while it is asked for something is the guest's time; what it waits for is not.
async fn charged<F: Future>(meter: &Meter, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| meter.charged(|| future.as_mut().poll(cx))).await
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
