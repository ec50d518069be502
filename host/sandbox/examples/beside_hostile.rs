//! A webhook destination at 100 events/s alone, and beside every hostile guest, each called again and again as the host
//! would: what its latency becomes, and what memory stays behind.
//!
//! `cargo run --release -p railhead-sandbox --example beside_hostile [seconds [part of a guest's name]]` prints JSON; it fails where the p99 beside
//! them is above 1.5 times the p99 alone, or the process more than a tenth larger than before.
#![allow(clippy::print_stdout, clippy::disallowed_methods, missing_docs)] // a program that measures, with a real clock

#[path = "../tests/hostile/canary.rs"]
mod canary;
#[path = "../tests/hostile/world.rs"]
mod world;

use railhead_model::SystemClock;
use railhead_sandbox::{Connector, Sandbox, SandboxConfig, Settle, SettledEvent, Target};
use railhead_test_guests::HOSTILE;
use serde_json::json;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use world::World;

/// The server's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Events a second of the healthy destination.
const RATE: u32 = 100;
/// Between two calls of a hostile guest.
const EVERY: Duration = Duration::from_millis(100);
/// After a failed one: the host retries nothing sooner.
const RETRY: Duration = Duration::from_secs(1);
/// What the p99 may become.
const MAX_RATIO: f64 = 1.5;
/// What the process may become.
const MAX_GROWTH: f64 = 1.1;

fn main() -> ExitCode {
    let seconds = std::env::args().nth(1).map_or(60, |text| text.parse().unwrap());
    let part = std::env::args().nth(2).unwrap_or_default();
    // As the server has it: half of the cores for the host, half for guests.
    let half = (std::thread::available_parallelism().map_or(1, usize::from) / 2).max(1);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(half).enable_all().build().unwrap().block_on(measure(seconds, &part, half))
}

async fn measure(seconds: u64, part: &str, threads: usize) -> ExitCode {
    let config = SandboxConfig { threads, max_instances: 256, ..world::config() };
    let sandbox = Sandbox::new(config, world::egress(), Arc::new(SystemClock::new())).unwrap();
    // Receivers are other machines: what they do must not wait for the host, nor the healthy one for the others.
    let (worlds, calm) = (receivers(), receivers());
    let healthy = healthy(&sandbox, &calm).await;
    let hostile = hostile(&sandbox, &worlds, part).await;
    // One round of everything: what is made once is no growth.
    paced(&sandbox, &healthy, 3).await;
    let calls: Counts = Arc::default();
    beside(&sandbox, &hostile, &calls, Duration::from_secs(seconds / 4)).await;
    calls.lock().unwrap().clear();

    let alone = paced(&sandbox, &healthy, seconds / 2).await;
    let before = resident();
    let (mixed, ()) = tokio::join!(
        paced(&sandbox, &healthy, seconds),
        beside(&sandbox, &hostile, &calls, Duration::from_secs(seconds))
    );
    paced(&sandbox, &healthy, 5).await;
    let after = resident();

    let ratio = mixed.p99 / alone.p99;
    let growth = after as f64 / before as f64;
    // Of the token endpoint only who exchanges has a token; elsewhere nobody has business.
    let strayed = worlds.other.count() + calm.other.count() + calm.token.count();
    let passed = ratio <= MAX_RATIO && growth <= MAX_GROWTH && alone.failed + mixed.failed + strayed == 0;
    let shown = |latency: &Latency| json!({ "p50_ms": latency.p50, "p99_ms": latency.p99, "worst_ms": latency.worst, "failed": latency.failed });
    let report = json!({
        "seconds": seconds,
        "hostile_guests": hostile.len(),
        "hostile_calls": *calls.lock().unwrap(),
        "requests": { "own": worlds.own.count(), "elsewhere": strayed },
        "alone": shown(&alone),
        "beside": shown(&mixed),
        "p99_ratio": ratio,
        "resident_bytes": { "before": before, "after": after },
        "growth": growth,
        "passed": passed,
    });
    println!("{}", serde_json::to_string_pretty(&report).unwrap());
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Receivers on a thread of their own.
fn receivers() -> Arc<World> {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            tell.send(Arc::new(World::start().await)).unwrap();
            std::future::pending::<()>().await;
        });
    });
    told.recv().unwrap()
}

async fn healthy(sandbox: &Sandbox, world: &World) -> Arc<Target> {
    let connector = sandbox.load(railhead_plugins::WEBHOOK).await.unwrap();
    world.target_of(&connector, 1, json!({ "url": world.own.origin }), |name| name == "signing_secret")
}

/// A destination for each guest: every second one with a tenant of its own, all others of one tenant.
async fn hostile(sandbox: &Sandbox, world: &World, part: &str) -> Vec<(&'static str, Arc<Target>)> {
    let mut all = Vec::new();
    for (number, guest) in (2..).zip(HOSTILE).filter(|(_, guest)| guest.name.contains(part)) {
        // One of them is refused as it is loaded.
        let Ok(connector) = sandbox.load(guest.component).await else { continue };
        all.push((guest.name, attack(world, &connector, number)));
    }
    all
}

fn attack(world: &World, connector: &Arc<Connector>, number: i64) -> Arc<Target> {
    let target = Arc::unwrap_or_clone(world.target(connector, number));
    let tenant = if number % 2 == 0 { 0 } else { number };
    Arc::new(Target { tenant, ..target })
}

type Counts = Arc<Mutex<BTreeMap<&'static str, usize>>>;

/// Every hostile guest, one call at a time: ten a second, or one a second while it fails, as the host's schedule has it.
async fn beside(sandbox: &Arc<Sandbox>, hostile: &[(&'static str, Arc<Target>)], calls: &Counts, time: Duration) {
    let stop = Arc::new(AtomicBool::new(false));
    let tasks = hostile.iter().cloned().map(|(name, target)| {
        let (sandbox, stop, calls) = (sandbox.clone(), stop.clone(), calls.clone());
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let failed = Arc::new(AtomicBool::new(false));
                let seen = failed.clone();
                let settle: Settle = Arc::new(move |settled: Vec<SettledEvent>| {
                    seen.fetch_or(settled.iter().any(is_wrong), Ordering::Relaxed);
                });
                sandbox.deliver(target.clone(), world::call(), settle).await;
                *calls.lock().unwrap().entry(name).or_default() += 1;
                tokio::time::sleep(if failed.load(Ordering::Relaxed) { RETRY } else { EVERY }).await;
            }
            sandbox.retire(target.destination);
        })
    });
    let tasks: Vec<_> = tasks.collect();
    tokio::time::sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
}

fn is_wrong(event: &SettledEvent) -> bool {
    event.outcome.class().as_str() != "delivered"
}

struct Latency {
    p50: f64,
    p99: f64,
    worst: f64,
    failed: usize,
}

/// One event at a time at the rate, whatever becomes of those before; from when each was due to when it was settled.
async fn paced(sandbox: &Arc<Sandbox>, target: &Arc<Target>, seconds: u64) -> Latency {
    let (taken, failed) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..seconds as u32 * RATE {
        let due = start + Duration::from_secs(1) * number / RATE;
        tokio::time::sleep_until(due.into()).await;
        let (keep, wrong) = (taken.clone(), failed.clone());
        let settle: Settle = Arc::new(move |settled: Vec<SettledEvent>| {
            keep.lock().unwrap().extend(settled.iter().map(|_| due.elapsed()));
            wrong.fetch_add(settled.iter().filter(|event| is_wrong(event)).count(), Ordering::Relaxed);
        });
        let (sandbox, target, mut call) = (sandbox.clone(), target.clone(), world::call());
        call.events.truncate(1);
        tasks.spawn(async move { sandbox.deliver(target, call, settle).await });
    }
    while tasks.join_next().await.is_some() {}
    let mut taken: Vec<f64> = taken.lock().unwrap().iter().map(|time| time.as_secs_f64() * 1_000.0).collect();
    taken.sort_by(f64::total_cmp);
    let at = |part: f64| taken.get((taken.len() as f64 * part) as usize).copied().unwrap_or(f64::NAN);
    Latency {
        p50: at(0.5),
        p99: at(0.99),
        worst: taken.last().copied().unwrap_or(f64::NAN),
        failed: failed.load(Ordering::Relaxed),
    }
}

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
