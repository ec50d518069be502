//! Tells the owner step by step whether the endpoint can be reached. Sends no event.

use crate::delivery::not_batchable;
use crate::request::batch;
use crate::session::Session;
use railhead_sdk::prelude::*;

impl Session {
    /// A receiver need not know HEAD, so whatever it answers is only told.
    pub fn look(&self, call: &Call) -> Vec<Result<String, Reason>> {
        let mut steps = vec![Ok(format!("The address is well-formed: {}.", self.address()))];
        if call.batched() && !batch::is_batchable(self.config().mode) {
            steps.push(Err(not_batchable().into()));
        }
        if let Some(tokens) = self.tokens() {
            let told = |_| "The token endpoint gives an access token.".to_owned();
            steps.push(tokens.exchange().map(told).map_err(Reason::from));
        }
        let answer = self.head_request().and_then(http::send);
        steps.push(match answer {
            Ok(response) => Ok(format!("The endpoint is there: it answers HEAD with {}.", response.status())),
            Err(failure) => Err(failure.into()),
        });
        steps
    }
}
