//! The wasmtime engine as connectors run on it, and the thread that ticks it.

use crate::limits;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// What compiled code depends on: the same in the host and in the child that compiles for it.
fn common() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        .concurrency_support(false) // 0.1 of the contract has no async functions; without it calls are cheaper
        .max_wasm_stack(limits::MAX_STACK)
        .async_stack_size(limits::FIBER_STACK)
        .memory_init_cow(true)
        .wasm_relaxed_simd(false) // the same module does the same everywhere
        .wasm_memory64(false)
        .wasm_multi_memory(false);
    config
}

/// For the compile child: allocates on demand (a pool reserves terabytes, which RLIMIT_AS forbids) and compiles on one
/// thread.
pub(crate) fn compiling() -> wasmtime::Result<Engine> {
    let mut config = common();
    config.parallel_compilation(false);
    Engine::new(&config)
}

/// For running: `instances` sessions at once, their memory kept and reset rather than mapped anew.
pub(crate) fn running(instances: u32) -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(8))
        .total_memories(instances.saturating_mul(2))
        .total_tables(instances.saturating_mul(4))
        .total_stacks(instances)
        .max_core_instances_per_component(number(limits::MAX_CORE_INSTANCES))
        .max_memories_per_component(number(limits::MAX_MEMORIES))
        .max_tables_per_component(number(limits::MAX_TABLES))
        .max_tables_per_module(number(limits::MAX_TABLES))
        .max_memory_size(limits::MAX_MEMORY)
        .table_elements(limits::MAX_TABLE_ELEMENTS)
        .linear_memory_keep_resident(512 * 1024)
        .table_keep_resident(64 * 1024)
        .async_stack_keep_resident(64 * 1024)
        // Without it, keeping memory resident costs more than it saves.
        .pagemap_scan(Enabled::Auto);
    let mut config = common();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

/// For tests that look into the memories of guests: `memories` makes them, on demand.
#[cfg(test)]
pub(crate) fn watched(memories: Arc<dyn wasmtime::MemoryCreator>) -> wasmtime::Result<Engine> {
    let mut config = common();
    config.with_host_memory(memories).memory_init_cow(false).memory_reservation(0).memory_guard_size(0);
    config.cranelift_opt_level(wasmtime::OptLevel::None); // each guest runs once or twice
    Engine::new(&config)
}

fn number(limit: usize) -> u32 {
    u32::try_from(limit).unwrap_or(u32::MAX)
}

/// A thread of its own: a runtime that guests keep busy could not tick them.
pub(crate) struct Ticker {
    stop: Arc<AtomicBool>,
}

impl Ticker {
    /// Ticks the engine until this is dropped.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, engine) = (stop.clone(), engine.weak());
        std::thread::Builder::new().name("railhead-epoch".to_owned()).spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(limits::TICK);
                let Some(engine) = engine.upgrade() else { return };
                limits::ticked();
                engine.increment_epoch();
            }
        })?;
        Ok(Self { stop })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::{DefaultHasher, Hash, Hasher};

    #[test]
    fn what_the_child_compiles_runs_in_the_host() -> wasmtime::Result<()> {
        let hash = |engine: &Engine| {
            let mut hasher = DefaultHasher::new();
            engine.precompile_compatibility_hash().hash(&mut hasher);
            hasher.finish()
        };
        assert_eq!(hash(&compiling()?), hash(&running(2)?));
        Ok(())
    }
}
