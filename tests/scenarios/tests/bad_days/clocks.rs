//! Hosts whose clocks stand 10 s apart.

use crate::day::{Day, turn};
use railhead_harness::{Cluster, Postgres};
use std::path::PathBuf;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What each host's clock says beyond the time, in seconds.
const SKEWS: [i64; 2] = [5, -5];

/// Set where a skipped test must count as a failure.
const REQUIRE: &str = "RAILHEAD_REQUIRE_POSTGRES";

#[tokio::test(flavor = "multi_thread")]
async fn clocks_are_ten_seconds_apart() {
    let turn = turn().await;
    let Some(postgres) = Postgres::start(&[]).await else { return };
    let Some(library) = library() else {
        assert!(std::env::var_os(REQUIRE).is_none(), "libfaketime is not installed, and {REQUIRE} is set");
        println!("skipped: libfaketime is not installed");
        return;
    };
    let cluster = Cluster::start_with(&[(); SKEWS.len()].map(|()| postgres.url()), |host| {
        [("LD_PRELOAD", library.display().to_string()), ("FAKETIME", format!("{:+}s", SKEWS[host]))]
            .into_iter()
            // Leases and timers go by this one, which runs alike everywhere.
            .chain([("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned())])
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    })
    .await;
    let day = Day::begin(turn, cluster).await;
    day.acknowledged(100).await;
    for host in 0..SKEWS.len() {
        let fault = day.fault("a host is killed, and its clock stood apart");
        day.cluster.kill(host);
        day.acknowledged(50).await;
        day.recovered(fault).await;
    }
    day.judge().await;
    let (slowest, fastest) = skews(&day);
    assert!(slowest <= -3 && fastest >= 3, "the clocks of those who sent were {slowest} s to {fastest} s off");
}

/// How far from this process's clock the times stood that requests were stamped with.
fn skews(day: &Day) -> (i64, i64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
    let skew = |request: &railhead_harness::Received| {
        let stamp: f64 = request.headers.get("webhook-timestamp").expect("a time").parse().expect("seconds");
        (stamp - (now - Instant::now().duration_since(request.at).as_secs_f64())).round() as i64
    };
    let all: Vec<i64> = day.sink.received().iter().map(skew).collect();
    (all.iter().copied().min().expect("requests"), all.iter().copied().max().expect("requests"))
}

/// Debian's package `libfaketime`.
fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").expect("a folder").flatten();
    let paths = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    paths.into_iter().find(|path| path.exists())
}
