//! From events to objects, and from answers to outcomes.

use crate::classify::{self, Answer, S3Error};
use crate::request::{self, Object, Planned};
use crate::session::{Keys, Session};
use railhead_sdk::prelude::*;

/// Requests of one call that are under way together: objects of one batch, of which most have a handful.
const AT_ONCE: u32 = 8;
/// Bytes of an answer that are read: error documents have less than a kilobyte.
const MAX_ANSWER: usize = 64 * 1024;
const READ: u32 = 16 * 1024;

/// What came back for an object.
struct Sent {
    object: Object,
    conditional: bool,
    result: Result<Got, Failure>,
}

/// An answer, read.
pub struct Got {
    http: http::Answer,
    error: Option<S3Error>,
    floods: bool,
}

impl Session {
    /// Writes the objects of these events, and settles each by its own answer.
    pub fn write(&self, call: &Call, events: &[Event]) {
        let objects = self.objects(call, events);
        let keys = match self.keys() {
            Ok(keys) => keys,
            Err(failure) => return without_keys(call, &objects, &failure),
        };
        let again = self.attempt(call, objects, self.is_conditional(), &keys);
        if again.is_empty() {
            return;
        }
        // Once more, and only for what the store refused to look at: its signature, or a header that it does not know.
        let unconditional = self.any(&again, |answer| answer.is_unconditional_store());
        let conditional = self.is_conditional() && !unconditional;
        let stale = keys.may_be_stale() && self.any(&again, |answer| answer.is_expired());
        let objects: Vec<_> = again.into_iter().map(|sent| sent.object).collect();
        let keys = match if stale { self.fresh_keys() } else { Ok(keys) } {
            Ok(keys) => keys,
            Err(failure) => return without_keys(call, &objects, &failure),
        };
        for sent in self.send(call, objects, conditional, &keys) {
            let outcome = self.outcome(&sent);
            // Only then it was the condition that the store did not want.
            if unconditional && matches!(outcome, Outcome::Delivered(_)) {
                self.remember_unconditional();
            }
            call.settle(&sent.object.carries, &outcome);
        }
    }

    /// The requests that `write` would send. In a preview the host keeps them, and says so by a failure.
    pub fn show(&self, call: &Call, events: &[Event]) -> Result<(), Failure> {
        let keys = self.keys()?;
        for object in &self.objects(call, events) {
            match http::send(self.put(object, self.is_conditional(), &keys)?) {
                Err(failure) if failure.kind != Kind::Preview => return Err(failure),
                _ => {}
            }
        }
        Ok(())
    }

    /// Of a batch, an object for each key; else an object for each event.
    fn objects(&self, call: &Call, events: &[Event]) -> Vec<Object> {
        let planned = |(index, event)| Planned { index, event, accepted_ms: call.accepted_ms(index) };
        let events: Vec<_> = (0_u32..).zip(events).map(planned).collect();
        if call.batched() {
            return request::objects(&self.config, &self.template, &call.batch_id(), &events);
        }
        events.iter().map(|planned| request::alone(&self.config, &self.template, planned)).collect()
    }

    /// Settles what is clear, and hands back what is worth a second request.
    fn attempt(&self, call: &Call, objects: Vec<Object>, conditional: bool, keys: &Keys<'_>) -> Vec<Sent> {
        let (again, clear): (Vec<_>, Vec<_>) =
            self.send(call, objects, conditional, keys).into_iter().partition(|sent| self.is_worth_another(sent, keys));
        for sent in clear {
            call.settle(&sent.object.carries, &self.outcome(&sent));
        }
        again
    }

    fn is_worth_another(&self, sent: &Sent, keys: &Keys<'_>) -> bool {
        let Ok(got) = &sent.result else { return false };
        let answer = self.answer(got, sent);
        answer.is_unconditional_store() || (keys.may_be_stale() && answer.is_expired())
    }

    fn any(&self, sent: &[Sent], what: impl Fn(&Answer<'_>) -> bool) -> bool {
        sent.iter().any(|sent| sent.result.as_ref().is_ok_and(|got| what(&self.answer(got, sent))))
    }

    /// Sends what can be sent, and settles what cannot.
    fn send(&self, call: &Call, objects: Vec<Object>, conditional: bool, keys: &Keys<'_>) -> Vec<Sent> {
        let (mut requests, mut sent) = (Vec::with_capacity(objects.len()), Vec::with_capacity(objects.len()));
        for object in objects {
            match self.put(&object, conditional, keys) {
                Ok(request) => {
                    requests.push(request);
                    sent.push(object);
                }
                Err(failure) => call.settle(&object.carries, &not_sendable(&failure, object.carries.len())),
            }
        }
        if requests.is_empty() {
            return Vec::new();
        }
        let results =
            http::send_all(requests, AT_ONCE).into_iter().map(|result| result.map(|response| Got::of(&response, call)));
        sent.into_iter().zip(results).map(|(object, result)| Sent { object, conditional, result }).collect()
    }

    fn outcome(&self, sent: &Sent) -> Outcome {
        match &sent.result {
            Ok(got) => classify::answer(&self.answer(got, sent)),
            Err(failure) => outcome::of_failure(failure),
        }
    }

    fn answer(&self, got: &Got, sent: &Sent) -> Answer<'_> {
        self.read(got, sent.object.carries.len(), sent.conditional)
    }

    /// An answer as it is classified.
    pub fn read<'a>(&'a self, got: &Got, events: usize, conditional: bool) -> Answer<'a> {
        let Got { http, error, floods } = got;
        let (bucket, region) = (&self.config.bucket, &self.config.region);
        Answer { http: http.clone(), error: error.clone(), floods: *floods, events, conditional, bucket, region }
    }
}

impl Got {
    /// Reads an answer, of its body the beginning.
    pub fn of(response: &Response, call: &Call) -> Self {
        let mut body = Vec::new();
        while body.len() < MAX_ANSWER {
            let more = response.body(READ);
            if more.is_empty() {
                break;
            }
            body.extend(more);
        }
        let floods = body.len() >= MAX_ANSWER;
        Self { http: http::Answer::of(response, call.now_ms()), error: S3Error::parse(&body), floods }
    }
}

/// Without keys nothing was sent.
fn without_keys(call: &Call, objects: &[Object], failure: &Failure) {
    objects.iter().for_each(|object| call.settle(&object.carries, &outcome::of_unopened(failure)));
}

/// No request could be made of these events: the configuration's fault, unless they are too large.
fn not_sendable(failure: &Failure, events: usize) -> Outcome {
    match failure.kind {
        Kind::TooLarge => outcome::of_unsendable(failure, events),
        _ => outcome::of_failure(failure),
    }
}
