//! What a guest may take: memory, tables, CPU. Each number with its why.

pub(crate) mod apart;

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
/// Bytes that one `connection.write` may come to, event data and secrets included: as many as a request's body.
pub const MAX_WRITE: usize = 32 * 1024 * 1024;
/// How often what a session reads of its connections may begin like a secret that it wrote there, and be none. By chance that
/// comes to pass next to never; who guesses needs it thousands of times.
pub(crate) const MAX_IN_VAIN: usize = 16;
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
    /// What it read began like a secret again and again, and was none.
    #[error("the plugin read what begins like one of its secrets too often")]
    Guesses,
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

    /// True once the budget of the call is used up.
    pub(crate) fn is_used_up(&self) -> bool {
        self.spent_ns.load(Ordering::Relaxed) > self.budget_ns
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
mod tests;
