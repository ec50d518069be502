//! The judge can fail: for each of its rules a ledger or a record that breaks it, and the exact complaint.

use crate::judge::{Evidence, Found, Judge, Summary, Verdict};
use crate::ledger::{Fate, Pair, Request};
use crate::plan::{CONCURRENCY, Destination, UNRECORDED};
use crate::publish::{carried, data};
use crate::store::{Attempt, End, Recorded};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// To one that holds; to one that takes.
const HELD: Pair = pair(0, 0);
const TAKEN: Pair = pair(0, 10);
/// To one that holds; to the one that refuses.
const LOST: Pair = pair(224, 7);
const REFUSED: Pair = pair(224, 17);
/// To one that holds; to the one that stumbles.
const WAITING: Pair = pair(256, 8);
const STUMBLED: Pair = pair(256, 18);
/// To the one that is down.
const DOWN: Pair = pair(288, 19);

/// What a kill left: one request open, one answered and not on record, one open where nobody answers.
struct Scene {
    stored: Vec<(Pair, Recorded)>,
    sent: Vec<Request>,
    acknowledged: BTreeSet<usize>,
    killed: Option<Instant>,
}

#[test]
fn what_was_in_flight_is_found() {
    let found = Judge::default().look(kill().evidence()).unwrap();
    assert_eq!((found.open, found.hung, found.unrecorded), (1, 1, 1));
}

#[test]
fn a_run_without_fault_is_believed() {
    let (judge, requests, told) = to_the_end();
    let summary = judge.close(&published(), &requests, &told).unwrap();
    let wanted = Summary { deliveries: 8, requests: 13, again: 2, duplicates: 1, in_flight: 2, unrecorded: 1 };
    assert_eq!(summary, wanted);
}

#[test]
fn a_record_that_contradicts_itself_is_found() {
    complains(|scene| scene.stored.push(waits(HELD, "")), "e0 to d0: it is in the store twice");
    complains(
        |scene| scene.record(STUMBLED).attempts[1].n = 3,
        "e256 to d18: 2 attempts are counted, and on record are [1, 3]",
    );
    complains(|scene| scene.record(TAKEN).tries = 2, "e0 to d10: 2 attempts are counted, and on record are [1]");
    complains(|scene| scene.record(TAKEN).end = None, "e0 to d10: an answer 204 is on record, and it waits");
    let dead = |scene: &mut Scene| scene.record(TAKEN).end = Some(end("dead", "http-204"));
    complains(dead, "e0 to d10: it is dead, and was answered [204]");
    let early = |scene: &mut Scene| *scene.record(STUMBLED) = waits_as("500", Some(end("delivered", "http-204")));
    complains(early, "e256 to d18: it is delivered, and was answered [500]");
    let code = |scene: &mut Scene| scene.record(REFUSED).end = Some(end("dead", "http-410"));
    complains(code, r#"e224 to d17: it was answered 422, and ended as "http-410""#);
    let code = |scene: &mut Scene| scene.record(STUMBLED).attempts[0].code = "http-503".to_owned();
    complains(code, r#"e256 to d18: attempt 1 was answered Some(500), and has code "http-503""#);
    let code = |scene: &mut Scene| scene.record(DOWN).attempts[0].code = "dns-failed".to_owned();
    complains(code, r#"e288 to d19: attempt 1 was answered None, and has code "dns-failed""#);
}

#[test]
fn what_was_acknowledged_or_sent_and_is_not_in_the_store_is_found() {
    let wanted = "e256 to d8: the event was acknowledged, and this is not in the store";
    complains(|scene| scene.forget(WAITING), wanted);
    let sent = |scene: &mut Scene| scene.sent.push(request(pair(1, 0), Fate::Open));
    complains(sent, "e1 to d0: it was sent, and is not in the store");
}

#[test]
fn a_ledger_that_the_record_does_not_agree_with_is_found() {
    let never = |scene: &mut Scene| scene.sent.retain(|request| request.pair != TAKEN);
    complains(never, "e0 to d10: record and ledger differ (on record [204], the receiver's [])");
    let other = |scene: &mut Scene| scene.sent_to(REFUSED).fate = Fate::Answered(204);
    complains(other, "e224 to d17: record and ledger differ (on record [422], the receiver's [204])");
    let missing = |scene: &mut Scene| {
        *scene.record(STUMBLED) = waits_as("204", Some(end("delivered", "http-204")));
    };
    complains(missing, "e256 to d18: record and ledger differ (on record [204], the receiver's [500, 204])");
    let twice = |scene: &mut Scene| scene.sent.push(request(LOST, Fate::Answered(204)));
    complains(twice, "e224 to d7: record and ledger differ (on record [], the receiver's [204, 204])");
    let held = |scene: &mut Scene| scene.sent.push(request(HELD, Fate::Open));
    complains(held, "e0 to d0: record and ledger differ (on record [], the receiver's [open, open])");
    let guessed = |scene: &mut Scene| *scene.record(HELD) = waits_as("-", None);
    complains(guessed, "e0 to d0: record and ledger differ (on record [timeout], the receiver's [open])");
    let after = |scene: &mut Scene| scene.sent.push(request(TAKEN, Fate::Answered(204)));
    complains(after, "e0 to d10: it was sent once more after its end (on record [204], the receiver's [204, 204])");
}

#[test]
fn a_body_that_is_not_the_events_own_is_found() {
    let of_another = |scene: &mut Scene| scene.sent_to(REFUSED).carried = Some(225);
    complains(of_another, "e224 to d17: it came with the body of e225");
    let in_part = |scene: &mut Scene| scene.sent_to(HELD).carried = None;
    complains(in_part, "e0 to d0: its body is not what was published");

    let whole = json!({"type": "order.created", "timestamp": "2026-01-01T00:00:00Z", "data": data(7)});
    assert_eq!(carried(whole.to_string().as_bytes()), Some(7));
    assert_eq!(carried(&whole.to_string().as_bytes()[..200]), None);
    assert_eq!(carried(b""), None);
    for (path, other) in [("/type", "order.deleted"), ("/data/pad", "x"), ("/data/z", "end of e8")] {
        let mut changed = whole.clone();
        *changed.pointer_mut(path).unwrap() = json!(other);
        assert_eq!(carried(changed.to_string().as_bytes()), None, "{path}");
    }
}

#[test]
fn more_in_flight_than_promised_is_found() {
    let many = |scene: &mut Scene| {
        for event in 1..=CONCURRENCY {
            scene.stored.push(waits(pair(event, 0), ""));
            scene.sent.push(request(pair(event, 0), Fate::Open));
        }
    };
    complains(many, "d0: 41 requests were open, and it may have 40");
    let held = |scene: &mut Scene| {
        for event in 1..=UNRECORDED {
            scene.stored.push(waits(pair(event * 1_000, 10), ""));
            scene.sent.push(request(pair(event * 1_000, 10), Fate::Answered(204)));
        }
    };
    complains(held, "12051 requests were not on record, and a host may have 12048");
    let nobody = |scene: &mut Scene| scene.killed = None;
    complains(nobody, "e0 to d0: a request is not on record, and nobody was killed");
}

#[test]
fn a_record_that_changes_between_two_kills_is_found() {
    complains_next(|scene| scene.forget(DOWN), "e288 to d19: it was in the store before, and is gone");
    let lost = |scene: &mut Scene| *scene.record(DOWN) = waits_as("", None);
    complains_next(lost, "e288 to d19: attempts were on record before, and are not now");
    let undone = |scene: &mut Scene| *scene.record(STUMBLED) = waits_as("500", None);
    complains_next(undone, "e256 to d18: attempts were on record before, and are not now");
    let longer = |scene: &mut Scene| *scene.record(REFUSED) = waits_as("422 422", Some(end("dead", "http-422")));
    complains_next(longer, "e224 to d17: it is dead, and was answered [422, 422]");
    let again = |scene: &mut Scene| scene.sent.push(request(TAKEN, Fate::Answered(204)));
    complains_next(again, "e0 to d10: it was sent again though its end was on record");
}

#[test]
fn an_end_that_is_missing_or_made_up_is_found() {
    let mut judge = Judge::default();
    judge.look(kill().evidence()).unwrap();
    let wanted = "e0 to d0: it has no end";
    assert_eq!(judge.close(&published(), &[], &BTreeMap::new()).unwrap_err(), wanted);
    let (judge, requests, told) = to_the_end();
    let some = BTreeSet::from([0, 224, 256]);
    assert_eq!(judge.close(&some, &requests, &told).unwrap_err(), "e288 to d9: nobody published it");
}

#[test]
fn an_api_that_says_something_else_is_found() {
    let on_record = r#"e256 to d18: on record is ["delivered","http-204",2,"http-204","204"], and the API says "#;
    for (path, value, said) in [
        ("/state", json!("dead"), r#"["dead","http-204",2,"http-204","204"]"#),
        ("/code", json!(null), r#"["delivered",null,2,"http-204","204"]"#),
        ("/attempts", json!(3), r#"["delivered","http-204",3,"http-204","204"]"#),
        ("/last_attempt/code", json!("http-500"), r#"["delivered","http-204",2,"http-500","204"]"#),
        ("/last_attempt/status", json!("500"), r#"["delivered","http-204",2,"http-204","500"]"#),
    ] {
        let (judge, requests, mut told) = to_the_end();
        *told.get_mut(&STUMBLED).unwrap().pointer_mut(path).unwrap() = value;
        assert_eq!(judge.close(&published(), &requests, &told).unwrap_err(), format!("{on_record}{said}"));
    }
    let (judge, requests, mut told) = to_the_end();
    told.insert(pair(1, 0), Value::Null);
    let wanted = "e1 to d0: the API tells of it, and it is not in the store";
    assert_eq!(judge.close(&published(), &requests, &told).unwrap_err(), wanted);
}

#[test]
fn what_came_more_often_than_kills_explain_is_found() {
    let (judge, mut requests, told) = to_the_end();
    requests.push(request(LOST, Fate::Answered(204)));
    let wanted = "e224 to d7: answered 3 times, and 1 answers were lost at kills";
    assert_eq!(judge.close(&published(), &requests, &told).unwrap_err(), wanted);
    let (judge, mut requests, told) = to_the_end();
    requests.push(request(HELD, Fate::Open));
    let wanted = "e0 to d0: came 3 times, and was in flight at 1 kills";
    assert_eq!(judge.close(&published(), &requests, &told).unwrap_err(), wanted);
}

/// The judge complains of a kill that is doctored so, with these words.
#[track_caller]
fn complains(doctor: impl FnOnce(&mut Scene), wanted: &str) {
    let mut scene = kill();
    doctor(&mut scene);
    assert_eq!(found(Judge::default().look(scene.evidence())), wanted);
}

/// The same at the kill after a kill; nothing was sent between.
#[track_caller]
fn complains_next(doctor: impl FnOnce(&mut Scene), wanted: &str) {
    let mut judge = Judge::default();
    judge.look(kill().evidence()).unwrap();
    let mut scene = Scene { sent: Vec::new(), ..kill() };
    doctor(&mut scene);
    assert_eq!(found(judge.look(scene.evidence())), wanted);
}

fn found(verdict: Verdict<Found>) -> String {
    verdict.map_or_else(|complaint| complaint, |found| format!("nothing is wrong: {found:?}"))
}

fn kill() -> Scene {
    let stored = vec![
        waits(HELD, ""),
        ended(TAKEN, "204"),
        waits(LOST, ""),
        ended(REFUSED, "422"),
        waits(WAITING, ""),
        ended(STUMBLED, "500 204"),
        ended(pair(288, 9), "204"),
        waits(DOWN, "-"),
    ];
    let sent = [
        (HELD, Fate::Open),
        (TAKEN, Fate::Answered(204)),
        (LOST, Fate::Answered(204)),
        (REFUSED, Fate::Answered(422)),
        (STUMBLED, Fate::Answered(500)),
        (STUMBLED, Fate::Answered(204)),
        (pair(288, 9), Fate::Answered(204)),
        (DOWN, Fate::Broken),
        (DOWN, Fate::Open),
    ];
    let sent = sent.map(|(pair, fate)| request(pair, fate)).to_vec();
    Scene { stored, sent, acknowledged: published(), killed: Some(Instant::now()) }
}

/// The kill, and a host after it that ended all: the judge, the whole ledger, what the API says.
fn to_the_end() -> (Judge, Vec<Request>, BTreeMap<Pair, Value>) {
    let mut judge = Judge::default();
    let before = kill();
    judge.look(before.evidence()).unwrap();
    let mut after = Scene { sent: Vec::new(), killed: None, ..kill() };
    for (pair, statuses) in [(HELD, "204"), (LOST, "204"), (WAITING, "204"), (DOWN, "- - 204")] {
        *after.record(pair) = ended(pair, statuses).1;
        after.sent.push(request(pair, Fate::Answered(204)));
    }
    // One that failed before the receiver read it is in no ledger: the second of three.
    judge.look(after.evidence()).unwrap();
    let told = after.stored.iter().map(|(pair, recorded)| (*pair, said(recorded))).collect();
    (judge, [before.sent, after.sent].concat(), told)
}

impl Scene {
    fn evidence(&self) -> Evidence<'_> {
        let (stored, killed) = (self.stored.clone(), self.killed);
        Evidence { requests: &self.sent, stored, acknowledged: &self.acknowledged, killed }
    }

    fn record(&mut self, wanted: Pair) -> &mut Recorded {
        &mut self.stored.iter_mut().find(|(pair, _)| *pair == wanted).unwrap().1
    }

    fn forget(&mut self, gone: Pair) {
        self.acknowledged.retain(|event| *event != gone.event || gone == WAITING);
        self.stored.retain(|(pair, _)| *pair != gone);
    }

    fn sent_to(&mut self, wanted: Pair) -> &mut Request {
        self.sent.iter_mut().find(|request| request.pair == wanted).unwrap()
    }
}

fn published() -> BTreeSet<usize> {
    BTreeSet::from([0, 224, 256, 288])
}

const fn pair(event: usize, to: usize) -> Pair {
    Pair { event, to: Destination(to) }
}

fn request(pair: Pair, fate: Fate) -> Request {
    Request { pair, carried: Some(pair.event), fate, answered_at: None }
}

fn waits(pair: Pair, statuses: &str) -> (Pair, Recorded) {
    (pair, waits_as(statuses, None))
}

fn ended(pair: Pair, statuses: &str) -> (Pair, Recorded) {
    let (status, state) = pair.to.last_answer();
    (pair, waits_as(statuses, Some(end(state, &format!("http-{status}")))))
}

/// `500 - 204`: attempts by their answers; `-` is none.
fn waits_as(statuses: &str, end: Option<End>) -> Recorded {
    let attempt = |(n, status): (usize, &str)| {
        let status = status.parse().ok();
        let code = status.map_or_else(|| "timeout".to_owned(), |status: u16| format!("http-{status}"));
        Attempt { n: n + 1, code, status }
    };
    let attempts: Vec<_> = statuses.split_whitespace().enumerate().map(attempt).collect();
    Recorded { end, tries: attempts.len(), attempts }
}

fn end(state: &'static str, code: &str) -> End {
    End { state, code: code.to_owned() }
}

fn said(recorded: &Recorded) -> Value {
    let (end, last) = (recorded.end.as_ref().unwrap(), recorded.attempts.last().unwrap());
    let last = json!({"code": last.code, "status": last.status.map(|status| status.to_string())});
    json!({"state": end.state, "code": end.code, "attempts": recorded.tries, "last_attempt": last})
}
