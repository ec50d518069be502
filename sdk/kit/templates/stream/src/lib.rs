//! The connector: a protocol of its own over a connection. Each event is a line in base64, each answer a line.

use railhead_sdk::prelude::*;
use serde::Deserialize;

/// How the connection is protected.
#[derive(Clone, Copy, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
#[schema(description = "How the connection is protected.")]
enum Protected {
    /// TLS from the first byte.
    Tls,
    /// Not at all. Only where the operator of the host allows that network.
    Plain,
}

/// A destination's configuration.
#[derive(Deserialize, Schema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The server's name or address.
    #[schema(title = "Host", max_length = 253, examples = ["lines.example.com"])]
    host: String,
    /// The server's port; 7000 else.
    #[schema(title = "Port", minimum = 1, maximum = 65535)]
    port: Option<u16>,
    /// How the connection is protected.
    security: Protected,
}

/// One session: the configuration, and the connection once there is one.
struct Session {
    config: Config,
    connection: Option<stream::Framed>,
}

impl Connector for Session {
    type Config = Config;

    fn open(config: Config) -> Result<Self, Failure> {
        Ok(Self { config, connection: None })
    }

    fn check(&mut self, _: &Call) -> Vec<Result<String, Reason>> {
        vec![match self.connected() {
            Ok(_) => Ok("The server is there.".to_owned()),
            Err(failure) => Err(Reason::from(&failure)),
        }]
    }

    fn deliver(&mut self, call: &Call, events: &[Event]) -> Result<(), Failure> {
        if let Err(failure) = self.connected() {
            call.settle(&batch::indexes(events), &outcome::of_unopened(&failure));
            return Ok(());
        }
        for (index, _) in (0..).zip(events) {
            match self.line(call, index) {
                Ok(settled) => call.settle(&[index], &settled),
                Err(failure) => {
                    // What was written may have arrived. What comes after it was not written: it has to say so itself.
                    call.settle(&[index], &outcome::uncertain(failure.code.clone(), failure.message.clone()));
                    call.settle(&batch::indexes(events).split_off(index as usize + 1), &Outcome::Untried);
                    return Err(failure);
                }
            }
        }
        Ok(())
    }

    /// Opens nothing: says what would be written.
    fn preview(&mut self, call: &Call, events: &[Event]) -> Result<(), Failure> {
        for (index, event) in (0..).zip(events) {
            call.show(&[index], &event.content_type, &event.data, b"");
        }
        Ok(())
    }
}

impl Session {
    /// The connection. One that the server ended meanwhile, or speaks over without being asked, is replaced before it is used:
    /// nothing is lost then.
    fn connected(&mut self) -> Result<&mut stream::Framed, Failure> {
        if !self.connection.as_ref().is_some_and(is_quiet) {
            let security = match self.config.security {
                Protected::Tls => Security::Tls,
                Protected::Plain => Security::Plain,
            };
            let port = self.config.port.unwrap_or(7000);
            self.connection = Some(stream::Framed::connect(&self.config.host, port, security)?);
        }
        self.connection.as_mut().ok_or_else(|| Failure::protocol("not-connected", "There is no connection."))
    }

    /// Writes a line and reads the answer.
    fn line(&mut self, call: &Call, index: u32) -> Result<Outcome, Failure> {
        let connection = self.connected()?;
        connection.write(&[Part::EventDataBase64(index), parts::bytes("\n")])?;
        let answer = String::from_utf8_lossy(connection.read_until(b'\n', call)?).trim().to_owned();
        let reason = Reason::new("answered", format!("The server answered: {answer}")).with_status(&answer);
        match answer.chars().next() {
            Some('+') => Ok(Outcome::Delivered(reason)),
            Some('-') => Ok(Outcome::Permanent(reason)),
            _ => Err(Failure::protocol("answer-unknown", "The server's answer begins with neither + nor -.")),
        }
    }
}

fn is_quiet(connection: &stream::Framed) -> bool {
    connection.buffered().is_empty() && streams::wait(&[connection.connection()], 0).is_empty()
}

connector!(Session, "manifest.json");
