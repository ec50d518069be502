//! The webhook connector through the sandbox and egress, beside plain reqwest: the same requests, one run, one process.

use crate::process::Used;
use crate::sink::Sink;
use futures::StreamExt as _;
use railhead_model::event::Head;
use railhead_model::{Event, EventUid, SystemClock, Timestamp};
use railhead_sandbox::egress::{Egress, EgressPolicy};
use railhead_sandbox::{Call, CallEvent, CredentialValue, Sandbox, SandboxConfig, Target};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;

const AT_ONCE: usize = 64;
const HAND_OVER: usize = 32;

/// Sends `events` requests each way and reports.
pub async fn run(events: usize) -> Value {
    let sink = Sink::start("127.0.0.1:0");
    let plain = plain(&sink, events).await;
    let sandboxed = sandboxed(&sink, events).await;
    json!({
        "requests": events, "at_once": AT_ONCE, "hand_over": HAND_OVER,
        "reqwest_cpu_s_per_1000": plain.0, "reqwest_per_s": plain.1,
        "sandbox_cpu_s_per_1000": sandboxed.0, "sandbox_per_s": sandboxed.1,
    })
}

async fn measured(events: usize, work: impl Future<Output = ()>) -> (f64, f64) {
    let (own, start) = (std::process::id(), Instant::now());
    let before = Used::alone(own).cpu;
    work.await;
    let used = Used::alone(own).cpu - before;
    ((used / events as f64 * 1_000_000.0).round() / 1_000.0, (events as f64 / start.elapsed().as_secs_f64()).round())
}

async fn plain(sink: &Sink, events: usize) -> (f64, f64) {
    let client = reqwest::Client::new();
    let (url, body) = (format!("{}/plain", sink.base), crate::target::payload(0).to_string());
    let send = |_| {
        let request =
            client.post(&url).header("webhook-id", "x").header("content-type", "application/json").body(body.clone());
        async move {
            let response = request.send().await.expect("answers");
            response.bytes().await.expect("read");
        }
    };
    futures::stream::iter(0..500).map(send).buffer_unordered(AT_ONCE).for_each(|()| async {}).await;
    measured(events, futures::stream::iter(0..events).map(send).buffer_unordered(AT_ONCE).for_each(|()| async {})).await
}

async fn sandboxed(sink: &Sink, events: usize) -> (f64, f64) {
    let policy = EgressPolicy { allow: vec!["127.0.0.0/8".parse().expect("a net")], ..EgressPolicy::default() };
    let clock = Arc::new(SystemClock::new());
    let egress = Arc::new(Egress::new(policy, None).expect("egress"));
    let sandbox = Sandbox::new(SandboxConfig::default(), egress, clock).expect("a sandbox");
    let connector = sandbox.load(railhead_plugins::WEBHOOK).await.expect("the webhook connector");
    let field =
        connector.manifest.credentials.iter().find(|field| field.name == "signing_secret").expect("declared").clone();
    let target = Target {
        connector,
        tenant: 1,
        tenant_id: "acme".to_owned(),
        destination: 1,
        revision: 1,
        config: json!({"url": format!("{}/sandboxed", sink.base), "mode": "raw"}),
        credentials: vec![CredentialValue {
            field: field.name,
            version: 1,
            kind: field.kind,
            usage: field.usage,
            value: zeroize::Zeroizing::new(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_vec()),
        }],
    };
    let data = bytes::Bytes::from(crate::target::payload(0).to_string());
    let call = |_| {
        let events = (0..HAND_OVER).map(|n| CallEvent {
            event: Arc::new(event(n, data.clone())),
            attempt: 1,
            traceparent: None,
        });
        let call = Call { batch_id: "b".to_owned(), batched: false, deadline_ms: 15_000, events: events.collect() };
        let (sandbox, target) = (Arc::clone(&sandbox), target.clone());
        async move {
            let check = |settled: Vec<railhead_sandbox::SettledEvent>| {
                for event in settled {
                    assert!(matches!(event.outcome, railhead_model::Outcome::Delivered(_)), "{:?}", event.outcome);
                }
            };
            sandbox.deliver(target, call, Arc::new(check)).await;
        }
    };
    futures::stream::iter(0..20).map(call).buffer_unordered(AT_ONCE / HAND_OVER).for_each(|()| async {}).await;
    let calls = events / HAND_OVER;
    let work = futures::stream::iter(0..calls).map(call).buffer_unordered(AT_ONCE / HAND_OVER).for_each(|()| async {});
    measured(calls * HAND_OVER, work).await
}

fn event(n: usize, data: bytes::Bytes) -> Event {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&(n as u64).to_be_bytes());
    let at = Timestamp(1_700_000_000_000);
    Event {
        uid: EventUid::new(at, random),
        id: format!("e{n}"),
        event_type: "order.created".to_owned(),
        accepted_at: at,
        head: Head {
            source: "/".to_owned(),
            time: at.to_string(),
            content_type: "application/json".to_owned(),
            ..Head::default()
        },
        data,
    }
}
