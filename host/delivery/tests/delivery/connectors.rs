//! Connectors that do what a test says.

use crate::store::Gate;
use crate::world::TestClock;
use async_trait::async_trait;
use railhead_delivery::connectors::{CheckStep, Connectors, HandOver, Settle, Settled};
use railhead_model::{
    BodyPart, Clock as _, DestinationNo, Exchange, ExchangeRequest, Outcome, Reason, Timestamp, Transcript,
};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// Settles each event with the next scripted outcome; with none left, as delivered.
pub struct Scripted {
    clock: Arc<TestClock>,
    script: Mutex<VecDeque<Outcome>>,
    /// Outcomes of one destination, which come before the script's.
    broken: Mutex<Option<(DestinationNo, Outcome)>>,
    calls: Mutex<Vec<(Timestamp, HandOver)>>,
    count: watch::Sender<usize>,
    /// Calls that are over, however they ended, and whose they were.
    ended: Arc<Mutex<Vec<(Timestamp, DestinationNo)>>>,
    /// Calls wait while it is closed.
    pub gate: Gate,
    /// How long each call takes, at least.
    pub takes: Duration,
    /// Calls to this one never end.
    pub stuck: Option<DestinationNo>,
    pub retired: Mutex<Vec<DestinationNo>>,
    pub revoked: Mutex<Vec<DestinationNo>>,
}

pub fn delivered() -> Outcome {
    Outcome::Delivered(Reason::new("http-200", "OK"))
}

pub fn transient() -> Outcome {
    Outcome::Transient(Reason::new("http-503", "Service Unavailable"), None)
}

pub fn permanent() -> Outcome {
    Outcome::Permanent(Reason::new("http-400", "Bad Request"))
}

pub fn too_large() -> Outcome {
    Outcome::TooLarge(Reason::new("http-413", "Payload Too Large"))
}

impl Scripted {
    pub fn new(clock: Arc<TestClock>) -> Self {
        Self {
            clock,
            script: Mutex::default(),
            broken: Mutex::default(),
            calls: Mutex::default(),
            count: watch::Sender::new(0),
            ended: Arc::default(),
            gate: Gate::default(),
            takes: Duration::ZERO,
            stuck: None,
            retired: Mutex::default(),
            revoked: Mutex::default(),
        }
    }

    pub fn script(&self, outcomes: impl IntoIterator<Item = Outcome>) {
        self.script.lock().expect("whole").extend(outcomes);
    }

    /// From now on every event for this destination has this outcome; `None` repairs it.
    pub fn break_down(&self, broken: Option<(DestinationNo, Outcome)>) {
        *self.broken.lock().expect("whole") = broken;
    }

    fn next(&self, destination: DestinationNo) -> Outcome {
        match &*self.broken.lock().expect("whole") {
            Some((no, outcome)) if *no == destination => outcome.clone(),
            _ => self.script.lock().expect("whole").pop_front().unwrap_or_else(delivered),
        }
    }

    pub fn calls(&self) -> Vec<(Timestamp, HandOver)> {
        self.calls.lock().expect("whole").clone()
    }

    /// Calls that are over, in that order: also those that were cut.
    pub fn ended(&self) -> Vec<(Timestamp, DestinationNo)> {
        self.ended.lock().expect("whole").clone()
    }

    /// How many events each call had.
    pub fn sizes(&self) -> Vec<usize> {
        self.calls().iter().map(|(_, call)| call.events.len()).collect()
    }

    /// Waits until this destination was called.
    pub async fn called_for(&self, destination: DestinationNo) {
        let called = |_: &usize| self.calls().iter().any(|(_, call)| call.destination.no == destination);
        self.count.subscribe().wait_for(called).await.expect("there");
    }

    /// Waits until so many calls began.
    pub async fn called(&self, calls: usize) {
        self.count.subscribe().wait_for(|count| *count >= calls).await.expect("there");
    }
}

/// Says when a call was over, however it ended.
struct Over {
    destination: DestinationNo,
    clock: Arc<TestClock>,
    ended: Arc<Mutex<Vec<(Timestamp, DestinationNo)>>>,
}

impl Drop for Over {
    fn drop(&mut self) {
        self.ended.lock().expect("whole").push((self.clock.now(), self.destination));
    }
}

/// One request for all events where they are a batch, else one for each.
fn transcript(hand_over: &HandOver, index: usize) -> Transcript {
    let carried = hand_over.events.iter().enumerate().filter(|(other, _)| hand_over.batched || *other == index);
    let parts = carried.map(|(other, handed)| match handed.event.uid {
        _ if other == index => BodyPart::EventData,
        uid => BodyPart::OtherEvent(uid),
    });
    let request = ExchangeRequest { body: parts.collect(), ..ExchangeRequest::default() };
    Transcript { exchanges: vec![Exchange { request, ..Exchange::default() }.into()], ..Transcript::default() }
}

#[async_trait]
impl Connectors for Scripted {
    async fn deliver(&self, hand_over: HandOver, settle: Arc<dyn Settle>) {
        let started_at = self.clock.now();
        self.calls.lock().expect("whole").push((started_at, hand_over.clone()));
        let (clock, ended) = (Arc::clone(&self.clock), Arc::clone(&self.ended));
        let _over = Over { destination: hand_over.destination.no, clock, ended };
        self.count.send_modify(|count| *count += 1);
        if self.stuck == Some(hand_over.destination.no) {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(self.takes).await;
        self.gate.pass().await;
        for index in 0..hand_over.events.len() {
            let outcome = self.next(hand_over.destination.no);
            let transcript = transcript(&hand_over, index);
            settle.settle(vec![Settled { index, outcome, transcript, started_at, duration_ms: 1 }]);
        }
    }

    async fn check(&self, hand_over: HandOver) -> Result<Vec<CheckStep>, Reason> {
        assert!(hand_over.events.is_empty());
        Ok(vec![CheckStep { result: Ok("reachable".into()) }])
    }

    async fn preview(&self, _: HandOver) -> Result<Vec<Transcript>, Reason> {
        Ok(Vec::new())
    }

    fn retire(&self, destination: DestinationNo) {
        self.retired.lock().expect("whole").push(destination);
    }

    fn revoke(&self, destination: DestinationNo, _revision: i64) {
        self.revoked.lock().expect("whole").push(destination);
    }
}
