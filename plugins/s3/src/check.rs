//! Tells the owner step by step whether objects could be written. Sends no event.

use crate::classify;
use crate::delivery::Got;
use crate::session::{Keys, Session};
use railhead_sdk::prelude::*;

type Step = Result<String, Reason>;

impl Session {
    /// A role is assumed anew; then an object is written, or the bucket is asked for where the owner wants none
    /// written.
    pub fn look(&self, call: &Call) -> Vec<Step> {
        let mut steps = Vec::new();
        let keys = match self.fresh_keys() {
            Ok(keys) => keys,
            Err(failure) => return vec![Err(Reason::from(failure))],
        };
        if self.has_role() {
            steps.push(Ok("The role can be assumed.".to_owned()));
        }
        steps.push(if self.config.check_object {
            self.write_mark(call, &keys)
        } else {
            self.ask_for_bucket(call, &keys)
        });
        steps
    }

    fn write_mark(&self, call: &Call, keys: &Keys<'_>) -> Step {
        let response = self.put_mark(keys).and_then(http::send)?;
        let got = Got::of(&response, call);
        match classify::answer(&self.read(&got, 1, false)) {
            Outcome::Delivered(_) => {
                let (bucket, name) = (&self.config.bucket, self.template.beside(".railhead-check"));
                Ok(format!("Objects can be written to the bucket {bucket:?}: {name:?} was."))
            }
            other => Err(reason(other)),
        }
    }

    /// An answer to HEAD has no body, so that all there is to go by is its status.
    fn ask_for_bucket(&self, call: &Call, keys: &Keys<'_>) -> Step {
        let response = self.head_bucket(keys).and_then(http::send)?;
        let got = Got::of(&response, call);
        let bucket = &self.config.bucket;
        let answer = self.read(&got, 1, false);
        match answer.http.status {
            200..=299 => Ok(format!(
                "The bucket {bucket:?} is there, and the key may list it. \
                 Whether it may write shows with the first event."
            )),
            403 => Ok(format!(
                "The store answers 403 for the bucket {bucket:?}: the key is wrong, or may not list it, \
                 which it need not. Set check_object to true to know."
            )),
            _ => Err(reason(classify::answer(&answer))),
        }
    }
}

fn reason(outcome: Outcome) -> Reason {
    match outcome {
        Outcome::Throttled((reason, _)) | Outcome::Transient((reason, _)) => reason,
        Outcome::Delivered(reason)
        | Outcome::Uncertain(reason)
        | Outcome::Permanent(reason)
        | Outcome::TooLarge(reason)
        | Outcome::Misconfigured(reason)
        | Outcome::RejectedCredentials(reason) => reason,
        Outcome::Untried => Reason::new("untried", "Nothing was sent."),
    }
}
