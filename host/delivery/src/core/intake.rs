//! How work and configuration come in.

use super::destination::Destination;
use super::effect::Effect;
use super::engine::Engine;
use super::input::{Now, Settings};
use super::window::{Place, Sight};
use railhead_model::{DestinationNo, Timestamp};
use railhead_store::WorkRow;
use railhead_store::work::StableBatch;
use std::collections::BTreeSet;

/// From a refill that could not be read to the next, in milliseconds.
const REFILL_AGAIN_MS: u64 = 1_000;

impl Engine {
    pub(super) fn pushed(&mut self, rows: &[WorkRow], now: Now, out: &mut Vec<Effect>) {
        let mut touched = BTreeSet::new();
        for row in rows {
            let no = row.key.destination;
            if self.recent.take(row.key) {
                continue; // it was read before this was heard, and has ended
            }
            let Some(destination) = self.destinations.get_mut(&no).filter(|known| !known.gone) else { continue };
            let (active, ordered, high) = (destination.is_active(), destination.settings.ordered, destination.high);
            destination.pushed = true;
            let window = destination.window();
            if !active {
                window.hint();
            } else if !ordered {
                window.push(row, now.wall);
            } else if window.push_ordered(row, high, now.wall) {
                destination.high = Some(row.seq);
            }
            touched.insert(no);
        }
        for no in touched {
            self.consider(no, now, out);
        }
    }

    pub(super) fn hinted(&mut self, nos: &[DestinationNo], now: Now, out: &mut Vec<Effect>) {
        for no in nos {
            if let Some(destination) = self.destinations.get_mut(no) {
                destination.window().hint();
                self.consider(*no, now, out);
            }
        }
    }

    /// The survey finds what pushes and hints missed.
    pub(super) fn surveyed(&mut self, found: &[(DestinationNo, Timestamp)], now: Now, out: &mut Vec<Effect>) {
        for (no, due) in found {
            let Some(destination) = self.destinations.get_mut(no) else { continue };
            if !destination.is_active() || (mutated!(SurveySkips) && no.0 % 2 == 0) {
                continue;
            }
            let trusted = mutated!(LostWakeUp) && destination.window.as_ref().is_none_or(|window| window.is_complete());
            destination.pushed = false;
            if !destination.knows(*due, Sight::new(self.config.far_ms, *no, now.wall)) && !trusted {
                destination.window().hint();
            }
            self.consider(*no, now, out);
        }
    }

    pub(super) fn refilled(&mut self, no: DestinationNo, rows: &[WorkRow], now: Now, out: &mut Vec<Effect>) {
        let Some(destination) = self.destinations.get_mut(&no) else { return };
        let Destination { window: Some(window), batches, .. } = destination else { return };
        let batched = |slot| batches.as_ref().is_some_and(|batches| batches.has(slot));
        window.refilled(rows, batched, now.wall);
        let last = rows.last().map(|row| row.seq);
        destination.high = destination.high.max(last);
        if !destination.is_active() {
            destination.window().forget();
        }
        self.consider(no, now, out);
    }

    pub(super) fn refill_failed(&mut self, no: DestinationNo, now: Now, out: &mut Vec<Effect>) {
        let Some(destination) = self.destinations.get_mut(&no) else { return };
        if let Some(window) = &mut destination.window {
            window.refill_failed();
        }
        destination.refill_after = now.mono_ms + REFILL_AGAIN_MS;
        self.consider(no, now, out);
    }

    pub(super) fn configured(&mut self, settings: Settings, now: Now, out: &mut Vec<Effect>) {
        let no = settings.no;
        self.going.remove(&no);
        match self.destinations.get_mut(&no) {
            Some(destination) => destination.configure(settings, now),
            None => {
                let mut destination = Destination::new(settings, now.mono_ms);
                destination.suspect = self.lease.suspects(no);
                self.destinations.insert(no, destination);
            }
        }
        self.consider(no, now, out);
    }

    pub(super) fn gone(&mut self, no: DestinationNo, now: Now, out: &mut Vec<Effect>) {
        if let Some(destination) = self.destinations.get_mut(&no) {
            destination.gone = true;
            self.going.insert(no);
            if let Some(batches) = &mut destination.batches {
                batches.let_go();
            }
            destination.high = None;
            destination.window().forget();
            self.unqueue(|one| one == no, now, out);
            self.consider(no, now, out);
        }
    }

    pub(super) fn batches_loaded(&mut self, batches: &[StableBatch], now: Now, out: &mut Vec<Effect>) {
        let mut touched = BTreeSet::new();
        for batch in batches {
            let Some(destination) = self.destinations.get_mut(&batch.destination) else { continue };
            destination.batches.get_or_insert_default().load(batch);
            let window = destination.window();
            for slot in batch.members.iter().map(|key| (*key).into()) {
                if window.get(slot).is_some_and(|entry| entry.place == Place::Waiting) {
                    window.batch(slot);
                }
            }
            touched.insert(batch.destination);
        }
        for no in touched {
            self.consider(no, now, out);
        }
    }

    /// A batch that was too large is no more: its members go on in smaller ones, which are stored in their turn.
    pub(super) fn batch_closed(&mut self, no: DestinationNo, number: u64, now: Now, out: &mut Vec<Effect>) {
        let Some(destination) = self.destinations.get_mut(&no) else { return };
        destination.writes = destination.writes.saturating_sub(1);
        if let Destination { window: Some(window), batches: Some(batches), .. } = destination {
            let halves = batches.halve(no, number, |slot| !window.is_complete() || window.get(slot).is_some());
            out.extend(halves.into_iter().map(Effect::OpenBatch));
        }
        self.consider(no, now, out);
    }

    pub(super) fn batch_opened(&mut self, no: DestinationNo, number: u64, now: Now, out: &mut Vec<Effect>) {
        let Some(destination) = self.destinations.get_mut(&no) else { return };
        destination.writes = destination.writes.saturating_sub(1);
        if let Some(batches) = &mut destination.batches {
            batches.opened(number);
        }
        self.consider(no, now, out);
    }
}
