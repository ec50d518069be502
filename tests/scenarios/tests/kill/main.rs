//! `kill -9` of the real binary under load: the receiver's own ledger is the judge.
//!
//! Twenty destinations, three of which fail. At each kill the receiver holds at least 200 requests open, so that so many
//! deliveries are begun and not recorded. A kill comes at a random moment of one of three phases: while publishes are on
//! their way, while a burst of outcomes is recorded, or as a host begins to deliver what the one before it left. Before
//! each of the last kind come kills of hosts that are not ready yet: they have little or nothing in flight, and are not
//! counted. After each kill the dead host's database is held beside the ledger. To the host the kills are ten minutes
//! apart: it would otherwise suspect what it delivers, and deliver it one at a time.

#![allow(clippy::print_stdout)] // what was measured is worth reading
#![allow(clippy::disallowed_methods)] // kills come at moments of the real clock

mod delivery;
mod judge;
mod ledger;
mod plan;
mod publish;
mod rules;
mod scene;
mod sink;
mod store;

use plan::{IN_FLIGHT, Phase, Plan};
use scene::Scene;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_acknowledged_event_ends_as_the_ledger_says() {
    let plan = Plan::from_environment();
    println!("seed {:#x}: {} kills, {} events", plan.seed, plan.kills, plan.events);
    let mut random = plan.random();
    let phases = plan.phases(&mut random);
    let mut scene = Scene::set(random).await;
    let (mut lost, mut unrecorded) = (None, None);
    for (round, phase) in phases.into_iter().enumerate() {
        let quota = plan.events * (round + 1) / plan.kills;
        let kill = match phase {
            Phase::Accepting => scene.kill_accepting(quota).await,
            Phase::Recording => scene.kill_recording(quota).await,
            Phase::Starting => scene.kill_starting().await,
        };
        println!("kill {} while {phase}: {kill}", round + 1);
        assert!(kill.found.open >= IN_FLIGHT, "only {} deliveries were in flight", kill.found.open);
        assert!(phase != Phase::Accepting || kill.publishes > 0, "no publish was on its way");
        match phase {
            Phase::Accepting => *lost.get_or_insert(0) += kill.lost.0,
            Phase::Recording => *unrecorded.get_or_insert(0) += kill.found.unrecorded,
            Phase::Starting => {}
        }
    }
    // A single kill may come when all is answered, or on record; not all of them.
    assert_ne!(lost, Some(0), "no kill of a host that accepts took an answer with it");
    assert_ne!(unrecorded, Some(0), "no kill of a host that records took an outcome with it");
    let summary = scene.finish(&plan).await;
    assert!(summary.again <= summary.in_flight && summary.duplicates <= summary.unrecorded, "{summary:?}");
    println!(
        "{} acknowledged events, {} deliveries, {} requests: 0 missing; {} requests came again, {} were in flight at the \
         kills; {} of them are duplicates of what was answered, {} answers were not on record at the kills",
        scene.acknowledged(),
        summary.deliveries,
        summary.requests,
        summary.again,
        summary.in_flight,
        summary.duplicates,
        summary.unrecorded,
    );
}
