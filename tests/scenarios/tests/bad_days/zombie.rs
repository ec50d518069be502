//! A host that sleeps past its lease and wakes: its writes are refused by the fence.

use crate::database::{connect, fenced_since, owner, shared};
use crate::day::{Day, FENCED, hosts, turn};
use railhead_harness::{Postgres, Script};
use std::time::Duration;

/// Long enough that requests are open there whenever a host falls asleep.
const SLOW: Script = Script::Slow(Duration::from_millis(1_500), 204);

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_slept_past_its_lease_records_nothing() {
    let turn = turn().await;
    let Some(postgres) = Postgres::start(&[]).await else { return };
    let day = Day::begin(turn, hosts(&postgres, 2).await).await;
    let mut desk = connect(&postgres.url()).await;
    shared(&mut desk, 2).await;
    let sleeper = owner(&mut desk, &day.cluster, "d0").await;
    day.sink.script("/0", SLOW);
    let before = day.sink.received_at("/0").len();
    assert!(
        day.sink.wait(Duration::from_secs(60), |all| all.iter().filter(|one| one.path == "/0").count() > before).await
    );

    let fault = day.fault("a host sleeps past its lease");
    day.cluster.signal(sleeper, "STOP");
    // What it is owed an answer for is answered now: that waits in its sockets until it wakes.
    fenced_since(&mut desk, 0).await;
    day.sink.script("/0", Script::Status(204));
    // All that it owned arrives by way of the other one.
    day.acknowledged(50).await;
    day.arrived().await;
    day.cluster.signal(sleeper, "CONT");
    while day.cluster.ends(sleeper).is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    day.recovered(fault).await;

    assert_eq!(day.cluster.ends(sleeper), [Some(FENCED)], "{}", day.cluster.log(sleeper));
    assert_eq!(day.cluster.ends(1 - sleeper), [], "{}", day.cluster.log(1 - sleeper));
    day.acknowledged(50).await;
    let verdict = day.judge().await;
    assert!(verdict.duplicates > 0, "the host was asleep with requests open, and each of them is on record");
}
