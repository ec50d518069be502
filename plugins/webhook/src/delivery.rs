//! From events to requests, and from answers to outcomes.

use crate::classify::{self, Answer, Verdict};
use crate::exports::railhead::plugin::destination::Event;
use crate::railhead::plugin::host::Call;
use crate::railhead::plugin::http::{self, Response};
use crate::railhead::plugin::types::{Failure, Outcome, Reason};
use crate::request::{self, Plan, batch};
use crate::session::{Session, Token, invalid, planned};
use crate::{kind_of, outcome, reason_of};

/// One request, planned, and the events that it carries.
pub struct Shipment {
    plan: Plan,
    carries: Vec<u32>,
}

/// What these events come to without being sent.
pub struct Refused {
    events: Vec<u32>,
    meaning: classify::Meaning,
    failure: Failure,
}

impl Session {
    /// Sends what can be sent, and settles everything.
    pub fn send_events(&self, call: &Call, events: &[Event]) {
        let (shipments, refused) = self.shipments(call, events);
        refused.iter().for_each(|refused| refused.settle(call));
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
            match http::send(self.request(plan, carries, token.as_ref())?) {
                Err(failure) if kind_of(&failure) != classify::Kind::Preview => return Err(failure),
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
            let plan = request::plan(self.config(), planned(index, event), call.traceparent(index).as_deref());
            Shipment { plan, carries: vec![index] }
        };
        ((0_u32..).zip(events).map(one).collect(), Vec::new())
    }

    fn batch(&self, call: &Call, events: &[Event]) -> (Vec<Shipment>, Vec<Refused>) {
        let mode = self.config().mode;
        if !batch::is_batchable(mode) {
            let (events, failure) = ((0_u32..).zip(events).map(|(index, _)| index).collect(), not_batchable());
            return (Vec::new(), vec![Refused { events, meaning: classify::Meaning::Misconfigured, failure }]);
        }
        let (mut elements, mut carries, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for (index, event) in (0_u32..).zip(events) {
            if let Some(element) = batch::element(mode, planned(index, event)) {
                elements.push(element);
                carries.push(index);
            } else {
                let failure =
                    invalid("not-json", "Batches of mode raw are JSON arrays, and the data of this event is not JSON.");
                refused.push(Refused { events: vec![index], meaning: classify::Meaning::Permanent, failure });
            }
        }
        if carries.is_empty() {
            return (Vec::new(), refused);
        }
        (vec![Shipment { plan: batch::plan(self.config(), &call.batch_id(), elements), carries }], refused)
    }

    /// Hands back what the endpoint refused while it got a token that was kept: it may have been revoked.
    fn send(&self, call: &Call, shipments: Vec<Shipment>, token: Option<&Token>) -> Vec<Shipment> {
        let (mut requests, mut sent) = (Vec::with_capacity(shipments.len()), Vec::with_capacity(shipments.len()));
        for shipment in shipments {
            match self.request(&shipment.plan, &shipment.carries, token) {
                Ok(request) => {
                    requests.push(request);
                    sent.push(shipment);
                }
                Err(failure) => {
                    let meaning = classify::not_sendable(kind_of(&failure), shipment.carries.len() == 1);
                    Refused { events: shipment.carries, meaning, failure }.settle(call);
                }
            }
        }
        let mut again = Vec::new();
        if requests.is_empty() {
            return again;
        }
        let at_once = u32::try_from(requests.len()).unwrap_or(u32::MAX);
        let kept = token.is_some_and(|token| token.kept);
        for (shipment, result) in sent.into_iter().zip(http::send_all(requests, at_once)) {
            if kept && matches!(&result, Ok(response) if response.status() == 401) {
                again.push(shipment);
                continue;
            }
            call.settle(&shipment.carries, &self.outcome(result, shipment.carries.len(), call.now_ms()));
        }
        again
    }

    fn outcome(&self, result: Result<Response, Failure>, events: usize, now_ms: u64) -> Outcome {
        match result {
            Ok(response) => {
                let status = response.status();
                let answer = Answer { status, headers: &response.headers(), events };
                let Verdict { meaning, code, message } =
                    classify::answer(answer, self.config().status_outcome(status), now_ms);
                outcome(meaning, Reason { code, message, status: Some(status.to_string()) })
            }
            Err(failure) => outcome(classify::failure(kind_of(&failure)), reason_of(&failure)),
        }
    }
}

impl Refused {
    fn settle(&self, call: &Call) {
        call.settle(&self.events, &outcome(self.meaning, reason_of(&self.failure)));
    }
}

/// Why a configuration cannot be used for batches.
pub fn not_batchable() -> Failure {
    invalid(
        "mode-not-batchable",
        "mode: cloudevents-binary has one event in a request. Set another mode, or batch.max_events to 1.",
    )
}

fn without_token(call: &Call, shipments: &[Shipment], failure: &Failure) {
    for Shipment { carries, .. } in shipments {
        call.settle(carries, &outcome(classify::no_token(kind_of(failure)), reason_of(failure)));
    }
}
