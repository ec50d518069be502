//! Hosts that join share the work; when one leaves or dies, the others have all of it.

use crate::database::{connect, fenced_since, owner, shared};
use crate::day::{Day, hosts, turn};
use railhead_harness::Postgres;

#[tokio::test(flavor = "multi_thread")]
async fn hosts_share_what_there_is() {
    let turn = turn().await;
    let Some(postgres) = Postgres::start(&[]).await else { return };
    let day = Day::begin(turn, hosts(&postgres, 3).await).await;
    let mut desk = connect(&postgres.url()).await;

    // All have joined: each gets its share, and no more than that.
    shared(&mut desk, 3).await;
    day.acknowledged(50).await;
    day.arrived().await;

    let fault = day.fault("a host is killed");
    let victim = owner(&mut desk, &day.cluster, "d0").await;
    day.cluster.kill(victim);
    fenced_since(&mut desk, 0).await;
    day.recovered(fault).await;
    shared(&mut desk, 3).await;

    // One that leaves in order hands over what it has: nothing comes twice.
    day.acknowledged(50).await;
    let leaver = owner(&mut desk, &day.cluster, "d0").await;
    day.cluster.stop(leaver).await;
    shared(&mut desk, 2).await;
    day.acknowledged(50).await;
    day.judge().await;
}
