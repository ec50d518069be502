//! The PostgreSQL connector: a row for each event, a transaction for each batch.
//!
//! This file is the glue between the contract and the modules beside it. The password is never in its memory: the host
//! answers the server's challenges.

mod classify;
mod config;
mod delivery;
mod link;
mod login;
mod protocol;
mod request;
mod session;
mod settle;
mod sql;
mod tables;
mod work;

use crate::classify::Reached;
use crate::config::Config;
use crate::link::{Patience, Trouble};
use crate::session::{HEARTBEAT_MS, Session};
use crate::settle::reason;
use railhead_sdk::prelude::*;

struct Postgres(Session);

railhead_sdk::connector!(Postgres, "manifest.json");

impl Connector for Postgres {
    type Config = Config;

    fn open(config: Config) -> Result<Self, Failure> {
        match config.check() {
            Ok(()) => Ok(Self(Session::new(config))),
            Err(unusable) => {
                Err(Failure { kind: Kind::Invalid, code: unusable.code.to_owned(), message: unusable.message })
            }
        }
    }

    /// Plans an insert, and writes nothing.
    fn check(&mut self, call: &Call) -> Vec<Result<String, Reason>> {
        let mut told = Vec::new();
        let last = self.look(call, &mut told);
        told.into_iter().map(Ok).chain([last]).collect()
    }

    fn deliver(&mut self, call: &Call, events: &[Event]) -> Result<(), Failure> {
        self.0.send_events(call, events);
        Ok(())
    }

    fn preview(&mut self, call: &Call, events: &[Event]) -> Result<(), Failure> {
        self.0.show_events(call, events);
        Ok(())
    }

    fn idle(&mut self) -> Result<Option<u32>, Failure> {
        self.0.beat();
        Ok(Some(HEARTBEAT_MS))
    }

    fn close(&mut self) {
        self.0.close();
    }
}

impl Postgres {
    /// Connects anew and looks at the table; what was reached before the last step is in `told`.
    fn look(&mut self, call: &Call, told: &mut Vec<String>) -> Result<String, Reason> {
        let config = self.0.config.clone();
        let patience = Patience::Call(call);
        let of = |trouble: Trouble| reason(&trouble.verdict(&config, None, Reached::Nothing));
        let link = self.0.new_link(patience, told).map_err(of)?;
        let found = tables::look(link, &config, patience);
        if found.is_err() {
            self.0.drop_link();
        }
        found.map_err(of)?.map_err(|verdict| reason(&verdict))
    }
}
