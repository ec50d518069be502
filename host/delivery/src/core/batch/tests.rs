//! Of batches by themselves.

use super::*;
use railhead_model::{EventUid, Reason};

const NO: DestinationNo = DestinationNo(1);

fn slot(n: u8) -> Slot {
    Slot { event: EventUid::new(Timestamp(1), [n; 10]), run: 0 }
}

fn reason() -> Reason {
    Reason::new("x", "")
}

#[test]
fn a_batch_waits_until_it_is_stored_and_keeps_its_number_and_members() {
    let mut batches = Batches::default();
    let stored = batches.form(NO, vec![slot(1), slot(2)], Timestamp(5));
    let ready = |_: &[Slot]| Some(Timestamp(5));
    assert_eq!(batches.next(ready), None);
    batches.opened(stored.number);
    assert_eq!(batches.next(ready), Some((stored.number, Timestamp(5))));
    assert_eq!(batches.start(stored.number), [slot(1), slot(2)]);
    let later = batches.postpone(NO, stored.number, Timestamp(9), 1).unwrap();
    assert_eq!((later.number, later.members, later.due), (stored.number, stored.members, Timestamp(9)));
    batches.recording(stored.number, 2);
    batches.opened(stored.number);
    batches.recorded(slot(1), false);
    assert_eq!(batches.next(ready), None, "2 is not durable");
    batches.recorded(slot(2), false);
    assert_eq!(batches.next(ready), Some((stored.number, Timestamp(9))));
}

#[test]
fn a_batch_that_was_too_large_goes_on_in_two_with_numbers_of_their_own() {
    let mut batches = Batches::default();
    let stored = batches.form(NO, (1..=5).map(slot).collect(), Timestamp(5));
    batches.opened(stored.number);
    batches.start(stored.number);
    batches.split(stored.number, Timestamp(9), 0);
    batches.recording(stored.number, 5);
    (1..=5).for_each(|n| batches.recorded(slot(n), false));
    assert_eq!(batches.next(|_| Some(Timestamp(5))), None, "it is not sent again");
    assert_eq!(batches.take_split(), [stored.number]);
    assert_eq!(batches.take_split(), [] as [u64; 0], "once");
    let halves = batches.halve(NO, stored.number, |gone| gone != slot(2));
    let members: Vec<_> = halves.iter().map(|half| half.members.clone()).collect();
    let keys = |slots: [u8; 2]| slots.map(|n| slot(n).key(NO)).to_vec();
    assert_eq!(members, [keys([1, 3]), keys([4, 5])]);
    assert!(halves[0].number != halves[1].number && halves.iter().all(|half| half.number != stored.number));
    assert!(batches.has(slot(1)) && !batches.has(slot(2)));
    halves.iter().for_each(|half| batches.opened(half.number));
    assert_eq!(batches.next(|_| Some(Timestamp(5))), Some((halves[0].number, Timestamp(9))), "in order");
    assert_eq!(batches.halve(NO, stored.number, |_| true), [], "it is no more");
    batches.load(&stored);
    assert_eq!(batches.open.len(), 2, "nor does an old read bring it back");
}

#[test]
fn a_loaded_batch_keeps_its_members_and_is_over_when_none_is_left() {
    let mut first = Batches::default();
    let stored = first.form(NO, vec![slot(1)], Timestamp(5));
    let mut second = Batches::default();
    second.load(&stored);
    assert!(second.has(slot(1)));
    assert!(second.take_over(|_| true).is_empty());
    assert_eq!(second.take_over(|_| false), [stored.number]);
    assert!(second.is_empty() && !second.has(slot(1)));
}

#[test]
fn members_that_ended_leave_a_gap() {
    let mut batches = Batches::default();
    let stored = batches.form(NO, (1..=3).map(slot).collect(), Timestamp(5));
    batches.opened(stored.number);
    batches.start(stored.number);
    let later = batches.postpone(NO, stored.number, Timestamp(9), 1).unwrap();
    assert_eq!(later.members, stored.members, "what is stored never changes");
    batches.opened(stored.number);
    batches.recording(stored.number, 3);
    batches.recorded(slot(2), true);
    [1, 3].into_iter().for_each(|n| batches.recorded(slot(n), false));
    let asked = std::cell::RefCell::new(Vec::new());
    let ready = |left: &[Slot]| {
        asked.borrow_mut().extend_from_slice(left);
        Some(Timestamp(5))
    };
    assert_eq!(batches.next(ready), Some((stored.number, Timestamp(9))));
    assert_eq!(asked.into_inner(), [slot(1), slot(3)]);
    assert_eq!(batches.start(stored.number), [slot(1), slot(3)]);
    batches.recording(stored.number, 2);
    [1, 3].into_iter().for_each(|n| batches.recorded(slot(n), true));
    assert_eq!(batches.take_over(|_| true), [stored.number], "nothing is left of it");
}

type Parted = (Vec<(Slot, Outcome)>, Vec<Slot>, Option<OutcomeClass>);

fn combined(outcomes: &[(u8, Outcome)], open: &[u8]) -> Parted {
    parted(outcomes, open, false)
}

fn parted(outcomes: &[(u8, Outcome)], open: &[u8], ordered: bool) -> Parted {
    let outcomes = outcomes.iter().map(|(n, outcome)| (slot(*n), outcome.clone())).collect();
    let Combined { alone, others, shared } = combine(&outcomes, &open.iter().map(|n| slot(*n)).collect(), ordered);
    (alone, others, shared.map(|outcome| outcome.class()))
}

#[test]
fn what_arrived_stands_and_the_others_share_the_worst() {
    let (delivered, transient) = (Outcome::Delivered(reason()), Outcome::Transient(reason(), None));
    let uncertain = Outcome::Uncertain(reason());
    let (both, first) = (vec![slot(1), slot(2)], vec![(slot(1), delivered.clone())]);
    assert_eq!(combined(&[(1, delivered.clone())], &[2]), (first.clone(), vec![slot(2)], None), "2 was never sent");
    assert_eq!(combined(&[(1, transient.clone())], &[2]), (vec![], both.clone(), Some(OutcomeClass::Transient)));
    let failed = [(1, delivered.clone()), (2, transient), (3, uncertain)];
    assert_eq!(combined(&failed, &[]), (first, vec![slot(2), slot(3)], Some(OutcomeClass::Uncertain)));
    let all = vec![slot(1), slot(2), slot(3)];
    assert_eq!(parted(&failed, &[], true), (vec![], all, Some(OutcomeClass::Uncertain)), "an order is kept");
    let good = combined(&[(1, delivered.clone()), (2, delivered)], &[]);
    assert_eq!(good, (vec![], both, Some(OutcomeClass::Delivered)));
}

#[test]
fn what_is_permanent_for_one_member_is_its_own() {
    let permanent = |code: &str| Outcome::Permanent(Reason::new(code, ""));
    let one = permanent("not-json");
    for (other, class) in [
        (Outcome::Delivered(reason()), OutcomeClass::Delivered),
        (Outcome::Transient(reason(), None), OutcomeClass::Transient),
        (Outcome::TooLarge(reason()), OutcomeClass::TooLarge),
        (Outcome::Uncertain(reason()), OutcomeClass::Uncertain),
    ] {
        let mixed = combined(&[(1, other.clone()), (2, one.clone()), (3, other)], &[]);
        assert_eq!(mixed, (vec![(slot(2), one.clone())], vec![slot(1), slot(3)], Some(class)));
    }
    let cut = parted(&[(1, one.clone()), (2, Outcome::Delivered(reason()))], &[3], true);
    assert_eq!(cut, (vec![(slot(1), one.clone())], vec![slot(2), slot(3)], None), "3 was never sent");
    let refused = vec![(slot(1), one.clone()), (slot(2), permanent("http-400"))];
    let all = combined(&[(1, one), (2, permanent("http-400"))], &[]);
    assert_eq!(all, (refused, vec![], None), "each for its own reason");
}

#[test]
fn a_member_that_was_never_sent_says_nothing_of_its_destination() {
    let told = |outcomes: &[(u8, Outcome)], open: &[u8]| -> Vec<OutcomeClass> {
        let outcomes = outcomes.iter().map(|(n, outcome)| (slot(*n), outcome.clone())).collect();
        let combined = combine(&outcomes, &open.iter().map(|n| slot(*n)).collect(), false);
        combined.telling().map(Outcome::class).collect()
    };
    let permanent = |code: &str| Outcome::Permanent(Reason::new(code, ""));
    let transient = (2, Outcome::Transient(reason(), None));
    assert_eq!(told(&[(1, permanent("x")), transient.clone()], &[]), [OutcomeClass::Transient]);
    assert_eq!(told(&[(1, permanent("x"))], &[2]), []);
    let delivered = (1, Outcome::Delivered(reason()));
    assert_eq!(told(&[delivered.clone(), transient.clone()], &[]), [OutcomeClass::Transient]);
    assert_eq!(told(&[delivered], &[2]), [OutcomeClass::Delivered]);
    assert_eq!(told(&[(1, permanent("x")), (2, permanent("x"))], &[]), [OutcomeClass::Permanent], "once");
    let gone = (1, permanent("destination-gone"));
    assert_eq!(told(&[gone, transient], &[]), [OutcomeClass::Permanent, OutcomeClass::Transient]);
}
