//! Hints: nobody else has the file open.

use crate::SqliteStore;
use railhead_model::HostId;
use railhead_store::hints::{Alone, Hints, Listener, Notifier};

impl Hints for SqliteStore {
    fn notifier(&self, _host: HostId) -> Box<dyn Notifier> {
        Box::new(Alone)
    }

    fn listener(&self, _host: HostId) -> Box<dyn Listener> {
        Box::new(Alone)
    }
}
