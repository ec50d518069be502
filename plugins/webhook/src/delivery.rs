//! From events to requests, and from answers to outcomes.

use crate::classify;
use crate::request::{self, Plan, batch};
use crate::session::{Session, Token};
use railhead_sdk::batch::{Requests, indexes};
use railhead_sdk::http::Answer;
use railhead_sdk::prelude::{Call, Event, Failure, Kind, Outcome, Response, http, outcome};

/// One request, planned, and the events that it carries.
pub struct Shipment {
    plan: Plan,
    carries: Vec<u32>,
}

/// What these events come to without being sent.
pub struct Refused {
    events: Vec<u32>,
    outcome: Outcome,
    failure: Failure,
}

impl Session {
    /// Sends what can be sent, and settles everything.
    pub fn send_events(&self, call: &Call, events: &[Event]) {
        let (shipments, refused) = self.shipments(call, events);
        refused.iter().for_each(|refused| call.settle(&refused.events, &refused.outcome));
        if shipments.is_empty() {
            return;
        }
        let token = match self.tokens().map(|tokens| tokens.token()).transpose() {
            Ok(token) => token,
            Err(failure) => return without_token(call, &shipments, &failure),
        };
        let again = self.send(call, shipments, token.as_ref());
        let Some(tokens) = self.tokens().filter(|_| !again.is_empty()) else { return };
        match tokens.exchange() {
            Ok(token) => {
                self.send(call, again, Some(&token));
            }
            Err(failure) => without_token(call, &again, &failure),
        }
    }

    /// The requests that `send_events` would send. In a preview the host keeps them, and says so by a failure.
    pub fn show_events(&self, call: &Call, events: &[Event]) -> Result<(), Failure> {
        let (shipments, refused) = self.shipments(call, events);
        if let Some(Refused { failure, .. }) = refused.into_iter().next() {
            return Err(failure);
        }
        let token = self.tokens().map(|tokens| tokens.token()).transpose()?;
        for Shipment { plan, carries } in &shipments {
            let request = self.request(plan, token.as_ref())?;
            request.carries(carries);
            match http::send(request) {
                Err(failure) if failure.kind != Kind::Preview => return Err(failure),
                _ => {}
            }
        }
        Ok(())
    }

    /// A request for each event, or one for all where they are a batch.
    fn shipments(&self, call: &Call, events: &[Event]) -> (Vec<Shipment>, Vec<Refused>) {
        if call.batched() {
            return self.batch(call, events);
        }
        let one = |(index, event)| {
            let plan = request::plan(self.config(), index, event, call.traceparent(index).as_deref());
            Shipment { plan, carries: vec![index] }
        };
        ((0_u32..).zip(events).map(one).collect(), Vec::new())
    }

    fn batch(&self, call: &Call, events: &[Event]) -> (Vec<Shipment>, Vec<Refused>) {
        let mode = self.config().mode;
        if !batch::is_batchable(mode) {
            let failure = not_batchable();
            return (
                Vec::new(),
                vec![Refused { events: indexes(events), outcome: outcome::of_failure(&failure), failure }],
            );
        }
        let (mut elements, mut carries, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for (index, event) in (0_u32..).zip(events) {
            if let Some(element) = batch::element(mode, index, event) {
                elements.push(element);
                carries.push(index);
            } else {
                let failure = not_json();
                let outcome = Outcome::Permanent((&failure).into());
                refused.push(Refused { events: vec![index], outcome, failure });
            }
        }
        if carries.is_empty() {
            return (Vec::new(), refused);
        }
        (vec![Shipment { plan: batch::plan(self.config(), &call.batch_id(), elements), carries }], refused)
    }

    /// Hands back what the endpoint refused while it got a token that was kept: it may have been revoked.
    fn send(&self, call: &Call, shipments: Vec<Shipment>, token: Option<&Token>) -> Vec<Shipment> {
        let (mut requests, mut plans) = (Requests::new(), Vec::with_capacity(shipments.len()));
        for Shipment { plan, carries } in shipments {
            match self.request(&plan, token) {
                Ok(request) => {
                    requests.add(request, carries);
                    plans.push(plan);
                }
                Err(failure) => call.settle(&carries, &outcome::of_unsendable(&failure, carries.len())),
            }
        }
        let kept = token.is_some_and(|token| token.kept);
        let at_once = u32::try_from(requests.len()).unwrap_or(u32::MAX);
        let mut again = Vec::new();
        for (plan, (carries, result)) in plans.into_iter().zip(requests.send(at_once)) {
            if kept && matches!(&result, Ok(response) if response.status() == 401) {
                again.push(Shipment { plan, carries });
                continue;
            }
            call.settle(&carries, &self.outcome(result, carries.len(), call.now_ms()));
        }
        again
    }

    fn outcome(&self, result: Result<Response, Failure>, events: usize, now_ms: u64) -> Outcome {
        match result {
            Ok(response) => {
                let answer = Answer::of(&response, now_ms);
                classify::answer(&answer, events, self.config().status_outcome(answer.status))
            }
            Err(failure) => outcome::of_failure(&failure),
        }
    }
}

/// Why a configuration cannot be used for batches.
pub fn not_batchable() -> Failure {
    Failure::invalid(
        "mode-not-batchable",
        "mode: cloudevents-binary has one event in a request. Set another mode, or batch.max_events to 1.",
    )
}

fn not_json() -> Failure {
    Failure::invalid("not-json", "Batches of mode raw are JSON arrays, and the data of this event is not JSON.")
}

/// Nothing was sent to their endpoint.
fn without_token(call: &Call, shipments: &[Shipment], failure: &Failure) {
    for Shipment { carries, .. } in shipments {
        call.settle(carries, &outcome::of_unopened(failure));
    }
}
