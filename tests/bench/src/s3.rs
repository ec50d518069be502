//! The S3 connector through the sandbox beside a native writer: the same events into the same store, in one run and
//! one process.
//!
//! The store is `s3s-fs`; `RAILHEAD_S3S_FS` names one that was built with optimisation, or it is what is measured.

mod native;

use crate::figures::round;
use crate::process::Used;
use futures::StreamExt as _;
use native::Native;
use railhead_harness::S3Fs;
use railhead_model::{Event, EventUid, Outcome, Timestamp};
use railhead_plugin_harness::{Destination, Harness, Options};
use railhead_sandbox::{SandboxConfig, SettledEvent};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;

/// Events of a batch: the connector's default.
const BATCH: usize = 1_000;
/// Batches under way together: as many sessions as the connector asks for.
const AT_ONCE: usize = 4;

/// Writes `events` each way, with and without compression, and reports; nothing where there is no store.
pub async fn run(events: usize) -> Option<Value> {
    let store = S3Fs::start()?;
    store.make_bucket("events");
    let batches = events.div_ceil(BATCH);
    let bytes = native::ndjson(&batch()).len();
    let mut report = json!({"events": 2 * batches * BATCH, "batch": BATCH, "at_once": AT_ONCE});
    for compression in ["gzip", "none"] {
        let writer = Native::new(&store.url(), compression == "gzip");
        let destination = sandboxed(&store, compression).await;
        let (writer, destination) = (&writer, &destination);
        // Sessions and connections are there before it is measured.
        through(destination, "warm", AT_ONCE).await;
        native(writer, "warm", AT_ONCE).await;
        let mut own = measured(batches, through(destination, "a", batches)).await;
        let mut other = measured(batches, native(writer, "b", batches)).await;
        // Once more in the other order: who comes second finds warmer caches.
        other += measured(batches, native(writer, "c", batches)).await;
        own += measured(batches, through(destination, "d", batches)).await;
        report[compression] = json!({
            "sandbox_mb_per_s": round(own.mb_per_s(bytes), 1), "native_mb_per_s": round(other.mb_per_s(bytes), 1),
            "rate_ratio": round(own.mb_per_s(bytes) / other.mb_per_s(bytes), 2),
            "sandbox_cpu_s_per_1000": round(own.cpu_per_1000(), 4),
            "native_cpu_s_per_1000": round(other.cpu_per_1000(), 4),
        });
    }
    assert_eq!(store.objects("events").len(), 8 * batches + 4 * AT_ONCE, "each batch is one object");
    report["ndjson_bytes_per_event"] = json!(bytes / BATCH);
    Some(report)
}

/// Batches, and what they took of time and of this process's CPU: the store is another one.
#[derive(Clone, Copy, Default)]
struct Measured {
    batches: f64,
    seconds: f64,
    cpu: f64,
}

impl Measured {
    /// Of NDJSON, before it is compressed; `bytes`: of one batch.
    fn mb_per_s(self, bytes: usize) -> f64 {
        self.batches * bytes as f64 / 1e6 / self.seconds
    }

    fn cpu_per_1000(self) -> f64 {
        self.cpu / (self.batches * BATCH as f64) * 1_000.0
    }
}

impl std::ops::AddAssign for Measured {
    fn add_assign(&mut self, other: Self) {
        self.batches += other.batches;
        self.seconds += other.seconds;
        self.cpu += other.cpu;
    }
}

async fn measured(batches: usize, work: impl Future<Output = ()>) -> Measured {
    let (own, start) = (std::process::id(), Instant::now());
    let before = Used::alone(own);
    work.await;
    let cpu = Used::alone(own).since(before).cpu;
    Measured { batches: batches as f64, seconds: start.elapsed().as_secs_f64(), cpu }
}

async fn native(writer: &Native, run: &str, batches: usize) {
    let events = Arc::new(batch());
    let write = |n: usize| {
        let (writer, events, key) = (writer.clone(), Arc::clone(&events), format!("native/{run}-{n}"));
        // On the runtime's threads, as the sandbox works on its own.
        async move { tokio::spawn(async move { writer.write(&key, &events).await }).await.expect("written") }
    };
    futures::stream::iter(0..batches).map(write).buffer_unordered(AT_ONCE).for_each(|()| async {}).await;
}

async fn sandboxed(store: &S3Fs, compression: &str) -> Destination {
    let harness =
        Harness::with(Options { sandbox: SandboxConfig::default(), ..Options::default() }).expect("a sandbox");
    let connector = harness.load(railhead_plugins::S3).await.expect("the s3 connector");
    let config = json!({
        "bucket": "events", "region": "us-east-1", "endpoint": store.url(), "compression": compression,
        "key": "sandbox/{hash}.{extension}",
    });
    harness.destination(&connector, config).credential("keys", &S3Fs::keys()).batched()
}

async fn through(destination: &Destination, run: &str, batches: usize) {
    let events = batch();
    let write = |n: usize| {
        let (destination, events) = (destination.clone().batch_id(&format!("bat_{run}_{n}")), events.clone());
        async move { destination.deliver_into(events, Arc::new(stored)).await }
    };
    futures::stream::iter(0..batches).map(write).buffer_unordered(AT_ONCE).for_each(|()| async {}).await;
}

fn stored(settled: Vec<SettledEvent>) {
    for event in settled {
        assert!(matches!(&event.outcome, Outcome::Delivered(reason) if reason.code == "stored"), "{:?}", event.outcome);
    }
}

/// A batch of about a megabyte, of events that differ.
fn batch() -> Vec<Event> {
    let at = Timestamp(1_767_225_600_000);
    let event = |n: usize| {
        let mut random = [0; 10];
        random[..8].copy_from_slice(&(n as u64).to_be_bytes());
        let data = crate::target::payload(n).to_string();
        Event { uid: EventUid::new(at, random), id: format!("e{n}"), ..railhead_plugin_harness::event(data.as_bytes()) }
    };
    (0..BATCH).map(event).collect()
}
