//! What one outcome says of its delivery and of its destination.

use super::breaker::Transition;
use super::destination::Destination;
use super::dispatch::HandOver;
use super::effect::Effect;
use super::input::Now;
use super::window::{Entry, NonMin};
use railhead_model::retry::MIN_DELAY_MS;
use railhead_model::{End, Outcome, Reason, Timestamp};
use railhead_store::Change;

/// Codes of permanent outcomes with which a destination asks to be disabled: it is gone for good (HTTP 410), or its
/// connector says so.
const DISABLING: [&str; 2] = ["destination-gone", "disable-destination"];
/// A head that must not die holds its lane and is tried again after this long.
const HOLD_MS: i64 = 3_600_000;
/// The first pause after a hand-over came back untried; doubles.
const UNTRIED_MS: u64 = 250;
/// The longest such pause.
const MAX_UNTRIED_MS: u64 = 30_000;
/// A single delivery that comes back untried so many times in a row is what is wrong: it spends an attempt.
pub(super) const UNTRIED_ALONE: u32 = 3;

/// Tries of one delivery that cost no attempt; a throttling after so many costs one, so that a schedule ends.
pub(super) const FREE_TRIES: u32 = 9;

/// What becomes of a delivery.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    Record(Change),
    /// Nothing happened: it waits as before.
    Again,
}

/// What a hand-over as a whole says of its destination.
pub(super) fn conclude(destination: &mut Destination, hand_over: &HandOver, now: Now) {
    if hand_over.failed == 0 && hand_over.delivered > 0 {
        destination.breaker.grow(destination.settings.concurrency);
    }
    if hand_over.too_large > 0 || (hand_over.untried > 0 && hand_over.delivered == 0 && !hand_over.aborted) {
        destination.halve(hand_over.size);
    } else if hand_over.delivered > 0 {
        destination.went_through();
    }
    let nothing = hand_over.delivered + hand_over.failed + hand_over.too_large == 0;
    if !nothing {
        destination.untried = 0;
        return;
    }
    rest(destination, now);
    if hand_over.untried > 0 && !hand_over.aborted {
        destination.untried = destination.untried.saturating_add(1);
    }
}

/// Something was not sent: not at once again, whatever the reason.
fn rest(destination: &mut Destination, now: Now) {
    let pause = UNTRIED_MS.saturating_mul(1 << destination.untried.min(10)).min(MAX_UNTRIED_MS);
    destination.pause_until = destination.pause_until.max(now.mono_ms + pause);
}

/// What one outcome does to its destination: breaker, pause, latency, and whether it is switched off.
pub(super) fn react(
    destination: &mut Destination,
    hand_over: &mut HandOver,
    outcome: &Outcome,
    now: Now,
    out: &mut Vec<Effect>,
) {
    if !matches!(outcome, Outcome::Untried(_)) {
        destination.measured(now.mono_ms.saturating_sub(hand_over.started.mono_ms));
    }
    let (wall, probe) = (now.wall, hand_over.probe);
    let transition = match outcome {
        Outcome::Delivered(_) => {
            hand_over.delivered += 1;
            destination.unthrottled();
            destination.breaker.answered(wall, true)
        }
        Outcome::Transient(reason, _) | Outcome::Uncertain(reason) => {
            hand_over.failed += 1;
            destination.breaker.failed(wall, reason, probe, false)
        }
        Outcome::Misconfigured(reason) | Outcome::RejectedCredentials(reason) => {
            hand_over.failed += 1;
            destination.breaker.failed(wall, reason, probe, true)
        }
        Outcome::Throttled(_, ms) => {
            hand_over.failed += 1;
            destination.throttled(hand_over.started.mono_ms, now.mono_ms);
            let ms = destination.throttle_ms(*ms);
            destination.pause_until = destination.pause_until.max(now.mono_ms + ms);
            destination.breaker.throttled(plus(wall, ms), probe)
        }
        Outcome::Permanent(reason) => {
            hand_over.failed += u32::from(is_disabling(reason));
            hand_over.delivered += u32::from(!is_disabling(reason));
            if is_disabling(reason) && !destination.disabled {
                destination.disabled = true;
                out.push(Effect::Disable(hand_over.destination, reason.clone()));
            }
            destination.breaker.answered(wall, false)
        }
        Outcome::TooLarge(_) => {
            hand_over.too_large += 1;
            destination.breaker.answered(wall, false)
        }
        Outcome::Untried(_) => {
            hand_over.untried += 1;
            rest(destination, now);
            Transition::Stays
        }
    };
    announce(destination, transition, out);
}

fn announce(destination: &Destination, transition: Transition, out: &mut Vec<Effect>) {
    let no = destination.settings.no;
    match transition {
        Transition::Stays => return,
        Transition::Opened => out.push(Effect::Failing(no, true)),
        Transition::Closed => out.push(Effect::Failing(no, false)),
        Transition::Postponed => {}
    }
    out.push(Effect::SaveHealth(no, destination.breaker.health().clone()));
}

/// What one outcome does to its delivery. `alone`: it came back untried too often to be somebody else's fault.
pub(super) fn verdict(
    destination: &Destination,
    entry: &Entry,
    hand_over: &HandOver,
    outcome: &Outcome,
    alone: bool,
    random: f64,
    now: Now,
) -> Verdict {
    let settings = &destination.settings;
    let since = entry.since.map_or(hand_over.started.wall, NonMin::get);
    let attempts = entry.attempts.saturating_add(1);
    let end = |end, reason: &Reason| end_of(end, reason, attempts, now.wall);
    let free = |due, reason: &Reason| {
        // Costs no attempt, but not for ever: no longer than the retry span from the first attempt.
        let spent = u64::try_from(now.wall.since(since)).unwrap_or(0);
        if spent > settings.retry.window_ms() {
            return end_of(End::Dead, reason, entry.attempts, now.wall);
        }
        Change::Retry { due, attempts: entry.attempts, since }
    };
    let later = |reason: &Reason, wish| {
        let next = settings.retry.next(settings.jitter, attempts, since, now.wall, random, wish);
        next.map_or_else(|| end(End::Dead, reason), |due| Change::Retry { due, attempts, since })
    };
    let change = match outcome {
        Outcome::Delivered(reason) => end(End::Delivered, reason),
        Outcome::Permanent(reason) => end(End::Dead, reason),
        Outcome::Transient(reason, wish) => later(reason, *wish),
        Outcome::Uncertain(reason) => later(reason, None),
        Outcome::Throttled(reason, ms) => {
            let due = plus(now.wall, destination.throttle_ms(*ms));
            match free(due, reason) {
                Change::Retry { .. } if entry.tries.saturating_sub(entry.attempts) >= FREE_TRIES => {
                    no_sooner(later(reason, None), due)
                }
                change => change,
            }
        }
        Outcome::Misconfigured(reason) | Outcome::RejectedCredentials(reason) => {
            let due = destination.breaker.next_probe().unwrap_or_default();
            free(due.max(plus(now.wall, MIN_DELAY_MS)), reason)
        }
        // What is too large alone is too large for ever.
        Outcome::TooLarge(reason) if hand_over.size <= 1 => end(End::Dead, reason),
        Outcome::TooLarge(reason) => free(plus(now.wall, MIN_DELAY_MS), reason),
        Outcome::Untried(reason) if alone => later(reason, None),
        Outcome::Untried(_) => return Verdict::Again,
    };
    Verdict::Record(held_back(change, settings.ordered && settings.hold_on_dead, since, now.wall))
}

fn no_sooner(change: Change, than: Timestamp) -> Change {
    match change {
        Change::Retry { due, attempts, since } => Change::Retry { due: due.max(than), attempts, since },
        end @ Change::End { .. } => end,
    }
}

/// Where a lane is to be held, its head does not die: it stays, until a person cancels it or it arrives.
fn held_back(change: Change, hold: bool, since: Timestamp, now: Timestamp) -> Change {
    match change {
        Change::End { end: End::Dead, attempts, .. } if hold => {
            Change::Retry { due: now.plus_ms(HOLD_MS), attempts, since }
        }
        other => other,
    }
}

fn end_of(end: End, reason: &Reason, attempts: u32, at: Timestamp) -> Change {
    Change::End { end, code: reason.code.clone(), at, attempts }
}

pub(super) fn is_disabling(reason: &Reason) -> bool {
    DISABLING.contains(&reason.code.as_str())
}

fn plus(at: Timestamp, ms: u64) -> Timestamp {
    at.plus_ms(i64::try_from(ms).unwrap_or(i64::MAX))
}
