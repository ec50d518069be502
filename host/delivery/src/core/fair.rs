//! Whose turn it is: deficit round robin over tenants, and within a tenant over its destinations.
//!
//! Only those that could start something now are in a ring. Whoever starts more than its quantum goes into debt and
//! is passed over until the debt is paid off, so that the size of a hand-over does not decide who gets how much.

use railhead_model::{DestinationNo, TenantNo};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What a turn is worth, in events.
pub(super) const QUANTUM: u32 = 64;
/// A replayed event costs as much as so many live ones: replays weigh a quarter.
pub(super) const REPLAY_COST: u32 = 4;

#[derive(Debug, Default)]
struct Turn {
    deficit: i64,
    destinations: VecDeque<(DestinationNo, i64)>,
}

/// The rings.
#[derive(Debug, Default)]
pub(super) struct Fair {
    ring: VecDeque<TenantNo>,
    tenants: BTreeMap<TenantNo, Turn>,
    /// Tenants that have their share of slots; not in the ring.
    parked: BTreeSet<TenantNo>,
    /// Destinations that wait for the slow half; in no ring.
    slow: VecDeque<DestinationNo>,
}

impl Fair {
    /// Puts a destination at the end. The caller sees to it that it is there once.
    pub fn add(&mut self, tenant: TenantNo, destination: DestinationNo) {
        let turn = self.tenants.entry(tenant).or_insert_with(|| {
            self.ring.push_back(tenant);
            Turn::default()
        });
        turn.destinations.push_back((destination, 0));
    }

    /// True if another tenant could start something too.
    pub fn is_contended(&self) -> bool {
        self.tenants() > 1
    }

    /// How many could, those included that have their share.
    pub fn tenants(&self) -> usize {
        self.tenants.len()
    }

    /// Who is next. It stays in front until it is [`Fair::spend`]t, [`Fair::leave`]s or its tenant is parked.
    pub fn next(&mut self) -> Option<(TenantNo, DestinationNo)> {
        loop {
            let tenant = *self.ring.front()?;
            let Some(turn) = self.tenants.get_mut(&tenant) else {
                self.ring.pop_front();
                continue;
            };
            if turn.deficit <= 0 {
                turn.deficit += i64::from(QUANTUM);
                self.ring.rotate_left(1);
                continue;
            }
            let Some((destination, deficit)) = turn.destinations.front_mut() else {
                self.ring.pop_front();
                self.tenants.remove(&tenant);
                continue;
            };
            if *deficit > 0 {
                return Some((tenant, *destination));
            }
            *deficit += i64::from(QUANTUM);
            turn.destinations.rotate_left(1);
        }
    }

    /// The one in front started this much.
    pub fn spend(&mut self, cost: u32) {
        let Some(turn) = self.front() else { return };
        turn.deficit -= i64::from(cost);
        if let Some((_, deficit)) = turn.destinations.front_mut() {
            *deficit -= i64::from(cost);
        }
    }

    /// The one in front cannot start anything now.
    pub fn leave(&mut self) {
        let Some(tenant) = self.ring.front().copied() else { return };
        let Some(turn) = self.front() else { return };
        turn.destinations.pop_front();
        if turn.destinations.is_empty() {
            self.tenants.remove(&tenant);
            self.ring.pop_front();
        }
    }

    /// The tenant in front has its share of slots.
    pub fn park(&mut self) {
        if let Some(tenant) = self.ring.pop_front() {
            self.parked.insert(tenant);
        }
    }

    /// The one in front waits for the slow half.
    pub fn leave_for_slow(&mut self, destination: DestinationNo) {
        self.leave();
        self.slow.push_back(destination);
    }

    /// A slot of this tenant became free. Answers with a destination that waited for the slow half, to be considered
    /// again.
    pub fn freed(&mut self, tenant: TenantNo, slow: bool) -> Option<DestinationNo> {
        if self.parked.remove(&tenant) {
            self.ring.push_back(tenant);
        }
        // With nobody else in the ring, those parked for the sake of others may go on.
        if self.ring.is_empty() {
            self.ring.extend(std::mem::take(&mut self.parked));
        }
        if slow { self.slow.pop_front() } else { None }
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn front(&mut self) -> Option<&mut Turn> {
        self.tenants.get_mut(self.ring.front()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(fair: &mut Fair, rounds: usize, cost: impl Fn(DestinationNo) -> u32) -> BTreeMap<i64, u32> {
        let mut got = BTreeMap::new();
        for _ in 0..rounds {
            let (_, no) = fair.next().unwrap();
            *got.entry(no.0).or_insert(0) += 1;
            fair.spend(cost(no));
        }
        got
    }

    #[test]
    fn a_tenant_with_many_destinations_gets_no_more_than_one_with_one() {
        let mut fair = Fair::default();
        for no in 1..=9 {
            fair.add(TenantNo(1), DestinationNo(no));
        }
        fair.add(TenantNo(2), DestinationNo(10));
        let got = shares(&mut fair, 1_000, |_| 32);
        assert!((480..=520).contains(&got[&10]), "{got:?}");
        assert!(got.values().all(|n| *n >= 50), "{got:?}");
    }

    #[test]
    fn big_hand_overs_come_less_often() {
        let mut fair = Fair::default();
        fair.add(TenantNo(1), DestinationNo(1));
        fair.add(TenantNo(2), DestinationNo(2));
        let got = shares(&mut fair, 1_000, |no| if no.0 == 1 { 32 } else { 32 * REPLAY_COST });
        assert!((3..=5).contains(&(got[&1] / got[&2])), "{got:?}");
    }

    #[test]
    fn a_parked_tenant_comes_back_with_its_own_slot_or_when_nobody_else_is_there() {
        let mut fair = Fair::default();
        fair.add(TenantNo(1), DestinationNo(1));
        fair.add(TenantNo(2), DestinationNo(2));
        let (tenant, _) = fair.next().unwrap();
        fair.park();
        let (other, _) = fair.next().unwrap();
        assert_ne!(tenant, other);
        assert!(fair.is_contended());
        fair.leave();
        assert_eq!(fair.next(), None);
        assert_eq!(fair.freed(other, false), None);
        assert_eq!(fair.next().map(|(t, _)| t), Some(tenant));
    }

    #[test]
    fn those_who_wait_for_the_slow_half_are_called_in_order() {
        let mut fair = Fair::default();
        fair.add(TenantNo(1), DestinationNo(1));
        fair.next();
        fair.leave_for_slow(DestinationNo(1));
        assert_eq!(fair.next(), None);
        assert_eq!(fair.freed(TenantNo(2), false), None);
        assert_eq!(fair.freed(TenantNo(2), true), Some(DestinationNo(1)));
    }
}
