//! What peers answer: what a real server would, but for one fault.

use crate::canary::TOKEN;
use crate::plan::Answered;
use railhead_plugin_harness::{Answer, Received};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is answered to a request that carries these events, where it is not what a real server would answer.
pub(crate) type Fault = Arc<dyn Fn(&BTreeSet<u8>) -> Option<Answer> + Send + Sync>;

/// No fault: a real server's answer.
pub(crate) fn none() -> Fault {
    Arc::new(|_| None)
}

/// This to all requests with events.
pub(crate) fn all(answer: Answer) -> Fault {
    Arc::new(move |_| Some(answer.clone()))
}

/// This to requests that carry the event of this number.
pub(crate) fn only(number: u8, answer: Answer) -> Fault {
    Arc::new(move |events| events.contains(&number).then(|| answer.clone()))
}

/// The first answer that fits.
pub(super) fn usual(answers: &[Answered], request: &Received, events: usize) -> Answer {
    let fitting = answers.iter().find(|answered| answered.fits(request, events));
    fitting.map_or_else(|| Answer::status(200), answer_of)
}

/// An answer as a plan has it.
pub(crate) fn answer_of(answered: &Answered) -> Answer {
    let answer = Answer::status(answered.status).body(&answered.body);
    answered.headers.iter().fold(answer, |answer, (name, value)| answer.header(name, value))
}

pub(super) fn bearer() -> Answer {
    let token = json!({ "access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600 });
    Answer::status(200).header("content-type", "application/json").body(token.to_string())
}
