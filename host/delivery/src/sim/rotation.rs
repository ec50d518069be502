//! Configuration that changes while calls run: what attempts carry, and what is cut.

use super::failure::{Check, Failure};
use super::faults::Fault;
use super::leases::SURVEY_MS;
use super::world::{At, World};
use crate::core::mutation::Mutation;
use crate::core::{AttemptId, Input};
use railhead_model::{DestinationNo, HostId, Outcome, Reason, ShardNo};
use railhead_store::directory::Destination;
use std::collections::BTreeMap;

/// A change is seen by its owner within the survey's period and this, in milliseconds.
const SEEN_MS: u64 = SURVEY_MS + 2_000;

/// The revisions that there were, and those that hosts have seen.
#[derive(Default)]
pub struct Rotation {
    /// When each revision was stored.
    stored: BTreeMap<DestinationNo, Vec<(u64, i64)>>,
    /// The newest that an answer of the database brought to a host.
    seen: BTreeMap<(HostId, DestinationNo), i64>,
}

impl Rotation {
    pub fn stored(&mut self, now: u64, no: DestinationNo, revision: i64) {
        self.stored.entry(no).or_default().push((now, revision));
    }

    /// What comes back is loaded anew.
    pub fn released(&mut self, host: HostId, shards: &[ShardNo]) {
        self.seen.retain(|(id, no), _| *id != host || !shards.contains(&no.shard()));
    }

    fn see(&mut self, host: HostId, no: DestinationNo, revision: i64) {
        let seen = self.seen.entry((host, no)).or_insert(revision);
        *seen = revision.max(*seen);
    }

    /// The newest revision that was stored at or before this.
    fn newest(&self, no: DestinationNo, until: u64) -> Option<i64> {
        let stored = self.stored.get(&no)?.iter().take_while(|(at, _)| *at <= until);
        stored.map(|(_, revision)| *revision).max()
    }
}

impl World {
    /// A host takes a configuration up, unless it has a newer one. What runs with a credential that is gone is cut.
    pub fn take_up(&mut self, at: At, destination: &Destination) -> Result<bool, Failure> {
        let (no, revision) = (destination.no, destination.revision);
        let host = &mut self.hosts[at.host];
        self.rotation.see(host.id, no, revision);
        let known = host.known.get(&no).copied();
        if known == Some(revision) {
            return Ok(false);
        }
        if known.is_some_and(|known| known > revision) {
            self.reached.count(Fault::OldConfig);
            if self.fault != Some(Mutation::OldConfigWins) {
                return Ok(false);
            }
        }
        let host = &mut self.hosts[at.host];
        host.known.insert(no, revision);
        if known.is_some() && destination.credentials.is_empty() {
            host.withdrawn.insert(no, revision);
            self.cut(at, no, revision)?;
        }
        Ok(true)
    }

    /// Calls that went out with an older revision end: whether the destination has what they carried, nobody knows.
    fn cut(&mut self, at: At, no: DestinationNo, revision: i64) -> Result<(), Failure> {
        let is_old = |carried: Option<i64>| carried.is_some_and(|carried| carried < revision);
        let calls = self.hosts[at.host].running.iter().filter(|(_, call)| call.no == no && is_old(call.revision));
        let calls: Vec<_> = calls.map(|(id, call)| (*id, call.open.clone())).collect();
        for (id, open) in calls {
            self.reached.count(Fault::Withdrawal);
            if self.fault == Some(Mutation::WithdrawalIgnored) {
                continue;
            }
            if let Some(call) = self.hosts[at.host].running.get_mut(&id) {
                call.revision = None; // from here on nothing of it is heard but this
            }
            let reason = Reason::new("credential-withdrawn", "as scripted");
            let outcomes = open.into_iter().map(|key| (key, Outcome::Uncertain(reason.clone()))).collect();
            self.input(at, Input::Settled { attempt: id, outcomes })?;
            self.input(at, Input::AttemptOver(id))?;
        }
        Ok(())
    }

    /// An attempt carries what its host has seen, and that is not old.
    pub fn carries(&mut self, at: At, id: AttemptId, no: DestinationNo) -> Result<(), Failure> {
        let host = &mut self.hosts[at.host];
        let carried = host.known.get(&no).copied();
        if let Some(call) = host.running.get_mut(&id) {
            call.revision = carried;
        }
        let seen = self.rotation.seen.get(&(host.id, no)).copied();
        if carried < seen {
            let what = format!("an attempt at {no} carries revision {carried:?}, and its host has seen {seen:?}");
            return Err(Failure::new(Check::Revision, what));
        }
        let long_ago = self.now.saturating_sub(SEEN_MS);
        // A host that stood still hears what it missed from then on; its lease may have lived, where nobody fenced it.
        let quiet = self.liveness.disturbed.max(self.hosts[at.host].paused_until);
        let old = self.rotation.newest(no, long_ago).filter(|_| quiet < long_ago);
        if carried < old {
            let what = format!("an attempt at {no} carries revision {carried:?}; {old:?} is older than {SEEN_MS} ms");
            return Err(Failure::new(Check::Revision, what));
        }
        Ok(())
    }
}
