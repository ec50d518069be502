//! What the receiver keeps of each request: its ledger.

use crate::plan::{Destination, Manner};
use std::collections::{HashMap, HashSet};
use std::fmt::{Display, Formatter};
use std::time::Instant;

/// A delivery, as the receiver knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    /// The number in the event's id.
    pub event: usize,
    pub to: Destination,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Neither answered nor given up. If its process is dead: it was in flight at the kill.
    Open,
    /// The receiver reset it, or the host gave it up.
    Broken,
    Answered(u16),
}

#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// As the head says.
    pub pair: Pair,
    /// The event that the body tells of; `None`: the body is not whole.
    pub carried: Option<usize>,
    pub fate: Fate,
    pub answered_at: Option<Instant>,
}

/// The ledger, and what the receiver is told to do.
#[derive(Default)]
pub struct Ledger {
    pub requests: Vec<Request>,
    /// Where the requests of the process that runs now begin.
    pub begin: usize,
    /// Open requests of the one that is down.
    pub hung: usize,
    pub holding: bool,
    /// What is held and stands before this place is answered even so.
    pub released: usize,
    /// Nothing is answered any more, and nothing is given up: the kill is coming.
    pub frozen: bool,
    /// From this request on the one that was down answers.
    pub mended: Option<usize>,
    stumbled: HashSet<Pair>,
    /// What had a last answer.
    pub ended: HashMap<Pair, u16>,
    pub connections: usize,
}

impl Ledger {
    /// A request was read; its place.
    pub fn begin(&mut self, pair: Pair, carried: Option<usize>) -> usize {
        self.hung += usize::from(pair.to.manner() == Manner::Down);
        self.requests.push(Request { pair, carried, fate: Fate::Open, answered_at: None });
        self.requests.len() - 1
    }

    /// The status to answer with, noted as answered; 0 for a reset; `None`: not now.
    pub fn answer(&mut self, index: usize, now: Instant) -> Option<u16> {
        if self.frozen {
            return None;
        }
        let pair = self.requests[index].pair;
        let (last, _) = pair.to.last_answer();
        let status = match pair.to.manner() {
            Manner::Holds if self.holding && index >= self.released => return None,
            Manner::Stumbles if is_unlucky(pair.event) && self.stumbled.insert(pair) => 500,
            Manner::Down if self.mended.is_none_or(|from| index < from) => {
                return index.is_multiple_of(2).then_some(0);
            }
            _ => last,
        };
        if status == last {
            self.ended.insert(pair, status);
        }
        self.over(index, Fate::Answered(status));
        self.requests[index].answered_at = Some(now);
        Some(status)
    }

    /// A request is open no longer.
    pub fn over(&mut self, index: usize, fate: Fate) {
        let request = &mut self.requests[index];
        if !self.frozen && request.fate == Fate::Open {
            request.fate = fate;
            self.hung -= usize::from(request.pair.to.manner() == Manner::Down);
        }
    }

    /// Answers so many of those that are held.
    pub fn release(&mut self, count: usize) {
        let nth = self.held().nth(count);
        self.released = nth.unwrap_or(self.requests.len());
    }

    /// The places of those that are held and are not to be answered yet.
    pub fn held(&self) -> impl Iterator<Item = usize> {
        let is_held = |(_, one): &(usize, &Request)| one.fate == Fate::Open && one.pair.to.manner() == Manner::Holds;
        self.requests.iter().enumerate().skip(self.released).filter(is_held).map(|(index, _)| index)
    }

    /// Requests of this process to those that hold, which are answered.
    pub fn answered_of_held(&self) -> usize {
        let of_this = self.requests[self.begin..].iter().filter(|one| one.pair.to.manner() == Manner::Holds);
        of_this.filter(|one| matches!(one.fate, Fate::Answered(_))).count()
    }

    /// The process is dead and all that it sent was read: what came of it, and the next one may come.
    pub fn next_process(&mut self) -> Vec<Request> {
        let requests = self.requests[self.begin..].to_vec();
        (self.frozen, self.hung, self.begin) = (false, 0, self.requests.len());
        self.released = self.begin;
        requests
    }
}

impl Display for Pair {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "e{} to {}", self.event, self.to)
    }
}

impl Display for Fate {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Open => f.write_str("open"),
            Self::Broken => f.write_str("broken"),
            Self::Answered(status) => status.fmt(f),
        }
    }
}

/// One event in ten.
fn is_unlucky(event: usize) -> bool {
    event.to_string().bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % 10 == 0
}
