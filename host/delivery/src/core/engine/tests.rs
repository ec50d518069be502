//! What the engine does with whole inputs, one destination at a time.

mod far;

use super::*;
use crate::core::fixtures::{NO, attempts, row, settings};
use crate::core::{AttemptItem, RecordId, Settings};
use railhead_model::{End, HostId, Outcome, RateLimit, Reason, RetryPolicy, ShardNo, Timestamp};
use railhead_store::{Change, RecordAnswer, WorkRow};
use std::collections::BTreeMap;

const START: u64 = 1_000;

/// An engine, its clock (wall and monotonic run together) and what it asked for last.
struct Bench {
    engine: Engine,
    now: u64,
    out: Vec<Effect>,
    /// Results that it asked to record, not looked at yet.
    unread: Vec<(RecordId, Vec<RecordItem>)>,
    last_record: RecordId,
}

impl Bench {
    fn new(settings: Settings, rows: &[WorkRow]) -> Self {
        let engine = Engine::new(Config { held: 6, ..Config::default() }, 7);
        let mut bench = Self { engine, now: START, out: Vec::new(), unread: Vec::new(), last_record: RecordId(0) };
        bench.lease(60_000);
        bench.step(Input::Config(Box::new(settings)));
        bench.step(Input::Refilled { destination: NO, rows: rows.to_vec() });
        bench
    }

    fn step(&mut self, input: Input) {
        self.out.clear();
        let now = Now { wall: Timestamp(self.now as i64), mono_ms: self.now };
        self.engine.step(now, input, &mut self.out);
        for effect in &self.out {
            if let Effect::Record { id, items } = effect {
                self.last_record = *id;
                self.unread.push((*id, items.clone()));
            }
        }
    }

    fn lease(&mut self, for_ms: u64) {
        let shards = (0..=255).map(ShardNo).collect();
        let host = HostId::new(Timestamp(1), [0; 10]);
        self.step(Input::Lease { host, until_mono_ms: self.now + for_ms, shards });
    }

    fn tick_at(&mut self, now: u64) {
        self.now = now;
        self.step(Input::Tick);
    }

    fn attempts(&self) -> Vec<(AttemptId, Vec<AttemptItem>)> {
        attempts(&self.out)
    }

    fn records(&mut self) -> Vec<(RecordId, Vec<RecordItem>)> {
        std::mem::take(&mut self.unread)
    }

    /// Settles every item of one hand-over with the same outcome, ends it, and answers with the results.
    fn settle(&mut self, attempt: &(AttemptId, Vec<AttemptItem>), outcome: &Outcome) -> Vec<RecordItem> {
        let outcomes = attempt.1.iter().map(|item| (item.key, outcome.clone())).collect();
        self.step(Input::Settled { attempt: attempt.0, outcomes });
        self.step(Input::AttemptOver(attempt.0));
        self.tick_at(self.now + 25);
        let records = self.records();
        records.into_iter().flat_map(|(_, items)| items).collect()
    }
}

fn reason(code: &str) -> Reason {
    Reason::new(code, "")
}

fn delivered() -> Outcome {
    Outcome::Delivered(reason("delivered"))
}

#[test]
fn what_is_due_starts_at_once_in_as_many_sessions_as_there_are() {
    let rows: Vec<_> = (1..=12).map(row).collect();
    let bench = Bench::new(settings(), &rows);
    let sizes: Vec<_> = bench.attempts().iter().map(|(_, items)| items.len()).collect();
    assert_eq!(sizes, [4, 4], "two sessions, eight in flight");
}

#[test]
fn a_lone_delivery_is_recorded_at_once_and_one_of_a_call_within_25_ms() {
    let mut two = Bench::new(settings(), &[row(1), row(2)]);
    let attempt = two.attempts().remove(0);
    two.step(Input::Settled { attempt: attempt.0, outcomes: vec![(attempt.1[0].key, delivered())] });
    assert!(two.records().is_empty(), "another one of the call is to come");
    two.tick_at(START + 25);
    assert_eq!(two.records().len(), 1);
    let mut bench = Bench::new(settings(), &[row(1)]);
    let attempt = bench.attempts().remove(0);
    bench.step(Input::Settled { attempt: attempt.0, outcomes: vec![(attempt.1[0].key, delivered())] });
    let (id, items) = bench.records().remove(0);
    assert!(matches!(&items[0].change, Change::End { end: End::Delivered, attempts: 1, .. }), "{items:?}");
    bench.step(Input::AttemptOver(attempt.0));
    bench.step(Input::Recorded { record: id, answers: vec![RecordAnswer::Applied(1)] });
    assert!(bench.engine.is_quiet() && !bench.engine.is_busy(NO));
}

#[test]
fn throttling_pauses_the_destination_and_costs_no_attempt() {
    let mut bench = Bench::new(settings(), &[row(1)]);
    let attempt = bench.attempts().remove(0);
    let items = bench.settle(&attempt, &Outcome::Throttled(reason("http-429"), 5_000));
    let due = Timestamp(START as i64 + 5_000);
    assert_eq!(items[0].change, Change::Retry { due, attempts: 0, since: Timestamp(START as i64) });
    bench.step(Input::Pushed(vec![row(2)]));
    assert!(bench.attempts().is_empty(), "nobody else goes either");
    bench.tick_at(START + 5_000);
    assert_eq!(bench.attempts().len(), 1);
}

#[test]
fn too_large_halves_the_hand_over_and_alone_it_is_dead() {
    let mut bench = Bench::new(settings(), &(1..=4).map(row).collect::<Vec<_>>());
    let attempt = bench.attempts().remove(0);
    let items = bench.settle(&attempt, &Outcome::TooLarge(reason("http-413")));
    assert!(items.iter().all(|item| matches!(item.change, Change::Retry { attempts: 0, .. })), "{items:?}");
    bench.step(Input::Recorded { record: RecordId(1), answers: vec![RecordAnswer::Applied(1); 4] });
    bench.tick_at(START + 1_100);
    assert_eq!(bench.attempts().iter().map(|(_, items)| items.len()).collect::<Vec<_>>(), [2, 2]);
    let mut alone = Bench::new(settings(), &[row(1)]);
    let attempt = alone.attempts().remove(0);
    let items = alone.settle(&attempt, &Outcome::TooLarge(reason("http-413")));
    assert!(matches!(items[0].change, Change::End { end: End::Dead, .. }));
}

#[test]
fn misconfigured_opens_the_breaker_and_kills_nothing_before_the_retry_span_ends() {
    let mut bench = Bench::new(settings(), &[row(1)]);
    let attempt = bench.attempts().remove(0);
    let outcome = Outcome::Misconfigured(reason("no-such-host"));
    bench.step(Input::Settled { attempt: attempt.0, outcomes: vec![(attempt.1[0].key, outcome)] });
    assert!(bench.out.contains(&Effect::Failing(NO, true)));
    bench.step(Input::AttemptOver(attempt.0));
    bench.tick_at(START + 25);
    let items = bench.records().remove(0).1;
    assert!(matches!(items[0].change, Change::Retry { attempts: 0, .. }), "{items:?}");
    let late = WorkRow { since: Some(Timestamp(START as i64 - 4_001)), tries: 3, ..row(2) };
    let mut bench = Bench::new(settings(), &[late]);
    let attempt = bench.attempts().remove(0);
    assert_eq!(attempt.1[0].n, 4);
    let items = bench.settle(&attempt, &Outcome::RejectedCredentials(reason("http-401")));
    assert!(matches!(items[0].change, Change::End { end: End::Dead, .. }), "{items:?}");
}

#[test]
fn attempts_are_used_up_one_by_one() {
    let last = WorkRow { attempts: 2, tries: 2, since: Some(Timestamp(1)), ..row(1) };
    let mut bench = Bench::new(settings(), &[row(2), last]);
    let attempt = bench.attempts().remove(0);
    let items = bench.settle(&attempt, &Outcome::Transient(reason("http-503"), None));
    let ends = items.iter().filter(|item| matches!(&item.change, Change::End { end: End::Dead, attempts: 3, .. }));
    assert_eq!(ends.count(), 1);
    assert!(items.iter().any(|item| matches!(item.change, Change::Retry { attempts: 1, .. })));
}

#[test]
fn untried_leaves_no_record_and_rests_a_moment() {
    let mut bench = Bench::new(settings(), &[row(1), row(2)]);
    let attempt = bench.attempts().remove(0);
    assert!(bench.settle(&attempt, &Outcome::Untried(reason("trap"))).is_empty());
    assert!(bench.attempts().is_empty());
    bench.tick_at(START + 250);
    assert_eq!(bench.attempts().iter().map(|(_, items)| items.len()).collect::<Vec<_>>(), [1, 1], "smaller ones");
}

#[test]
fn an_endpoint_that_is_gone_switches_its_destination_off() {
    let mut bench = Bench::new(settings(), &[row(1)]);
    let attempt = bench.attempts().remove(0);
    let gone = Outcome::Permanent(reason("destination-gone"));
    bench.step(Input::Settled { attempt: attempt.0, outcomes: vec![(attempt.1[0].key, gone)] });
    assert!(bench.out.contains(&Effect::Disable(NO, reason("destination-gone"))));
    bench.step(Input::Pushed(vec![row(2)]));
    assert!(bench.attempts().is_empty());
}

#[test]
fn nothing_starts_without_a_lease_and_ordered_hand_overs_do_not_outlive_it() {
    let ordered = Settings { ordered: true, ..settings() };
    let mut bench = Bench::new(ordered, &[WorkRow { lane: Some([1; 16]), ..row(1) }]);
    let attempt = bench.attempts().remove(0);
    bench.tick_at(START + 60_000);
    assert!(bench.out.contains(&Effect::Abort(attempt.0)));
    let mut bench = Bench::new(settings(), &[row(1)]);
    let attempt = bench.attempts().remove(0);
    bench.now = START + 60_000;
    bench.step(Input::Pushed(vec![row(2)]));
    assert!(bench.attempts().is_empty());
    assert!(!bench.out.contains(&Effect::Abort(attempt.0)), "others finish");
    bench.lease(5_000);
    assert_eq!(bench.attempts().len(), 1);
}

#[test]
fn drain_starts_nothing_and_records_at_once() {
    let mut bench = Bench::new(settings(), &[row(1)]);
    let attempt = bench.attempts().remove(0);
    bench.step(Input::Drain);
    bench.step(Input::Pushed(vec![row(2)]));
    assert!(bench.attempts().is_empty());
    bench.step(Input::Settled { attempt: attempt.0, outcomes: vec![(attempt.1[0].key, delivered())] });
    assert_eq!(bench.records().len(), 1);
}

#[test]
fn with_too_many_results_held_nothing_starts() {
    let mut bench = Bench::new(settings(), &(1..=16).map(row).collect::<Vec<_>>());
    for attempt in bench.attempts() {
        bench.settle(&attempt, &delivered());
    }
    assert_eq!(bench.engine.held(), 8);
    assert!(bench.attempts().is_empty(), "six is the bound here");
    bench.step(Input::Recorded { record: RecordId(1), answers: vec![RecordAnswer::Applied(1); 8] });
    assert_eq!(bench.attempts().len(), 1, "with four of them recorded it goes on");
}

#[test]
fn the_rate_limit_spaces_starts() {
    let limited = Settings { rate_limit: Some(RateLimit { per_second: 10.0, burst: 1 }), ..settings() };
    let mut bench = Bench::new(limited, &[row(1), row(2)]);
    assert_eq!(bench.attempts().iter().map(|(_, items)| items.len()).collect::<Vec<_>>(), [1]);
    assert!(bench.out.contains(&Effect::WakeAt(START + 100)));
    bench.tick_at(START + 100);
    assert_eq!(bench.attempts().len(), 1);
}

#[test]
fn fenced_cuts_everything_and_answers_nothing_more() {
    let mut bench = Bench::new(settings(), &[row(1)]);
    let attempt = bench.attempts().remove(0);
    bench.step(Input::Fenced);
    assert_eq!(bench.out, [Effect::Abort(attempt.0)]);
    bench.step(Input::Settled { attempt: attempt.0, outcomes: vec![(attempt.1[0].key, delivered())] });
    bench.tick_at(START + 100);
    assert!(bench.out.is_empty());
}

#[test]
fn an_idle_destination_holds_no_window() {
    let bench = Bench::new(settings(), &[]);
    assert!(bench.engine.destinations[&NO].window.is_none());
}

#[test]
fn throttling_in_a_row_backs_off_and_in_the_end_costs_attempts() {
    let schedule_ms = vec![7_200_000; 2];
    let retry = RetryPolicy::Schedule(railhead_model::destination::Schedule { schedule_ms });
    let mut bench = Bench::new(Settings { retry, ..settings() }, &[row(1)]);
    let (mut waits, mut used) = (Vec::new(), Vec::new());
    for rev in 1.. {
        let (attempt, at) = (bench.attempts().remove(0), bench.now);
        let item = bench.settle(&attempt, &Outcome::Throttled(reason("http-429"), 1_500)).remove(0);
        let record = bench.last_record;
        let Change::Retry { due, attempts, .. } = item.change else { break };
        waits.push((due.0 as u64 - at) / 100);
        used.push(attempts);
        bench.step(Input::Recorded { record, answers: vec![RecordAnswer::Applied(rev)] });
        bench.now = due.0 as u64;
        bench.lease(60_000);
        if bench.out.iter().any(|effect| matches!(effect, Effect::Refill(_))) {
            let row = WorkRow { due, attempts, tries: rev, rev, since: Some(Timestamp(START as i64)), ..row(1) };
            bench.step(Input::Refilled { destination: NO, rows: vec![row] });
        }
    }
    assert_eq!(waits, [15, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 72_000, 72_000]);
    assert_eq!(used, [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
}

#[test]
fn throttled_calls_side_by_side_count_as_one_and_a_delivery_ends_the_row() {
    let throttled = || Outcome::Throttled(reason("http-429"), 0);
    let mut bench = Bench::new(settings(), &(1..=8).map(row).collect::<Vec<_>>());
    let wait = |item: &RecordItem| match item.change {
        Change::Retry { due, .. } => due.since(item.at),
        Change::End { .. } => 0,
    };
    let [first, second] = [0, 1].map(|index| bench.attempts().remove(index));
    assert_eq!(bench.settle(&first, &throttled()).iter().map(wait).max(), Some(1_000));
    let outcomes = second.1.iter().map(|item| (item.key, throttled())).collect();
    bench.step(Input::Recorded { record: RecordId(1), answers: vec![RecordAnswer::Applied(1); 4] });
    bench.step(Input::Settled { attempt: second.0, outcomes });
    bench.step(Input::AttemptOver(second.0));
    bench.tick_at(bench.now + 25);
    assert_eq!(bench.records().remove(0).1.iter().map(wait).max(), Some(1_000));
    let destination = bench.engine.destinations.get_mut(&NO).expect("there");
    destination.throttled(5_000, 5_000);
    assert_eq!(destination.throttle_ms(0), 2_000);
    assert_eq!(destination.throttle_ms(60_000), 60_000, "its own wish, if that is longer");
    (0..40).for_each(|n| destination.throttled(6_000 + n, 6_000 + n));
    assert_eq!(destination.throttle_ms(0), 3_600_000);
    destination.unthrottled();
    destination.throttled(9_000, 9_000);
    assert_eq!(destination.throttle_ms(0), 1_000);
}

#[test]
fn what_comes_while_a_quick_call_runs_gathers_for_20_ms_at_most() {
    let fresh = |n| WorkRow { due: Timestamp(START as i64), ..row(n) };
    let bench = || {
        let mut bench = Bench::new(settings(), &[fresh(1)]);
        let attempt = bench.attempts().remove(0);
        bench.step(Input::Pushed(vec![fresh(2)]));
        assert!(bench.attempts().is_empty(), "a second session is free, and the event waits");
        (bench, attempt)
    };
    let sizes = |bench: &Bench| bench.attempts().iter().map(|(_, items)| items.len()).collect::<Vec<_>>();
    let (mut late, _) = bench();
    late.tick_at(START + 19);
    assert!(sizes(&late).is_empty());
    late.tick_at(START + 20);
    assert_eq!(sizes(&late), [1], "it waits no longer for a call that lasts");
    let (mut ended, attempt) = bench();
    ended.step(Input::Settled { attempt: attempt.0, outcomes: vec![(attempt.1[0].key, delivered())] });
    ended.step(Input::AttemptOver(attempt.0));
    assert_eq!(sizes(&ended), [1], "the call is over: at once");
    let (mut full, _) = bench();
    full.step(Input::Pushed((3..=5).map(fresh).collect()));
    assert_eq!(sizes(&full), [4], "no call could take more: at once");
    let (mut slow, _) = bench();
    slow.engine.destinations.get_mut(&NO).expect("there").measured(1_000);
    slow.step(Input::Pushed(vec![fresh(3)]));
    assert_eq!(sizes(&slow), [2], "nothing waits for slow calls");
}

/// Runs one destination's engine against a call of 3 ms and a commit of 2 ms, for one second of its own clock. Answers
/// with how many of so many deliveries ended.
fn ended_in_a_second(settings: Settings, rows: &[WorkRow]) -> usize {
    let mut bench = Bench::new(settings, rows);
    let mut later: BTreeMap<(u64, usize), Input> = BTreeMap::new();
    let (mut ended, mut count) = (0, 0);
    for now in START..START + 1_000 {
        let mut inputs = vec![Input::Tick];
        while let Some(due) = later.first_entry().filter(|due| due.key().0 <= now) {
            inputs.push(due.remove());
        }
        bench.now = now;
        for input in std::iter::once(Input::Tick).chain(inputs) {
            if now > START {
                bench.step(input);
            }
            for effect in std::mem::take(&mut bench.out) {
                let mut answer = |after, input| {
                    count += 1;
                    later.insert((now + after, count), input);
                };
                match effect {
                    Effect::Attempt { id, items, .. } => {
                        let outcomes = items.iter().map(|item| (item.key, delivered())).collect();
                        answer(3, Input::Settled { attempt: id, outcomes });
                        answer(3, Input::AttemptOver(id));
                    }
                    Effect::Record { id, items } => {
                        ended += items.len();
                        answer(2, Input::Recorded { record: id, answers: vec![RecordAnswer::Applied(1); items.len()] });
                    }
                    _ => {}
                }
            }
        }
    }
    ended
}

#[test]
#[allow(clippy::print_stdout)] // the number is what a person wants to see of this test
fn an_order_is_kept_at_the_pace_of_call_and_commit() {
    let lane = |n| WorkRow { lane: Some([1; 16]), ..row(n) };
    let rows: Vec<_> = (1..=250).map(lane).collect();
    let ordered = Settings { ordered: true, concurrency: 250, ..settings() };
    let ended = ended_in_a_second(ordered, &rows);
    println!("one lane, calls of 3 ms, commits of 2 ms: {ended} a second");
    assert!(ended >= 190, "{ended}: 5 ms each");
}
