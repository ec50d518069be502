//! `kill -9` of the real binary under load: the receiver's own ledger is the judge.
//!
//! Twenty destinations, three of which fail. Before each kill the receiver holds at least 200 requests open, so that so
//! many deliveries are begun and not recorded. A kill comes at a random moment of one of three phases: while events are
//! accepted, while a burst of outcomes is recorded, or while the host starts up.

#![allow(clippy::print_stdout)] // what was measured is worth reading
#![allow(clippy::disallowed_methods)] // kills come at moments of the real clock

mod judge;
mod plan;
mod publish;
mod sink;

use plan::{DOWN, IN_FLIGHT, Phase, Plan};
use publish::Publishers;
use railhead_harness::{Client, Host, HostOptions};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use sink::Sink;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_event_ends_as_the_ledger_says() {
    let plan = Plan::from_environment();
    println!("seed {:#x}: {} kills, {} events", plan.seed, plan.kills, plan.events);
    let mut random = plan.random();
    let folder = tempfile::tempdir().expect("a folder");
    let sink = Sink::start().await;
    let startup = make(folder.path(), &sink).await;

    let publishers = Arc::new(Publishers::default());
    let mut in_flight = Vec::new();
    for round in 0..plan.kills {
        let phase = plan.phase(round, &mut random);
        let count = match phase {
            Phase::Starting => kill_starting(folder.path(), &sink, startup, &mut random).await,
            Phase::Accepting | Phase::Recording => {
                let quota = plan.events * (round + 1) / plan.kills;
                kill_running(folder.path(), &sink, &publishers, phase, quota, &mut random).await
            }
        };
        println!("kill {} while {phase:?}: {count} in flight, {} acknowledged", round + 1, publishers.acknowledged());
        assert!(count >= IN_FLIGHT, "only {count} deliveries were in flight at kill {round} ({phase:?})");
        in_flight.push(count);
    }

    let host = Host::start(folder.path(), &HostOptions::default()).await;
    sink.hold(false);
    sink.mend();
    mended(&host.client()).await;
    publishers.bundle(1);
    publishers.finish(&host.client(), plan.events).await;
    sink.wait_ended(publishers.acknowledged() * plan::COPIES, plan.patience()).await;
    let ends = judge::ends(&host.client()).await;
    judge::judge(&publishers.all(), &ends, &sink, &in_flight);
}

/// Makes the destinations; answers with how long a start took.
async fn make(folder: &Path, sink: &Sink) -> Duration {
    let mut host = Host::start(folder, &HostOptions::default()).await;
    let client = host.client();
    for n in 0..plan::TENANTS {
        client.make_tenant(&plan::tenant(n)).await;
    }
    for destination in plan::destinations() {
        client
            .make_destination(&plan::tenant(destination.0 % plan::TENANTS), &destination.id(), &destination.body(sink))
            .await;
    }
    host.terminate();
    let start = Instant::now();
    let mut host = Host::start(folder, &HostOptions::default()).await;
    let took = start.elapsed();
    host.terminate();
    took
}

/// Publishes up to a quota, holds answers until enough is in flight, and kills.
async fn kill_running(
    folder: &Path,
    sink: &Sink,
    publishers: &Arc<Publishers>,
    phase: Phase,
    quota: usize,
    random: &mut ChaCha8Rng,
) -> usize {
    let mut host = Host::start(folder, &HostOptions::default()).await;
    sink.hold(false);
    publishers.bundle(1);
    let begun = publishers.acknowledged();
    let running = publishers.start(&host.client(), quota);
    publishers.wait(begun.midpoint(quota.max(begun))).await;
    sink.hold(true);
    publishers.bundle(plan::BUNDLE);
    publishers.wait(quota).await;
    sink.fill(IN_FLIGHT * 2).await;
    let moment = if phase == Phase::Recording {
        // What is released here comes back as one burst of outcomes.
        sink.release(IN_FLIGHT * 3 / 4);
        random.random_range(0..60_000)
    } else {
        random.random_range(0..300_000)
    };
    tokio::time::sleep(Duration::from_micros(moment)).await;
    let count = kill(&mut host, sink).await;
    running.stop().await;
    count
}

/// Kills a host at any moment of its start, then another one that has begun to deliver what the others left.
async fn kill_starting(folder: &Path, sink: &Sink, startup: Duration, random: &mut ChaCha8Rng) -> usize {
    sink.hold(true);
    let mut early = Host::spawn(folder, &HostOptions::default());
    tokio::time::sleep(startup.mul_f64(random.random_range(0.0..1.0))).await;
    let count = kill(&mut early, sink).await;
    println!("killed one more at its start, with {count} requests open");
    let mut host = Host::spawn(folder, &HostOptions::default());
    sink.fill(IN_FLIGHT).await;
    tokio::time::sleep(Duration::from_micros(random.random_range(0..50_000))).await;
    kill(&mut host, sink).await
}

/// From here on nothing is answered: what is open now is begun and not recorded. Comes back when the receiver has seen
/// everything that the dead process sent.
async fn kill(host: &mut Host, sink: &Sink) -> usize {
    let count = sink.freeze();
    host.kill();
    sink.drain().await;
    count
}

/// What an operator does once a destination is back: it is asked at once, instead of at the next probe.
async fn mended(client: &Client) {
    let (status, body) = client.patch(&DOWN.path(), &json!({"timeout_ms": 15_000})).await;
    assert_eq!(status, 200, "{body}");
}
