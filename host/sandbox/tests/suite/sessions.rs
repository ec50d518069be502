//! How sessions live and go.

use crate::support::{
    Ahead, Answer, Receiver, behave, call, deliver, eventually, misbehaving, sandbox, sandbox_at, sandbox_with,
    summary, target,
};
use railhead_sandbox::{SandboxConfig, Target};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_session_serves_the_next_call_until_its_destination_changes() {
    let sandbox = sandbox();
    let connector = misbehaving(&sandbox).await;
    let ok = target(&connector, behave("ok"));
    assert_eq!(sandbox.opened(), 0);
    for _ in 0..3 {
        deliver(&sandbox, &ok, call(1, 10_000)).await;
    }
    assert_eq!(sandbox.opened(), 1, "one session for three calls");

    let newer = Arc::new(Target { revision: ok.revision + 1_000, ..(*ok).clone() });
    deliver(&sandbox, &newer, call(1, 10_000)).await;
    assert_eq!(sandbox.opened(), 2, "a new revision is a new session");

    let mut rotated = (*newer).clone();
    rotated.credentials[0].version = 2;
    deliver(&sandbox, &Arc::new(rotated), call(1, 10_000)).await;
    assert_eq!(sandbox.opened(), 3, "so is a rotated credential");
}

#[tokio::test]
async fn a_retired_destination_starts_anew() {
    let sandbox = sandbox();
    let connector = misbehaving(&sandbox).await;
    let ok = target(&connector, behave("ok"));
    deliver(&sandbox, &ok, call(1, 10_000)).await;
    sandbox.retire(ok.destination);
    deliver(&sandbox, &ok, call(1, 10_000)).await;
    assert_eq!(sandbox.opened(), 2);
}

#[tokio::test]
async fn a_trap_costs_its_session() {
    let sandbox = sandbox();
    let connector = misbehaving(&sandbox).await;
    let config = json!({ "behave": "trap", "only": "order.created" });
    let target = target(&connector, config);
    for opened in 1..=2 {
        let settled = deliver(&sandbox, &target, call(1, 10_000)).await;
        assert_eq!(summary(&settled), [("transient", "plugin-trap".to_owned())]);
        assert_eq!(sandbox.opened(), opened);
    }
}

#[tokio::test]
async fn a_full_pool_takes_the_session_that_was_idle_longest() {
    let sandbox = sandbox_with(SandboxConfig { max_instances: 1, ..SandboxConfig::default() });
    let connector = misbehaving(&sandbox).await;
    for destination in 0..3 {
        let target = Arc::new(Target { destination, ..(*target(&connector, behave("ok"))).clone() });
        let settled = deliver(&sandbox, &target, call(1, 10_000)).await;
        assert_eq!(summary(&settled), [("delivered", "not-sent".to_owned())], "destination {destination}");
    }
}

#[tokio::test]
async fn a_session_that_nobody_uses_goes() {
    let clock = Arc::new(Ahead::default());
    let sandbox = sandbox_at(SandboxConfig { max_instances: 10, ..SandboxConfig::default() }, clock.clone());
    let connector = misbehaving(&sandbox).await;
    deliver(&sandbox, &target(&connector, behave("ok")), call(1, 10_000)).await;
    assert_eq!(sandbox.live(), 1);
    clock.0.store(31_000, Ordering::Relaxed);
    eventually("it is closed", || sandbox.live() == 0).await;
}

#[tokio::test]
async fn a_tenant_cannot_take_the_whole_pool() {
    let sandbox = sandbox_with(SandboxConfig { max_instances: 10, ..SandboxConfig::default() });
    let connector = misbehaving(&sandbox).await;
    let receiver = Receiver::start(Answer::Never).await;
    let slow = target(&connector, json!({ "url": receiver.url, "behave": "slow-host" }));
    let same = Arc::new(Target { destination: 8, ..(*target(&connector, behave("ok"))).clone() });
    let other = Arc::new(Target { tenant: 2, destination: 9, ..(*target(&connector, behave("ok"))).clone() });
    let (_, (same, other)) = tokio::join!(deliver(&sandbox, &slow, call(1, 3_000)), async {
        eventually("the first call is under way", || receiver.count() > 0).await;
        tokio::join!(deliver(&sandbox, &same, call(1, 400)), deliver(&sandbox, &other, call(1, 10_000)))
    });
    assert_eq!(summary(&same), [("untried", "sandbox-busy".to_owned())]);
    assert_eq!(summary(&other), [("delivered", "not-sent".to_owned())]);
}

#[tokio::test]
async fn a_pool_that_stays_full_costs_no_attempt() {
    let sandbox = sandbox_with(SandboxConfig { max_instances: 1, ..SandboxConfig::default() });
    let connector = misbehaving(&sandbox).await;
    let receiver = Receiver::start(Answer::Never).await;
    let slow = target(&connector, json!({ "url": receiver.url, "behave": "slow-host" }));
    let other = Arc::new(Target { destination: 8, ..(*target(&connector, behave("ok"))).clone() });
    let (first, second) = tokio::join!(deliver(&sandbox, &slow, call(1, 3_000)), async {
        eventually("the first call is under way", || receiver.count() > 0).await;
        deliver(&sandbox, &other, call(1, 400)).await
    });
    assert_eq!(summary(&second), [("untried", "sandbox-busy".to_owned())]);
    assert_eq!(summary(&first)[0].0, "uncertain");
}
