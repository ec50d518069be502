//! Results on their way to the database, and what must be so of each.

use super::checks;
use super::failure::{Check, Failure};
use super::faults::Fault;
use super::host::Host;
use super::world::{At, Event, World};
use crate::core::mutation::Mutation;
use crate::core::{Input, MAX_AGAIN_MS, RecordId, RecordItem};
use railhead_model::{Attempt, DeliveryKey, End, HostId, OutcomeClass, Reason};
use railhead_store::model::ModelCore;
use railhead_store::{Change, RecordAnswer, Recording, WorkRow};

impl World {
    pub fn record(&mut self, at: At, id: RecordId, items: Vec<RecordItem>) -> Result<(), Failure> {
        let soon = self.between(1, 8);
        let before = self.plan.unknown_before;
        if self.is_out() || self.fault(Fault::UnknownBeforeCommit, before) {
            self.unsure(at, id, soon);
            return Ok(());
        }
        let Some(answers) = self.commit(at, &items)? else {
            if self.hosts[at.host].is_zombie {
                self.reached.count(Fault::ZombieWrite);
            }
            self.fenced(at);
            return Ok(());
        };
        if answers.contains(&RecordAnswer::Refused) {
            self.reached.count(Fault::RevRefusal);
        }
        let lost = self.plan.lost_answer;
        if self.fault(Fault::LostAnswer, lost) {
            self.unsure(at, id, soon);
        } else {
            self.at(soon, Event::Input(at, Input::Recorded { record: id, answers }));
        }
        Ok(())
    }

    /// Nobody knows what came of it: the engine sends it again, up to [`MAX_AGAIN_MS`] later.
    fn unsure(&mut self, at: At, id: RecordId, soon: u64) {
        self.at(soon, Event::Input(at, Input::RecordUnknown(id)));
        self.hosts[at.host].unsure_until = self.now + soon + MAX_AGAIN_MS;
    }

    /// Commits results; `None` if the host was fenced.
    fn commit(&mut self, at: At, items: &[RecordItem]) -> Result<Option<Vec<RecordAnswer>>, Failure> {
        let id = self.hosts[at.host].id;
        let is_fenced = self.is_fenced(id);
        let host = &self.hosts[at.host];
        let batch: Vec<Recording> = items.iter().map(|item| self.planted(recording(host, item))).collect();
        let before: Vec<_> = items.iter().map(|item| Before::of(&self.store, item.key)).collect();
        let answers = match self.store.record(self.writes_as(id, items), &batch) {
            Ok(answers) => self.misread(items, answers),
            Err(_) => {
                if items.iter().zip(&before).any(|(item, before)| !before.is(&self.store, item.key, false)) {
                    return Err(Failure::new(Check::Fence, "a fenced write changed something"));
                }
                return Ok(None);
            }
        };
        if is_fenced {
            return Err(Failure::new(Check::Fence, format!("host {} was fenced, and its write went through", at.host)));
        }
        let owner = |item: &&RecordItem| self.store.owner(item.key.destination.shard()).map(|(owner, _)| owner);
        if let Some(item) = items.iter().find(|item| owner(item) != Some(id)) {
            let what = format!("host {} records {}, which it has given away", at.host, item.key);
            return Err(Failure::new(Check::Owner, what));
        }
        for ((item, answer), before) in items.iter().zip(&answers).zip(&before) {
            self.committed(item, *answer, before)?;
            self.poison.recorded(item.key);
            checks::transcript(&self.store, item.tenant, item.key, item.n.unwrap_or_default())?;
        }
        Ok(Some(answers))
    }

    /// The id that a record is written under. (A planted fault: that of whoever is not fenced.)
    fn writes_as(&self, id: HostId, items: &[RecordItem]) -> HostId {
        if self.fault != Some(Mutation::FenceIgnored) {
            return id;
        }
        let owner = items.first().and_then(|item| self.store.owner(item.key.destination.shard()));
        owner.map_or(id, |(owner, _)| owner)
    }

    /// A result with the revision that the row has now, if this fault is planted.
    fn planted(&self, mut recording: Recording) -> Recording {
        if self.fault == Some(Mutation::RevIgnored) {
            recording.rev = self.store.work_of(recording.key).map_or(recording.rev, |row| row.rev);
        }
        recording
    }

    /// Answers of a database that takes an end twice, or says that it refused and did not, if such a fault is planted.
    fn misread(&self, items: &[RecordItem], mut answers: Vec<RecordAnswer>) -> Vec<RecordAnswer> {
        for (item, answer) in items.iter().zip(&mut answers) {
            let refused = *answer == RecordAnswer::Refused;
            let is_end = matches!(item.change, Change::End { .. }) && self.store.end_of(item.key).is_some();
            match self.fault {
                Some(Mutation::EndedTwice) if refused && is_end => *answer = RecordAnswer::Applied(item.rev + 1),
                Some(Mutation::RefusalLies) if !refused => *answer = RecordAnswer::Refused,
                _ => {}
            }
        }
        answers
    }

    fn committed(&mut self, item: &RecordItem, answer: RecordAnswer, before: &Before) -> Result<(), Failure> {
        match (answer, &item.change) {
            (RecordAnswer::Applied(_), Change::End { end, code, .. }) if before.rev() != Some(item.rev) => {
                self.checks.ended_of(item.key, code)?;
                self.poison.ended_of(&self.store, &self.checks, item.key, code)?;
                self.checks.ended(item.key, *end)?;
                Err(Failure::new(Check::Refusal, format!("{} was ended over a change", item.key)))
            }
            (RecordAnswer::Applied(_), _) if before.rev() != Some(item.rev) => {
                Err(Failure::new(Check::Refusal, format!("{} was written over a change", item.key)))
            }
            (RecordAnswer::Applied(_), Change::End { end, code, .. }) => {
                self.checks.ended_of(item.key, code)?;
                self.poison.ended_of(&self.store, &self.checks, item.key, code)?;
                self.checks.ended(item.key, *end)
            }
            (RecordAnswer::Refused, _) if !before.is(&self.store, item.key, true) => {
                Err(Failure::new(Check::Refusal, format!("{} was changed by a write that was refused", item.key)))
            }
            (RecordAnswer::Applied(_), Change::Retry { due, .. }) => {
                if self.store.work_of(item.key).is_some_and(|row| row.lane.is_some() && *due > self.wall()) {
                    self.reached.count(Fault::BlockedLane);
                }
                Ok(())
            }
            (RecordAnswer::Refused, _) => Ok(()),
        }
    }
}

/// A delivery as it was before a write.
struct Before {
    row: Option<WorkRow>,
    end: Option<End>,
}

impl Before {
    fn of(store: &ModelCore, key: DeliveryKey) -> Self {
        Self { row: store.work_of(key).copied(), end: store.end_of(key) }
    }

    fn rev(&self) -> Option<u32> {
        self.row.map(|row| row.rev)
    }

    /// True if it is the same still. A refused result may leave its attempt behind, whose number is then taken.
    fn is(&self, store: &ModelCore, key: DeliveryKey, but_for_tries: bool) -> bool {
        let now = Self::of(store, key);
        let tries = now.row.map_or(0, |row| row.tries);
        let before = self.row.map(|row| WorkRow { tries: if but_for_tries { tries } else { row.tries }, ..row });
        now.row == before && now.end == self.end
    }
}

fn recording(host: &Host, item: &RecordItem) -> Recording {
    let attempt = item.n.map(|n| Attempt {
        n,
        started_at: item.at,
        duration_ms: 1,
        outcome: OutcomeClass::Delivered,
        reason: Reason::new("simulated", ""),
        connector_version: String::new(),
        config_revision: 0,
    });
    let RecordItem { key, tenant, rev, ref change, .. } = *item;
    let sealed = host.transcripts.get(&(key, item.n.unwrap_or_default())).cloned();
    let (owner, transcript) = sealed.map_or((None, None), |(owner, sealed)| (Some(owner), Some(sealed)));
    Recording { key, tenant, rev, change: change.clone(), attempt, transcript, owner }
}
