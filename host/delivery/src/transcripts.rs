//! One transcript for all events of a request: it is sealed and stored once, and their attempts refer to it.

use railhead_model::{AttemptKey, BodyPart, DeliveryKey, Exchange, HostId, Transcript};
use std::sync::Arc;

/// Transcripts of one hand-over that are remembered for others to refer to: a connector settles the events of one
/// request together.
const KEPT: usize = 8;

/// Transcripts of one hand-over, sealed as `S`.
#[derive(Debug)]
pub(crate) struct Transcripts<S> {
    mark: u32,
    kept: Vec<(Transcript, AttemptKey, S)>,
}

/// Marks begin here: no attempt has such a number.
const MARKS: u32 = 1 << 30;

impl<S: Clone> Transcripts<S> {
    /// For one call of one host.
    pub fn new(host: HostId, call: u64) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64; // FNV-1a
        for byte in host.0.as_bytes().iter().copied().chain(call.to_le_bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        let mark = MARKS | ((hash >> 32) as u32 & (MARKS - 1));
        Self { mark, kept: Vec::new() }
    }

    /// The sealed transcript of this delivery's attempt, and its owner: what it is sealed and stored for. That is the
    /// first delivery of the same request, with the hand-over's mark in the place of an attempt's number: its own
    /// attempt may never be recorded, and its number be given again. `seal` is called for a new owner.
    ///
    /// An owner is of the same day: what is kept by the day goes with all that refers to it.
    pub fn share(
        &mut self,
        delivery: DeliveryKey,
        transcript: Transcript,
        seal: impl FnOnce(AttemptKey, &Transcript) -> S,
    ) -> (AttemptKey, S) {
        let transcript = transcript.shared(delivery.event);
        let day = delivery.event.at().day();
        let same = self.kept.iter().rev().find(|(kept, owner, _)| {
            owner.delivery.event.at().day() == day && (is_same(kept, &transcript) || is_misplaced())
        });
        if let Some((_, owner, sealed)) = same {
            return (*owner, sealed.clone());
        }
        let owner = AttemptKey { delivery, n: self.mark };
        let sealed = seal(owner, &transcript);
        if self.kept.len() == KEPT {
            self.kept.remove(0);
        }
        self.kept.push((transcript, owner, sealed.clone()));
        (owner, sealed)
    }
}

/// The events of one request mostly share its exchange, which is as long as the request.
fn is_same(one: &Transcript, other: &Transcript) -> bool {
    let same = |(one, other): (&Arc<Exchange>, &Arc<Exchange>)| Arc::ptr_eq(one, other) || one == other;
    one.fields == other.fields
        && one.exchanges.len() == other.exchanges.len()
        && one.exchanges.iter().zip(&other.exchanges).all(same)
}

#[cfg(test)]
fn is_misplaced() -> bool {
    crate::core::mutation::is_planted(crate::core::mutation::Mutation::TranscriptMisplaced)
}

#[cfg(not(test))]
const fn is_misplaced() -> bool {
    false
}

/// True if a request of it carried other events too.
pub(crate) fn carries_others(transcript: &Transcript) -> bool {
    let mut parts = transcript.exchanges.iter().flat_map(|exchange| &exchange.request.body);
    parts.any(|part| matches!(part, BodyPart::OtherEvent(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use railhead_model::{DestinationNo, EventUid, Exchange, ExchangeRequest, Timestamp};

    const DAY: i64 = railhead_model::time::DAY_MS;

    fn delivery(n: u8, at: i64) -> DeliveryKey {
        DeliveryKey { event: EventUid::new(Timestamp(at), [n; 10]), destination: DestinationNo(1), run: 0 }
    }

    fn host(n: u8) -> HostId {
        HostId::new(Timestamp(1), [n; 10])
    }

    fn transcript(body: Vec<BodyPart>) -> Transcript {
        let request = ExchangeRequest { body, ..ExchangeRequest::default() };
        Transcript { exchanges: vec![Exchange { request, ..Exchange::default() }.into()], ..Transcript::default() }
    }

    /// A request that carried two events, as each of them sees it.
    fn request(own: DeliveryKey, other: DeliveryKey) -> Transcript {
        transcript(vec![BodyPart::EventData, BodyPart::OtherEvent(other.event)]).shared(own.event)
    }

    #[test]
    fn events_of_one_request_share_and_those_of_another_do_not() {
        let [a, b, c] = [delivery(1, 5), delivery(2, 5), delivery(3, 5)];
        let both = request(a, b);
        let mut transcripts = Transcripts::new(host(1), 7);
        let mut sealed = 0;
        let mut share = |delivery: DeliveryKey, transcript: &Transcript| {
            let seen = transcript.clone().seen_by(delivery.event);
            let (owner, sealed) = transcripts.share(delivery, seen, |_, _| {
                sealed += 1;
                sealed
            });
            (owner.delivery, sealed)
        };
        assert_eq!(share(a, &both), (a, 1));
        assert_eq!(share(c, &request(c, a)), (c, 2), "another request");
        assert_eq!(share(b, &both), (a, 1), "sealed once");
    }

    #[test]
    fn an_owner_is_of_the_same_day_and_no_other_call_has_it() {
        let [a, b] = [delivery(1, DAY - 1), delivery(2, DAY)];
        let mut transcripts = Transcripts::new(host(1), 7);
        let both = request(a, b);
        let first = transcripts.share(a, both.clone(), |_, _| ()).0;
        assert!(first.delivery == a && first.n >= MARKS);
        assert_eq!(transcripts.share(b, both.clone(), |_, _| ()).0.delivery, b);
        for (host, call) in [(host(1), 8), (host(2), 7)] {
            assert_ne!(Transcripts::new(host, call).share(a, both.clone(), |_, _| ()).0, first);
        }
    }

    #[test]
    fn a_request_that_carried_others_is_told_from_one_that_did_not() {
        let other = BodyPart::OtherEvent(delivery(2, 5).event);
        assert!(carries_others(&transcript(vec![BodyPart::EventData, other])));
        assert!(!carries_others(&transcript(vec![BodyPart::EventData])));
    }
}
