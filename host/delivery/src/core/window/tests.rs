//! The window's promises, one by one.

use super::*;
use crate::core::fixtures::{self, NO};
use railhead_model::Origin;
use railhead_store::WorkRow;

const NOW: Timestamp = Timestamp(1_000);

fn row(n: u8, due: i64) -> WorkRow {
    WorkRow { due: Timestamp(due), seq: 0, ..fixtures::row(n) }
}

fn slot(n: u8) -> Slot {
    row(n, 0).key.into()
}

fn lane_row(n: u8, seq: i64) -> WorkRow {
    WorkRow { lane: Some([1; 16]), seq, ..row(n, 0) }
}

const fn most(events: usize) -> Most {
    Most { events, bytes: u64::MAX }
}

fn start(window: &mut Window, count: usize) -> Vec<Slot> {
    let mut out = Vec::new();
    window.start(most(count), NOW, &mut out);
    out
}

fn answer(window: &mut Window, rows: &[WorkRow]) {
    window.refilled(rows, |_| false, NOW);
}

fn complete(rows: &[WorkRow]) -> Window {
    let mut window = Window::new(NO, false, 4, true);
    for row in rows {
        window.push(row, NOW);
    }
    window
}

#[test]
fn an_entry_is_at_most_64_bytes() {
    assert!(size_of::<(Slot, Entry)>() <= 64, "{}", size_of::<(Slot, Entry)>());
}

#[test]
fn pushes_are_taken_while_it_is_complete_and_under_the_bound() {
    let mut window = complete(&[row(1, 10), row(2, 5), row(3, 20_000)]);
    assert_eq!(window.ask(NOW), None);
    assert_eq!(start(&mut window, 9), [slot(2), slot(1)], "what is due, in order");
    window.push(&row(4, 10), NOW);
    window.push(&row(5, 10), NOW);
    assert!(window.get(slot(5)).is_none(), "the bound is four");
    assert!(!window.is_complete());
}

#[test]
fn what_was_read_as_new_may_still_be_pushed_when_it_has_ended() {
    let mut window = complete(&[row(1, 10)]);
    window.hint();
    window.ask(NOW).unwrap();
    answer(&mut window, &[row(1, 10), row(2, 10), WorkRow { rev: 1, ..row(3, 10) }]);
    assert!(!window.ended(slot(1)), "it was pushed");
    assert!(window.ended(slot(2)));
    assert!(!window.ended(slot(3)), "it is old");
}

#[test]
fn one_refill_at_a_time_and_it_goes_on_where_the_last_one_stopped() {
    let mut window = Window::new(NO, false, 4, false);
    let ask = window.ask(NOW).unwrap();
    assert_eq!((ask.after, ask.limit), (None, 4));
    assert_eq!(window.ask(NOW), None, "one is in flight");
    answer(&mut window, &[row(1, 1), row(2, 2), row(3, 3), row(4, 4)]);
    assert!(!window.is_complete(), "as many as asked: there may be more");
    assert_eq!(window.ask(NOW), None, "enough at hand");
    assert_eq!(start(&mut window, 3).len(), 3);
    let last = row(4, 4);
    assert_eq!(window.ask(NOW).unwrap().after, Some(Position::Due(last.due, last.key.event, 0)));
    answer(&mut window, &[row(5, 5)]);
    assert!(window.is_complete());
}

#[test]
fn a_hint_during_a_refill_keeps_it_from_completing() {
    let mut window = Window::new(NO, false, 4, false);
    window.ask(NOW).unwrap();
    window.hint();
    answer(&mut window, &[row(1, 1)]);
    assert!(!window.is_complete());
    start(&mut window, 1);
    assert_eq!(window.ask(NOW).unwrap().after, None, "and the next one starts over");
}

#[test]
fn a_push_during_a_refill_limits_how_far_it_counts() {
    let mut window = Window::new(NO, false, 4, false);
    window.ask(NOW).unwrap();
    window.push(&row(9, 3), NOW);
    answer(&mut window, &[row(1, 1)]);
    assert!(!window.is_complete());
    start(&mut window, 1);
    window.ask(NOW).unwrap();
    answer(&mut window, &[row(9, 3)]);
    assert!(window.is_complete());
    assert_eq!(start(&mut window, 9), [slot(9)]);
}

#[test]
fn what_ended_during_a_refill_does_not_come_back() {
    let mut window = complete(&[row(1, 1), row(2, 2)]);
    start(&mut window, 2);
    window.hint();
    window.ask(NOW).unwrap();
    window.ended(slot(1));
    answer(&mut window, &[row(1, 1), row(2, 2)]);
    assert!(window.get(slot(1)).is_none());
    assert_eq!(window.get(slot(2)).map(|entry| entry.place), Some(Place::Running), "and memory knows better");
    assert!(start(&mut window, 9).is_empty());
}

#[test]
fn a_retry_during_a_refill_keeps_its_new_time() {
    let mut window = complete(&[row(1, 1)]);
    start(&mut window, 1);
    window.hint();
    window.ask(NOW).unwrap();
    window.retried(slot(1), |entry| (entry.due, entry.rev) = (Timestamp(5_000), 1), false, NOW);
    answer(&mut window, &[row(1, 1)]);
    assert_eq!(window.get(slot(1)).map(|entry| entry.due), Some(Timestamp(5_000)));
    assert!(start(&mut window, 9).is_empty());
}

#[test]
fn a_refill_brings_commands_and_drops_what_is_gone() {
    let mut window = complete(&[row(1, 50_000), row(2, 60_000)]);
    window.hint();
    window.ask(NOW).unwrap();
    answer(&mut window, &[WorkRow { due: NOW, rev: 1, ..row(2, 0) }]);
    assert!(window.get(slot(1)).is_none(), "cancelled");
    assert_eq!(start(&mut window, 9), [slot(2)], "retried now");
}

#[test]
fn a_refusal_makes_it_read_again() {
    let mut window = complete(&[row(1, 1)]);
    start(&mut window, 1);
    window.place(slot(1), Place::Held);
    window.refused(slot(1));
    assert_eq!(window.ask(NOW).map(|ask| ask.after), Some(None));
    answer(&mut window, &[WorkRow { rev: 1, ..row(1, 1) }]);
    assert_eq!(start(&mut window, 9), [slot(1)]);
}

#[test]
fn retries_beyond_the_horizon_are_not_held() {
    let mut window = Window::new(NO, false, 2, false);
    window.ask(NOW).unwrap();
    answer(&mut window, &[row(1, 1), row(2, 2)]);
    start(&mut window, 1);
    window.retried(slot(1), |entry| entry.due = Timestamp(9_000), false, NOW);
    assert!(window.get(slot(1)).is_none());
}

#[test]
fn the_survey_finds_what_memory_lacks() {
    let window = complete(&[row(1, 500)]);
    assert!(!window.misses(Timestamp(500)));
    assert!(window.misses(Timestamp(499)));
}

#[test]
fn what_is_new_does_not_wait_for_a_clock_that_is_ahead() {
    let ahead = NOW.0 + 15_000;
    let retried = WorkRow { rev: 1, attempts: 1, tries: 1, ..row(3, ahead) };
    let throttled = WorkRow { rev: 1, tries: 1, ..row(4, ahead) };
    let mut window = complete(&[row(1, ahead), row(2, ahead + 1), retried, throttled]);
    assert_eq!(start(&mut window, 9), [slot(1)], "2 is further ahead than clocks are, 3 and 4 wait for their retries");
    window.hint();
    assert!(window.ask(NOW).is_some());
    answer(&mut window, &[row(5, ahead), row(1, ahead), row(2, ahead + 1)]);
    assert_eq!(start(&mut window, 9), [slot(5)], "read as pushed, and 1 is running");
}

#[test]
fn a_lane_does_not_wait_for_a_clock_that_is_ahead() {
    let mut window = Window::new(NO, true, 4, true);
    push_all(&mut window, &[(1, 1), (2, 2)].map(|(n, seq)| WorkRow { due: NOW.plus_ms(9_000), ..lane_row(n, seq) }));
    assert_eq!(start(&mut window, 9), [slot(1)]);
    window.ended(slot(1));
    assert_eq!(start(&mut window, 9), [slot(2)]);
}

#[test]
fn one_replay_goes_to_four_others() {
    let mut window = Window::new(NO, false, 100, true);
    for n in 0..40 {
        let origin = if n % 2 == 0 { Origin::Replay } else { Origin::Publish };
        window.push(&WorkRow { origin, ..row(n, 1) }, NOW);
    }
    let mut out = Vec::new();
    assert_eq!(window.start(most(20), NOW, &mut out), 4);
    assert_eq!(window.start(most(20), NOW, &mut out), 16, "with nothing else there, replays go on");
}

#[test]
fn where_an_order_is_kept_only_the_very_next_push_is_taken() {
    let mut window = Window::new(NO, true, 8, true);
    assert!(window.push_ordered(&lane_row(1, 7), Some(6), NOW));
    assert!(!window.push_ordered(&lane_row(1, 7), Some(7), NOW), "told twice");
    assert!(window.is_complete());
    assert!(!window.push_ordered(&lane_row(3, 9), Some(7), NOW), "8 is not known yet");
    start(&mut window, 1);
    assert_eq!(window.ask(NOW).unwrap().after, Some(Position::Seq(7)));
}

#[test]
fn a_lane_goes_on_when_its_head_has_ended_and_not_before() {
    let mut window = Window::new(NO, true, 8, false);
    window.ask(NOW).unwrap();
    answer(&mut window, &[lane_row(1, 1), lane_row(2, 2)]);
    assert_eq!(start(&mut window, 9), [slot(1)]);
    window.retried(slot(1), |entry| entry.due = Timestamp(2_000), false, NOW);
    assert!(window.get(slot(2)).is_none(), "followers of a blocked head are not held");
    let mut out = Vec::new();
    window.start(most(9), Timestamp(2_000), &mut out);
    assert_eq!(out, [slot(1)]);
    window.ended(slot(1));
    assert_eq!(window.ask(NOW).unwrap().after, Some(Position::Seq(1)), "they are read again");
    answer(&mut window, &[lane_row(2, 2)]);
    assert_eq!(start(&mut window, 9), [slot(2)]);
}

#[test]
fn a_batch_closes_at_its_bytes_and_what_is_larger_goes_alone() {
    let sized = |n, bytes| WorkRow { bytes, ..row(n, 0) };
    let mut window = Window::new(NO, false, 32, true);
    for row in [sized(1, 400), sized(2, 600), sized(3, 1), sized(4, 2_000), sized(5, 0), sized(6, 999), sized(7, 2)] {
        window.push(&row, NOW);
    }
    let kilobyte = Most { events: 10, bytes: 1_000 };
    let mut batches = Vec::new();
    while window.next_due().is_some() {
        let mut out = Vec::new();
        window.start(kilobyte, NOW, &mut out);
        batches.push(out);
    }
    let expected = [vec![1, 2], vec![3], vec![4], vec![5, 6], vec![7]];
    assert_eq!(batches, expected.map(|batch| batch.into_iter().map(slot).collect::<Vec<_>>()));
}

#[test]
fn a_batch_is_full_by_events_or_by_bytes_that_are_due() {
    let sized = |n, due, bytes| WorkRow { bytes, ..row(n, due) };
    let full = |rows: &[WorkRow]| {
        let mut window = Window::new(NO, false, 32, true);
        rows.iter().for_each(|row| window.push(row, NOW));
        let filled = window.fills(Most { events: 3, bytes: 1_000 }, NOW);
        rows.iter().for_each(|row| window.remove(row.key.into()));
        assert_eq!(window.queued_bytes, 0);
        filled
    };
    assert!(!full(&[sized(1, 0, 400), sized(2, 0, 500)]));
    assert!(full(&[sized(1, 0, 400), sized(2, 0, 600)]), "by bytes");
    assert!(full(&[sized(1, 0, 1), sized(2, 0, 1), sized(3, 0, 1)]), "by events");
    assert!(!full(&[sized(1, 0, 400), sized(2, 999_000, 600)]), "what is due later does not count");
}

#[test]
fn a_batch_of_one_lane_is_its_head_and_what_follows() {
    let lane = |n, seq, lane: u8| WorkRow { lane: Some([lane; 16]), seq, bytes: 400, ..row(n, 0) };
    let mut window = Window::new(NO, true, 32, true);
    push_all(&mut window, &[lane(1, 1, 1), lane(2, 2, 2), lane(3, 3, 1), lane(4, 4, 1)]);
    let of = |window: &Window, events, bytes| window.of_one_lane(Most { events, bytes }, NOW);
    assert_eq!(of(&window, 10, 10_000), (vec![slot(1), slot(3), slot(4)], false));
    assert_eq!(of(&window, 2, 10_000), (vec![slot(1), slot(3)], true), "by events");
    assert_eq!(of(&window, 10, 1_000), (vec![slot(1), slot(3)], true), "the next has no room");
    assert_eq!(of(&window, 10, 100), (vec![slot(1)], true), "one that is larger than the bound goes alone");
    assert!(window.is_head(slot(1)) && window.is_followed(slot(1)) && !window.is_followed(slot(4)));
    for member in [slot(1), slot(3)] {
        window.batch(member);
    }
    assert_eq!(of(&window, 10, 10_000), (vec![slot(2)], false), "4 waits for 1 and 3");
    assert!(!window.ended(slot(1)) && !window.ended(slot(3)));
    assert_eq!(of(&window, 1, 10_000).0, [slot(2)]);
    window.ended(slot(2));
    assert_eq!(of(&window, 10, 10_000), (vec![slot(4)], false));
}

/// Pushes rows in their order.
fn push_all(window: &mut Window, rows: &[WorkRow]) {
    let mut high = Some(0);
    for row in rows {
        assert!(window.push_ordered(row, high, NOW));
        high = Some(row.seq);
    }
}

#[test]
fn a_lane_is_unsure_until_what_was_refused_is_read_again() {
    let mut window = Window::new(NO, true, 2, false);
    let rows: Vec<_> = (1..=4).map(|n| lane_row(n, i64::from(n))).collect();
    window.ask(NOW).unwrap();
    answer(&mut window, &rows);
    (1..=4).for_each(|n| window.place(slot(n), Place::Held));
    let late = window.ask(NOW).is_some();
    window.refused(slot(3));
    if late {
        answer(&mut window, &rows);
    }
    assert!(window.is_unsure(slot(1)), "that was asked before");
    assert_eq!(window.ask(NOW).map(|ask| (ask.after, ask.limit)), Some((None, 5)));
    answer(&mut window, &rows[..2]);
    assert!(!window.is_unsure(slot(1)), "it has ended");
    window.refused(slot(1));
    let limit = window.ask(NOW).unwrap().limit as usize;
    let others = (50..).take(limit).map(|n: u8| WorkRow { lane: Some([2; 16]), ..lane_row(n, i64::from(n) - 100) });
    let others: Vec<_> = others.collect();
    answer(&mut window, &others);
    assert!(window.is_unsure(slot(2)), "it was not reached");
}

#[test]
fn what_is_due_far_ahead_is_not_held_and_what_comes_before_it_is_taken() {
    let sight = Sight::new(60_000, NO, NOW);
    let mut window = Window::new(NO, false, 4, false);
    window.ask(NOW).unwrap();
    let replay = WorkRow { origin: Origin::Replay, rev: 1, ..row(3, 90_000) };
    window.trim(sight);
    answer(&mut window, &[row(1, 10), row(2, 80_000), replay]);
    window.trim(sight);
    assert!(window.get(slot(1)).is_some() && window.get(slot(2)).is_none() && window.get(slot(3)).is_none());
    assert_eq!(window.next_beyond(), Some(Timestamp(80_000)));
    assert_eq!(window.rest(sight), None, "1 is there");
    start(&mut window, 9);
    window.ended(slot(1));
    let rest = window.rest(sight).unwrap();
    assert_eq!(rest.due(), Some(Timestamp(80_000)));
    let mut window = Window::rested(NO, false, 4, rest);
    window.push(&row(4, 20), NOW);
    window.push(&row(5, 85_000), NOW);
    assert!(window.get(slot(5)).is_none(), "it is read with the others");
    assert_eq!(start(&mut window, 9), [slot(4)]);
    assert_eq!(window.next_beyond(), Some(Timestamp(80_000)));
    let ask = window.ask(NOW).unwrap();
    assert!(ask.after.unwrap() < Position::Due(Timestamp(80_000), slot(2).event, 0), "the first of them included");
}

#[test]
fn nothing_is_let_go_of_while_an_older_read_may_bring_it_back() {
    let mut window = complete(&[row(1, 10)]);
    start(&mut window, 1);
    window.hint();
    window.ask(NOW).unwrap();
    window.retried(slot(1), |entry| (entry.due, entry.rev) = (Timestamp(500_000), 1), false, NOW);
    window.trim(Sight::new(60_000, NO, NOW));
    assert!(window.get(slot(1)).is_some());
    answer(&mut window, &[row(1, 10)]);
    window.trim(Sight::new(60_000, NO, NOW));
    assert!(window.get(slot(1)).is_none() && start(&mut window, 9).is_empty());
    assert_eq!(window.next_beyond(), Some(Timestamp(500_000)));
}
