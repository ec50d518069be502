//! What a guest may take: memory, tables, CPU. Each number with its why.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use wasmtime::{CallHook, ResourceLimiter};

/// Linear memory of one session, all its memories together. A connector holds a hand-over's events and little else.
pub const MAX_MEMORY: usize = 64 * 1024 * 1024;
/// Elements of all its tables: function tables of the largest guests that we know have some 10,000.
pub const MAX_TABLE_ELEMENTS: usize = 20_000;
/// Core instances of one component: a Rust guest has four, interpreters some dozens.
pub const MAX_CORE_INSTANCES: usize = 32;
/// Memories of one component.
pub const MAX_MEMORIES: usize = 8;
/// Tables of one component.
pub const MAX_TABLES: usize = 16;
/// Stack of a guest.
pub const MAX_STACK: usize = 512 * 1024;
/// Stack of the fiber that a guest and its host calls run on.
pub const FIBER_STACK: usize = 1024 * 1024;
/// Bytes that one host call may lift out of a guest. A part of a body is at most 1 MiB; the rest is room for lists.
pub const HOST_CALL_FUEL: usize = 4 * 1024 * 1024;
/// Resource handles that a guest may hold at once.
pub const MAX_HANDLES: usize = 4_096;
/// Bytes that the host holds for one session between calls of the guest: requests under construction, and answers.
pub const MAX_HELD: usize = 64 * 1024 * 1024;
/// Bytes that one `request.body` call may append.
pub const MAX_APPEND: usize = 1024 * 1024;
/// Connections of streams that a session may have at once: a server and some brokers.
pub const MAX_CONNECTIONS: usize = 8;
/// Lines that a session may log in one call into it; what follows is counted, not kept.
pub const MAX_LOG_LINES: u32 = 100;
/// Epoch ticks: how often a spinning guest is made to yield.
pub const TICK: Duration = Duration::from_millis(2);

/// CPU time after which a call goes on with the slow ones, beside [`QUICK_EACH`]: what a connector needs that only builds
/// requests is a tenth of it. A host that was built without optimisation is several times slower.
pub(crate) const QUICK: Duration = Duration::from_millis(if cfg!(debug_assertions) { 20 } else { 5 });
/// The same for each event of the call.
pub(crate) const QUICK_EACH: Duration = Duration::from_micros(250);

/// Ticks of all engines of the process so far. Code without a loop meets no tick: a meter that sees that there was one
/// measures what ran until then.
static TICKS: AtomicU64 = AtomicU64::new(0);

/// The epoch went on.
pub(crate) fn ticked() {
    TICKS.fetch_add(1, Ordering::Relaxed);
}

const NS_PER_TICK: u64 = TICK.as_nanos() as u64;

/// Why the host stopped a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// It burnt the CPU time of a call.
    #[error("the plugin used up the CPU time of a call")]
    Cpu,
    /// It asked for more memory than a session has.
    #[error("the plugin asked for more memory than a session has")]
    Memory,
    /// It asked for more table elements than a session has.
    #[error("the plugin asked for more table elements than a session has")]
    Table,
}

/// Counts memory and table elements over all memories and tables of a store. A denied growth ends the guest: one that
/// is told "no" in the middle of an allocation only traps a little later, with a worse message.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    memory: usize,
    elements: usize,
    /// Of the guest that this limits.
    #[cfg(test)]
    pub(crate) memories: crate::watched::Memories,
}

impl Limiter {
    /// Bytes of all its memories: they never shrink.
    pub(crate) const fn memory(&self) -> usize {
        self.memory
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current));
        if total > MAX_MEMORY {
            return Err(wasmtime::Error::new(Stopped::Memory));
        }
        self.memory = total;
        #[cfg(test)]
        self.memories.expect_one();
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.elements.saturating_add(desired.saturating_sub(current));
        if total > MAX_TABLE_ELEMENTS {
            return Err(wasmtime::Error::new(Stopped::Table));
        }
        self.elements = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        MAX_CORE_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }
}

/// Measures the time that guest code runs, and host calls with it: a guest that calls a cheap one for ever burns as much
/// as one that loops. Waiting in a host call and yields stop it. It looks at the clock where it stops and starts, and not
/// at each crossing of the border between guest and host: there are some thirty an event.
#[derive(Debug)]
pub(crate) struct Meter {
    zero: std::time::Instant,
    budget_ns: u64,
    /// Nanoseconds of guest time since the call began, up to the last stop.
    spent_ns: AtomicU64,
    /// Since when it runs, in nanoseconds since `zero`; 0: it stands still.
    since_ns: AtomicU64,
    /// [`TICKS`] at that time.
    ticks: AtomicU64,
}

impl Meter {
    #[allow(clippy::disallowed_methods)] // a stop watch: no decision depends on what time it is
    pub(crate) fn new(budget: Duration) -> Arc<Self> {
        Arc::new(Self {
            zero: std::time::Instant::now(),
            budget_ns: u64::try_from(budget.as_nanos()).unwrap_or(u64::MAX),
            spent_ns: AtomicU64::new(0),
            since_ns: AtomicU64::new(0),
            ticks: AtomicU64::new(0),
        })
    }

    /// A new call begins with a full budget.
    pub(crate) fn reset(&self) {
        self.spent_ns.store(0, Ordering::Relaxed);
    }

    /// Guest time of the call so far, up to the last stop.
    pub(crate) fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent_ns.load(Ordering::Relaxed))
    }

    /// Starts and stops with the border between guest and host. A host call runs on the guest's time, until it waits, or
    /// calls the guest back and that is done.
    ///
    /// # Errors
    /// [`Stopped::Cpu`] on entering a guest whose budget is used up: many short stretches count like a long one.
    pub(crate) fn hook(&self, hook: CallHook) -> Result<(), Stopped> {
        match hook {
            CallHook::CallingWasm | CallHook::ReturningFromHost => {
                if self.ticks.load(Ordering::Relaxed) != TICKS.load(Ordering::Relaxed) && self.stop().is_some() {
                    self.start();
                }
                if self.spent_ns.load(Ordering::Relaxed) > self.budget_ns {
                    return Err(Stopped::Cpu);
                }
                if self.since_ns.load(Ordering::Relaxed) == 0 {
                    self.start();
                }
            }
            CallHook::ReturningFromWasm => drop(self.stop()),
            CallHook::CallingHost => {}
        }
        Ok(())
    }

    /// Does work of the host's that the guest asked for, on the guest's budget, however long it takes: else a guest could
    /// have the host compress or mask for it without end. Found out on the way back into the guest.
    pub(crate) fn charged<T>(&self, work: impl FnOnce() -> T) -> T {
        let stopped_ns = self.stop();
        let began = stopped_ns.unwrap_or_else(|| self.now_ns());
        let done = work();
        let now = self.now_ns();
        self.spent_ns.fetch_add(now.saturating_sub(began), Ordering::Relaxed);
        if stopped_ns.is_some() {
            self.start_at(now);
        }
        done
    }

    /// The same for what takes long: on a thread apart, where no other guest waits for it. None if the work panicked.
    pub(crate) async fn apart<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        self.waits();
        let meter = self.clone();
        let timed = tokio::task::spawn_blocking(move || {
            let began = meter.now_ns();
            let done = work();
            (done, Duration::from_nanos(meter.now_ns().saturating_sub(began)))
        });
        let (done, worked) = timed.await.ok()?;
        self.charge(worked);
        Some(done)
    }

    /// Adds time that the host worked for the guest.
    pub(crate) fn charge(&self, worked: Duration) {
        let worked = u64::try_from(worked.as_nanos()).unwrap_or(u64::MAX);
        self.spent_ns.fetch_add(worked, Ordering::Relaxed);
        // Not twice.
        if self.since_ns.load(Ordering::Relaxed) > 0 {
            self.since_ns.fetch_add(worked, Ordering::Relaxed);
        }
    }

    /// The host call under way waits for something: from here on its time is not the guest's.
    pub(crate) fn waits(&self) {
        self.stop();
    }

    /// At an epoch tick inside guest code: true if it may go on after a yield.
    pub(crate) fn tick(&self) -> bool {
        self.stop();
        self.spent_ns.load(Ordering::Relaxed) <= self.budget_ns
    }

    /// Guest code runs from now on.
    pub(crate) fn start(&self) {
        self.start_at(self.now_ns());
    }

    fn start_at(&self, now_ns: u64) {
        self.since_ns.store(now_ns, Ordering::Relaxed);
        self.ticks.store(TICKS.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// When it stopped, if it ran.
    fn stop(&self) -> Option<u64> {
        let since = self.since_ns.swap(0, Ordering::Relaxed);
        if since == 0 {
            return None;
        }
        let now = self.now_ns();
        // Code with loops meets each tick, what the host works long for is charged where it does, and on the way back from
        // any host call it is seen that there was a tick. A longer stretch was the machine's: others had the core.
        let ran = now.saturating_sub(since).min(2 * NS_PER_TICK);
        self.spent_ns.fetch_add(ran, Ordering::Relaxed);
        Some(now)
    }

    /// At least 1.
    fn now_ns(&self) -> u64 {
        u64::try_from(self.zero.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_counts_over_all_memories() {
        let mut limiter = Limiter::default();
        assert!(limiter.memory_growing(0, MAX_MEMORY / 2, None).is_ok());
        assert!(limiter.memory_growing(0, MAX_MEMORY / 2, None).is_ok());
        let denied = limiter.memory_growing(0, 65_536, None).err().and_then(|error| error.downcast_ref().copied());
        assert_eq!(denied, Some(Stopped::Memory));
    }

    #[test]
    fn a_used_up_meter_lets_nobody_in_until_the_next_call() {
        let meter = Meter::new(Duration::ZERO);
        assert!(meter.hook(CallHook::CallingWasm).is_ok());
        while meter.spent().is_zero() {
            meter.stop();
            meter.start();
        }
        assert!(!meter.tick());
        assert_eq!(meter.hook(CallHook::ReturningFromHost), Err(Stopped::Cpu));
        meter.reset();
        assert!(meter.hook(CallHook::CallingWasm).is_ok());
    }

    #[test]
    fn a_host_call_counts_until_it_waits() {
        let meter = Meter::new(Duration::from_secs(10));
        let since = || meter.since_ns.load(Ordering::Relaxed);
        meter.hook(CallHook::CallingWasm).unwrap();
        let began = since();
        meter.hook(CallHook::CallingHost).unwrap();
        assert_eq!(since(), began, "it goes on");
        meter.charge(Duration::from_secs(1));
        assert_eq!(since(), began + 1_000_000_000, "what is charged does not count twice");
        meter.waits();
        assert_eq!(since(), 0, "it stands still");
        meter.hook(CallHook::ReturningFromHost).unwrap();
        assert_ne!(since(), 0, "and goes on in the guest");
    }

    #[test]
    fn code_without_loops_is_stopped_between_its_host_calls() {
        let meter = Meter::new(Duration::from_nanos(NS_PER_TICK));
        meter.hook(CallHook::CallingWasm).unwrap();
        let mut stopped = Ok(());
        for _ in 0..10 {
            std::thread::sleep(TICK);
            ticked();
            stopped = stopped.and_then(|()| meter.hook(CallHook::CallingHost));
            stopped = stopped.and_then(|()| meter.hook(CallHook::ReturningFromHost));
        }
        assert_eq!(stopped, Err(Stopped::Cpu));
    }

    #[test]
    fn a_guest_that_was_called_back_is_measured_when_its_host_call_is_over() {
        let meter = Meter::new(Duration::from_secs(10));
        let hooks = [CallHook::CallingWasm, CallHook::CallingHost, CallHook::CallingWasm, CallHook::ReturningFromWasm];
        hooks.into_iter().for_each(|hook| meter.hook(hook).unwrap());
        assert_eq!(meter.stop(), None, "the host goes on for itself");
        meter.hook(CallHook::ReturningFromHost).unwrap();
        assert!(meter.stop().is_some());
    }

    #[test]
    fn long_work_of_the_host_counts_whole_and_the_machines_time_does_not() {
        let meter = Meter::new(Duration::from_secs(10));
        let long = Duration::from_nanos(3 * NS_PER_TICK);
        meter.start();
        std::thread::sleep(long);
        meter.stop();
        assert_eq!(meter.spent(), Duration::from_nanos(2 * NS_PER_TICK));
        meter.reset();
        meter.charged(|| std::thread::sleep(long));
        assert!(meter.spent() >= long);
        assert_eq!(meter.stop(), None, "it did not run before");
    }
}
