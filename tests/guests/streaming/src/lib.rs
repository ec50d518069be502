//! A connector that plays the script of its configuration over streams. For tests of the host.
//!
//! What each step came to becomes the message of all events: `ok`, what was read, or kind and code of a failure, separated
//! by ` | `. Connections stay open from one call to the next.

mod script;

wit_bindgen::generate!({ path: "../../../wit/0.1.0", world: "connector" });

use crate::exports::railhead::plugin::destination::{self, Event, Guest, GuestSession};
use crate::railhead::plugin::host::Call;
use crate::railhead::plugin::types::{Failure, Kind, Outcome, Reason};
use crate::script::{Player, Step};
use serde::Deserialize;
use std::cell::RefCell;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub host: String,
    pub port: u16,
    #[serde(default)]
    pub other_host: String,
    #[serde(default)]
    pub other_port: u16,
    #[serde(default)]
    pub script: Vec<Step>,
    #[serde(default)]
    pub idle: Vec<Step>,
}

struct Connector;

impl Guest for Connector {
    type Session = Session;
}

export!(Connector);

struct Session {
    config: Config,
    player: RefCell<Player>,
}

impl GuestSession for Session {
    fn open(config: String) -> Result<destination::Session, Failure> {
        let config = serde_json::from_str(&config).map_err(|error| Failure {
            kind: Kind::Invalid,
            code: "invalid-config".to_owned(),
            message: error.to_string(),
        })?;
        Ok(destination::Session::new(Self { config, player: RefCell::default() }))
    }

    fn check(&self, call: &Call) -> Vec<Result<String, Reason>> {
        vec![Ok(self.player.borrow_mut().play(&self.config, &self.config.script, Some(call), &[]))]
    }

    fn deliver(&self, call: &Call, events: Vec<Event>) -> Result<(), Failure> {
        let said = self.player.borrow_mut().play(&self.config, &self.config.script, Some(call), &all(&events));
        if !self.config.script.contains(&Step::Silent) {
            call.settle(
                &all(&events),
                &Outcome::Delivered(Reason { code: "done".to_owned(), message: said, status: None }),
            );
        }
        Ok(())
    }

    fn preview(&self, call: &Call, events: Vec<Event>) -> Result<(), Failure> {
        let said = self.player.borrow_mut().play(&self.config, &self.config.script, Some(call), &all(&events));
        call.show(&all(&events), "text/plain", said.as_bytes(), &[]);
        Ok(())
    }

    fn idle(&self) -> Result<Option<u32>, Failure> {
        self.player.borrow_mut().play(&self.config, &self.config.idle, None, &[]);
        Ok(None)
    }

    fn close(&self) {}
}

fn all(events: &[Event]) -> Vec<u32> {
    (0..u32::try_from(events.len()).unwrap_or(u32::MAX)).collect()
}
