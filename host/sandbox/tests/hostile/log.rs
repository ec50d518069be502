//! What the host logs while hostile guests run.

use crate::search;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Lines of guests that are kept of one call (`limits::MAX_LOG_LINES`), of which each guest has at most six: two
/// deliveries, and `open`, `idle` and `close` of each session.
const MOST: usize = 100 * 6;

/// Every line, at every level.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// Keeps all lines of this process from now on.
    pub fn install() -> Self {
        let log = Self::default();
        tracing::subscriber::set_global_default(log.clone()).unwrap();
        log
    }

    /// Writes what a search of this guest's lines must find.
    pub fn plant(&self, guest: &str) {
        tracing::trace!(connector = format!("hostile-{guest}"), planted = search::planted().join(" "));
    }

    /// What should not be in it, of this guest.
    pub fn wrong(&self, guest: &str) -> Vec<String> {
        let lines = self.0.lock().unwrap();
        let of_guest = format!("connector=\"hostile-{guest}\"");
        let lines: Vec<&String> = lines.iter().filter(|line| line.contains(&of_guest)).collect();
        let found = search::Found::in_pieces(lines.iter().map(|line| line.as_bytes()));
        let mut wrong: Vec<String> = found.secrets.iter().map(|secret| format!("in the log: {secret}")).collect();
        if !found.missed().is_empty() {
            wrong.push(format!("what is planted in the log is missed: {:?}", found.missed()));
        }
        let said = lines.iter().filter(|line| line.starts_with("railhead::plugin ")).count();
        if said > MOST {
            wrong.push(format!("{said} lines in the log"));
        }
        wrong
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("{} ", event.metadata().target()));
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}
