//! The network between one host and Postgres goes wrong; the other host has another way.

use crate::database::{connect, fenced, fenced_since};
use crate::day::{Day, FENCED, turn};
use railhead_harness::{Cluster, Postgres, Proxy, Side};
use std::time::Duration;

/// Less than what is left of a lease at any time.
const SHORT: Duration = Duration::from_secs(2);
/// Between looks at what a host does by itself.
const LOOK: Duration = Duration::from_millis(50);

/// Host 0 behind a proxy, host 1 beside it; `None` without Postgres.
async fn begin() -> Option<(Postgres, Proxy, Day)> {
    let turn = turn().await;
    let postgres = Postgres::start(&[]).await?;
    let proxy = Proxy::start(postgres.address).await;
    let cluster = Cluster::start(&[postgres.url_through(proxy.address), postgres.url()]).await;
    let day = Day::begin(turn, cluster).await;
    day.acknowledged(50).await;
    Some((postgres, proxy, day))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_network_stalls() {
    let Some((postgres, proxy, day)) = begin().await else { return };
    let fault = day.fault("the network stalls for a little");
    proxy.stall();
    tokio::time::sleep(SHORT).await;
    proxy.resume();
    day.recovered(fault).await;
    nobody_ended(&day);

    day.acknowledged(50).await;
    let mut desk = connect(&postgres.url()).await;
    let (before, ended) = (fenced(&mut desk).await, day.cluster.ends(0).len());
    let fault = day.fault("the network stalls past the lease");
    proxy.stall();
    day.acknowledged(50).await;
    // What the silent host owned goes by way of the other one.
    fenced_since(&mut desk, before).await;
    day.arrived().await;
    proxy.resume();
    while day.cluster.ends(0).len() == ended {
        tokio::time::sleep(LOOK).await;
    }
    day.recovered(fault).await;
    assert_eq!(day.cluster.ends(0).last(), Some(&Some(FENCED)), "{}", day.cluster.log(0));
    assert_eq!(day.cluster.ends(1), [], "{}", day.cluster.log(1));
    day.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_reset() {
    let Some((_postgres, proxy, day)) = begin().await else { return };
    for _ in 0..5 {
        let fault = day.fault("connections are reset");
        proxy.reset();
        day.acknowledged(20).await;
        day.recovered(fault).await;
    }
    nobody_ended(&day);
    day.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_end_on_the_hosts_side_only() {
    let Some((_postgres, proxy, day)) = begin().await else { return };
    let fault = day.fault("connections end on the host's side only");
    proxy.half_close(Side::Client);
    day.acknowledged(50).await;
    day.recovered(fault).await;
    day.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_end_on_postgres_side_only() {
    let Some((_postgres, proxy, day)) = begin().await else { return };
    let fault = day.fault("connections end on Postgres' side only");
    proxy.half_close(Side::Server);
    day.acknowledged(50).await;
    day.recovered(fault).await;
    nobody_ended(&day);
    day.judge().await;
}

fn nobody_ended(day: &Day) {
    assert_eq!([day.cluster.ends(0), day.cluster.ends(1)], [[], []], "a host ended:\n{}", day.cluster.logs());
}
