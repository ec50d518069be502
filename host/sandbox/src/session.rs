//! One session: one instance, one store, one destination. Calls never overlap.

use crate::adapter::{Cache, CallHandle, Guest};
use crate::bindings::Connector;
use crate::bindings::exports::railhead::plugin::destination::Event;
use crate::bindings::railhead::plugin::types::{Failure, Kind};
use crate::call::{CallEvent, Ended, Running};
use crate::egress::Egress;
use crate::limits::{self, Limiter, Meter, Stopped};
use crate::sessions::Place;
use crate::target::Scope;
use railhead_model::{Clock, Outcome, Random, Reason};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::error::Elapsed;
use wasmtime::component::{Resource, ResourceAny, ResourceTable};
use wasmtime::{Store, Trap, UpdateDeadline};

/// The attribute in which a connector gets the host's id of an event.
const UID_ATTRIBUTE: &str = "railheaduid";
/// What `close` gets, and the least that `open` and `idle` get.
const ASIDE: Duration = Duration::from_secs(5);
/// `idle` is not called more often, whatever the guest asks.
const MIN_IDLE_MS: u32 = 1_000;

/// What the sandbox lends to sessions.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) egress: Arc<Egress>,
    pub(crate) clock: Arc<dyn Clock>,
    /// For nonces.
    pub(crate) random: Arc<dyn Random>,
    /// Guest time of one call.
    pub(crate) cpu: Duration,
    /// Where slow calls run, and all that is not a call.
    pub(crate) slow: Handle,
}

/// See the module.
pub(crate) struct Session {
    store: Store<Guest>,
    exports: Connector,
    handle: ResourceAny,
    meter: Arc<Meter>,
    /// When its last call ended, on the monotonic clock.
    pub(crate) used_ms: u64,
    /// When it wants `idle` called, on the monotonic clock.
    pub(crate) idle_at_ms: Option<u64>,
    _place: Place,
}

impl Session {
    /// Makes an instance and opens its session. `running`: the call that it is opened for.
    ///
    /// # Errors
    /// How the call ended with it.
    pub(crate) async fn open(
        around: &Surroundings,
        scope: &Arc<Scope>,
        cache: &Arc<Cache>,
        place: Place,
        running: &Arc<Running>,
    ) -> Result<Self, Ended> {
        let meter = Meter::new(around.cpu);
        let mut store = store(around, scope, cache, &meter)?;
        store.data_mut().running = Some(running.clone());
        let left = Duration::from_millis(running.left_ms().into());
        let opened = tokio::time::timeout(left, instantiate(&mut store, scope)).await;
        #[cfg(test)]
        crate::watched::call_ended(&store, "Open");
        let (exports, opened) = match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => return Err(Ended::Broken(broken(&error))),
            Err(_) => return Err(Ended::Broken(deadline())),
        };
        let handle = match opened {
            Ok(handle) => handle,
            Err(failure) => return Err(not_opened(store.data(), &failure)),
        };
        store.data_mut().running = None;
        let used_ms = around.clock.monotonic_ms();
        Ok(Self { store, exports, handle, meter, used_ms, idle_at_ms: Some(used_ms), _place: place })
    }

    /// Hands the events of a call over.
    pub(crate) async fn deliver(&mut self, running: &Arc<Running>) -> Ended {
        self.hand_over(running, false).await
    }

    /// Has it show what it would send.
    pub(crate) async fn preview(&mut self, running: &Arc<Running>) -> Ended {
        self.hand_over(running, true).await
    }

    async fn hand_over(&mut self, running: &Arc<Running>, preview: bool) -> Ended {
        let uids: Vec<String> = running.uids.iter().map(ToString::to_string).collect();
        let attributes: Vec<_> =
            running.call.events.iter().zip(&uids).map(|(event, uid)| attributes(event, uid)).collect();
        let tenant = self.store.data().scope.tenant_id.clone();
        let events = running.call.events.iter().zip(&attributes);
        let events: Vec<Event<'_>> = events.map(|(event, attributes)| lowered(event, attributes, &tenant)).collect();
        self.begin(running);
        running.handed_over();
        let left = Duration::from_millis(running.left_ms().into());
        let (session, call) =
            (self.exports.railhead_plugin_destination().session(), Resource::<CallHandle>::new_borrow(0));
        let returned = if preview {
            tokio::time::timeout(left, session.call_preview(&mut self.store, self.handle, call, &events)).await
        } else {
            tokio::time::timeout(left, session.call_deliver(&mut self.store, self.handle, call, &events)).await
        };
        self.end(running, returned).map_or_else(|ended| ended, |()| Ended::Returned)
    }

    /// Has it check its configuration against the destination.
    ///
    /// # Errors
    /// How the call ended, if not with steps.
    pub(crate) async fn check(&mut self, running: &Arc<Running>) -> Result<Vec<Result<String, Reason>>, Ended> {
        self.begin(running);
        let left = Duration::from_millis(running.left_ms().into());
        let (session, call) =
            (self.exports.railhead_plugin_destination().session(), Resource::<CallHandle>::new_borrow(0));
        let returned = tokio::time::timeout(left, session.call_check(&mut self.store, self.handle, call)).await;
        let steps = self.end(running, returned.map(|result| result.map(Ok)))?;
        let guest = self.store.data();
        Ok(steps.into_iter().map(|step| step.map_err(|reason| guest.reason(reason))).collect())
    }

    /// Lets it send heartbeats and notes when it wants to be called again. False: it is of no more use.
    pub(crate) async fn idle(&mut self, clock: &dyn Clock) -> bool {
        self.aside();
        let session = self.exports.railhead_plugin_destination().session();
        let returned = tokio::time::timeout(ASIDE, session.call_idle(&mut self.store, self.handle)).await;
        #[cfg(test)]
        crate::watched::call_ended(&self.store, "Idle");
        let Ok(Ok(Ok(again))) = returned else { return false };
        self.idle_at_ms = again.map(|ms| clock.monotonic_ms().saturating_add(ms.max(MIN_IDLE_MS).into()));
        true
    }

    /// The orderly end.
    pub(crate) async fn close(mut self) {
        self.aside();
        let session = self.exports.railhead_plugin_destination().session();
        let closed = tokio::time::timeout(ASIDE, session.call_close(&mut self.store, self.handle)).await;
        #[cfg(test)]
        crate::watched::call_ended(&self.store, "Close");
        if let Ok(Err(error)) = closed {
            let connector = &self.store.data().scope.connector.manifest.name;
            tracing::debug!(connector, %error, "a session failed as it closed");
        }
    }

    fn begin(&mut self, running: &Arc<Running>) {
        self.meter.reset();
        let guest = self.store.data_mut();
        guest.running = Some(running.clone());
        guest.log_lines = 0;
        guest.wasi.cut();
    }

    fn aside(&mut self) {
        self.meter.reset();
        let guest = self.store.data_mut();
        guest.running = None;
        guest.log_lines = 0;
        guest.wasi.cut();
    }

    fn end<T>(&mut self, running: &Running, returned: Result<Returned<T>, Elapsed>) -> Result<T, Ended> {
        #[cfg(test)]
        crate::watched::call_ended(&self.store, &format!("{:?}", running.purpose));
        let guest = self.store.data_mut();
        guest.running = None;
        guest.wasi.cut();
        self.used_ms = guest.clock.monotonic_ms();
        let connector = &guest.scope.connector.manifest.name;
        let memory = guest.limiter.memory();
        tracing::trace!(connector, events = running.uids.len(), cpu = ?self.meter.spent(), memory, "a call ended");
        match returned {
            Ok(Ok(Ok(result))) => Ok(result),
            Ok(Ok(Err(failure))) => Err(Ended::Failed(guest.failure_reason(&failure))),
            Ok(Err(error)) => Err(Ended::Broken(broken(&error))),
            Err(_) => Err(Ended::Broken(deadline())),
        }
    }
}

/// What a call into a guest comes back with: a trap, a failure of the guest's own, or a result.
type Returned<T> = wasmtime::Result<Result<T, Failure>>;

pub(crate) fn store(
    around: &Surroundings,
    scope: &Arc<Scope>,
    cache: &Arc<Cache>,
    meter: &Arc<Meter>,
) -> Result<Store<Guest>, Ended> {
    let mut table = ResourceTable::new();
    table.set_max_capacity(limits::MAX_HANDLES);
    let guest = Guest {
        table,
        limiter: Limiter::default(),
        meter: meter.clone(),
        scope: scope.clone(),
        egress: around.egress.clone(),
        clock: around.clock.clone(),
        random: around.random.clone(),
        cache: cache.clone(),
        running: None,
        outside_ms: u32::try_from(ASIDE.as_millis()).unwrap_or(u32::MAX),
        held: 0,
        composed: HashMap::new(),
        log_lines: 0,
        connections: Vec::new(),
        in_vain: 0,
        slow: around.slow.clone(),
        wasi: crate::adapter::wasi_http::State::default(),
    };
    let mut store = Store::new(scope.connector.ready.engine(), guest);
    store.limiter(|guest| &mut guest.limiter);
    store.set_hostcall_fuel(limits::HOST_CALL_FUEL);
    store.set_max_component_handles(limits::MAX_HANDLES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|context| {
        let meter = context.data().meter.clone();
        if !meter.tick() {
            return Err(wasmtime::Error::new(Stopped::Cpu));
        }
        // The meter stands still while others have their turn.
        let turn = async move {
            tokio::task::yield_now().await;
            meter.start();
        };
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(turn)))
    });
    store.call_hook(|context, hook| context.data().meter.hook(hook).map_err(wasmtime::Error::new));
    Ok(store)
}

type Opened = (Connector, Result<ResourceAny, Failure>);

async fn instantiate(store: &mut Store<Guest>, scope: &Scope) -> wasmtime::Result<Opened> {
    let exports = scope.connector.ready.instantiate_async(&mut *store).await?;
    let opened = exports.railhead_plugin_destination().session().call_open(&mut *store, &scope.config).await?;
    Ok((exports, opened))
}

/// The publisher's attributes and, first, the host's own id of the event: what duplicates are known by everywhere.
fn attributes<'a>(event: &'a CallEvent, uid: &'a str) -> Vec<(&'a str, &'a str)> {
    let given = event.event.head.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    std::iter::once((UID_ATTRIBUTE, uid)).chain(given.filter(|(name, _)| *name != UID_ATTRIBUTE)).collect()
}

fn lowered<'a>(event: &'a CallEvent, attributes: &'a [(&'a str, &'a str)], tenant: &'a str) -> Event<'a> {
    let event = &event.event;
    Event {
        id: &event.id,
        type_: &event.event_type,
        source: &event.head.source,
        time: &event.head.time,
        subject: event.head.subject.as_deref(),
        tenant,
        content_type: &event.head.content_type,
        attributes,
        data: &event.data,
    }
}

/// What `open` said, as an outcome for all events of the call.
fn not_opened(guest: &Guest, failure: &Failure) -> Ended {
    let said = guest.failure_reason(failure);
    let reason = Reason { code: "session-open-failed".to_owned(), message: said.message, status: Some(said.code) };
    Ended::NotRun(match failure.kind {
        Kind::Invalid | Kind::Denied => Outcome::Misconfigured(reason),
        Kind::Credential => Outcome::RejectedCredentials(reason),
        _ => Outcome::Transient(reason, None),
    })
}

fn deadline() -> Reason {
    Reason::new("deadline", "The connector did not end its call in time.")
}

/// Why a guest is gone, under a stable code.
fn broken(error: &wasmtime::Error) -> Reason {
    if let Some(stopped) = error.downcast_ref::<Stopped>() {
        let code = match stopped {
            Stopped::Cpu => "cpu-limit",
            Stopped::Memory | Stopped::Table => "memory-limit",
            Stopped::Guesses => "guess-limit",
        };
        return Reason::new(code, sentence(stopped));
    }
    // The type of this error is wasmtime's own; a test watches its words.
    if error.chain().any(|cause| cause.to_string().contains("fuel allocated for hostcalls")) {
        return Reason::new("output-limit", "The connector gave the host more bytes at once than it may.");
    }
    let cause = error.downcast_ref::<Trap>().map_or_else(|| error.root_cause().to_string(), ToString::to_string);
    let message = crate::adapter::presentable(&format!("The connector failed: {cause}."));
    Reason::new("plugin-trap", message)
}

fn sentence(stopped: &Stopped) -> String {
    let text = stopped.to_string();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}
