//! The steps of a script, and what each does.

use crate::Config;
use crate::railhead::plugin::credentials::{self, Credential, Encoding, Part};
use crate::railhead::plugin::host::Call;
use crate::railhead::plugin::streams::{self, Connection, Security};
use crate::railhead::plugin::types::{Failure, Kind, Outcome, Reason};
use serde::Deserialize;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// To the server; how it is protected. Connections count from 0.
    Connect(Protection),
    /// To the other server.
    ConnectOther(Protection),
    /// To this host and port.
    ConnectTo(String, u16, Protection),
    StartTls(usize),
    /// The channel binding, in hex.
    Binding(usize),
    Write(usize, Vec<Piece>),
    /// One read: at most so many bytes, within so many milliseconds.
    Read(usize, u32, u32),
    /// Reads until so many bytes are there.
    ReadExact(usize, usize),
    /// Reads until the peer closes, and tells how many bytes there were.
    Drain(usize),
    /// Which of these have something to read within so many milliseconds.
    Wait(Vec<usize>, u32),
    LookupSrv(String),
    /// Drops a connection.
    Drop(usize),
    /// Shows this as request and answer of all events.
    Show(String, String),
    /// The first event is delivered.
    SettleFirst,
    Trap,
    /// Settles nothing at the end.
    Silent,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protection {
    Tls,
    Upgrade,
    Plain,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    Text(String),
    /// A text, so many times.
    Many(String, usize),
    Event(u32),
    EventBase64(u32),
    /// The value of a field.
    Secret(String),
    /// A zero, the value, a zero, and the value again, composed.
    Composed(String),
}

/// Plays scripts.
#[derive(Default)]
pub struct Player {
    connections: Vec<Option<Connection>>,
}

impl Player {
    /// What each step came to.
    pub fn play(&mut self, config: &Config, steps: &[Step], call: Option<&Call>, events: &[u32]) -> String {
        let mut said = Vec::new();
        for step in steps {
            said.push(match self.step(config, step, call, events) {
                Ok(text) => text,
                Err(failure) => format!("{}:{}", kind(failure.kind), failure.code),
            });
        }
        said.join(" | ")
    }

    fn step(&mut self, config: &Config, step: &Step, call: Option<&Call>, events: &[u32]) -> Result<String, Failure> {
        match step {
            Step::Connect(how) => return self.connect(&config.host, config.port, *how),
            Step::ConnectOther(how) => return self.connect(&config.other_host, config.other_port, *how),
            Step::ConnectTo(host, port, how) => return self.connect(host, *port, *how),
            Step::StartTls(at) => self.at(*at)?.start_tls()?,
            Step::Binding(at) => {
                return Ok(self.at(*at)?.channel_binding().map_or("none".to_owned(), |bytes| hex(&bytes)));
            }
            Step::Write(at, pieces) => write(self.at(*at)?, pieces)?,
            Step::Read(at, max, ms) => return Ok(text(&self.at(*at)?.read(*max, *ms)?)),
            Step::ReadExact(at, bytes) => return self.read_exact(*at, *bytes),
            Step::Drain(at) => return self.drain(*at),
            Step::Wait(which, ms) => {
                let which = which.iter().map(|at| self.at(*at)).collect::<Result<Vec<_>, _>>()?;
                return Ok(format!("{:?}", streams::wait(&which, *ms)));
            }
            Step::LookupSrv(name) => return Ok(format!("{:?}", streams::lookup_srv(name)?)),
            Step::Drop(at) => drop(self.connections.get_mut(*at).and_then(Option::take)),
            Step::Show(request, answer) => {
                if let Some(call) = call {
                    call.show(events, "application/sql", request.as_bytes(), answer.as_bytes());
                }
            }
            Step::SettleFirst => {
                let reason = Reason { code: "first".to_owned(), message: String::new(), status: None };
                if let Some(call) = call {
                    call.settle(&[0], &Outcome::Delivered(reason));
                }
            }
            Step::Trap => panic!("streaming: trapped on purpose"),
            Step::Silent => {}
        }
        Ok("ok".to_owned())
    }

    fn connect(&mut self, host: &str, port: u16, how: Protection) -> Result<String, Failure> {
        let security = match how {
            Protection::Tls => Security::Tls,
            Protection::Upgrade => Security::Upgrade,
            Protection::Plain => Security::Plain,
        };
        let made = Connection::connect(host, port, security);
        let said = made.as_ref().map(|_| "ok".to_owned()).map_err(Clone::clone);
        self.connections.push(made.ok());
        said
    }

    fn at(&self, at: usize) -> Result<&Connection, Failure> {
        let none = || Failure { kind: Kind::Other, code: "no-connection".to_owned(), message: String::new() };
        self.connections.get(at).and_then(Option::as_ref).ok_or_else(none)
    }

    fn read_exact(&self, at: usize, bytes: usize) -> Result<String, Failure> {
        let mut read = Vec::new();
        while read.len() < bytes {
            let rest = u32::try_from(bytes - read.len()).unwrap_or(u32::MAX);
            let more = self.at(at)?.read(rest, u32::MAX)?;
            if more.is_empty() {
                return Ok(format!("{} (closed)", text(&read)));
            }
            read.extend(more);
        }
        Ok(text(&read))
    }

    fn drain(&self, at: usize) -> Result<String, Failure> {
        let mut bytes = 0;
        loop {
            let more = self.at(at)?.read(64 * 1024, u32::MAX)?;
            if more.is_empty() {
                return Ok(bytes.to_string());
            }
            bytes += more.len();
        }
    }
}

fn write(to: &Connection, pieces: &[Piece]) -> Result<(), Failure> {
    let mut secrets = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Secret(field) => secrets.push(value(field)?),
            Piece::Composed(field) => {
                let key = value(field)?;
                let raw = |key| Part::Secret((key, Encoding::Raw));
                let zero = || Part::Bytes(vec![0]);
                secrets.push(credentials::compose(&[zero(), raw(&key), zero(), raw(&key)], Encoding::Raw)?);
            }
            _ => {}
        }
    }
    let mut made = secrets.iter();
    let mut secret = || made.next().map_or(Part::Bytes(Vec::new()), |key| Part::Secret((key, Encoding::Raw)));
    let parts: Vec<Part> = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => Part::Bytes(text.as_bytes().to_vec()),
            Piece::Many(text, times) => Part::Bytes(text.repeat(*times).into_bytes()),
            Piece::Event(index) => Part::EventData(*index),
            Piece::EventBase64(index) => Part::EventDataBase64(*index),
            Piece::Secret(_) | Piece::Composed(_) => secret(),
        })
        .collect();
    to.write(&parts)
}

fn value(field: &str) -> Result<Credential, Failure> {
    let none = || Failure { kind: Kind::Other, code: "no-credential".to_owned(), message: field.to_owned() };
    credentials::get(field)?.into_iter().next().ok_or_else(none)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn kind(kind: Kind) -> String {
    format!("{kind:?}").trim_start_matches("Kind::").to_lowercase()
}
