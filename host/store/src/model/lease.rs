//! Leases, on the model.

use super::ModelCore;
use super::tables::HostRecord;
use crate::StoreError;
use crate::lease::{LEASE_MS, Owned};
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
        self.hosts.insert(host, HostRecord { expires: now.plus_ms(LEASE_MS), fenced: false });
        if self.embedded {
            for (other, record) in &mut self.hosts {
                record.fenced |= *other != host;
            }
            self.free_fenced();
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
            record.expires = now.plus_ms(LEASE_MS);
        }
        Ok(self.owned(host, now))
    }

    /// See [`crate::Leases::take_over`].
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub fn take_over(&mut self, host: HostId, now: Timestamp) -> Result<Owned, StoreError> {
        self.unfenced(host)?;
        for (other, record) in &mut self.hosts {
            record.fenced |= *other != host && record.expires <= now;
        }
        self.free_fenced();
        let live = self.hosts.values().filter(|record| !record.fenced).count().max(1);
        let room = 256_usize.div_ceil(live).saturating_sub(self.owned(host, now).shards.len());
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
        let none_left = self.shards.values().all(|shard| shard.owner != Some(host));
        if let Some(record) = self.hosts.get_mut(&host).filter(|_| none_left) {
            record.expires = Timestamp(0); // counts as live no longer, unless it renews
        }
        Ok(())
    }

    fn owned(&self, host: HostId, now: Timestamp) -> Owned {
        let mine = self.shards.iter().filter(|(_, shard)| shard.owner == Some(host));
        Owned { now, shards: mine.map(|(no, shard)| (*no, shard.epoch)).collect() }
    }

    fn free_shards(&self) -> Vec<ShardNo> {
        let taken = |no: &ShardNo| self.shards.get(no).is_some_and(|shard| shard.owner.is_some());
        (0..=u8::MAX).map(ShardNo).filter(|no| !taken(no)).collect()
    }

    fn free_fenced(&mut self) {
        for shard in self.shards.values_mut() {
            let gone = |host| self.hosts.get(&host).is_none_or(|record| record.fenced);
            if shard.owner.is_some_and(gone) {
                shard.owner = None;
            }
        }
    }
}
