//! The judge: after each kill, and in the end, holds the host's record beside the receiver's ledger.
//!
//! It believes nothing that the running host says. After a kill it reads a copy of the dead host's database, and so knows
//! which requests had left and were not on record: those, and only those, may come again, each once.

use crate::delivery::{beside, says_so, sound, told};
use crate::ledger::{Fate, Pair, Request};
use crate::plan::{CONCURRENCY, Destination, Manner, UNRECORDED, destinations_of};
use crate::store::Recorded;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// A rule that was broken, in words.
pub type Verdict<T> = Result<T, String>;

/// What there is to judge once a process is dead.
pub struct Evidence<'e> {
    /// What that process sent, in the order it came.
    pub requests: &'e [Request],
    /// What is on record.
    pub stored: Vec<(Pair, Recorded)>,
    /// Events whose acknowledgement came.
    pub acknowledged: &'e BTreeSet<usize>,
    /// When it was killed; `None`: it ended in order, and leaves nothing open.
    pub killed: Option<Instant>,
}

/// What was in flight at a kill.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Requests that the receiver had not answered.
    pub open: usize,
    /// The same at the destination that is down.
    pub hung: usize,
    /// Answers that were not on record.
    pub unrecorded: usize,
    /// How long before the kill the first of these was given.
    pub oldest: Duration,
}

/// What came of it all.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub deliveries: usize,
    pub requests: usize,
    /// Requests that brought what the receiver had read before and not refused.
    pub again: usize,
    /// Those of them that it had also answered.
    pub duplicates: usize,
    /// What kills left open, or answered and not on record: as many may come again.
    pub in_flight: usize,
    /// The answered ones of these.
    pub unrecorded: usize,
}

/// Everything that was on record at the last look, and what may come again.
#[derive(Default)]
pub struct Judge {
    known: BTreeMap<Pair, Recorded>,
    open: BTreeMap<Pair, usize>,
    unrecorded: BTreeMap<Pair, usize>,
}

impl Judge {
    /// A process is dead.
    pub fn look(&mut self, evidence: Evidence<'_>) -> Verdict<Found> {
        evidence.requests.iter().try_for_each(is_its_own)?;
        let stored = once_each(evidence.stored)?;
        for (pair, recorded) in &stored {
            sound(*pair, recorded)?;
        }
        is_durable(evidence.acknowledged, &stored)?;
        self.keeps(&stored)?;
        let mut sent: BTreeMap<Pair, Vec<&Request>> = BTreeMap::new();
        for request in evidence.requests {
            sent.entry(request.pair).or_default().push(request);
        }
        let mut lost = Vec::new();
        for (pair, recorded) in &stored {
            lost.extend(self.compare(*pair, recorded, sent.remove(pair).unwrap_or_default())?);
        }
        if let Some(pair) = sent.keys().next() {
            return Err(format!("{pair}: it was sent, and is not in the store"));
        }
        self.known = stored;
        self.count(&lost, evidence.killed)
    }

    /// Nothing of what was on record is gone.
    fn keeps(&self, stored: &BTreeMap<Pair, Recorded>) -> Verdict<()> {
        for (pair, before) in &self.known {
            let now = stored.get(pair).ok_or_else(|| format!("{pair}: it was in the store before, and is gone"))?;
            if !now.attempts.starts_with(&before.attempts) {
                return Err(format!("{pair}: attempts were on record before, and are not now"));
            }
        }
        Ok(())
    }

    /// Holds what a process recorded of a delivery beside what it sent. The request that is not on record, if one is not.
    fn compare<'r>(&self, pair: Pair, recorded: &Recorded, sent: Vec<&'r Request>) -> Verdict<Option<&'r Request>> {
        let before = self.known.get(&pair);
        if before.is_some_and(|before| before.end.is_some()) && !sent.is_empty() {
            return Err(format!("{pair}: it was sent again though its end was on record"));
        }
        let new = &recorded.attempts[before.map_or(0, |before| before.attempts.len())..];
        let lost = beside(pair, new, &sent)?;
        if lost.is_some() && recorded.end.is_some() {
            return Err(format!("{pair}: it was sent once more after its end ({})", told(new, &sent)));
        }
        Ok(lost)
    }

    fn count(&mut self, lost: &[&Request], killed: Option<Instant>) -> Verdict<Found> {
        let mut found = Found::default();
        let mut open: BTreeMap<Destination, usize> = BTreeMap::new();
        for request in lost {
            let pair = request.pair;
            let Some(killed) = killed else {
                return Err(format!("{pair}: a request is not on record, and nobody was killed"));
            };
            match request.fate {
                Fate::Open => {
                    *open.entry(pair.to).or_default() += 1;
                    if pair.to.manner() == Manner::Down {
                        found.hung += 1; // it answers nothing: what it is asked again is no repetition
                    } else {
                        found.open += 1;
                        *self.open.entry(pair).or_default() += 1;
                    }
                }
                Fate::Answered(status) => {
                    let last = status == pair.to.last_answer().0;
                    *self.unrecorded.entry(pair).or_default() += usize::from(last);
                    found.unrecorded += 1;
                    let before = request.answered_at.map(|at| killed.saturating_duration_since(at));
                    found.oldest = found.oldest.max(before.unwrap_or_default());
                }
                Fate::Broken => {}
            }
        }
        if let Some((to, count)) = open.into_iter().find(|(_, count)| *count > CONCURRENCY) {
            return Err(format!("{to}: {count} requests were open, and it may have {CONCURRENCY}"));
        }
        if lost.len() > UNRECORDED {
            return Err(format!("{} requests were not on record, and a host may have {UNRECORDED}", lost.len()));
        }
        Ok(found)
    }

    /// All is over: `requests` are those of all processes, `told` is what the API says of each delivery.
    pub fn close(
        &self,
        acknowledged: &BTreeSet<usize>,
        requests: &[Request],
        told: &BTreeMap<Pair, Value>,
    ) -> Verdict<Summary> {
        if let Some((pair, _)) = self.known.iter().find(|(_, recorded)| recorded.end.is_none()) {
            return Err(format!("{pair}: it has no end"));
        }
        if let Some(pair) = self.known.keys().find(|pair| !acknowledged.contains(&pair.event)) {
            return Err(format!("{pair}: nobody published it"));
        }
        for (pair, recorded) in &self.known {
            says_so(*pair, recorded, told.get(pair).unwrap_or(&Value::Null))?;
        }
        if let Some(pair) = told.keys().find(|pair| !self.known.contains_key(pair)) {
            return Err(format!("{pair}: the API tells of it, and it is not in the store"));
        }
        self.repeats(requests)
    }

    /// Counts in the ledger alone what came again, and allows of it what stood open, or answered and not on record, at
    /// the kills.
    fn repeats(&self, requests: &[Request]) -> Verdict<Summary> {
        // Answered for good, and read: refusals that may be tried again and what broke do not count.
        let mut came: BTreeMap<Pair, (usize, usize)> = BTreeMap::new();
        for request in requests {
            let answered = request.fate == Fate::Answered(request.pair.to.last_answer().0);
            let read = answered || (request.fate == Fate::Open && request.pair.to.manner() != Manner::Down);
            let (answers, reads) = came.entry(request.pair).or_default();
            *answers += usize::from(answered);
            *reads += usize::from(read);
        }
        let mut summary = Summary {
            deliveries: self.known.len(),
            requests: requests.len(),
            unrecorded: self.unrecorded.values().sum(),
            ..Summary::default()
        };
        summary.in_flight = summary.unrecorded + self.open.values().sum::<usize>();
        for pair in self.known.keys() {
            let (answers, reads) = came.get(pair).copied().unwrap_or_default();
            let unrecorded = self.unrecorded.get(pair).copied().unwrap_or_default();
            let open = self.open.get(pair).copied().unwrap_or_default();
            if answers > 1 + unrecorded {
                return Err(format!("{pair}: answered {answers} times, and {unrecorded} answers were lost at kills"));
            }
            if reads > 1 + unrecorded + open {
                return Err(format!("{pair}: came {reads} times, and was in flight at {} kills", unrecorded + open));
            }
            summary.duplicates += answers.saturating_sub(1);
            summary.again += reads.saturating_sub(1);
        }
        Ok(summary)
    }
}

/// The body is the event's that the head names, and all of it.
fn is_its_own(request: &Request) -> Verdict<()> {
    let pair = request.pair;
    match request.carried {
        Some(event) if event == pair.event => Ok(()),
        Some(event) => Err(format!("{pair}: it came with the body of e{event}")),
        None => Err(format!("{pair}: its body is not what was published")),
    }
}

/// A delivery has one record.
fn once_each(rows: Vec<(Pair, Recorded)>) -> Verdict<BTreeMap<Pair, Recorded>> {
    let mut stored = BTreeMap::new();
    for (pair, recorded) in rows {
        if stored.insert(pair, recorded).is_some() {
            return Err(format!("{pair}: it is in the store twice"));
        }
    }
    Ok(stored)
}

/// What was acknowledged is in the store: waiting, or ended.
fn is_durable(acknowledged: &BTreeSet<usize>, stored: &BTreeMap<Pair, Recorded>) -> Verdict<()> {
    let pairs = acknowledged.iter().flat_map(|event| destinations_of(*event).map(|to| Pair { event: *event, to }));
    match pairs.into_iter().find(|pair| !stored.contains_key(pair)) {
        Some(pair) => Err(format!("{pair}: the event was acknowledged, and this is not in the store")),
        None => Ok(()),
    }
}
