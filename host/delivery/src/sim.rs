//! The simulation: three engines over one model store, in one thread, on simulated clocks.
//!
//! A seed decides everything: what is published, how destinations answer, when reads are delayed, answers lost, hosts
//! paused or killed. The checks are the engine's invariants. A seed that fails prints itself and its trace, and runs
//! again exactly the same.

mod checks;
mod clock;
mod driver;
mod failure;
mod faults;
mod host;
mod leases;
mod liveness;
mod people;
mod plants;
mod poison;
mod publish;
mod receiver;
mod record;
mod rotation;
mod store;
mod trace;
mod world;

use crate::core::mutation::{Mutation, plant};
use failure::Failure;
use faults::{Fault, Reached};
use std::ops::Range;
use world::World;

/// Seeds of an ordinary test run.
const FEW: u64 = 60;

/// What one seed came to.
struct Run {
    outcome: Result<(), Failure>,
    reached: Reached,
    trace: u64,
    ended: usize,
}

fn run(seed: u64, fault: Option<Mutation>, keep: bool) -> (Run, Vec<String>) {
    plant(fault);
    let mut world = World::new(seed, fault, keep);
    let outcome = world.run();
    plant(None);
    let ended = world.store.ends().count();
    (Run { outcome, reached: world.reached, trace: world.trace.hash(), ended }, world.trace.lines())
}

/// Fails with the seed and the end of its trace.
fn check(seed: u64) -> Run {
    let (result, _) = run(seed, None, false);
    if let Err(failure) = &result.outcome {
        let (_, lines) = run(seed, None, true);
        let from = lines.len().saturating_sub(tail());
        panic!("seed {seed}: {failure}\n{}\n(RAILHEAD_SIM_SEED={seed} runs it alone)", lines[from..].join("\n"));
    }
    result
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The seeds to run: `RAILHEAD_SIM_SEEDS` of them (a few without it) from `RAILHEAD_SIM_SEED` on, or that one alone.
fn seeds() -> Range<u64> {
    match (number("RAILHEAD_SIM_SEED"), number("RAILHEAD_SIM_SEEDS")) {
        (Some(seed), count) => seed..seed + count.unwrap_or(1),
        (None, count) => 1..1 + count.unwrap_or(FEW),
    }
}

fn tail() -> usize {
    number("RAILHEAD_SIM_TRACE").map_or(150, |lines| usize::try_from(lines).unwrap_or(usize::MAX))
}

/// Runs every `step`-th seed from `first` on; each seed is a world of its own, so threads share nothing.
fn check_some(seeds: Range<u64>, first: u64, step: usize) -> (Reached, usize) {
    let (mut reached, mut ended) = (Reached::default(), 0);
    for seed in seeds.skip(usize::try_from(first).unwrap_or(0)).step_by(step) {
        let run = check(seed);
        reached.add(&run.reached);
        ended += run.ended;
    }
    (reached, ended)
}

#[test]
#[allow(clippy::print_stdout)] // the counts are what a person wants to see of this test
fn every_invariant_holds_and_every_fault_is_reached() {
    let seeds = seeds();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut reached, mut ended) = (Reached::default(), 0);
    std::thread::scope(|scope| {
        let one = |first| {
            let seeds = seeds.clone();
            scope.spawn(move || check_some(seeds, first, threads))
        };
        let running: Vec<_> = (0..threads as u64).map(one).collect();
        for thread in running {
            let (more, count) = thread.join().unwrap_or_else(|failure| std::panic::resume_unwind(failure));
            reached.add(&more);
            ended += count;
        }
    });
    println!("seeds {seeds:?}: {ended} deliveries ended; faults reached:\n{reached}");
    if seeds.end - seeds.start >= FEW {
        assert_eq!(reached.missed(), Vec::<Fault>::new(), "never reached in seeds {seeds:?}");
    }
}

#[test]
fn a_seed_replays_to_the_same_trace() {
    for seed in [3, 17, 40] {
        let (first, lines) = run(seed, None, true);
        let (second, again) = run(seed, None, true);
        let (unkept, _) = run(seed, None, false);
        assert!(lines.len() > 500, "a run is more than {} lines", lines.len());
        assert!(lines == again, "seed {seed}: the lines differ");
        assert_eq!((first.trace, first.trace), (second.trace, unkept.trace), "seed {seed}");
    }
    assert_ne!(run(3, None, false).0.trace, run(4, None, false).0.trace);
}
