use super::*;
use crate::core::{AttemptItem, Config, Input, Settings};
use railhead_model::{
    DeliveryKey, DestinationState, End, EventUid, HostId, Jitter, Origin, RetryPolicy, TenantNo, Timestamp,
};
use railhead_store::work::Health;
use railhead_store::{Change, RecordAnswer, WorkRow};

const NO: DestinationNo = DestinationNo(1);

fn settings() -> Settings {
    Settings {
        no: NO,
        tenant: TenantNo(1),
        state: DestinationState::Active,
        retry: RetryPolicy::default(),
        jitter: Jitter::None,
        rate_limit: None,
        concurrency: 8,
        hand_over: 4,
        sessions: 2,
        batch: None,
        ordered: false,
        hold_on_dead: false,
        health: Health::default(),
    }
}

fn row(n: u8) -> WorkRow {
    WorkRow {
        key: DeliveryKey { event: EventUid::new(Timestamp(1), [n; 10]), destination: NO, run: 0 },
        tenant: TenantNo(1),
        due: Timestamp(1),
        attempts: 0,
        tries: 0,
        since: None,
        rev: 0,
        lane: None,
        seq: 0,
        origin: Origin::Publish,
        previous: None,
        job: None,
        bytes: 0,
    }
}

struct Bench {
    engine: Engine,
    now: u64,
}

impl Bench {
    /// A suspect with three deliveries that are due.
    fn new() -> (Self, Vec<Effect>) {
        let mut bench = Self { engine: Engine::new(Config::default(), 7), now: 1_000 };
        let shards = (0..=255).map(ShardNo).collect();
        bench.step(Input::Lease { host: HostId::new(Timestamp(1), [0; 10]), until_mono_ms: 60_000, shards });
        bench.step(Input::Suspects(vec![NO.shard()]));
        bench.step(Input::Config(Box::new(settings())));
        let effects = bench.step(Input::Refilled { destination: NO, rows: (1..=3).map(row).collect() });
        (bench, effects)
    }

    fn step(&mut self, input: Input) -> Vec<Effect> {
        let now = Now { wall: Timestamp(self.now as i64), mono_ms: self.now };
        let mut out = Vec::new();
        self.engine.step(now, input, &mut out);
        out
    }

    fn answer(&mut self, attempt: AttemptId, answer: Started) -> Vec<Effect> {
        self.step(Input::Started { attempt, answers: vec![answer] })
    }

    fn later(&mut self, ms: u64) -> Vec<Effect> {
        self.now += ms;
        self.step(Input::Tick)
    }
}

fn starts(effects: &[Effect]) -> Vec<(AttemptId, Vec<DeliveryKey>)> {
    let start = |effect: &Effect| match effect {
        Effect::Start { id, deliveries } => Some((*id, deliveries.clone())),
        _ => None,
    };
    effects.iter().filter_map(start).collect()
}

fn attempts(effects: &[Effect]) -> Vec<(AttemptId, Vec<AttemptItem>)> {
    let attempt = |effect: &Effect| match effect {
        Effect::Attempt { id, items, .. } => Some((*id, items.clone())),
        _ => None,
    };
    effects.iter().filter_map(attempt).collect()
}

#[test]
fn a_suspect_runs_one_attempt_at_a_time_and_its_start_is_on_record_first() {
    let (mut bench, effects) = Bench::new();
    let begun = starts(&effects);
    assert_eq!((begun.len(), attempts(&effects)), (1, vec![]));
    assert_eq!(begun[0].1.len(), 1);
    let id = begun[0].0;
    let running = attempts(&bench.answer(id, Started::Go));
    assert_eq!(running, [(id, vec![AttemptItem { key: begun[0].1[0], n: 1 }])]);
    assert_eq!(attempts(&bench.answer(id, Started::Go)), [], "once");
    let outcomes = vec![(begun[0].1[0], Outcome::Delivered(Reason::new("http-200", "")))];
    assert_eq!(starts(&bench.step(Input::Settled { attempt: id, outcomes })), [], "its call is not over");
    assert_eq!(starts(&bench.step(Input::AttemptOver(id))).len(), 1, "the next one");
}

#[test]
fn what_is_poisoned_dies_and_what_ended_meanwhile_is_read_again() {
    let (mut bench, effects) = Bench::new();
    let (id, keys) = starts(&effects).remove(0);
    let effects = bench.answer(id, Started::Poisoned);
    assert_eq!(attempts(&effects), []);
    let recorded = effects.into_iter().chain(bench.later(25)).find_map(|effect| match effect {
        Effect::Record { items, .. } => Some(items),
        _ => None,
    });
    let recorded = recorded.expect("a result");
    assert_eq!(recorded[0].key, keys[0]);
    let Change::End { end, code, .. } = &recorded[0].change else { panic!("{recorded:?}") };
    assert_eq!((*end, code.as_str()), (End::Dead, POISONED));
    let (mut bench, effects) = Bench::new();
    let (id, keys) = starts(&effects).remove(0);
    let effects = bench.answer(id, Started::Gone);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Refill(ask) if ask.destination == NO)));
    let (_, next) = starts(&[effects, bench.later(1_000)].concat()).remove(0);
    assert_ne!(next, keys, "it is not started again from memory");
}

#[test]
fn nothing_starts_whose_lease_ended_while_its_start_was_recorded() {
    let (mut bench, effects) = Bench::new();
    let (id, _) = starts(&effects).remove(0);
    bench.later(60_000);
    assert_eq!(attempts(&bench.answer(id, Started::Go)), []);
    assert_eq!(bench.engine.running(), 0);
}

#[test]
fn what_is_no_suspect_any_more_runs_as_others_do() {
    let (mut bench, effects) = Bench::new();
    let (id, _) = starts(&effects).remove(0);
    let effects = bench.step(Input::Suspects(Vec::new()));
    assert_eq!(attempts(&effects).len(), 1, "beside the one whose start is being recorded");
    assert_eq!(attempts(&bench.answer(id, Started::Go)).len(), 1);
}

#[test]
fn caution_ends_once_more_has_ended_than_was_in_flight() {
    let (mut bench, mut effects) = Bench::new();
    let rows: Vec<_> = (1..=100).map(row).collect();
    let mut alone = 0;
    while let Some((attempt, keys)) = starts(&effects).pop() {
        alone += 1;
        bench.answer(attempt, Started::Go);
        let outcomes = vec![(keys[0], Outcome::Delivered(Reason::new("http-200", "")))];
        effects = bench.step(Input::Settled { attempt, outcomes });
        effects.extend(bench.step(Input::Pushed(vec![rows[2 + alone]])));
        effects.extend(bench.later(25));
        let record = effects.iter().find_map(|effect| match effect {
            Effect::Record { id, items } => Some((*id, vec![RecordAnswer::Applied(1); items.len()])),
            _ => None,
        });
        let (record, answers) = record.expect("a result");
        effects = bench.step(Input::Recorded { record, answers });
        effects.extend(bench.step(Input::AttemptOver(attempt)));
    }
    assert_eq!(alone, 32, "as many as its window holds");
    assert!(attempts(&effects).iter().any(|(_, items)| items.len() > 1), "then they go together again");
}
