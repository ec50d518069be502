use super::care::BESIDE;
use super::*;
use crate::core::fixtures::{NO, attempts, row, settings};
use crate::core::{AttemptItem, Config, Input, RecordItem, Settings};
use railhead_model::{DestinationState, End, HostId, TenantNo, Timestamp};
use railhead_store::{Change, RecordAnswer, WorkRow};

struct Bench {
    engine: Engine,
    now: u64,
}

/// A start that is to be put on record.
type Asked = (AttemptId, Vec<DeliveryKey>, bool);

impl Bench {
    /// A suspect with three deliveries that are due.
    fn new() -> (Self, Vec<Effect>) {
        let mut bench = Self::empty(Config::default());
        let effects = bench.suspect(settings(), (1..=3).map(row).collect());
        (bench, effects)
    }

    /// Many suspects of two tenants, each with one delivery that is due; they became ready one after the other.
    fn of_many(count: i64) -> (Self, Vec<Asked>) {
        let mut bench = Self::empty(Config::default());
        let mut effects = Vec::new();
        for no in 1..=count {
            let tenant = TenantNo(1 + no % 2);
            let settings = Settings { no: DestinationNo(no), tenant, ..settings() };
            effects.extend(bench.suspect(settings, vec![of(no)]));
        }
        (bench, starts(&effects))
    }

    fn empty(config: Config) -> Self {
        let mut bench = Self { engine: Engine::new(config, 7), now: 1_000 };
        let shards = (0..=255).map(ShardNo).collect();
        bench.step(Input::Lease { host: HostId::new(Timestamp(1), [0; 10]), until_mono_ms: 60_000, shards });
        bench.step(Input::Suspects((0..=255).map(ShardNo).collect()));
        bench
    }

    fn suspect(&mut self, settings: Settings, rows: Vec<WorkRow>) -> Vec<Effect> {
        let destination = settings.no;
        let mut effects = self.step(Input::Config(Box::new(settings)));
        effects.extend(self.step(Input::Refilled { destination, rows }));
        effects
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

    fn settle(&mut self, attempt: AttemptId, key: DeliveryKey, outcome: Outcome) -> Vec<Effect> {
        let mut effects = self.step(Input::Settled { attempt, outcomes: vec![(key, outcome)] });
        effects.extend(self.step(Input::AttemptOver(attempt)));
        effects
    }

    /// Answers a record among these effects.
    fn record(&mut self, effects: &[Effect]) -> Vec<Effect> {
        let (record, items) = recorded(effects).expect("a result");
        self.step(Input::Recorded { record, answers: vec![RecordAnswer::Applied(1); items.len()] })
    }

    /// Starts, delivers and records one; answers with what starts then.
    fn through(&mut self, (id, keys, _): &Asked) -> Vec<Asked> {
        let mut effects = self.answer(*id, Started::Go);
        assert_eq!(attempts(&effects).len(), 1, "{id:?} runs");
        effects.extend(self.settle(*id, keys[0], delivered()));
        effects.extend(self.record(&effects));
        starts(&effects)
    }

    fn later(&mut self, ms: u64) -> Vec<Effect> {
        self.now += ms;
        self.step(Input::Tick)
    }
}

/// The delivery of one event to this destination.
fn of(no: i64) -> WorkRow {
    let row = row(1);
    WorkRow { key: DeliveryKey { destination: DestinationNo(no), ..row.key }, tenant: TenantNo(1 + no % 2), ..row }
}

fn delivered() -> Outcome {
    Outcome::Delivered(Reason::new("http-200", ""))
}

fn starts(effects: &[Effect]) -> Vec<Asked> {
    let start = |effect: &Effect| match effect {
        Effect::Start { id, deliveries, alone } => Some((*id, deliveries.clone(), *alone)),
        _ => None,
    };
    effects.iter().filter_map(start).collect()
}

fn unstarts(effects: &[Effect]) -> Vec<(AttemptId, Vec<DeliveryKey>)> {
    let unstart = |effect: &Effect| match effect {
        Effect::Unstart { id, deliveries } => Some((*id, deliveries.clone())),
        _ => None,
    };
    effects.iter().filter_map(unstart).collect()
}

fn recorded(effects: &[Effect]) -> Option<(crate::core::RecordId, Vec<RecordItem>)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Record { id, items } => Some((*id, items.clone())),
        _ => None,
    })
}

#[test]
fn a_suspect_runs_one_attempt_at_a_time_and_its_start_is_on_record_first() {
    let (mut bench, effects) = Bench::new();
    let begun = starts(&effects);
    assert_eq!((begun.len(), attempts(&effects)), (1, vec![]));
    let (id, keys, alone) = &begun[0];
    assert_eq!((keys.len(), *alone), (1, false));
    let running = attempts(&bench.answer(*id, Started::Go));
    assert_eq!(running, [(*id, vec![AttemptItem { key: keys[0], n: 1 }])]);
    assert_eq!(attempts(&bench.answer(*id, Started::Go)), [], "once");
    let outcomes = vec![(keys[0], delivered())];
    assert_eq!(starts(&bench.step(Input::Settled { attempt: *id, outcomes })), [], "its call is not over");
    assert_eq!(starts(&bench.step(Input::AttemptOver(*id))).len(), 1, "the next one");
}

#[test]
fn what_is_poisoned_dies_and_what_ended_meanwhile_is_read_again() {
    let (mut bench, effects) = Bench::new();
    let (id, keys, _) = starts(&effects).remove(0);
    let effects = bench.answer(id, Started::Poisoned);
    assert_eq!((attempts(&effects), unstarts(&effects)), (vec![], vec![]));
    let (_, recorded) = recorded(&[effects, bench.later(25)].concat()).expect("a result");
    assert_eq!((recorded[0].key, recorded[0].n), (keys[0], None), "no attempt was made");
    let Change::End { end, code, .. } = &recorded[0].change else { panic!("{recorded:?}") };
    assert_eq!((*end, code.as_str()), (End::Dead, POISONED));
    let (mut bench, effects) = Bench::new();
    let (id, keys, _) = starts(&effects).remove(0);
    let effects = bench.answer(id, Started::Gone);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Refill(ask) if ask.destination == NO)));
    let (_, next, _) = starts(&[effects, bench.later(1_000)].concat()).remove(0);
    assert_ne!(next, keys, "it is not started again from memory");
}

#[test]
fn nothing_starts_whose_lease_ended_while_its_start_was_recorded() {
    let (mut bench, effects) = Bench::new();
    let (id, keys, _) = starts(&effects).remove(0);
    bench.later(60_000);
    let effects = bench.answer(id, Started::Go);
    assert_eq!((attempts(&effects), unstarts(&effects)), (vec![], vec![(id, keys)]), "it is taken back");
    assert!(!bench.engine.is_quiet(), "before the host leaves");
    bench.step(Input::Unstarted(id));
    assert_eq!((bench.engine.running(), bench.engine.is_quiet()), (0, true));
}

#[test]
fn what_is_no_suspect_any_more_runs_as_others_do() {
    let (mut bench, effects) = Bench::new();
    let (id, _, _) = starts(&effects).remove(0);
    let effects = bench.step(Input::Suspects(Vec::new()));
    assert_eq!(attempts(&effects).len(), 1, "beside the one whose start is being recorded");
    assert_eq!(attempts(&bench.answer(id, Started::Go)).len(), 1);
}

#[test]
fn caution_ends_once_more_has_ended_than_was_in_flight() {
    let (mut bench, mut effects) = Bench::new();
    let rows: Vec<_> = (1..=100).map(row).collect();
    let mut count = 0;
    while let Some((attempt, keys, _)) = starts(&effects).pop() {
        count += 1;
        bench.answer(attempt, Started::Go);
        effects = bench.settle(attempt, keys[0], delivered());
        effects.extend(bench.step(Input::Pushed(vec![rows[2 + count]])));
        effects.extend(bench.record(&effects));
    }
    assert_eq!(count, 32, "as many as its window holds");
    effects.extend(bench.later(25));
    assert!(attempts(&effects).iter().any(|(_, items)| items.len() > 1), "then they go together again");
}

#[test]
fn suspects_run_beside_each_other_up_to_a_bound_and_tenants_take_turns() {
    let (mut bench, begun) = Bench::of_many(50);
    assert_eq!(begun.len(), BESIDE);
    assert!(begun.iter().all(|(.., alone)| !alone));
    let mut next = bench.through(&begun[0]);
    assert_eq!(next.len(), 1, "whoever is through makes room for one");
    next.extend(bench.through(&begun[1]));
    let tenants: Vec<_> = next.iter().map(|(_, keys, _)| keys[0].destination.0 % 2).collect();
    assert_eq!(tenants.iter().sum::<i64>(), 1, "of either tenant: {next:?}");
}

#[test]
fn what_a_host_did_not_survive_runs_alone() {
    let (mut bench, begun) = Bench::of_many(40);
    let (blamed, others) = begun.split_first().expect("some");
    assert_eq!(attempts(&bench.answer(blamed.0, Started::Alone)), [], "not with others beside it");
    for (i, other) in others.iter().enumerate() {
        assert_eq!(bench.engine.running(), BESIDE - i, "it waits for the others, and nobody comes after them");
        let is_last = i == others.len() - 1;
        let expected = if is_last { vec![(blamed.0, blamed.1.clone(), true)] } else { vec![] };
        assert_eq!(bench.through(other), expected);
    }
}

#[test]
fn one_tenants_destinations_that_hang_leave_places_to_others() {
    let (mut bench, begun) = Bench::of_many(50);
    let is_first = |(_, keys, _): &&Asked| keys[0].destination.0 % 2 == 0;
    assert_eq!(begun.iter().filter(is_first).count(), BESIDE / 2);
    // Those of one tenant hang; each place of the other's goes to the other again.
    let mut ended: Vec<_> = begun.iter().filter(|one| !is_first(one)).cloned().collect();
    for _ in 0..10 {
        let next = bench.through(&ended.remove(0));
        assert_eq!(next.iter().filter(is_first).count(), 0, "{next:?}");
        ended.extend(next);
        assert_eq!(ended.len(), BESIDE / 2);
    }
}

/// Drops what was started beside the one that waits, until it runs alone.
fn run_alone(bench: &mut Bench, begun: &[Asked]) -> Asked {
    let mut next = Vec::new();
    for start in begun {
        next = bench.through(start);
    }
    assert_eq!(next.len(), 1, "{next:?}");
    assert!(next[0].2);
    next.remove(0)
}

#[test]
fn nothing_starts_beside_one_that_runs_alone_until_its_end_is_on_record() {
    let (mut bench, begun) = Bench::of_many(40);
    bench.answer(begun[0].0, Started::Alone);
    let (id, keys, _) = run_alone(&mut bench, &begun[1..]);
    assert_eq!(attempts(&bench.answer(id, Started::Go)).len(), 1);
    let outcomes = vec![(keys[0], delivered())];
    let mut effects = bench.step(Input::Settled { attempt: id, outcomes });
    effects.extend(bench.step(Input::AttemptOver(id)));
    effects.extend(bench.later(500));
    assert_eq!((starts(&effects), attempts(&effects)), (vec![], vec![]), "its result is not durable");
    let next = starts(&bench.record(&effects));
    assert_eq!(next.len(), BESIDE, "then others do");
}

#[test]
fn those_alone_and_those_beside_each_other_take_turns() {
    let (mut bench, begun) = Bench::of_many(100);
    // Each of the first sixteen is to run alone.
    let mut effects = Vec::new();
    for (id, ..) in &begun {
        effects = bench.answer(*id, Started::Alone);
    }
    let mut next = starts(&effects);
    let mut alone = 0;
    while let Some(one) = next.pop() {
        assert!(one.2 && next.is_empty(), "one alone");
        alone += 1;
        next = bench.through(&one);
        if alone == 5 {
            break;
        }
        assert_eq!(next.iter().filter(|(.., alone)| !alone).count(), BESIDE, "then a round of others");
        let mut after = Vec::new();
        for one in &next {
            after = bench.through(one);
        }
        next = after;
    }
    assert_eq!(alone, 5);
}

#[test]
fn however_many_are_blamed_few_hold_slots() {
    let (mut bench, mut next) = Bench::of_many(200);
    for _ in 0..30 {
        let mut effects = Vec::new();
        let (alone, beside): (Vec<_>, Vec<_>) = next.into_iter().partition(|(.., alone)| *alone);
        for (id, ..) in beside {
            effects.extend(bench.answer(id, Started::Alone));
        }
        assert!(bench.engine.running() <= 2 * BESIDE, "{}", bench.engine.running());
        next = starts(&effects);
        for one in &alone {
            next.extend(bench.through(one));
        }
        assert!(!next.is_empty(), "it goes on");
    }
}

#[test]
fn with_nobody_beside_them_they_run_one_after_the_other() {
    let (mut bench, begun) = Bench::of_many(3);
    let mut effects = Vec::new();
    for (id, ..) in &begun {
        effects = bench.answer(*id, Started::Alone);
    }
    let mut next = starts(&effects);
    for (id, ..) in &begun {
        assert_eq!(
            next.iter().map(|(id, _, alone)| (*id, *alone)).collect::<Vec<_>>(),
            [(*id, true)],
            "in their order"
        );
        next = bench.through(&next[0]);
    }
    assert_eq!(next, []);
}

#[test]
fn a_start_without_an_attempt_on_record_is_taken_back_before_anything_follows() {
    let (mut bench, effects) = Bench::new();
    let (id, keys, _) = starts(&effects).remove(0);
    bench.answer(id, Started::Go);
    let untried = Outcome::Untried(Reason::new("trap", ""));
    let mut effects = bench.settle(id, keys[0], untried);
    assert_eq!(unstarts(&effects), [(id, keys)]);
    effects = bench.later(10_000);
    assert_eq!(starts(&effects), [], "it would be started while its start is taken back");
    effects = bench.step(Input::Unstarted(id));
    effects.extend(bench.later(1_000));
    assert_eq!(starts(&effects).len(), 1);
}

#[test]
fn whoever_waits_to_run_alone_stops_waiting_when_the_host_or_the_destination_does() {
    let stops: [(&str, Input); 3] =
        [("gone", Input::Gone(DestinationNo(1))), ("drained", Input::Drain), ("the lease is over", Input::Tick)];
    for (what, input) in stops {
        let (mut bench, begun) = Bench::of_many(2);
        bench.answer(begun[1].0, Started::Go);
        bench.answer(begun[0].0, Started::Alone);
        assert_eq!(bench.engine.running(), 2);
        bench.now += if matches!(input, Input::Tick) { 60_000 } else { 0 };
        bench.step(input);
        assert_eq!(bench.engine.running(), 1, "{what}");
        assert!(!bench.engine.is_busy(DestinationNo(1)), "{what}");
    }
}

#[test]
fn whoever_waits_to_run_alone_does_not_run_when_it_was_paused_meanwhile() {
    let (mut bench, begun) = Bench::of_many(2);
    bench.answer(begun[0].0, Started::Alone);
    let paused = Settings { state: DestinationState::Paused, tenant: TenantNo(2), ..settings() };
    bench.step(Input::Config(Box::new(paused)));
    let next = bench.through(&begun[1]);
    assert_eq!((next, bench.engine.running()), (vec![], 0));
}

#[test]
fn members_of_a_batch_that_differ_are_all_taken_back_before_it_waits() {
    let mut bench = Bench::empty(Config::default());
    let batch = railhead_model::Batch { max_events: 2, max_bytes: 1_000, linger_ms: 1 };
    let members: Vec<_> = (1..=2).map(row).collect();
    let keys: Vec<_> = members.iter().map(|row| row.key).collect();
    let stable = railhead_store::work::StableBatch {
        destination: NO,
        number: 5,
        members: keys.clone(),
        due: Timestamp(1),
        attempts: 0,
    };
    let mut effects = bench.step(Input::Config(Box::new(Settings { batch: Some((batch, true)), ..settings() })));
    effects.extend(bench.step(Input::Batches(vec![stable])));
    effects.extend(bench.step(Input::Refilled { destination: NO, rows: members }));
    let (id, asked, alone) = starts(&effects).remove(0);
    assert_eq!((&asked, alone), (&keys, false), "a stable batch goes whole");
    let effects = bench.step(Input::Started { attempt: id, answers: vec![Started::Go, Started::Alone] });
    assert_eq!((unstarts(&effects), starts(&effects)), (vec![(id, vec![keys[0]])], vec![]));
    assert_eq!(starts(&bench.step(Input::Unstarted(id))), [(id, keys, true)]);
    let effects = bench.step(Input::Started { attempt: id, answers: vec![Started::Go; 2] });
    assert_eq!(attempts(&effects).len(), 1);
}
