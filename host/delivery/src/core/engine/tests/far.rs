//! Work that is due only later costs neither memory nor queries.

use super::*;
use railhead_store::RefillAsk;

/// Three hours from the start.
const LATER: u64 = START + 3 * 3_600_000;
/// Further ahead nothing is held.
const FAR: u64 = 60_000;

fn at(n: u8, due: u64) -> WorkRow {
    WorkRow { due: Timestamp(due as i64), rev: 1, attempts: 1, tries: 1, since: Some(Timestamp(1)), ..row(n) }
}

fn patient() -> Settings {
    let schedule_ms = vec![3 * 3_600_000; 2];
    Settings { retry: RetryPolicy::Schedule(railhead_model::destination::Schedule { schedule_ms }), ..settings() }
}

impl Bench {
    fn refills(&self) -> Vec<RefillAsk> {
        let ask = |effect: &Effect| match effect {
            Effect::Refill(ask) => Some(*ask),
            _ => None,
        };
        self.out.iter().filter_map(ask).collect()
    }

    fn holds_nothing(&self) -> bool {
        self.engine.destinations.values().all(|known| known.window.is_none() && known.batches.is_none())
    }

    fn survey(&mut self, due: u64) {
        self.step(Input::Surveyed(vec![(NO, Timestamp(due as i64))]));
    }

    fn answer(&mut self, rows: Vec<WorkRow>) {
        self.step(Input::Refilled { destination: NO, rows });
    }

    /// When the driver was told to wake the engine.
    fn wakes_at(&self) -> Option<u64> {
        let wake = |effect: &Effect| if let Effect::WakeAt(at) = effect { Some(*at) } else { None };
        self.out.iter().filter_map(wake).next_back()
    }
}

#[test]
fn it_is_read_when_its_time_comes_near_and_not_before() {
    let mut bench = Bench::new(patient(), &[at(1, LATER), at(2, LATER + 1)]);
    assert!(bench.holds_nothing());
    assert_eq!(bench.engine.timers.next_of(NO), Some(LATER - FAR / 3 - 1));
    for now in (START..LATER - FAR).step_by(600_000) {
        bench.tick_at(now);
        assert!(bench.refills().is_empty(), "by the clock at {now}");
        bench.survey(LATER);
        assert!(bench.refills().is_empty() && bench.holds_nothing(), "by the survey at {now}");
    }
    bench.tick_at(LATER - FAR / 3 - 1);
    assert_eq!(bench.refills().len(), 1);
    bench.answer(vec![at(1, LATER), at(2, LATER + 1)]);
    bench.now = LATER - 1_000;
    bench.lease(60_000);
    assert!(bench.attempts().is_empty() && bench.refills().is_empty());
    assert_eq!(bench.wakes_at().or(Some(LATER)), Some(LATER));
    bench.tick_at(LATER);
    assert_eq!(bench.attempts().len(), 1, "no sooner and no later than it is due");
}

#[test]
fn what_waits_for_a_late_retry_leaves_memory_once_that_is_durable() {
    let mut bench = Bench::new(patient(), &[row(1)]);
    let attempt = bench.attempts().remove(0);
    let item = bench.settle(&attempt, &Outcome::Transient(reason("http-503"), None)).remove(0);
    assert!(!bench.holds_nothing(), "not durable yet");
    bench.step(Input::Recorded { record: bench.last_record, answers: vec![RecordAnswer::Applied(1)] });
    assert!(bench.holds_nothing() && bench.refills().is_empty());
    let Change::Retry { due, .. } = item.change else { panic!("{item:?}") };
    bench.step(Input::Pushed(vec![row(1)]));
    assert!(bench.attempts().is_empty(), "its first state is pushed late");
    bench.step(Input::Pushed(vec![row(2)]));
    let attempt = bench.attempts().remove(0);
    assert_eq!(attempt.1[0].key, row(2).key, "what is new is taken as it comes");
    assert!(bench.refills().is_empty());
    bench.settle(&attempt, &delivered());
    bench.step(Input::Recorded { record: bench.last_record, answers: vec![RecordAnswer::Applied(1)] });
    assert!(bench.holds_nothing() && bench.refills().is_empty());
    bench.tick_at(due.0 as u64);
    assert_eq!(bench.refills().len(), 1);
}

#[test]
fn news_of_it_is_looked_at_at_once() {
    let mut bench = Bench::new(patient(), &[at(1, LATER)]);
    bench.step(Input::Hinted(vec![NO]));
    assert_eq!(bench.refills().iter().map(|ask| ask.after).collect::<Vec<_>>(), [None], "a hint");
    bench.answer(vec![at(1, LATER)]);
    assert!(bench.holds_nothing());
    bench.survey(START);
    assert_eq!(bench.refills().len(), 1, "a survey that finds something sooner");
    bench.answer(vec![at(3, START), at(1, LATER)]);
    assert_eq!(bench.attempts().len(), 1);
}

#[test]
fn where_an_order_is_kept_it_rests_between_surveys_and_is_read_from_the_start() {
    let lane = |n, due| WorkRow { lane: Some([1; 16]), ..at(n, due) };
    let rows = [lane(1, LATER), lane(2, START), lane(3, START)];
    let mut bench = Bench::new(Settings { ordered: true, ..patient() }, &rows);
    assert!(bench.holds_nothing() && bench.attempts().is_empty(), "its head waits");
    bench.step(Input::Pushed(vec![WorkRow { lane: Some([2; 16]), ..row(4) }]));
    assert_eq!(bench.refills().len(), 1, "nothing is known of what came before");
    bench.answer([&rows[..], &[WorkRow { lane: Some([2; 16]), ..row(4) }]].concat());
    assert_eq!(bench.attempts().len(), 1, "another lane goes");
    let attempt = bench.attempts().remove(0);
    bench.settle(&attempt, &delivered());
    bench.step(Input::Recorded { record: bench.last_record, answers: vec![RecordAnswer::Applied(1)] });
    assert!(!bench.holds_nothing(), "more may be pushed");
    bench.step(Input::Pushed(vec![WorkRow { lane: Some([3; 16]), ..row(5) }]));
    assert!(bench.refills().is_empty(), "which is taken without reading");
    let attempt = bench.attempts().remove(0);
    bench.settle(&attempt, &delivered());
    bench.step(Input::Recorded { record: bench.last_record, answers: vec![RecordAnswer::Applied(1)] });
    bench.survey(LATER);
    assert!(bench.holds_nothing() && bench.refills().is_empty());
    bench.tick_at(LATER);
    assert_eq!(bench.refills().iter().map(|ask| ask.after).collect::<Vec<_>>(), [None]);
    bench.lease(60_000);
    bench.answer(rows.to_vec());
    assert_eq!(bench.attempts()[0].1[0].key, row(1).key);
}

#[test]
fn ten_thousand_destinations_hold_nothing_of_it() {
    let mut bench = Bench::new(patient(), &[]);
    for n in 2..=10_001 {
        let no = DestinationNo(n);
        bench.step(Input::Config(Box::new(Settings { no, ordered: n % 4 == 0, ..patient() })));
        let limit = bench.refills().first().map_or(0, |ask| ask.limit as usize);
        let rows = (0..limit as u64).map(|k| {
            let far = at(k as u8, LATER + 10_000 * k);
            WorkRow { key: railhead_model::DeliveryKey { destination: no, ..far.key }, seq: k as i64, ..far }
        });
        bench.step(Input::Refilled { destination: no, rows: rows.collect() });
    }
    assert!(bench.holds_nothing());
    let found = (2..=10_001).map(|n| (DestinationNo(n), Timestamp(LATER as i64))).collect();
    bench.step(Input::Surveyed(found));
    assert!(bench.holds_nothing() && bench.refills().is_empty(), "and ask for nothing");
}
