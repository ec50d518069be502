//! What is in flight: globally, by tenant, and in the half that slow destinations share.

use railhead_model::TenantNo;
use std::collections::BTreeMap;

/// Why nothing may start, or how much may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// So many events.
    Events(u32),
    /// Every slot is taken.
    Full,
    /// This tenant has its share.
    TenantFull,
    /// Slow and failing destinations have their half.
    SlowFull,
}

/// Counts of events in flight.
#[derive(Debug)]
pub(super) struct Slots {
    limit: u32,
    used: u32,
    slow: u32,
    tenants: BTreeMap<TenantNo, u32>,
}

impl Slots {
    pub fn new(limit: u32) -> Self {
        Self { limit: limit.max(4), used: 0, slow: 0, tenants: BTreeMap::new() }
    }

    /// How much a tenant may start. It has a quarter of all slots for certain. Beyond that it may use what nobody else
    /// asks for, but a quarter stays free for whoever comes next.
    pub fn room(&self, tenant: TenantNo, slow: bool, contended: bool) -> Room {
        let free = self.limit.saturating_sub(self.used);
        if free == 0 {
            return Room::Full;
        }
        let quarter = self.limit / 4;
        let used = self.tenants.get(&tenant).copied().unwrap_or(0);
        let own = quarter.saturating_sub(used);
        let spare = if contended { 0 } else { free.saturating_sub(quarter) };
        let mut room = free.min(own.max(spare));
        if room == 0 {
            return Room::TenantFull;
        }
        if slow {
            room = room.min((self.limit / 2).saturating_sub(self.slow));
        }
        if room == 0 { Room::SlowFull } else { Room::Events(room) }
    }

    pub fn take(&mut self, tenant: TenantNo, slow: bool, count: u32) {
        self.used += count;
        self.slow += if slow { count } else { 0 };
        *self.tenants.entry(tenant).or_insert(0) += count;
    }

    pub fn give(&mut self, tenant: TenantNo, slow: bool, count: u32) {
        self.used = self.used.saturating_sub(count);
        self.slow = self.slow.saturating_sub(if slow { count } else { 0 });
        if let Some(used) = self.tenants.get_mut(&tenant) {
            *used = used.saturating_sub(count);
            if *used == 0 {
                self.tenants.remove(&tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: TenantNo = TenantNo(1);
    const B: TenantNo = TenantNo(2);

    #[test]
    fn a_tenant_has_a_quarter_when_others_wait_and_leaves_a_quarter_when_none_do() {
        let mut slots = Slots::new(100);
        assert_eq!(slots.room(A, false, true), Room::Events(25));
        assert_eq!(slots.room(A, false, false), Room::Events(75));
        slots.take(A, false, 75);
        assert_eq!(slots.room(A, false, false), Room::TenantFull);
        assert_eq!(slots.room(B, false, true), Room::Events(25));
        slots.give(A, false, 60);
        assert_eq!(slots.room(A, false, true), Room::Events(10));
    }

    #[test]
    fn slow_destinations_share_half() {
        let mut slots = Slots::new(8);
        slots.take(A, true, 2);
        slots.take(B, true, 2);
        assert_eq!(slots.room(TenantNo(3), true, true), Room::SlowFull);
        assert_eq!(slots.room(TenantNo(3), false, true), Room::Events(2));
    }
}
