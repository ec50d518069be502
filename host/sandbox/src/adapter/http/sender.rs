//! Requests on their way: sent or shown, on the guest's account.

use crate::adapter::failure;
use crate::bindings::railhead::plugin::types::{Failure, Kind};
use crate::call::{Purpose, Running};
use crate::egress::{self, Egress, Outgoing, SendContext};
use crate::limits::Meter;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Requests that a preview keeps.
const MAX_PREVIEWED: usize = 100;

/// Sends for one call of the guest, and keeps the record.
pub(in crate::adapter) struct Sender {
    pub(super) egress: Arc<Egress>,
    pub(super) destination: i64,
    pub(super) running: Option<Arc<Running>>,
    pub(super) meter: Arc<Meter>,
    /// Bytes of answers that the session may still hold.
    pub(super) room: AtomicUsize,
    pub(super) ctx: SendContext,
}

impl Sender {
    /// It waited for its turn: less time is left than when it was made.
    pub(in crate::adapter) fn begins(&mut self) {
        if let Some(running) = &self.running {
            self.ctx.left = super::usable(running.left_ms());
        }
    }

    pub(in crate::adapter) async fn send(&self, outgoing: Outgoing) -> Result<egress::Response, Failure> {
        let Some(running) = &self.running else {
            let sent = self.egress.send(self.destination, outgoing, &self.ctx).await;
            self.meter.charge(sent.making);
            return self.fitting(sent.result);
        };
        if running.purpose == Purpose::Preview {
            return Err(self.preview(running, outgoing));
        }
        let carried = outgoing.carried().to_vec();
        running.leaving(&carried);
        let sent = self.egress.send(self.destination, outgoing, &self.ctx).await;
        self.meter.charge(sent.making);
        running.made(sent.making);
        running.over(&carried, sent.may_have_arrived, sent.exchange);
        self.fitting(sent.result)
    }

    /// An answer that the session has room for. Without its body a guest could take a refusal for a success, so one that
    /// does not fit is none.
    fn fitting(&self, answer: Result<egress::Response, egress::Failure>) -> Result<egress::Response, Failure> {
        let answer = answer?;
        let taken = |room: usize| room.checked_sub(size(&answer));
        match self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken) {
            Ok(_) => Ok(answer),
            Err(_) => {
                let message = "The answers that this session keeps are larger than they may be; drop them once read.";
                Err(failure(Kind::TooLarge, "session-too-large", message))
            }
        }
    }

    /// Captures what would be sent, and says so.
    fn preview(&self, running: &Running, outgoing: Outgoing) -> Failure {
        if running.shown_count() >= MAX_PREVIEWED {
            return failure(Kind::Preview, "preview", "This is a preview, and it has shown enough.");
        }
        let carried = outgoing.carried().to_vec();
        match self.meter.charged(|| self.egress.preview(&outgoing, &self.ctx)) {
            Ok(exchange) => {
                running.show(&carried, exchange);
                failure(Kind::Preview, "preview", "This is a preview: nothing is sent.")
            }
            Err(refused) => {
                let exchange = railhead_model::Exchange { failure: Some(refused.reason()), ..Default::default() };
                running.show(&carried, exchange);
                refused.into()
            }
        }
    }
}

/// Bytes of an answer that the host holds.
pub(in crate::adapter) fn size(answer: &egress::Response) -> usize {
    let texts = answer.headers.iter().chain(&answer.trailers).map(|(name, value)| name.len() + value.len());
    texts.fold(answer.body.len(), usize::saturating_add)
}
