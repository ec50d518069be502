//! From events to rows, and from errors to outcomes: a batch is one transaction, and only what failed is taken out of it.

use crate::classify::{self, Fault, Meaning, Verdict};
use crate::link::{Patience, Trouble};
use crate::protocol::backend::{Message, ServerError};
use crate::request::{BEFORE_GROUPS, Group, Row, groups, transaction};
use crate::session::Session;
use crate::sql::Table;
use crate::tables;
use railhead_sdk::host::Call;
use railhead_sdk::types::{Event, Outcome, Reason};
use serde_json::{Value, json};
use std::collections::HashSet;

/// What the record shows is JSON.
pub const SHOWN: &str = "application/json";
/// The least time that a transaction is begun with.
const LEAST_MS: u32 = 50;

/// Rows that go into one transaction.
struct Work<'a> {
    groups: Vec<Group<'a>>,
    /// They were part of a transaction before, which was undone.
    tried: bool,
    /// Missing tables were created for it.
    created: bool,
}

/// Why a transaction did not end as it should. It is undone, unless `committing`.
enum Stopped {
    /// The statement of this group failed.
    Statement(usize, ServerError),
    /// The transaction could not be begun or ended: a constraint that is looked at last.
    End(ServerError),
    /// The connection is of no more use.
    Trouble { trouble: Trouble, committing: bool },
}

impl Session {
    /// Writes events and settles each.
    pub fn send_events(&mut self, call: &Call, events: &[Event]) {
        let rows: Vec<_> = (0_u32..).zip(events).map(|(index, event)| Row::of(index, event)).collect();
        let mut waiting: Vec<Work<'_>> = if call.batched() {
            vec![Work::of(groups(&self.config, rows), false)]
        } else {
            // The last one is taken first.
            rows.into_iter().rev().map(|row| Work::of(groups(&self.config, [row]), false)).collect()
        };
        while let Some(work) = waiting.pop() {
            if Patience::Call(call).left_ms() < LEAST_MS {
                work.out_of_time(call);
                continue;
            }
            let Err(trouble) = self.send(call, work, &mut waiting) else { continue };
            // Without a connection none of the others has a chance. They were not sent, whatever became of this one.
            self.drop_link();
            let verdict = trouble.verdict(&self.config, None, false);
            waiting.drain(..).for_each(|work| work.settle(call, &verdict));
        }
    }

    /// Shows what would be written.
    pub fn show_events(&self, call: &Call, events: &[Event]) {
        let rows = (0_u32..).zip(events).map(|(index, event)| Row::of(index, event));
        for group in groups(&self.config, rows) {
            call.show(&group.indexes(), SHOWN, group.shown().to_string().as_bytes(), &[]);
        }
    }

    /// Settles what it can of this work, and puts what is left of it back. An error: nothing more can be sent.
    fn send<'a>(&mut self, call: &Call, work: Work<'a>, waiting: &mut Vec<Work<'a>>) -> Result<(), Trouble> {
        match self.transact(call, &work.groups) {
            Ok(inserted) => {
                work.groups.iter().zip(inserted).for_each(|(group, inserted)| arrived(call, group, inserted));
                Ok(())
            }
            Err(Stopped::Trouble { trouble, committing }) => {
                work.settle(call, &trouble.verdict(&self.config, work.only_table(), committing));
                Err(trouble)
            }
            Err(Stopped::End(error)) => self.not_ended(call, work, error, waiting),
            Err(Stopped::Statement(at, error)) => self.not_inserted(call, work, at, error, waiting),
        }
    }

    /// One transaction: the ids that were inserted, for each group.
    fn transact(&mut self, call: &Call, work: &[Group<'_>]) -> Result<Vec<HashSet<String>>, Stopped> {
        let patience = Patience::Call(call);
        let lost = |trouble| Stopped::Trouble { trouble, committing: false };
        let link = self.link(patience).map_err(lost)?;
        link.write_all(transaction(work, at_the_server(patience.left_ms()))).map_err(lost)?;
        let (mut at, mut inserted) = (0_usize, vec![HashSet::new(); work.len()]);
        let told = link.until_ready(patience, |message| match message {
            Message::CommandComplete(_) => at += 1,
            Message::DataRow(Some(id)) => {
                if let Some(ids) = at.checked_sub(BEFORE_GROUPS).and_then(|group| inserted.get_mut(group)) {
                    // A column of type char pads.
                    ids.insert(id.trim_end_matches(' ').to_owned());
                }
            }
            _ => {}
        });
        let (failed, status) = told.map_err(lost)?;
        if let Some(error) = failed {
            link.run("ROLLBACK", patience).map_err(lost)?.map_err(|error| lost(Trouble::Server(error)))?;
            return Err(match at.checked_sub(BEFORE_GROUPS).filter(|group| *group < work.len()) {
                Some(group) => Stopped::Statement(group, error),
                None => Stopped::End(error),
            });
        }
        if status != b'T' || at != work.len() + BEFORE_GROUPS {
            return Err(lost(link.out_of_place("the end of a transaction")));
        }
        let lost = |trouble| Stopped::Trouble { trouble, committing: true };
        match link.run("COMMIT", patience).map_err(lost)? {
            Ok(tag) if tag == "COMMIT" => Ok(inserted),
            // Only a server that lost track of its own transaction answers so; it did not keep it.
            Ok(_) => {
                Err(Stopped::Trouble { trouble: link.out_of_place("another end of a transaction"), committing: true })
            }
            Err(error) => Err(Stopped::End(error)),
        }
    }

    /// The statement of one group failed, and with it the transaction. What is at fault is taken out, the rest goes again:
    /// that is no retry, but the first time that it goes without the others.
    fn not_inserted<'a>(
        &mut self,
        call: &Call,
        mut work: Work<'a>,
        at: usize,
        error: ServerError,
        waiting: &mut Vec<Work<'a>>,
    ) -> Result<(), Trouble> {
        let verdict = classify::server(&error, &self.config, work.groups.get(at).map(|group| &group.table));
        match classify::fault(&error) {
            Fault::Moment => work.settle(call, &verdict),
            Fault::Credential | Fault::Destination => {
                work.settle(call, &verdict);
                return Err(Trouble::Server(error));
            }
            Fault::NoTable if self.config.create_tables && !work.created => {
                let tables: Vec<&Table> = work.groups.iter().map(|group| &group.table).collect();
                match tables::create_missing(self, &tables, Patience::Call(call)) {
                    Ok(Ok(())) => waiting.push(Work { created: true, tried: true, ..work }),
                    Ok(Err((table, verdict))) => {
                        let at = work.groups.iter().position(|group| group.table == table).unwrap_or(at);
                        work.take_out(at).settle(call, &verdict);
                        work.again(waiting);
                    }
                    Err(trouble) => {
                        work.settle(call, &trouble.verdict(&self.config, None, false));
                        return Err(trouble);
                    }
                }
            }
            Fault::NoTable | Fault::Table => {
                work.take_out(at).settle(call, &verdict);
                work.again(waiting);
            }
            Fault::Row => {
                let at_fault = work.take_out(at);
                work.again(waiting);
                at_fault.halved_or_settled(call, &verdict, waiting);
            }
        }
        Ok(())
    }

    /// No statement was at fault by itself.
    fn not_ended<'a>(
        &mut self,
        call: &Call,
        work: Work<'a>,
        error: ServerError,
        waiting: &mut Vec<Work<'a>>,
    ) -> Result<(), Trouble> {
        let verdict = classify::server(&error, &self.config, work.only_table());
        match classify::fault(&error) {
            Fault::Row => work.halved_or_settled(call, &verdict, waiting),
            Fault::Moment | Fault::NoTable | Fault::Table => work.settle(call, &verdict),
            Fault::Credential | Fault::Destination => {
                work.settle(call, &verdict);
                return Err(Trouble::Server(error));
            }
        }
        Ok(())
    }
}

impl<'a> Work<'a> {
    const fn of(groups: Vec<Group<'a>>, tried: bool) -> Self {
        Self { groups, tried, created: false }
    }

    /// The table, where all rows are of one.
    fn only_table(&self) -> Option<&Table> {
        match self.groups.as_slice() {
            [only] => Some(&only.table),
            _ => None,
        }
    }

    fn rows(&self) -> usize {
        self.groups.iter().map(|group| group.rows.len()).sum()
    }

    /// Takes one group out.
    fn take_out(&mut self, at: usize) -> Self {
        Self::of(vec![self.groups.remove(at)], true)
    }

    /// Goes again, if there is anything left.
    fn again(self, waiting: &mut Vec<Self>) {
        if !self.groups.is_empty() {
            waiting.push(Self { tried: true, ..self });
        }
    }

    /// Goes again in two halves, until the row that is at fault stands alone.
    fn halved_or_settled(mut self, call: &Call, verdict: &Verdict, waiting: &mut Vec<Self>) {
        if self.rows() <= 1 {
            return self.settle(call, verdict);
        }
        let second = if self.groups.len() > 1 {
            self.groups.split_off(self.groups.len() / 2)
        } else {
            self.groups.iter_mut().map(Group::split).collect()
        };
        waiting.push(Self::of(second, true));
        waiting.push(Self::of(self.groups, true));
    }

    fn settle(&self, call: &Call, verdict: &Verdict) {
        let alone = self.rows() == 1;
        let answer = json!({ "code": verdict.code, "sqlstate": verdict.status, "message": verdict.message });
        for group in &self.groups {
            settle(call, group, &answer, &outcome(verdict, alone));
        }
    }

    fn out_of_time(&self, call: &Call) {
        let message = "The call's time was over before this event's turn came.".to_owned();
        let reason = Reason { code: "out-of-time".to_owned(), message, status: None };
        // What was part of a transaction that failed has been tried.
        let outcome = if self.tried { Outcome::Transient((reason, None)) } else { Outcome::Untried };
        self.groups.iter().for_each(|group| call.settle(&group.indexes(), &outcome));
    }
}

/// What a statement may take there: it is to give up, and say so, before nobody waits for it any more.
fn at_the_server(left_ms: u32) -> u32 {
    (left_ms - left_ms / 8).max(LEAST_MS)
}

/// All rows of the group are in the table: now, or since an earlier attempt.
fn arrived(call: &Call, group: &Group<'_>, mut inserted: HashSet<String>) {
    let is_new: Vec<bool> = group.rows.iter().map(|row| inserted.remove(row.uid())).collect();
    let of = |wanted: bool| -> Vec<u32> {
        group.rows.iter().zip(&is_new).filter(|(_, is)| **is == wanted).map(|(row, _)| row.index).collect()
    };
    let (new, known) = (of(true), of(false));
    let answer = json!({ "inserted": new.len(), "duplicates": known.len() });
    call.show(&group.indexes(), SHOWN, group.shown().to_string().as_bytes(), answer.to_string().as_bytes());
    let delivered = |code: &str, message: &str| {
        Outcome::Delivered(Reason { code: code.to_owned(), message: message.to_owned(), status: None })
    };
    if !new.is_empty() {
        call.settle(&new, &delivered("inserted", "The row is in the table."));
    }
    if !known.is_empty() {
        call.settle(&known, &delivered("duplicate", "The table had a row of this event already."));
    }
}

fn settle(call: &Call, group: &Group<'_>, answer: &Value, outcome: &Outcome) {
    let indexes = group.indexes();
    call.show(&indexes, SHOWN, group.shown().to_string().as_bytes(), answer.to_string().as_bytes());
    call.settle(&indexes, outcome);
}

fn outcome(verdict: &Verdict, alone: bool) -> Outcome {
    let reason = reason(verdict);
    match verdict.meaning {
        Meaning::Transient => Outcome::Transient((reason, None)),
        Meaning::Uncertain => Outcome::Uncertain(reason),
        Meaning::Permanent => Outcome::Permanent(reason),
        // Fewer than one cannot be handed over.
        Meaning::TooLarge if alone => Outcome::Permanent(reason),
        Meaning::TooLarge => Outcome::TooLarge(reason),
        Meaning::Misconfigured => Outcome::Misconfigured(reason),
        Meaning::RejectedCredentials => Outcome::RejectedCredentials(reason),
    }
}

pub fn reason(verdict: &Verdict) -> Reason {
    Reason { code: verdict.code.clone(), message: verdict.message.clone(), status: verdict.status.clone() }
}
