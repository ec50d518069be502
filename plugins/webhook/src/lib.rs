//! The webhook connector: one signed HTTP request per event, or per batch of events.
//!
//! No secret is ever in its memory: it says where one goes, and the host puts it there when the request leaves.

mod check;
mod classify;
mod config;
mod delivery;
mod request;
mod session;

use crate::config::Config;
use crate::session::Session;
use railhead_sdk::prelude::*;

impl Connector for Session {
    type Config = Config;

    fn open(config: Config) -> Result<Self, Failure> {
        Self::of_config(config)
    }

    fn check(&mut self, call: &Call) -> Vec<Result<String, Reason>> {
        self.look(call)
    }

    fn deliver(&mut self, call: &Call, events: &[Event]) -> Result<(), Failure> {
        self.send_events(call, events);
        Ok(())
    }

    fn preview(&mut self, call: &Call, events: &[Event]) -> Result<(), Failure> {
        self.show_events(call, events)
    }
}

connector!(Session, "manifest.json");
