//! A connector that does what its configuration says, good or bad. For tests of the host.

mod config;
mod harm;
mod wire;

wit_bindgen::generate!({ path: "../../../wit/0.1.0", world: "connector" });

use crate::config::{At, Behave, Config};
use crate::exports::railhead::plugin::destination::{self, Event, Guest, GuestSession};
use crate::railhead::plugin::host::Call;
use crate::railhead::plugin::types::{Failure, Kind, Outcome, Reason};

struct Connector;

impl Guest for Connector {
    type Session = Session;
}

export!(Connector);

struct Session {
    config: Config,
    /// As given: `leak` tells it.
    text: String,
}

impl GuestSession for Session {
    fn open(text: String) -> Result<destination::Session, Failure> {
        let config = serde_json::from_str(&text).map_err(|error| Failure {
            kind: Kind::Invalid,
            code: "invalid-config".to_owned(),
            message: error.to_string(),
        })?;
        let session = Self { config, text };
        session.without_call(At::Open)?;
        Ok(destination::Session::new(session))
    }

    fn check(&self, _: &Call) -> Vec<Result<String, Reason>> {
        match self.without_call(At::Check) {
            Ok(()) if self.config.at == At::Check && self.config.behave == Behave::BigOutput => {
                vec![Ok(harm::big(self.config.amount))]
            }
            Ok(()) => vec![Ok("It is there.".to_owned())],
            Err(failure) => vec![Err(reason(&failure.code, &failure.message))],
        }
    }

    fn deliver(&self, call: &Call, events: Vec<Event>) -> Result<(), Failure> {
        let meant = self.config.only.as_ref().is_none_or(|only| events.iter().any(|event| event.type_ == *only));
        if self.config.at == At::Deliver && meant {
            return self.behave(call, &events);
        }
        wire::each(&self.config, call, count(&events))
    }

    fn preview(&self, call: &Call, events: Vec<Event>) -> Result<(), Failure> {
        if self.config.at == At::Preview || matches!(self.config.behave, Behave::Batch | Behave::Echo | Behave::Show) {
            return self.behave(call, &events);
        }
        wire::each(&self.config, call, count(&events))
    }

    fn idle(&self) -> Result<Option<u32>, Failure> {
        self.without_call(At::Idle)?;
        Ok(None)
    }

    fn close(&self) {
        // There is nobody to tell.
        let _ = self.without_call(At::Close);
    }
}

impl Session {
    fn behave(&self, call: &Call, events: &[Event]) -> Result<(), Failure> {
        let config = &self.config;
        let all: Vec<u32> = (0..count(events)).collect();
        match config.behave {
            Behave::Ok => wire::each(config, call, count(events))?,
            Behave::Batch => wire::batch(config, call, count(events))?,
            Behave::Echo => call.settle(&all, &Outcome::Delivered(reason("echo", &wire::echo(config, &all)?))),
            Behave::Leak => call.settle(&all, &Outcome::Delivered(reason("leak", &self.all_that_is_known(events)))),
            Behave::MisuseCredential => call.settle(&all, &wire::misuse(config)),
            Behave::SlowHost => match wire::send_array(config, call, &all) {
                Ok(response) => call.settle(&all, &delivered(&format!("http-{}", response.status()))),
                Err(failure) => call.settle(&all, &Outcome::Uncertain(reason(&failure.code, &failure.message))),
            },
            Behave::Silent => {}
            Behave::SendSilent => drop(wire::send_array(config, call, &all)),
            Behave::SettleTwice => {
                call.settle(&all, &delivered("first"));
                call.settle(&all, &Outcome::Permanent(reason("second", "")));
            }
            Behave::SettleThenTrap => {
                call.settle(&[0], &delivered("settled"));
                harm::trap();
            }
            Behave::SettleThenSpin => {
                call.settle(&[0], &delivered("settled"));
                harm::spin();
            }
            Behave::SendThenTrap => {
                drop(wire::send_array(config, call, &all));
                harm::trap();
            }
            Behave::BigOutput => {
                let big = harm::big(config.amount);
                railhead::plugin::host::log("info", &big, &[]);
                call.settle(&all, &Outcome::Permanent(reason("big", &big)));
            }
            Behave::Show => {
                call.show(&all, "text/plain", b"INSERT", b"OK");
                call.settle(&all, &delivered("shown"));
            }
            Behave::FloodLog => {
                harm::flood(config.amount);
                call.settle(&all, &delivered("flooded"));
            }
            Behave::Fail | Behave::Trap | Behave::Spin | Behave::Memory | Behave::Recurse => self.harm()?,
        }
        Ok(())
    }

    /// Does in a call that hands no events over what needs none.
    fn without_call(&self, at: At) -> Result<(), Failure> {
        if self.config.at == at { self.harm() } else { Ok(()) }
    }

    fn harm(&self) -> Result<(), Failure> {
        match self.config.behave {
            Behave::Trap => harm::trap(),
            Behave::Spin => harm::spin(),
            Behave::Memory => harm::memory(),
            Behave::Recurse => {
                harm::recurse(0);
            }
            Behave::FloodLog => harm::flood(self.config.amount),
            Behave::Fail => {
                let message = "It fails on purpose.".to_owned();
                return Err(Failure { kind: Kind::Other, code: "on-purpose".to_owned(), message });
            }
            _ => {}
        }
        Ok(())
    }

    fn all_that_is_known(&self, events: &[Event]) -> String {
        let attributes = events.iter().flat_map(|event| &event.attributes);
        let attributes: Vec<_> = attributes.map(|(name, value)| format!("{name}={value}")).collect();
        format!("{} {}", self.text, attributes.join(" "))
    }
}

fn count(events: &[Event]) -> u32 {
    u32::try_from(events.len()).unwrap_or(u32::MAX)
}

fn reason(code: &str, message: &str) -> Reason {
    Reason { code: code.to_owned(), message: message.to_owned(), status: None }
}

fn delivered(code: &str) -> Outcome {
    Outcome::Delivered(reason(code, ""))
}
