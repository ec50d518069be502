//! Leases: which host owns which shards.

use crate::StoreError;
use async_trait::async_trait;
use railhead_model::{HostId, ShardNo, Timestamp};

/// How long a lease runs from a renewal, in milliseconds.
pub const LEASE_MS: i64 = 6_000;
/// Shards of the whole.
pub const SHARDS: usize = 256;
/// A shard is a suspect after so many of its owners died…
pub const SUSPECT_DEATHS: usize = 3;
/// …within this time, in milliseconds.
pub const SUSPECT_MS: i64 = 600_000;

/// What a host owns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owned {
    /// The database's time.
    pub now: Timestamp,
    /// Shards by number, with the epoch of their ownership.
    pub shards: Vec<(ShardNo, i64)>,
    /// How many it is to own while the same hosts live: see [`fair`].
    pub fair: usize,
    /// Shards that nobody owns, or whose owner is fenced: a take-over would find something.
    pub free: usize,
    /// When a take-over may fence another host, unless that one renews; not before this host may fence.
    pub next: Option<Timestamp>,
    /// Owned shards that lost [`SUSPECT_DEATHS`] owners within [`SUSPECT_MS`].
    pub suspects: Vec<ShardNo>,
}

/// The fair share of the host with this rank (from 0, by id) among so many live ones: equal parts, and the rest to those
/// that come first. The shares of all are exactly all shards, so a host that has its share never gives or takes.
#[must_use]
pub const fn fair(rank: usize, hosts: usize) -> usize {
    let hosts = if hosts == 0 { 1 } else { hosts };
    SHARDS / hosts + if rank < SHARDS % hosts { 1 } else { 0 }
}

impl Owned {
    /// What is owned beyond the fair share: the highest numbers, the highest first.
    pub fn surplus(&self) -> impl Iterator<Item = ShardNo> + '_ {
        self.shards.iter().skip(self.fair).map(|(no, _)| *no).rev()
    }

    /// True if a take-over would find something: shards below the share, or a host whose lease has ended.
    #[must_use]
    pub fn wants_more(&self) -> bool {
        (self.shards.len() < self.fair && self.free > 0) || self.next.is_some_and(|next| next <= self.now)
    }
}

/// Ownership by leases on 256 shards. A host is *live* if it is not fenced and its lease has not expired.
#[async_trait]
pub trait Leases: Send + Sync + 'static {
    /// Makes a host known, with a lease and no shards. On the embedded store its predecessors are fenced at once: a lock
    /// on the file already proves that they are gone.
    async fn join(&self, host: HostId, now: Timestamp) -> Result<(), StoreError>;

    /// Extends the lease to `now` + [`LEASE_MS`] and answers with what is owned. An expired lease that nobody fenced may
    /// be renewed. `now` is the caller's clock; a server store uses its own and answers with it.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    async fn renew(&self, host: HostId, now: Timestamp) -> Result<Owned, StoreError>;

    /// Fences hosts whose lease expired and moves their shards and free ones here, up to the fair share (one
    /// transaction). Answers with all that is owned then. A shard that is taken from a fenced host lost its owner to a
    /// death, which is counted.
    ///
    /// A host fences others only once its own lease has run unbroken for [`LEASE_MS`]: after a time in which nobody
    /// reached the database, all find their leases expired, and all have to get the chance to renew.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    async fn take_over(&self, host: HostId, now: Timestamp) -> Result<Owned, StoreError>;

    /// Gives shards back after their in-flight work was recorded. What the host does not own is left alone.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    async fn release(&self, host: HostId, shards: &[ShardNo]) -> Result<(), StoreError>;

    /// Gives all shards back and ends the host in order: no death, nobody waits for its lease, and its id is fenced. A
    /// host that is fenced already has nothing to give back; repeating is harmless.
    async fn leave(&self, host: HostId) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_equal_and_make_up_the_whole() {
        for hosts in 1..=300 {
            let shares: Vec<_> = (0..hosts).map(|rank| fair(rank, hosts)).collect();
            assert_eq!(shares.iter().sum::<usize>(), SHARDS, "{hosts} hosts");
            assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1, "{hosts} hosts");
        }
        assert_eq!(fair(0, 0), SHARDS);
    }
}
