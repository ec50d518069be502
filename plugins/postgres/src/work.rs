//! What of a call is still to be written, and the rows that their tables refused.

use crate::classify::{self, Fault, Meaning, Verdict};
use crate::config::Config;
use crate::protocol::backend::ServerError;
use crate::request::Group;
use crate::settle::failed;
use crate::sql::Table;
use railhead_sdk::host::Call;
use railhead_sdk::types::{Outcome, Reason};
use std::collections::{BTreeMap, BTreeSet};

/// Rows that go into one transaction.
pub struct Work<'a> {
    pub groups: Vec<Group<'a>>,
    /// They were part of a transaction before, which was undone.
    pub tried: bool,
    /// Missing tables were created for it.
    pub created: bool,
}

/// All work of a call. What is taken next stands last.
#[derive(Default)]
pub struct Queue<'a> {
    pub waiting: Vec<Work<'a>>,
    pub refused: Refused<'a>,
}

/// Rows that were refused, each alone. Whose fault that is shows when the others of their table have had their turn.
#[derive(Default)]
pub struct Refused<'a> {
    rows: BTreeMap<Table, Vec<(Group<'a>, ServerError)>>,
    /// Tables that took a row of this call.
    taking: BTreeSet<Table>,
}

impl<'a> Work<'a> {
    pub const fn of(groups: Vec<Group<'a>>, tried: bool) -> Self {
        Self { groups, tried, created: false }
    }

    /// The table, where all rows are of one.
    pub fn only_table(&self) -> Option<&Table> {
        match self.groups.as_slice() {
            [only] => Some(&only.table),
            _ => None,
        }
    }

    /// Takes one group out.
    pub fn take_out(&mut self, at: usize) -> Self {
        Self::of(vec![self.groups.remove(at)], true)
    }

    pub fn settle(&self, call: &Call, verdict: &Verdict) {
        failed(call, &self.groups, verdict);
    }

    /// `alone`: no other event was handed over with it.
    pub fn out_of_time(&self, call: &Call, alone: bool) {
        let message = "The call's time was over before this event's turn came.".to_owned();
        let reason = Reason { code: "out-of-time".to_owned(), message, status: None };
        // What was part of a transaction that failed has been tried.
        let outcome = match (self.tried, alone) {
            (false, _) => Outcome::Untried,
            (true, true) => Outcome::Transient((reason, None)),
            (true, false) => Outcome::TooLarge(reason),
        };
        self.groups.iter().for_each(|group| call.settle(&group.indexes(), &outcome));
    }
}

impl<'a> Queue<'a> {
    /// Goes again, if there is anything left.
    pub fn again(&mut self, work: Work<'a>) {
        if !work.groups.is_empty() {
            self.waiting.push(Work { tried: true, ..work });
        }
    }

    /// Some row of this work is at fault. It goes again in two halves, until that row stands alone.
    pub fn halve(&mut self, mut work: Work<'a>, error: ServerError) {
        let second = if work.groups.len() > 1 {
            work.groups.split_off(work.groups.len() / 2)
        } else if work.groups.iter().any(|group| group.rows.len() > 1) {
            work.groups.iter_mut().map(Group::split).collect()
        } else {
            return work.groups.into_iter().for_each(|group| self.refused.add(group, error.clone()));
        };
        self.waiting.push(Work::of(second, true));
        self.waiting.push(Work::of(work.groups, true));
    }
}

impl<'a> Refused<'a> {
    /// The table took rows.
    pub fn took(&mut self, table: &Table) {
        if !self.taking.contains(table) {
            self.taking.insert(table.clone());
        }
    }

    /// Settles them.
    pub fn settle(self, call: &Call, config: &Config) {
        for (table, rows) in self.rows {
            let takes = self.taking.contains(&table);
            let (groups, errors): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
            match judged(&errors, takes, config, &table) {
                Judged::Table(verdict) => {
                    let rows = groups.into_iter().flat_map(|group| group.rows).collect();
                    failed(call, &[Group { table, rows }], &verdict);
                }
                Judged::Rows(verdicts) => {
                    groups.into_iter().zip(&verdicts).for_each(|(group, verdict)| failed(call, &[group], verdict));
                }
            }
        }
    }

    fn add(&mut self, group: Group<'a>, error: ServerError) {
        self.rows.entry(group.table.clone()).or_default().push((group, error));
    }
}

/// Whose fault it is that rows were refused.
#[derive(Debug, PartialEq, Eq)]
enum Judged {
    /// All of them for one reason, and it took none: the table's.
    Table(Verdict),
    /// Each one's own.
    Rows(Vec<Verdict>),
}

/// Judges rows by their errors. `takes`: the table took others of the same call.
fn judged(errors: &[ServerError], takes: bool, config: &Config, table: &Table) -> Judged {
    if let [first, _, ..] = errors
        && !takes
        && classify::fault(first) != Fault::Partition
        && errors.iter().all(|error| classify::is_same(first, error))
    {
        return Judged::Table(classify::of_every_row(first, errors.len(), config, table));
    }
    let own = |error: &ServerError| {
        let verdict = classify::server(error, config, Some(table));
        match classify::fault(error) {
            Fault::Function if takes => Verdict { meaning: Meaning::Permanent, ..verdict },
            _ => verdict,
        }
    };
    Judged::Rows(errors.iter().map(own).collect())
}

#[cfg(test)]
mod tests;
