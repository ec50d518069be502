//! The host, its publishers and its receiver, and what is done to them.

use crate::judge::{Evidence, Found, Judge, Summary};
use crate::plan::{self, BUNDLE, DOWN, IN_FLIGHT, Plan};
use crate::publish::{Pace, Publishers, Running};
use crate::sink::Sink;
use crate::store;
use railhead_harness::{Client, Host, HostOptions};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use std::fmt::{Display, Formatter};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// What takes longer hangs: a run of CI on a busy machine needs a tenth of it.
const HANGS: Duration = Duration::from_secs(300);
/// How long a start may take to fill the receiver from what the last process left; then publishers help.
const BACKLOG: Duration = Duration::from_secs(30);
/// Events that gather while answers are held: about one call's for each destination that holds.
const GATHER: usize = 12 * BUNDLE;
/// Between two looks at whether a host is ready.
const LOOK: Duration = Duration::from_millis(2);

pub struct Scene {
    random: ChaCha8Rng,
    folder: TempDir,
    sink: Sink,
    publishers: Arc<Publishers>,
    judge: Judge,
    /// How long the last start took.
    startup: Duration,
    /// Hosts killed while they record.
    recording: usize,
}

/// What one kill met.
pub struct Kill {
    pub found: Found,
    /// Publishes on their way.
    pub publishes: usize,
    /// Events whose answer was lost with the host, and how many of them the store has.
    pub lost: (usize, usize),
    acknowledged: usize,
    ready: bool,
}

impl Scene {
    /// Makes the destinations.
    pub async fn set(random: ChaCha8Rng) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let sink = Sink::start().await;
        let mut host = Host::start(folder.path(), &HostOptions::default()).await;
        let client = host.client();
        for n in 0..plan::TENANTS {
            client.make_tenant(&plan::tenant(n)).await;
        }
        for to in plan::destinations() {
            let tenant = plan::tenant(to.0 % plan::TENANTS);
            client.make_destination(&tenant, &to.to_string(), &to.body(&sink)).await;
        }
        assert_eq!(host.terminate(), Some(0), "{}", host.log());
        store::kills_far_apart(folder.path()).await;
        let publishers = Arc::default();
        Self { random, folder, sink, publishers, judge: Judge::default(), startup: Duration::ZERO, recording: 0 }
    }

    pub fn acknowledged(&self) -> usize {
        self.publishers.acknowledged()
    }

    /// Kills a host while publishes are on their way.
    pub async fn kill_accepting(&mut self, quota: usize) -> Kill {
        let (host, running) = self.hold_many(quota, IN_FLIGHT * 5 / 4).await;
        let (burst, bundled) = (self.random.random_range(1..64), self.random.random_bool(0.5));
        let moment = Duration::from_micros(self.random.random_range(0..30_000));
        let publishers = Arc::clone(&self.publishers);
        publishers.bundle(if bundled { BUNDLE } else { 1 });
        publishers.pace(Pace::Rush);
        within("a burst of publishes", publishers.wait(publishers.acknowledged() + burst)).await;
        tokio::time::sleep(moment).await;
        let publishes = within("a publish on its way", publishers.wait_open()).await;
        self.kill(host, Some(running), publishes, true).await
    }

    /// Kills a host while a burst of outcomes comes back: by turns in the midst of the burst, when some of it cannot be on
    /// record yet, and at any moment until a little after it.
    pub async fn kill_recording(&mut self, quota: usize) -> Kill {
        let (host, running) = self.hold_many(quota, IN_FLIGHT * 3 / 2).await;
        let (before, burst) = (self.sink.answered(), IN_FLIGHT * 3 / 8);
        let (some, moment) = (self.random.random_range(1..burst), self.random.random_range(0..60_000));
        self.sink.release(burst);
        if self.recording.is_multiple_of(2) {
            within("answers", self.sink.wait_answered(before + some)).await;
        } else {
            tokio::time::sleep(Duration::from_micros(moment)).await;
        }
        self.recording += 1;
        self.kill(host, Some(running), self.publishers.open(), true).await
    }

    /// Kills hosts that are not ready yet, then one that has begun to deliver.
    pub async fn kill_starting(&mut self) -> Kill {
        self.sink.hold(true);
        let mut share = self.random.random_range(0.0..1.0);
        loop {
            let host = Host::spawn(self.folder.path(), &HostOptions::default());
            let ready = watch_ready(host.client());
            tokio::time::sleep(self.startup.mul_f64(share)).await;
            let early = self.kill(host, None, 0, ready.is_finished()).await;
            ready.abort();
            println!("one more, not counted, {:.0} % into a start: {early}", share * 100.0);
            if !early.ready {
                break;
            }
            share /= 2.0; // this start was quicker than the last
        }
        let mut host = Host::spawn(self.folder.path(), &HostOptions::default());
        let ready = watch_ready(host.client());
        let mut running = None;
        if tokio::time::timeout(BACKLOG, self.sink.wait_held(IN_FLIGHT)).await.is_err() {
            host.wait_ready().await;
            running = Some(self.publishers.start(&host.client(), Pace::Until(0)));
            within("enough in flight", self.fill(IN_FLIGHT)).await;
        }
        tokio::time::sleep(Duration::from_micros(self.random.random_range(0..50_000))).await;
        let kill = self.kill(host, running, self.publishers.open(), ready.is_finished()).await;
        ready.abort();
        kill
    }

    /// Ends what is left, and judges all of it.
    pub async fn finish(&mut self, plan: &Plan) -> Summary {
        let mut host = Host::start(self.folder.path(), &HostOptions::default()).await;
        self.sink.hold(false);
        within("an end of what was never answered", self.sink.mend()).await;
        mended(&host.client()).await;
        self.publishers.bundle(1);
        within("the other events", self.publishers.finish(&host.client(), plan.events)).await;
        self.sink.wait_ended(self.acknowledged() * plan::COPIES, plan.patience()).await;
        let told = store::told(&host.client()).await;
        assert_eq!(host.terminate(), Some(0), "{}", host.log());
        let requests = self.sink.drain().await;
        let acknowledged = self.publishers.all();
        let stored = store::copied(self.folder.path()).await;
        let evidence = Evidence { requests: &requests, stored, acknowledged: &acknowledged, killed: None };
        let closed = self.judge.look(evidence);
        let closed = closed.and_then(|_| self.judge.close(&acknowledged, &self.sink.requests(), &told));
        closed.unwrap_or_else(|complaint| panic!("{complaint}"))
    }

    /// A host with publishers at work that has so much in flight.
    async fn hold_many(&mut self, quota: usize, count: usize) -> (Host, Running) {
        let begun = Instant::now();
        let host = Host::start(self.folder.path(), &HostOptions::default()).await;
        self.startup = begun.elapsed();
        self.sink.hold(false);
        self.publishers.bundle(1);
        let running = self.publishers.start(&host.client(), Pace::Until(quota));
        within("the events of this round", self.publishers.wait(quota)).await;
        self.sink.hold(true);
        within("enough in flight", self.fill(count)).await;
        (host, running)
    }

    /// Waits until so many requests are held. While events come one by one each call of a connector carries few of them,
    /// and its calls are limited: so those that are held are answered once many have gathered, which go with the next calls.
    async fn fill(&self, count: usize) {
        let mut patience = Duration::from_secs(3);
        self.publishers.bundle(BUNDLE);
        loop {
            let more = self.acknowledged() + GATHER;
            self.publishers.pace(Pace::Until(more));
            self.publishers.wait(more).await;
            self.sink.release(usize::MAX);
            if tokio::time::timeout(patience, self.sink.wait_held(count)).await.is_ok() {
                return;
            }
            patience *= 2; // a busy machine
        }
    }

    /// From here on nothing is answered: what is open now is begun and not recorded.
    async fn kill(&mut self, mut host: Host, running: Option<Running>, publishes: usize, ready: bool) -> Kill {
        self.sink.freeze();
        self.publishers.pace(Pace::Stop);
        let killed = Instant::now();
        host.kill();
        assert_eq!(host.wait(), None, "it ended by itself, before the kill:\n{}", of_note(&host));
        let requests = self.sink.drain().await;
        let lost = match running {
            Some(running) => within("an end of the publishers", running.stop()).await,
            None => Vec::new(),
        };
        let acknowledged = self.publishers.all();
        let stored = store::copied(self.folder.path()).await;
        let has = |n: &&usize| stored.iter().any(|(pair, _)| pair.event == **n);
        let lost = (lost.len(), lost.iter().filter(has).count());
        let evidence = Evidence { requests: &requests, stored, acknowledged: &acknowledged, killed: Some(killed) };
        let found = self.judge.look(evidence).unwrap_or_else(|complaint| panic!("{complaint}\n{}", of_note(&host)));
        Kill { found, publishes, lost, acknowledged: acknowledged.len(), ready }
    }
}

impl Display for Kill {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Found { open, hung, unrecorded, oldest } = &self.found;
        write!(f, "{open} in flight, {hung} more where nobody answers; {unrecorded} answered and not on record")?;
        if *unrecorded > 0 {
            write!(f, ", the first {} ms before", oldest.as_millis())?;
        }
        if self.publishes > 0 {
            let (lost, kept) = self.lost;
            write!(f, "; {} publishes on their way: {lost} events lost their answer, ", self.publishes)?;
            write!(f, "{kept} of them are in the store")?;
        }
        let ready = if self.ready { "ready" } else { "not ready yet" };
        write!(f, "; {} events acknowledged, all in the store; {ready}", self.acknowledged)
    }
}

/// Ends once the host says that it is ready.
fn watch_ready(client: Client) -> JoinHandle<()> {
    tokio::spawn(async move {
        while client.get("/readyz").await.0 != 200 {
            tokio::time::sleep(LOOK).await;
        }
    })
}

/// What a host said beside the requests that it answered.
fn of_note(host: &Host) -> String {
    let log = host.log();
    log.lines().filter(|line| !line.contains("railhead::access")).collect::<Vec<_>>().join("\n")
}

/// What an operator does once a destination is back: it is asked at once, instead of at the next probe.
async fn mended(client: &Client) {
    let (status, body) = client.patch(&DOWN.path(), &json!({"timeout_ms": 60_000})).await;
    assert_eq!(status, 200, "{body}");
}

async fn within<T>(what: &str, wanted: impl Future<Output = T>) -> T {
    let hangs = |_| panic!("{what}: nothing for {} s", HANGS.as_secs());
    tokio::time::timeout(HANGS, wanted).await.unwrap_or_else(hangs)
}
