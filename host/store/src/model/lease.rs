//! Leases, on the model.

use super::ModelCore;
use super::tables::HostRecord;
use crate::StoreError;
use crate::lease::{LEASE_MS, Owned, SHARDS, SUSPECT_MS, fair};
use railhead_model::{HostId, ShardNo, Timestamp};

impl ModelCore {
    /// See [`crate::Leases::join`].
    ///
    /// # Errors
    /// [`StoreError::Fenced`] for a host that was fenced: it needs a new id.
    pub fn join(&mut self, host: HostId, now: Timestamp) -> Result<(), StoreError> {
        if self.hosts.get(&host).is_some_and(|record| record.fenced) {
            return Err(StoreError::Fenced);
        }
        let new = HostRecord { expires: now, since: now, fenced: false };
        self.hosts.entry(host).or_insert(new).extend(now);
        if self.embedded {
            for (other, record) in &mut self.hosts {
                record.fenced |= *other != host;
            }
            self.free_fenced(now);
        }
        Ok(())
    }

    /// See [`crate::Leases::renew`].
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub fn renew(&mut self, host: HostId, now: Timestamp) -> Result<Owned, StoreError> {
        self.unfenced(host)?;
        if let Some(record) = self.hosts.get_mut(&host) {
            record.extend(now);
        }
        Ok(self.owned(host, now))
    }

    /// See [`crate::Leases::take_over`].
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub fn take_over(&mut self, host: HostId, now: Timestamp) -> Result<Owned, StoreError> {
        self.unfenced(host)?;
        if self.may_fence_from(host) <= now {
            for (other, record) in &mut self.hosts {
                record.fenced |= *other != host && record.expires <= now;
            }
            self.free_fenced(now);
        }
        let before = self.owned(host, now);
        let room = before.fair.saturating_sub(before.shards.len());
        for no in self.free_shards().into_iter().take(room) {
            let shard = self.shards.entry(no).or_default();
            shard.owner = Some(host);
            shard.epoch += 1;
        }
        Ok(self.owned(host, now))
    }

    /// See [`crate::Leases::release`].
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub fn release(&mut self, host: HostId, shards: &[ShardNo]) -> Result<(), StoreError> {
        self.unfenced(host)?;
        for no in shards {
            if let Some(shard) = self.shards.get_mut(no).filter(|shard| shard.owner == Some(host)) {
                shard.owner = None;
            }
        }
        Ok(())
    }

    /// See [`crate::Leases::leave`].
    ///
    /// # Errors
    /// None of its own.
    pub fn leave(&mut self, host: HostId) -> Result<(), StoreError> {
        if let Some(record) = self.hosts.get_mut(&host).filter(|record| !record.fenced) {
            record.fenced = true;
            for shard in self.shards.values_mut().filter(|shard| shard.owner == Some(host)) {
                shard.owner = None;
            }
        }
        Ok(())
    }

    fn owned(&self, host: HostId, now: Timestamp) -> Owned {
        let mine = || self.shards.iter().filter(|(_, shard)| shard.owner == Some(host));
        let suspect = now.plus_ms(-SUSPECT_MS);
        let live = |other: &HostId, record: &HostRecord| *other == host || (!record.fenced && record.expires > now);
        let hosts: Vec<_> = self.hosts.iter().filter(|(id, record)| live(id, record)).map(|(id, _)| *id).collect();
        let rank = hosts.iter().filter(|other| **other < host).count();
        let others = self.hosts.iter().filter(|(id, record)| **id != host && !record.fenced);
        Owned {
            now,
            shards: mine().map(|(no, shard)| (*no, shard.epoch)).collect(),
            fair: fair(rank, hosts.len()),
            free: self.free_shards().len(),
            next: others.map(|(_, record)| record.expires.max(self.may_fence_from(host))).min(),
            suspects: mine().filter(|(_, shard)| shard.deaths[2] > suspect).map(|(no, _)| *no).collect(),
        }
    }

    fn may_fence_from(&self, host: HostId) -> Timestamp {
        self.hosts.get(&host).map_or(Timestamp(i64::MAX), |record| record.since.plus_ms(LEASE_MS))
    }

    fn free_shards(&self) -> Vec<ShardNo> {
        let taken = |no: &ShardNo| self.shards.get(no).is_some_and(|shard| shard.owner.is_some());
        (0..=u8::MAX).map(ShardNo).take(SHARDS).filter(|no| !taken(no)).collect()
    }

    fn free_fenced(&mut self, now: Timestamp) {
        for shard in self.shards.values_mut() {
            let gone = |host| self.hosts.get(&host).is_none_or(|record| record.fenced);
            if shard.owner.is_some_and(gone) {
                shard.owner = None;
                shard.deaths = [now, shard.deaths[0], shard.deaths[1]];
            }
        }
    }
}

impl HostRecord {
    /// The lease runs on from here; one that has expired begins anew.
    fn extend(&mut self, now: Timestamp) {
        if self.expires <= now {
            self.since = now;
        }
        self.expires = now.plus_ms(LEASE_MS);
    }
}
