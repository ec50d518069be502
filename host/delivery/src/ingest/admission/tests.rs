//! Numbers and times are given: nothing here waits.

use super::*;

const A: TenantNo = TenantNo(1);
const B: TenantNo = TenantNo(2);
const BOUNDS: Bounds = Bounds { bytes: 64 << 20, wait_ms: 250, batch: 256 };

fn ask(tenant: TenantNo, events: usize, bytes: usize) -> BTreeMap<TenantNo, Load> {
    BTreeMap::from([(tenant, Load { events, bytes })])
}

fn enter(door: &Arc<Admission>, now: u64, tenant: TenantNo, events: usize, bytes: usize) -> Entered {
    door.enter(now, ask(tenant, events, bytes)).expect("room")
}

/// A door whose commits take so long.
fn paced(commit_ms: u64) -> Arc<Admission> {
    let door = Admission::new(BOUNDS);
    for _ in 0..200 {
        let no = door.began(0);
        door.ended(no, commit_ms);
    }
    door
}

#[test]
fn the_bytes_that_wait_are_bounded_and_come_free_again() {
    let door = Admission::new(BOUNDS);
    let mut tickets: Vec<_> = (0..64).map(|no| enter(&door, 0, TenantNo(no), 1, 1 << 20)).collect();
    assert!(tickets.iter().all(|one| one.over_share.is_empty()), "one each is nobody's flood");
    let refused = door.enter(0, ask(TenantNo(99), 1, 1)).expect_err("64 MiB wait");
    assert_eq!(refused, Overloaded::Busy { retry_after_s: 1 });
    assert!(door.look(0).is_err());
    tickets.pop();
    assert_eq!(door.load(), Load { events: 63, bytes: 63 << 20 });
    drop(enter(&door, 0, TenantNo(99), 1, 1 << 20));
    drop(tickets);
    assert_eq!(door.load(), Load::default());
}

#[test]
fn a_publish_larger_than_the_queue_goes_through_an_empty_one() {
    let door = Admission::new(Bounds { bytes: 1_000, ..BOUNDS });
    let large = enter(&door, 0, A, 1, 5_000);
    assert!(door.enter(0, ask(B, 1, 1)).is_err());
    drop(large);
    assert!(door.enter(0, ask(B, 1, 1)).is_ok());
}

#[test]
fn an_expected_wait_above_a_quarter_of_a_second_turns_everybody_away() {
    let door = paced(100);
    // Five commits, two side by side: 250 ms.
    let held: Vec<_> = (0..5).map(|no| enter(&door, 0, TenantNo(no), 256, 1)).collect();
    assert_eq!(door.look(0), Ok(()));
    let more = enter(&door, 0, TenantNo(98), 1, 1);
    assert_eq!(door.look(0), Err(Overloaded::Busy { retry_after_s: 1 }));
    assert!(door.enter(0, ask(TenantNo(99), 1, 1)).is_err());
    drop((held, more));
    assert_eq!(door.look(0), Ok(()));
}

#[test]
fn above_half_who_is_over_the_share_is_turned_away_and_the_others_are_not() {
    let door = paced(100);
    // What makes 250 ms are 1,280 events; two tenants have 640 each.
    drop(enter(&door, 0, B, 1, 1));
    let first = enter(&door, 0, A, 512, 1);
    assert!(first.over_share.is_empty(), "half is free");
    let second = enter(&door, 0, A, 128, 1);
    assert!(second.over_share.is_empty(), "half is free until this one is in");
    let third = enter(&door, 0, A, 1, 1);
    assert_eq!((third.over_share, third.retry_after_s), (BTreeSet::from([A]), 1));
    assert_eq!(door.load().events, 640, "what was turned away holds nothing");
    let other = enter(&door, 0, B, 500, 1);
    assert!(other.over_share.is_empty());
    let both = door.enter(0, [ask(A, 1, 1), ask(B, 1, 1)].into_iter().flatten().collect()).expect("room");
    assert_eq!(both.over_share, BTreeSet::from([A]), "tenants of one publish are judged one by one");
    assert_eq!(door.load().events, 1_141);
}

#[test]
fn bytes_have_shares_too() {
    let door = Admission::new(BOUNDS);
    drop(enter(&door, 0, B, 1, 1));
    let held: Vec<_> = (0..32).map(|_| enter(&door, 0, A, 1, 1 << 20)).collect();
    assert!(held.iter().all(|one| one.over_share.is_empty()));
    assert_eq!(enter(&door, 0, A, 1, 1 << 20).over_share, BTreeSet::from([A]));
    assert!(enter(&door, 0, B, 1, 1 << 20).over_share.is_empty());
}

#[test]
fn a_tenant_alone_leaves_an_eighth_for_whoever_comes_next() {
    let door = Admission::new(BOUNDS);
    let held: Vec<_> = (0..56).map(|_| enter(&door, 0, A, 1, 1 << 20)).collect();
    assert!(held.iter().all(|one| one.over_share.is_empty()));
    assert_eq!(enter(&door, 0, A, 1, 1).over_share, BTreeSet::from([A]));
    assert!(enter(&door, 0, B, 1, 1 << 20).over_share.is_empty());
}

#[test]
fn who_has_nothing_waiting_comes_in_whatever_its_size() {
    let door = Admission::new(BOUNDS);
    let tenants = (10..42).map(TenantNo);
    let held: Vec<_> = tenants.map(|tenant| enter(&door, 0, tenant, 1, 1 << 20)).collect();
    // A share is 2 MiB by now.
    let large = enter(&door, 0, A, 1_000, 5 << 20);
    assert!(large.over_share.is_empty());
    assert_eq!(enter(&door, 0, A, 1, 1).over_share, BTreeSet::from([A]), "one at a time");
    drop(held);
}

#[test]
fn who_publishes_no_more_has_no_share_after_a_while() {
    let door = paced(100);
    drop(enter(&door, 1_000, B, 1, 1));
    let held = enter(&door, 1_000, A, 640, 1);
    assert_eq!(enter(&door, 1_000, A, 1, 1).over_share, BTreeSet::from([A]));
    let later = 1_000 + ACTIVE_MS;
    assert!(enter(&door, later, A, 1, 1).over_share.is_empty(), "alone, it has seven eighths");
    drop(held);
}

#[test]
fn a_store_that_stalls_turns_away_before_the_queue_is_full() {
    let door = paced(5);
    let _waiting = enter(&door, 0, A, 10, 1);
    let no = door.began(1_000);
    assert_eq!(door.look(1_000 + STALLED_MS), Ok(()), "a hiccup");
    assert_eq!(door.look(1_001 + STALLED_MS), Err(Overloaded::Busy { retry_after_s: 1 }));
    assert_eq!(door.ended(no, 4_000), 3_000);
    assert_eq!(door.look(4_000), Ok(()), "one slow commit among many quick ones");
}

#[test]
fn what_waits_again_is_not_judged_again() {
    let door = Admission::new(Bounds { bytes: 10, ..BOUNDS });
    let first = enter(&door, 0, A, 1, 10);
    let again = door.again(ask(A, 1, 10));
    assert_eq!(door.load(), Load { events: 2, bytes: 20 });
    drop(first);
    drop(again);
    assert_eq!(door.load(), Load::default());
}
