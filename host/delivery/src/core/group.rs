//! The result lane: which results become durable together, and when.

use super::effect::RecordItem;
use super::input::RecordId;
use railhead_store::RecordAnswer;
use std::collections::VecDeque;

/// The first wait before a batch of unknown outcome is sent again; doubles.
const AGAIN_MS: u64 = 100;
/// The longest such wait.
pub(crate) const MAX_AGAIN_MS: u64 = 5_000;

/// Results are averaged over about this long, in milliseconds.
const WINDOW_MS: f64 = 100.0;
/// Waiting is worth it if so many more results are expected meanwhile.
const COMPANY: f64 = 1.0;

/// How soon a result is to be durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Haste {
    /// As soon as the lane is free: something waits for it.
    AtOnce,
    /// At once, unless others are expected.
    IfIdle,
    /// Others follow it: those of the same call.
    None,
}

/// Results that are not durable yet. One batch is in flight at a time; the others wait for it.
#[derive(Debug)]
pub(super) struct Group {
    wait_ms: u64,
    max_items: usize,
    queue: VecDeque<RecordItem>,
    /// When the queue goes, whatever its length.
    deadline: Option<u64>,
    flight: Option<Flight>,
    last: u64,
    /// Results that came lately: each counts for less as time goes by.
    lately: f64,
    /// When that was so.
    lately_at: u64,
}

#[derive(Debug)]
struct Flight {
    id: RecordId,
    items: Vec<RecordItem>,
    unknown: u32,
    /// Set while it is not known whether the batch is durable: when to send it again.
    again_at: Option<u64>,
}

impl Group {
    pub fn new(wait_ms: u64, max_items: usize) -> Self {
        Self {
            wait_ms,
            max_items: max_items.max(1),
            queue: VecDeque::new(),
            deadline: None,
            flight: None,
            last: 0,
            lately: 0.0,
            lately_at: 0,
        }
    }

    /// Results that are not known to be durable.
    pub fn held(&self) -> usize {
        self.queue.len() + self.flight.as_ref().map_or(0, |flight| flight.items.len())
    }

    /// Adds a result.
    pub fn add(&mut self, item: RecordItem, now: u64, haste: Haste) {
        let gone = now.saturating_sub(self.lately_at) as f64;
        let lately = self.lately * (-gone / WINDOW_MS).exp();
        (self.lately, self.lately_at) = (lately + 1.0, now);
        let is_idle = self.flight.is_none() && lately / WINDOW_MS * (self.wait_ms as f64) < COMPANY;
        let at = match haste {
            Haste::AtOnce => now,
            Haste::IfIdle if is_idle => now,
            Haste::IfIdle | Haste::None => now + self.wait_ms,
        };
        self.deadline = Some(self.deadline.map_or(at, |deadline| deadline.min(at)));
        self.queue.push_back(item);
    }

    /// Everything goes as soon as the lane is free.
    pub fn hurry(&mut self, now: u64) {
        if !self.queue.is_empty() {
            self.deadline = Some(now);
        }
    }

    /// The batch that is to be sent now.
    pub fn send(&mut self, now: u64) -> Option<(RecordId, Vec<RecordItem>)> {
        if let Some(flight) = &mut self.flight {
            flight.again_at.filter(|at| *at <= now)?;
            flight.again_at = None;
            return Some((flight.id, flight.items.clone()));
        }
        let due = self.queue.len() >= self.max_items || self.deadline.is_some_and(|deadline| deadline <= now);
        if !due || self.queue.is_empty() {
            return None;
        }
        let count = self.queue.len().min(self.max_items);
        let items: Vec<_> = self.queue.drain(..count).collect();
        // What stays behind has waited already.
        self.deadline = if self.queue.is_empty() { None } else { Some(now) };
        self.last += 1;
        let id = RecordId(self.last);
        self.flight = Some(Flight { id, items: items.clone(), unknown: 0, again_at: None });
        Some((id, items))
    }

    /// When [`Group::send`] may have something.
    pub fn wake_at(&self) -> Option<u64> {
        match &self.flight {
            Some(flight) => flight.again_at,
            None => self.deadline,
        }
    }

    /// The batch in flight is durable: its items with their answers.
    pub fn recorded(&mut self, id: RecordId, answers: Vec<RecordAnswer>) -> Vec<(RecordItem, RecordAnswer)> {
        match self.flight.take_if(|flight| flight.id == id) {
            // An answer that is missing is as good as a refusal: what the store has is read again.
            Some(flight) => {
                let answers = answers.into_iter().chain(std::iter::repeat(RecordAnswer::Refused));
                flight.items.into_iter().zip(answers).collect()
            }
            None => Vec::new(),
        }
    }

    /// Nobody knows whether it is: the same batch again, a little later.
    pub fn unknown(&mut self, id: RecordId, now: u64) {
        if let Some(flight) = self.flight.as_mut().filter(|flight| flight.id == id) {
            let delay = AGAIN_MS.saturating_mul(1 << flight.unknown.min(10)).min(MAX_AGAIN_MS);
            flight.unknown += 1;
            flight.again_at = Some(now + delay);
        }
    }

    pub fn clear(&mut self) {
        self.queue.clear();
        self.deadline = None;
        self.flight = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use railhead_model::{DeliveryKey, DestinationNo, EventUid, TenantNo, Timestamp};
    use railhead_store::Change;

    fn item(run: u32) -> RecordItem {
        RecordItem {
            key: DeliveryKey { event: EventUid::new(Timestamp(1), [0; 10]), destination: DestinationNo(1), run },
            tenant: TenantNo(1),
            rev: 0,
            n: Some(1),
            change: Change::Retry { due: Timestamp(2), attempts: 1, since: Timestamp(1) },
            at: Timestamp(1),
        }
    }

    #[test]
    fn results_wait_for_company_but_not_long() {
        let mut group = Group::new(25, 3);
        group.add(item(0), 100, Haste::None);
        assert_eq!(group.send(124), None);
        assert_eq!(group.wake_at(), Some(125));
        let (id, items) = group.send(125).unwrap();
        assert_eq!(items.len(), 1);
        for run in 1..=4 {
            group.add(item(run), 126, Haste::None);
        }
        assert_eq!(group.send(200), None, "one in flight");
        assert_eq!(group.held(), 5);
        assert_eq!(group.recorded(id, vec![RecordAnswer::Applied(1)]).len(), 1);
        let (next, items) = group.send(130).unwrap();
        assert_eq!((next.0, items.len()), (id.0 + 1, 3), "a full batch goes at once");
    }

    #[test]
    fn an_urgent_result_takes_all_with_it() {
        let mut group = Group::new(25, 10);
        group.add(item(0), 100, Haste::None);
        group.add(item(1), 101, Haste::AtOnce);
        assert_eq!(group.send(101).map(|(_, items)| items.len()), Some(2));
    }

    #[test]
    fn a_lone_result_goes_at_once_and_under_load_they_gather() {
        let mut group = Group::new(25, 1_000);
        let mut commits = |every_ms: usize| {
            let (mut sent, mut run) = (0, 0);
            for now in 1_000..2_000 {
                if now % every_ms as u64 == 0 {
                    group.add(item(run), now, Haste::IfIdle);
                    run += 1;
                }
                while let Some((id, _)) = group.send(now) {
                    group.recorded(id, Vec::new());
                    sent += 1;
                }
            }
            (run, sent)
        };
        assert_eq!(commits(100), (10, 10), "ten a second: each at once");
        let (results, sent) = commits(1);
        assert_eq!(results, 1_000);
        assert!((38..=42).contains(&sent), "under load 25 ms are gathered: {sent}");
        assert_eq!(commits(50), (20, 20), "the load is forgotten");
    }

    #[test]
    fn an_unknown_outcome_sends_the_identical_batch_again() {
        let mut group = Group::new(25, 10);
        group.add(item(0), 0, Haste::AtOnce);
        let first = group.send(0).unwrap();
        group.add(item(1), 1, Haste::AtOnce);
        group.unknown(first.0, 1);
        assert_eq!(group.send(100), None);
        assert_eq!(group.send(101), Some(first.clone()));
        group.unknown(first.0, 101);
        assert_eq!(group.wake_at(), Some(301));
        assert_eq!(group.send(301), Some(first.clone()));
        assert!(group.recorded(RecordId(77), Vec::new()).is_empty());
        assert_eq!(group.recorded(first.0, vec![RecordAnswer::Refused]).len(), 1);
    }
}
