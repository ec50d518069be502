//! What the sandbox logs while the suite runs: lines of plugins, and what their calls used.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Every line of this process, at every level.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// Keeps all lines from now on; none where the process keeps its own log already.
    pub(crate) fn installed() -> Option<&'static Self> {
        static LOG: OnceLock<Option<Log>> = OnceLock::new();
        let install = || {
            let log = Self::default();
            tracing::subscriber::set_global_default(log.clone()).is_ok().then_some(log)
        };
        LOG.get_or_init(install).as_ref()
    }

    /// Lines of this connector, or all that name none.
    pub(crate) fn lines_of(&self, connector: &str) -> Vec<String> {
        let name = format!("connector=\"{connector}\"");
        self.lines().iter().filter(|line| line.contains(&name) || !line.contains("connector=")).cloned().collect()
    }

    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("railhead")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("{} ", event.metadata().target()));
        event.record(&mut line);
        self.lines().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a text cannot fail.
        let _ = write!(self.0, "{field}={value:?} ");
    }
}
