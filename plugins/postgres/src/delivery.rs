//! From events to rows, and from errors to outcomes: a batch is one transaction, and only what failed is taken out of it.

use crate::classify::{self, Fault, Reached};
use crate::link::{Patience, Trouble};
use crate::protocol::backend::{Message, ServerError};
use crate::request::{BEFORE_GROUPS, Group, Row, groups, transaction};
use crate::session::Session;
use crate::settle::{SHOWN, arrived};
use crate::sql::Table;
use crate::tables;
use crate::work::{Queue, Work};
use railhead_sdk::host::Call;
use railhead_sdk::types::Event;
use std::collections::HashSet;

/// The least time that a transaction is begun with.
const LEAST_MS: u32 = 50;

/// Why a transaction did not end as it should. It is undone, unless its end was reached.
enum Stopped {
    /// The statement of this group failed.
    Statement(usize, ServerError),
    /// The transaction could not be begun or ended: a constraint that is looked at last.
    End(ServerError),
    /// The connection is of no more use.
    Trouble { trouble: Trouble, reached: Reached },
}

impl Session {
    /// Writes events and settles each.
    pub fn send_events(&mut self, call: &Call, events: &[Event]) {
        let rows = rows(call, events);
        let waiting = if call.batched() {
            vec![Work::of(groups(&self.config, rows), false)]
        } else {
            // The last one is taken first.
            let rows: Vec<_> = rows.collect();
            rows.into_iter().rev().map(|row| Work::of(groups(&self.config, [row]), false)).collect()
        };
        let mut queue = Queue { waiting, ..Queue::default() };
        while let Some(work) = queue.waiting.pop() {
            if Patience::Call(call).left_ms() < LEAST_MS {
                work.out_of_time(call, events.len() == 1);
                continue;
            }
            let Err(trouble) = self.send(call, work, &mut queue) else { continue };
            self.drop_link();
            if Patience::Call(call).left_ms() < LEAST_MS {
                continue;
            }
            // Without a connection none of the others has a chance. They were not sent, whatever became of this one.
            let verdict = trouble.verdict(&self.config, None, Reached::Nothing);
            queue.waiting.drain(..).for_each(|work| work.settle(call, &verdict));
        }
        queue.refused.settle(call, &self.config);
    }

    /// Shows what would be written.
    pub fn show_events(&self, call: &Call, events: &[Event]) {
        for group in groups(&self.config, rows(call, events)) {
            call.show(&group.indexes(), SHOWN, group.shown().to_string().as_bytes(), &[]);
        }
    }

    /// Settles what it can of this work, and puts what is left of it back. An error: nothing more can be sent.
    fn send<'a>(&mut self, call: &Call, work: Work<'a>, queue: &mut Queue<'a>) -> Result<(), Trouble> {
        match self.transact(call, &work.groups) {
            Ok(inserted) => {
                for (group, inserted) in work.groups.iter().zip(inserted) {
                    arrived(call, group, inserted);
                    queue.refused.took(&group.table);
                }
                Ok(())
            }
            Err(Stopped::Trouble { trouble, reached }) => {
                work.settle(call, &trouble.verdict(&self.config, work.only_table(), reached));
                Err(trouble)
            }
            Err(Stopped::End(error)) => self.not_ended(call, work, error, queue),
            Err(Stopped::Statement(at, error)) => self.not_inserted(call, work, at, error, queue),
        }
    }

    /// One transaction: the ids that were inserted, for each group.
    fn transact(&mut self, call: &Call, work: &[Group<'_>]) -> Result<Vec<HashSet<String>>, Stopped> {
        let patience = Patience::Call(call);
        let lost = |trouble| Stopped::Trouble { trouble, reached: Reached::Nothing };
        let link = self.link(patience).map_err(lost)?;
        let lost = |trouble| Stopped::Trouble { trouble, reached: Reached::Statements };
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
        let lost = |trouble| Stopped::Trouble { trouble, reached: Reached::Commit };
        match link.run("COMMIT", patience).map_err(lost)? {
            Ok(tag) if tag == "COMMIT" => Ok(inserted),
            // Only a server that lost track of its own transaction answers so; it did not keep it.
            Ok(_) => Err(lost(link.out_of_place("another end of a transaction"))),
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
        queue: &mut Queue<'a>,
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
                    Ok(Ok(())) => queue.again(Work { created: true, ..work }),
                    Ok(Err((table, verdict))) => {
                        let at = work.groups.iter().position(|group| group.table == table).unwrap_or(at);
                        work.take_out(at).settle(call, &verdict);
                        queue.again(work);
                    }
                    Err(trouble) => {
                        work.settle(call, &trouble.verdict(&self.config, None, Reached::Nothing));
                        return Err(trouble);
                    }
                }
            }
            Fault::NoTable | Fault::Table => {
                work.take_out(at).settle(call, &verdict);
                queue.again(work);
            }
            Fault::Row | Fault::Function | Fault::Partition => {
                let at_fault = work.take_out(at);
                queue.again(work);
                queue.halve(at_fault, error);
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
        queue: &mut Queue<'a>,
    ) -> Result<(), Trouble> {
        let verdict = classify::server(&error, &self.config, work.only_table());
        match classify::fault(&error) {
            Fault::Row | Fault::Function | Fault::Partition => queue.halve(work, error),
            Fault::Moment | Fault::NoTable | Fault::Table => work.settle(call, &verdict),
            Fault::Credential | Fault::Destination => {
                work.settle(call, &verdict);
                return Err(Trouble::Server(error));
            }
        }
        Ok(())
    }
}

fn rows<'a>(call: &Call, events: &'a [Event]) -> impl Iterator<Item = Row<'a>> {
    (0_u32..).zip(events).map(|(index, event)| Row::of(index, event, call.accepted_ms(index)))
}

/// What a statement may take there: it is to give up, and say so, before nobody waits for it any more.
fn at_the_server(left_ms: u32) -> u32 {
    (left_ms - left_ms / 8).max(LEAST_MS)
}
