//! What kills its host, and who dies of it as poisoned.

use super::checks::Checks;
use super::failure::{Check, Failure};
use super::faults::Fault;
use super::store::{AGAIN_MS, Op};
use super::world::{At, Event, World};
use crate::core::mutation::Mutation;
use crate::core::{AttemptId, AttemptItem, Input};
use railhead_model::{DeliveryKey, EventUid, HostId};
use railhead_store::Started;
use railhead_store::model::ModelCore;
use std::collections::{BTreeMap, BTreeSet};

/// No event before this kills, in milliseconds: there is to be something beside it.
const AFTER_MS: u64 = 5_000;
/// The longest that a host lives once it sent what kills it, in milliseconds.
const LIVES_MS: u64 = 40;
/// The code of what was started too often.
const POISONED: &str = "poisoned";

/// The ledger of starts, beside the store's counts.
#[derive(Default)]
pub struct Poison {
    /// Its first deliveries kill whoever sends them.
    killer: Option<EventUid>,
    /// What each host has started, and nobody has ended on record.
    begun: BTreeMap<HostId, BTreeSet<DeliveryKey>>,
    /// Some host died of something else: who was alone then is blamed.
    by_chance: bool,
}

impl Poison {
    /// In a world with a killer, one event becomes it.
    pub fn published(&mut self, now: u64, uid: EventUid) {
        if now > AFTER_MS {
            self.killer.get_or_insert(uid);
        }
    }

    pub fn died_by_chance(&mut self) {
        self.by_chance = true;
    }

    /// An attempt is on record, whoever made it: the starts before it count no longer.
    pub fn recorded(&mut self, key: DeliveryKey) {
        self.begun.values_mut().for_each(|keys| _ = keys.remove(&key));
    }

    fn taken_back(&mut self, host: HostId, keys: &[DeliveryKey]) {
        if let Some(begun) = self.begun.get_mut(&host) {
            keys.iter().for_each(|key| _ = begun.remove(key));
        }
    }

    /// What another host did not survive is started with nothing beside it.
    fn begun(&mut self, host: HostId, keys: &[DeliveryKey]) -> Result<(), Failure> {
        let own = self.begun.entry(host).or_default();
        own.extend(keys);
        let has_company = own.len() > keys.len();
        let others = |key: &DeliveryKey| self.begun.iter().any(|(of, keys)| *of != host && keys.contains(key));
        match self.begun.get(&host).into_iter().flatten().find(|key| has_company && others(key)) {
            Some(key) => Err(Failure::new(Check::Alone, format!("{key} was started before, and is not alone now"))),
            None => Ok(()),
        }
    }

    /// Only what kills its host dies as poisoned, and what shares its stable batch.
    pub fn ended_of(&self, store: &ModelCore, checks: &Checks, key: DeliveryKey, code: &str) -> Result<(), Failure> {
        let kills = |key: &DeliveryKey| self.kills(store, *key);
        if code != POISONED || self.by_chance || kills(&key) || checks.batch_of(key).iter().any(kills) {
            return Ok(());
        }
        Err(Failure::new(Check::Poison, format!("{key} died as poisoned, and kills nobody")))
    }

    /// What is held at the head of its lane is tried for ever: such a destination takes no harm from it here.
    fn kills(&self, store: &ModelCore, key: DeliveryKey) -> bool {
        let holds = || {
            let stored = store.destinations_by_no(&[key.destination]).unwrap_or_default();
            stored.iter().any(|destination| destination.spec.metadata.contains_key("hold"))
        };
        self.killer == Some(key.event) && key.run == 0 && !holds()
    }
}

impl World {
    /// True if the host does not survive what goes over the wire.
    pub fn kills(&mut self, at: At, items: &[AttemptItem]) -> bool {
        let kills = items.iter().any(|item| self.poison.kills(&self.store, item.key));
        if kills {
            let delay = self.between(1, LIVES_MS);
            self.at(delay, Event::Killed(at));
        }
        kills
    }

    pub fn killed(&mut self, at: At) {
        let id = self.hosts[at.host].id;
        self.reached.count(Fault::Killed);
        let begun = self.poison.begun.get(&id).into_iter().flatten();
        if begun.clone().any(|key| self.poison.kills(&self.store, *key)) && begun.count() > 1 {
            self.reached.count(Fault::KilledInCompany);
        }
        self.stop(at.host);
        let again = self.between(100, 3_000);
        self.at(again, Event::Start(at.host));
    }

    /// Puts on record what a suspect starts.
    pub fn start_op(&mut self, at: At, id: AttemptId, keys: Vec<DeliveryKey>, alone: bool) -> Result<(), Failure> {
        if self.is_out() || self.chance(0.05) {
            self.at(AGAIN_MS, Event::Op(at, Op::Start(id, keys, alone)));
            return Ok(());
        }
        let mut answers = Vec::new();
        let start = |store: &mut ModelCore, host| {
            answers = store.start(host, &keys, alone)?;
            Ok(())
        };
        if !self.fenced_write(at, start)? {
            return Ok(());
        }
        let told = |told: Started| {
            let keys = keys.iter().zip(&answers).filter(move |(_, answer)| **answer == told);
            keys.map(|(key, _)| *key).collect::<Vec<_>>()
        };
        // Ended after a start whose answer was lost: that one never ran.
        self.poison.taken_back(self.hosts[at.host].id, &told(Started::Gone));
        let begun = told(Started::Go);
        let judged = self.poison.begun(self.hosts[at.host].id, &begun);
        // Planted to show the check of what comes of it.
        if self.fault != Some(Mutation::CompanyAllowed) {
            judged?;
        }
        self.reached.count(if alone { Fault::StartedAlone } else { Fault::StartRecorded });
        if self.fault(Fault::LostStart, 0.05) {
            self.at(AGAIN_MS, Event::Op(at, Op::Start(id, keys, alone)));
            return Ok(());
        }
        let soon = self.between(1, 8);
        self.at(soon, Event::Input(at, Input::Started { attempt: id, answers }));
        Ok(())
    }

    /// Takes starts back, which came to nothing.
    pub fn unstart_op(&mut self, at: At, id: AttemptId, keys: Vec<DeliveryKey>) -> Result<(), Failure> {
        if self.is_out() || self.chance(0.05) {
            self.at(AGAIN_MS, Event::Op(at, Op::Unstart(id, keys)));
            return Ok(());
        }
        if self.fenced_write(at, |store, host| store.unstart(host, &keys))? {
            self.poison.taken_back(self.hosts[at.host].id, &keys);
            self.reached.count(Fault::StartTakenBack);
            let soon = self.between(1, 8);
            self.at(soon, Event::Input(at, Input::Unstarted(id)));
        }
        Ok(())
    }
}
