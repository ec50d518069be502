//! A connector that sends over `wasi:http`, with the client that its language has for it, and knows of the contract only
//! what it must: the exports, and `placeholder` for its token. For tests of the host.

mod config;
mod send;

wit_bindgen::generate!({ path: "../../../wit/0.1.0", world: "connector" });

use crate::config::{Config, Tell};
use crate::exports::railhead::plugin::destination::{self, Event, Guest, GuestSession};
use crate::railhead::plugin::credentials;
use crate::railhead::plugin::host::Call;
use crate::railhead::plugin::types::{Failure, Kind, Outcome, Reason};

struct Connector;

impl Guest for Connector {
    type Session = Session;
}

export!(Connector);

struct Session {
    config: Config,
    /// What stands for the secret.
    placeholder: Option<String>,
}

impl GuestSession for Session {
    fn open(text: String) -> Result<destination::Session, Failure> {
        let config: Config = serde_json::from_str(&text).map_err(|error| Failure {
            kind: Kind::Invalid,
            code: "invalid-config".to_owned(),
            message: error.to_string(),
        })?;
        let placeholder = match &config.placeholder {
            Some(text) => Some(text.clone()),
            None => match credentials::get(&config.field)?.first() {
                Some(secret) => Some(credentials::placeholder(secret, config.encoding.into())?),
                None => None,
            },
        };
        Ok(destination::Session::new(Self { config, placeholder }))
    }

    fn check(&self, _: &Call) -> Vec<Result<String, Reason>> {
        vec![Ok("It is there.".to_owned())]
    }

    fn deliver(&self, call: &Call, events: Vec<Event>) -> Result<(), Failure> {
        if self.config.tell == Tell::Placeholder {
            let text = self.placeholder.clone().unwrap_or_default();
            let all: Vec<u32> = (0..).take(events.len()).collect();
            call.settle(&all, &Outcome::Delivered(reason("placeholder", &text, None)));
            return Ok(());
        }
        wstd::runtime::block_on(async {
            let mut tasks = Vec::new();
            for (index, event) in (0..).zip(&events) {
                for _ in 0..self.config.requests {
                    let request = send::request(&self.config, self.placeholder.as_deref(), event)?;
                    tasks.push((index, wstd::runtime::spawn(send::send(request, self.config.timeout_ms))));
                }
            }
            for (index, task) in tasks {
                let came = task.await;
                call.settle(&[index], &send::outcome(came, &self.config));
            }
            Ok(())
        })
    }

    fn preview(&self, call: &Call, events: Vec<Event>) -> Result<(), Failure> {
        self.deliver(call, events)
    }

    fn idle(&self) -> Result<Option<u32>, Failure> {
        Ok(None)
    }

    fn close(&self) {}
}

fn reason(code: &str, message: &str, status: Option<u16>) -> Reason {
    Reason { code: code.to_owned(), message: message.to_owned(), status: status.map(|status| status.to_string()) }
}
