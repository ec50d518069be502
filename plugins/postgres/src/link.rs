//! One connection to the server, spoken over in messages. Each wait is bounded by the call.

use crate::classify::{self, Meaning, Reached, Verdict};
use crate::config::Config;
use crate::protocol::backend::{Inbox, Malformed, Message, ServerError};
use crate::protocol::frontend::{self, Piece};
use crate::sql::Table;
use railhead_sdk::credentials::Part;
use railhead_sdk::host::Call;
use railhead_sdk::streams::{self, Connection};
use railhead_sdk::types::{Failure, Kind};

/// Bytes of our own that are written at once; the host takes more, and charges for them.
const WRITE_BYTES: usize = 256 * 1024;
/// Bytes that are read at once.
const READ_BYTES: u32 = 64 * 1024;
/// Notices and the like that a server may send while it is waited for.
const MAX_ASIDES: u32 = 1_000;
/// The same while it handles rows, or ends their transaction. Notices are switched off then, but a trigger may say `RAISE
/// INFO`, which cannot be.
const MAX_ASIDES_OF_ROWS: u32 = 100_000;
/// Messages that answer one question: a batch of 5,000 rows in as many tables has some 20,000.
const MAX_MESSAGES: u32 = 50_000;
/// The code of what breaks the protocol.
const VIOLATION: &str = "protocol-violation";
/// Of a call, what is left for settling.
const RESERVE_MS: u32 = 500;

/// How long something may take.
#[derive(Clone, Copy)]
pub enum Patience<'a> {
    /// As long as the call, but for what settling takes.
    Call(&'a Call),
    /// So many milliseconds, where there is no call.
    Ms(u32),
}

impl Patience<'_> {
    pub fn left_ms(self) -> u32 {
        match self {
            Self::Call(call) => {
                let left = call.left_ms();
                left.saturating_sub(RESERVE_MS.min(left / 4))
            }
            Self::Ms(ms) => ms,
        }
    }
}

/// Why a conversation cannot go on.
#[derive(Debug)]
pub enum Trouble {
    /// The host's word on the connection.
    Host(Failure),
    /// The server's last word.
    Server(ServerError),
    /// What was found out here.
    Own(Verdict),
}

impl Trouble {
    /// What it means, when so much of a transaction was sent.
    pub fn verdict(&self, config: &Config, table: Option<&Table>, reached: Reached) -> Verdict {
        match self {
            Self::Host(failure) => classify::failure(failure, reached),
            Self::Server(error) => uncertain(classify::server(error, config, table), reached),
            Self::Own(verdict) => uncertain(verdict.clone(), reached),
        }
    }

    /// At a login: who breaks the protocol there never spoke it.
    pub fn of_a_stranger(self, address: &str) -> Self {
        match self {
            Self::Own(verdict) if verdict.code == VIOLATION => Self::not_postgres(address),
            other => other,
        }
    }

    pub fn not_postgres(address: &str) -> Self {
        let message = format!("What listens at {address} does not speak PostgreSQL's protocol. Look at host and port.");
        Self::misconfigured("not-postgres", message)
    }

    pub fn misconfigured(code: &str, message: String) -> Self {
        Self::own(Meaning::Misconfigured, code, message)
    }

    pub fn own(meaning: Meaning, code: &str, message: String) -> Self {
        Self::Own(Verdict { meaning, code: code.to_owned(), message, status: None })
    }
}

/// Whatever the server said then, it may have said after the transaction was done.
fn uncertain(verdict: Verdict, reached: Reached) -> Verdict {
    if reached == Reached::Commit { Verdict { meaning: Meaning::Uncertain, ..verdict } } else { verdict }
}

/// See the module. Closed when it goes.
pub struct Link {
    pub connection: Connection,
    inbox: Inbox,
    /// For messages: `host:port`.
    address: String,
    /// How many more of them are taken until it is asked again.
    asides_left: u32,
}

impl Link {
    pub fn new(connection: Connection, address: String) -> Self {
        Self { connection, inbox: Inbox::default(), address, asides_left: MAX_ASIDES }
    }

    /// Writes bytes of our own.
    pub fn write(&mut self, bytes: Vec<u8>) -> Result<(), Trouble> {
        self.connection.write(&[Part::Bytes(bytes)]).map_err(Trouble::Host)
    }

    /// Writes pieces, in few calls of a bounded size.
    pub fn write_all(&mut self, pieces: Vec<Piece>) -> Result<(), Trouble> {
        self.asides_left = MAX_ASIDES_OF_ROWS;
        let (mut parts, mut own) = (Vec::with_capacity(pieces.len()), 0);
        for piece in pieces {
            match piece {
                Piece::Data(index) => parts.push(Part::EventData(index)),
                Piece::DataBase64(index) => parts.push(Part::EventDataBase64(index)),
                Piece::Bytes(bytes) => {
                    for chunk in bytes.chunks(WRITE_BYTES) {
                        if own + chunk.len() > WRITE_BYTES {
                            self.connection.write(&parts).map_err(Trouble::Host)?;
                            (parts, own) = (Vec::new(), 0);
                        }
                        own += chunk.len();
                        parts.push(Part::Bytes(chunk.to_vec()));
                    }
                }
            }
        }
        if parts.is_empty() { Ok(()) } else { self.connection.write(&parts).map_err(Trouble::Host) }
    }

    /// The next message that is about what was asked. An error that ends the connection is no message but trouble.
    pub fn next(&mut self, patience: Patience<'_>) -> Result<Message, Trouble> {
        loop {
            match self.inbox.next().map_err(|malformed| self.nonsense(malformed))? {
                Some(Message::Aside) => self.count_aside()?,
                Some(Message::Error(error)) if error.is_fatal() => return Err(Trouble::Server(error)),
                Some(message) => {
                    if matches!(message, Message::ParameterStatus(..)) {
                        self.count_aside()?;
                    }
                    return Ok(message);
                }
                None => self.read(patience)?,
            }
        }
    }

    /// Waits for the end of what was asked. The first error on the way, and the transaction's status.
    pub fn until_ready(
        &mut self,
        patience: Patience<'_>,
        mut each: impl FnMut(&Message),
    ) -> Result<(Option<ServerError>, u8), Trouble> {
        let mut failed = None;
        for _ in 0..MAX_MESSAGES {
            match self.next(patience)? {
                Message::ReadyForQuery(status) => return Ok((failed, status)),
                Message::Error(error) => failed = failed.or(Some(error)),
                Message::Authentication(_) => return Err(self.out_of_place("an authentication request")),
                other => each(&other),
            }
        }
        Err(self.flood())
    }

    /// Runs a statement that takes nothing and gives nothing.
    pub fn run(&mut self, sql: &str, patience: Patience<'_>) -> Result<Result<String, ServerError>, Trouble> {
        self.asides_left = MAX_ASIDES_OF_ROWS;
        self.write(frontend::query(sql))?;
        let mut tag = String::new();
        let (failed, _) = self.until_ready(patience, |message| {
            if let Message::CommandComplete(done) = message {
                tag.clone_from(done);
            }
        })?;
        Ok(failed.map_or(Ok(tag), Err))
    }

    /// Asks for the rows of a statement, their first column each.
    pub fn ask(
        &mut self,
        sql: &str,
        parameters: Vec<frontend::Parameter>,
        patience: Patience<'_>,
    ) -> Result<Result<Vec<String>, ServerError>, Trouble> {
        let mut pieces = Vec::new();
        frontend::statement(&mut pieces, sql, parameters);
        frontend::push_bytes(&mut pieces, &frontend::SYNC);
        self.write_all(pieces)?;
        let mut rows = Vec::new();
        let (failed, _) = self.until_ready(patience, |message| {
            if let Message::DataRow(Some(value)) = message {
                rows.push(value.clone());
            }
        })?;
        Ok(failed.map_or(Ok(rows), Err))
    }

    /// False if the server has ended the connection, or speaks without being asked: then it is about to.
    pub fn is_quiet(&self) -> bool {
        self.inbox.is_empty() && streams::wait(&[&self.connection], 0).is_empty()
    }

    /// Sends what asks for nothing, and waits for the answer.
    pub fn beat(&mut self, patience: Patience<'_>) -> Result<(), Trouble> {
        self.asides_left = MAX_ASIDES;
        self.write(frontend::SYNC.to_vec())?;
        self.until_ready(patience, |_| {}).map(|_| ())
    }

    /// Says goodbye.
    pub fn close(self) {
        // Whether it is heard makes no difference.
        let _ = self.connection.write(&[Part::Bytes(frontend::TERMINATE.to_vec())]);
    }

    /// What has no place here came from the server.
    pub fn out_of_place(&self, what: &str) -> Trouble {
        let message = format!("{} sent {what} where none belongs: that is not PostgreSQL's protocol.", self.address);
        Trouble::own(Meaning::Transient, VIOLATION, message)
    }

    fn nonsense(&self, malformed: Malformed) -> Trouble {
        let message = format!("{} does not speak PostgreSQL's protocol: {malformed}.", self.address);
        Trouble::own(Meaning::Transient, VIOLATION, message)
    }

    fn count_aside(&mut self) -> Result<(), Trouble> {
        self.asides_left = self.asides_left.checked_sub(1).ok_or_else(|| self.flood())?;
        Ok(())
    }

    fn flood(&self) -> Trouble {
        let message = format!("{} sends messages without end, and no answer.", self.address);
        Trouble::own(Meaning::Transient, "server-floods", message)
    }

    fn read(&mut self, patience: Patience<'_>) -> Result<(), Trouble> {
        let bytes = self.connection.read(READ_BYTES, patience.left_ms()).map_err(Trouble::Host)?;
        if bytes.is_empty() {
            let message = format!("{} closed the connection.", self.address);
            let closed = Failure { kind: Kind::Closed, code: "connection-closed".to_owned(), message };
            return Err(Trouble::Host(closed));
        }
        self.inbox.push(&bytes);
        Ok(())
    }
}
