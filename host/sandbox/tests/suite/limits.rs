//! Guests that take more than they may: each becomes an outcome with a stable code, and costs its session only.

use crate::support::{
    Answer, Receiver, behave, call, deliver, eventually, misbehaving, sandbox, summary, target, word,
};
use railhead_sandbox::Settle;
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What became of one event of a guest that behaves like this, in the delivery and in one after it with a guest that
/// behaves: the host lives.
async fn outcome_of(behaviour: &str) -> (&'static str, String) {
    let sandbox = sandbox();
    let connector = misbehaving(&sandbox).await;
    let settled = deliver(&sandbox, &target(&connector, behave(behaviour)), call(1, 10_000)).await;
    let after = deliver(&sandbox, &target(&connector, behave("ok")), call(1, 10_000)).await;
    assert_eq!(summary(&after), [("delivered", "not-sent".to_owned())]);
    summary(&settled).remove(0)
}

#[tokio::test]
async fn a_loop_ends_at_its_cpu_budget() {
    assert_eq!(outcome_of("spin").await, ("transient", "cpu-limit".to_owned()));
}

#[tokio::test]
async fn memory_ends_at_its_bound() {
    assert_eq!(outcome_of("memory").await, ("transient", "memory-limit".to_owned()));
}

#[tokio::test]
async fn a_trap_and_a_stack_overflow_are_the_plugins() {
    assert_eq!(outcome_of("trap").await, ("transient", "plugin-trap".to_owned()));
    assert_eq!(outcome_of("recurse").await, ("transient", "plugin-trap".to_owned()));
}

#[tokio::test]
async fn an_oversized_output_is_not_copied() {
    assert_eq!(outcome_of("big-output").await, ("transient", "output-limit".to_owned()));
}

#[tokio::test]
async fn a_flood_of_log_lines_harms_nobody() {
    let sandbox = sandbox();
    let connector = misbehaving(&sandbox).await;
    // Ten times what is kept. Far more than that ends at the CPU budget, for host calls count.
    let config = json!({ "behave": "flood-log", "amount": 1_000 });
    let settled = deliver(&sandbox, &target(&connector, config), call(1, 10_000)).await;
    assert_eq!(summary(&settled), [("delivered", "flooded".to_owned())]);
}

#[tokio::test]
async fn what_was_settled_survives_a_trap() {
    let sandbox = sandbox();
    let connector = misbehaving(&sandbox).await;
    let settled = deliver(&sandbox, &target(&connector, behave("settle-then-trap")), call(3, 10_000)).await;
    let trapped = ("transient", "plugin-trap".to_owned());
    assert_eq!(summary(&settled), [("delivered", "settled".to_owned()), trapped.clone(), trapped]);
}

#[tokio::test]
async fn the_first_word_on_an_event_counts() {
    assert_eq!(outcome_of("settle-twice").await, ("delivered", "first".to_owned()));
}

#[tokio::test]
async fn what_a_request_carried_is_uncertain_after_a_trap_and_after_silence() {
    let (sandbox, receiver) = (sandbox(), Receiver::start(Answer::Status(200)).await);
    let connector = misbehaving(&sandbox).await;
    for (behaviour, code) in [("send-then-trap", "plugin-trap"), ("send-silent", "unsettled")] {
        let config = json!({ "url": receiver.url, "behave": behaviour });
        let settled = deliver(&sandbox, &target(&connector, config), call(2, 10_000)).await;
        let expected = ("uncertain", code.to_owned());
        assert_eq!(summary(&settled), [expected.clone(), expected], "{behaviour}");
        assert_eq!(settled[0].transcript.exchanges.len(), 1);
    }
}

#[tokio::test]
async fn silence_without_a_request_is_untried() {
    assert_eq!(outcome_of("silent").await, ("untried", "unsettled".to_owned()));
    assert_eq!(outcome_of("fail").await, ("untried", "on-purpose".to_owned()));
}

#[tokio::test]
async fn a_request_without_an_answer_ends_before_the_call() {
    let (sandbox, receiver) = (sandbox(), Receiver::start(Answer::Never).await);
    let connector = misbehaving(&sandbox).await;
    let config = json!({ "url": receiver.url, "behave": "slow-host" });
    let settled = deliver(&sandbox, &target(&connector, config), call(1, 600)).await;
    let (class, code) = word(&settled[0].outcome);
    assert_eq!(class, "uncertain");
    assert!(code.contains("timeout"), "the guest was told in time: {code}");
}

#[tokio::test]
async fn a_call_that_its_caller_leaves_is_cut_and_settled() {
    let (sandbox, receiver) = (sandbox(), Receiver::start(Answer::Never).await);
    let connector = misbehaving(&sandbox).await;
    let target = target(&connector, json!({ "url": receiver.url, "behave": "slow-host" }));
    let settled = Arc::new(Mutex::new(Vec::new()));
    let keep = settled.clone();
    let settle: Settle = Arc::new(move |settled| keep.lock().unwrap().extend(settled));
    let delivery = sandbox.deliver(target, call(1, 60_000), settle);
    let arrived = eventually("the request arrives", || receiver.count() > 0);
    tokio::select! {
        () = delivery => panic!("there is no answer to end it"),
        () = arrived => {}
    }
    eventually("it is settled", || !settled.lock().unwrap().is_empty()).await;
    assert_eq!(summary(&settled.lock().unwrap()), [("uncertain", "aborted".to_owned())]);
}

#[tokio::test]
async fn credentials_have_one_use() {
    let (sandbox, receiver) = (sandbox(), Receiver::start(Answer::Status(200)).await);
    let connector = misbehaving(&sandbox).await;
    let config = json!({ "url": receiver.url, "behave": "misuse-credential" });
    let settled = deliver(&sandbox, &target(&connector, config), call(1, 10_000)).await;
    assert_eq!(summary(&settled), [("permanent", "credential-use".to_owned())]);
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn spinning_guests_do_not_hold_up_the_host() {
    let sandbox = sandbox();
    let connector = misbehaving(&sandbox).await;
    let spinning = (0..4).map(|destination| {
        let target = target(&connector, behave("spin"));
        let target = Arc::new(railhead_sandbox::Target { destination, ..Arc::unwrap_or_clone(target) });
        let sandbox = sandbox.clone();
        tokio::spawn(async move { deliver(&sandbox, &target, call(1, 10_000)).await })
    });
    let spinning: Vec<_> = spinning.collect();
    let mut ticks = 0;
    while spinning.iter().any(|guest| !guest.is_finished()) {
        let tick = tokio::time::timeout(Duration::from_secs(5), tokio::time::sleep(Duration::from_millis(1)));
        tick.await.unwrap();
        ticks += 1;
    }
    assert!(ticks > 10, "this thread ran only {ticks} times beside them");
    for guest in spinning {
        assert_eq!(summary(&guest.await.unwrap()), [("transient", "cpu-limit".to_owned())]);
    }
}
