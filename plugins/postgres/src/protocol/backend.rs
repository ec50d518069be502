//! What comes back. Nothing of it is trusted: lengths are bounded, and what does not fit is an error.

use std::fmt;

/// Most bytes of one message: errors and ids are far smaller.
const MAX_MESSAGE: usize = 1024 * 1024;

/// A whole message.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    Authentication(Authentication),
    /// Name and value.
    ParameterStatus(String, String),
    /// Of the transaction: `I` none, `T` open, `E` failed.
    ReadyForQuery(u8),
    Error(ServerError),
    /// The first column, as text; none where it is NULL.
    DataRow(Option<String>),
    /// Its tag, such as `INSERT 0 3`.
    CommandComplete(String),
    /// A step of the extended protocol that needs no look: ParseComplete, BindComplete, NoData, RowDescription,
    /// EmptyQueryResponse, BackendKeyData, NegotiateProtocolVersion.
    Step,
    /// Sent without being asked for: a notice or a notification.
    Aside,
}

/// What the server wants of a login.
#[derive(Debug, PartialEq, Eq)]
pub enum Authentication {
    Ok,
    CleartextPassword,
    Md5Password([u8; 4]),
    /// Names of mechanisms.
    Sasl(Vec<String>),
    SaslContinue(Vec<u8>),
    SaslFinal(Vec<u8>),
    /// GSSAPI, SSPI, Kerberos and what may come.
    Other(u32),
}

/// An `ErrorResponse`, without what may hold a row's values (detail, context).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerError {
    /// `ERROR`, `FATAL`, `PANIC`: never translated.
    pub severity: String,
    pub sqlstate: String,
    pub message: String,
    pub names: Box<Names>,
}

/// What an error is about, by name; empty where the server names none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub table: String,
    pub column: String,
    pub constraint: String,
    pub datatype: String,
}

impl ServerError {
    /// True if the server ends the connection with it.
    pub fn is_fatal(&self) -> bool {
        self.severity == "FATAL" || self.severity == "PANIC"
    }
}

/// The bytes are not what a PostgreSQL server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A length that no message has.
    Length,
    /// Longer than any message that is of use here.
    TooLong,
    /// A kind that has no place here, or a body that does not fit its kind.
    Message(u8),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => f.write_str("a message has an impossible length"),
            Self::TooLong => write!(f, "a message is longer than {MAX_MESSAGE} bytes"),
            Self::Message(kind) => write!(f, "a message of kind 0x{kind:02x} makes no sense there"),
        }
    }
}

/// Bytes that came, cut into messages.
#[derive(Debug, Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    /// What was handed out already.
    read: usize,
}

impl Inbox {
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.read);
        self.read = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// True if nothing waits in it.
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == self.read
    }

    /// The next message, if it is whole.
    pub fn next(&mut self) -> Result<Option<Message>, Malformed> {
        let waiting = self.bytes.get(self.read..).unwrap_or_default();
        let Some(([kind, length @ ..], rest)) = waiting.split_first_chunk::<5>() else { return Ok(None) };
        let length = u32::from_be_bytes(*length);
        let length = usize::try_from(length).ok().and_then(|all| all.checked_sub(4)).ok_or(Malformed::Length)?;
        if length > MAX_MESSAGE {
            return Err(Malformed::TooLong);
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let message = message(*kind, body).ok_or(Malformed::Message(*kind))?;
        self.read += 5 + length;
        Ok(Some(message))
    }
}

fn message(kind: u8, body: &[u8]) -> Option<Message> {
    Some(match kind {
        b'R' => Message::Authentication(authentication(body)?),
        b'S' => {
            let (name, rest) = text(body)?;
            Message::ParameterStatus(name, text(rest)?.0)
        }
        b'Z' => match body {
            [status @ (b'I' | b'T' | b'E')] => Message::ReadyForQuery(*status),
            _ => return None,
        },
        b'E' => Message::Error(error(body)?),
        b'D' => Message::DataRow(first_column(body)?),
        b'C' => Message::CommandComplete(text(body)?.0),
        b'1' | b'2' | b'n' | b'T' | b'I' | b'K' | b'v' => Message::Step,
        b'N' | b'A' => Message::Aside,
        _ => return None,
    })
}

fn authentication(body: &[u8]) -> Option<Authentication> {
    let (code, rest) = body.split_first_chunk::<4>()?;
    Some(match u32::from_be_bytes(*code) {
        0 => Authentication::Ok,
        3 => Authentication::CleartextPassword,
        5 => Authentication::Md5Password(rest.try_into().ok()?),
        10 => Authentication::Sasl(names(rest)?),
        11 => Authentication::SaslContinue(rest.to_vec()),
        12 => Authentication::SaslFinal(rest.to_vec()),
        other => Authentication::Other(other),
    })
}

/// Texts up to an empty one.
fn names(mut body: &[u8]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    loop {
        let (name, rest) = text(body)?;
        if name.is_empty() {
            return Some(names);
        }
        names.push(name);
        body = rest;
    }
}

/// Fields of a letter and a text, up to a zero byte.
fn error(mut body: &[u8]) -> Option<ServerError> {
    let mut error = ServerError::default();
    loop {
        let (field, rest) = body.split_first()?;
        if *field == 0 {
            return Some(error);
        }
        let (value, rest) = text(rest)?;
        body = rest;
        match field {
            // The one that is never translated stands after the other.
            b'S' | b'V' => error.severity = value,
            b'C' => error.sqlstate = value,
            b'M' => error.message = value,
            b't' => error.names.table = value,
            b'c' => error.names.column = value,
            b'n' => error.names.constraint = value,
            b'd' => error.names.datatype = value,
            _ => {}
        }
    }
}

fn first_column(body: &[u8]) -> Option<Option<String>> {
    let (count, rest) = body.split_first_chunk::<2>()?;
    if u16::from_be_bytes(*count) == 0 {
        return None;
    }
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = i32::from_be_bytes(*length);
    if length == -1 {
        return Some(None);
    }
    let value = rest.get(..usize::try_from(length).ok()?)?;
    Some(Some(String::from_utf8_lossy(value).into_owned()))
}

/// A text that a zero byte ends, and what follows. A server's language may be in any encoding before the login.
fn text(body: &[u8]) -> Option<(String, &[u8])> {
    let end = body.iter().position(|byte| *byte == 0)?;
    let (text, rest) = body.split_at(end);
    Some((String::from_utf8_lossy(text).into_owned(), rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<Message>, Malformed> {
        let mut inbox = Inbox::default();
        inbox.push(bytes);
        let mut messages = Vec::new();
        while let Some(message) = inbox.next()? {
            messages.push(message);
        }
        Ok(messages)
    }

    fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn messages_come_out_whole_however_they_are_cut() {
        let mut bytes = framed(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0");
        bytes.extend(framed(b'C', b"COMMIT\0"));
        bytes.extend(framed(b'Z', b"I"));
        let mechanisms = Message::Authentication(Authentication::Sasl(vec!["SCRAM-SHA-256".to_owned()]));
        let expected = vec![mechanisms, Message::CommandComplete("COMMIT".to_owned()), Message::ReadyForQuery(b'I')];
        assert_eq!(all(&bytes), Ok(expected));
        let mut inbox = Inbox::default();
        let mut count = 0;
        for byte in &bytes {
            inbox.push(&[*byte]);
            count += usize::from(inbox.next().unwrap().is_some());
        }
        assert_eq!((count, inbox.is_empty()), (3, true));
    }

    #[test]
    fn an_error_keeps_what_is_of_use_and_no_row() {
        let body = b"SFEHLER\0VERROR\0C23505\0Mdoppelt\0DKey (a)=(secret)\0tt\0cu\0nk\0dint\0\0";
        let messages = all(&framed(b'E', body)).unwrap();
        let [Message::Error(error)] = messages.as_slice() else { panic!("{messages:?}") };
        assert_eq!((error.severity.as_str(), error.is_fatal()), ("ERROR", false));
        assert_eq!((error.sqlstate.as_str(), error.message.as_str()), ("23505", "doppelt"));
        let names = Names {
            table: "t".to_owned(),
            column: "u".to_owned(),
            constraint: "k".to_owned(),
            datatype: "int".to_owned(),
        };
        assert_eq!(*error.names, names);
        assert!(!format!("{error:?}").contains("secret"));
    }

    #[test]
    fn rows_and_nulls_are_told_apart() {
        let one = framed(b'D', b"\0\x01\0\0\0\x02ab");
        assert_eq!(all(&one), Ok(vec![Message::DataRow(Some("ab".to_owned()))]));
        assert_eq!(all(&framed(b'D', b"\0\x01\xff\xff\xff\xff")), Ok(vec![Message::DataRow(None)]));
    }

    #[test]
    fn nonsense_is_refused_and_never_waited_for() {
        assert_eq!(all(b"HTTP/1.1 400 Bad Request\r\n"), Err(Malformed::TooLong));
        assert_eq!(all(&[b'Z', 0, 0, 0, 3, 1]), Err(Malformed::Length));
        let wrong: [(u8, &[u8]); 9] = [
            (b'x', b""),
            (b'Z', b""),
            (b'Z', b"Q"),
            (b'R', b"\0\0"),
            (b'R', b"\0\0\0\x05abc"),
            (b'R', b"\0\0\0\x0aSCRAM"),
            (b'E', b"Mno end"),
            (b'D', b"\0\x01\0\0\0\x09ab"),
            (b'D', b"\0\x01\xff\xff\xff\xfe"),
        ];
        for (kind, body) in wrong {
            assert_eq!(all(&framed(kind, body)), Err(Malformed::Message(kind)), "{body:?}");
        }
    }
}
