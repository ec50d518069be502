//! What only some systems offer. Each has a fallback that does less and says so.

use std::path::Path;
use std::time::Duration;

/// Makes a directory that only this user can enter, parents included.
///
/// # Errors
/// If it cannot be made, or belongs to a path that others can change.
#[cfg(unix)]
pub(crate) fn private_directory(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    // It may have been there with other rights.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

/// Makes a directory; rights are the parent's.
///
/// # Errors
/// If it cannot be made.
#[cfg(not(unix))]
pub(crate) fn private_directory(path: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(path)
}

/// Gives up what a compiling process does not need: CPU time past `cpu`, memory past `memory`, files, new privileges,
/// life after its parent.
///
/// # Errors
/// If the system refuses one of them: then nothing is compiled.
#[cfg(target_os = "linux")]
pub(crate) fn confine(cpu: Duration, memory: u64) -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
    let both = |limit| Rlimit { current: Some(limit), maximum: Some(limit) };
    set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::thread::set_no_new_privs(true)?;
    setrlimit(Resource::Cpu, both(cpu.as_secs().max(1)))?;
    setrlimit(Resource::As, both(memory))?;
    setrlimit(Resource::Core, both(0))?;
    setrlimit(Resource::Fsize, both(0))?;
    // The three standard streams are open already; no further file can be.
    setrlimit(Resource::Nofile, both(3))?;
    Ok(())
}

/// Only the wall clock of the parent bounds a compiling process here.
///
/// # Errors
/// Never.
#[cfg(not(target_os = "linux"))]
pub(crate) fn confine(_cpu: Duration, _memory: u64) -> std::io::Result<()> {
    Ok(())
}

/// Has the system prefer other threads to the calling one. Where it does not, nothing is lost but that.
#[cfg(target_os = "linux")]
pub(crate) fn yield_to_others() {
    if let Err(error) = rustix::process::nice(SLOWER) {
        tracing::warn!(%error, "slow guests run with the priority of all others");
    }
}

/// Every thread is alike here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn yield_to_others() {}

/// CPU time of the calling thread.
#[cfg(unix)]
pub(crate) fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Time since the first call: CPU time cannot be had here.
#[cfg(not(unix))]
pub(crate) fn thread_cpu() -> Duration {
    static FIRST: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    FIRST.get_or_init(std::time::Instant::now).elapsed()
}

/// How much less: others get some three times as much of a core. Much more, and a machine that is busy with something else
/// would have slow calls run into their deadline before they used up their CPU time.
#[cfg(target_os = "linux")]
const SLOWER: i32 = 5;
