//! The S3 connector: a batch of events becomes objects of NDJSON, one for each partition, under keys that a retry
//! writes again.
//!
//! This file is the glue between the contract and the plain modules beside it. No key is ever in its memory: it says
//! where one signs, and the host does when the request leaves.

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
        self.write(call, events);
        Ok(())
    }

    fn preview(&mut self, call: &Call, events: &[Event]) -> Result<(), Failure> {
        self.show(call, events)
    }
}

connector!(Session, "manifest.json");
