//! The machine's clocks: the one place that reads them.
//!
//! On Linux `std::time::Instant` is `CLOCK_MONOTONIC`, which stands still while the machine is suspended, and so do the
//! timers of tokio. A host that wakes would take its lease for alive, while another one fenced it hours ago. The
//! monotonic time is therefore `CLOCK_BOOTTIME`, which counts the sleep. Nobody may time a lease by `Instant`.
//!
//! A virtual machine that is stopped by its hypervisor may know nothing of it: no clock of its own tells the time that
//! it lost. There the fence protects the record, as from every host that stood still.

use super::{Clock, Timestamp};

/// The machine's clocks. Only the composition root makes one.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    /// What the monotonic one showed at the start. Guests are told its time: when the machine booted is not their business.
    zero_ms: u64,
}

impl SystemClock {
    /// Starts the monotonic clock at zero.
    #[must_use]
    #[allow(clippy::new_without_default)] // where time comes from is to be read at a glance
    pub fn new() -> Self {
        Self { zero_ms: awake_and_asleep_ms() }
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the one place that reads the machine's clock
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp(since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }

    fn monotonic_ms(&self) -> u64 {
        awake_and_asleep_ms().saturating_sub(self.zero_ms)
    }
}

/// Milliseconds since the machine booted. Every Linux since 2.6.39 can tell.
#[cfg(target_os = "linux")]
fn awake_and_asleep_ms() -> u64 {
    use rustix::time::{ClockId, DynamicClockId, clock_gettime, clock_gettime_dynamic};
    let time = clock_gettime_dynamic(DynamicClockId::Boottime).unwrap_or_else(|_| clock_gettime(ClockId::Monotonic));
    // Neither is ever negative.
    let (s, ns) = (u64::try_from(time.tv_sec).unwrap_or(0), u64::try_from(time.tv_nsec).unwrap_or(0));
    s * 1_000 + ns / 1_000_000
}

/// Milliseconds since this was first asked; whether that counts sleep is the system's choice.
#[cfg(not(target_os = "linux"))]
#[allow(clippy::disallowed_methods)] // as above
fn awake_and_asleep_ms() -> u64 {
    static FIRST: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let first = FIRST.get_or_init(std::time::Instant::now);
    u64::try_from(first.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::process::Command;

    /// What the kernel says of the time since it booted, in milliseconds; in hundredths of a second.
    fn uptime_ms() -> u64 {
        let uptime = std::fs::read_to_string("/proc/uptime").expect("the kernel tells");
        let (s, hundredths) = uptime.split(' ').next().and_then(|s| s.split_once('.')).expect("seconds");
        s.parse::<u64>().expect("a number") * 1_000 + hundredths.parse::<u64>().expect("a number") * 10
    }

    #[test]
    fn the_monotonic_clock_is_the_one_that_counts_sleep() {
        let (before, clock) = (uptime_ms(), SystemClock::new());
        let (now, shown) = (awake_and_asleep_ms(), clock.monotonic_ms());
        let after = uptime_ms();
        assert!(before <= now && now < after + 10, "{before} <= {now} <= {after}");
        assert!(shown < after + 10 - before, "it begins at zero: {shown}");
    }

    /// Runs the test above once more where the two clocks are far apart, as on a machine that slept for a day: a time
    /// namespace moves one of them only.
    #[test]
    #[allow(clippy::print_stderr)] // a test that was skipped says so
    fn sleep_counts() {
        let namespace = ["--time", "--boottime", "86400"];
        if !Command::new("unshare").args(namespace).arg("true").status().is_ok_and(|status| status.success()) {
            assert!(std::env::var_os("RAILHEAD_REQUIRE_NAMESPACE").is_none(), "no namespace of time can be made here");
            return eprintln!("skipped: no namespace of time can be made here");
        }
        let awake = uptime_ms();
        let mut asleep = Command::new("unshare");
        asleep.args(namespace).arg(std::env::current_exe().expect("this program"));
        asleep.args([
            "--exact",
            "time::machine::tests::the_monotonic_clock_is_the_one_that_counts_sleep",
            "--nocapture",
        ]);
        let ran = asleep.output().expect("it runs");
        let words = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success() && words.contains("1 passed"), "{words}");
        // And there it was a day later.
        let read = Command::new("unshare").args(namespace).args(["cat", "/proc/uptime"]).output().expect("it runs");
        let there = String::from_utf8_lossy(&read.stdout).split('.').next().and_then(|s| s.parse::<u64>().ok());
        assert!(there.is_some_and(|s| s * 1_000 >= awake + 86_000_000), "{there:?}, {awake}");
    }
}
