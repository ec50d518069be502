//! What a server says and expects, one step after the other.

use super::Peer;
use rustls::ServerConfig;
use std::fmt;
use std::io;
use std::sync::Arc;

/// One step of a dialogue.
#[derive(Clone)]
pub enum Step {
    /// The client must write exactly these bytes; anything else ends the connection.
    Expect(Vec<u8>),
    /// Reads so many bytes, whatever they are.
    Read(usize),
    /// Reads until these bytes came.
    ReadUntil(Vec<u8>),
    /// Writes these bytes.
    Send(Vec<u8>),
    /// Begins TLS.
    StartTls(Arc<ServerConfig>),
    /// Reads whatever comes and answers nothing.
    Hang,
    /// Resets the connection.
    Reset,
    /// Closes the connection.
    Close,
    /// Writes so many bytes that mean nothing, and closes.
    Flood(u64),
    /// Writes a line that is no protocol, and reads on.
    Nonsense,
    /// These steps again and again, until the client goes.
    Repeat(Vec<Step>),
}

/// Steps, in order. After the last one the server reads on and says nothing more.
#[derive(Clone, Debug, Default)]
pub struct Dialogue(pub Vec<Step>);

/// Not the beginning of any protocol.
const NONSENSE: &[u8] = b"\x00\xff\x13\x37 this is not what you expect\r\n\r\n\x80\x81\x82";

impl Dialogue {
    pub(super) fn run(&self, peer: &mut Peer) -> io::Result<()> {
        if follow(&self.0, peer)? { peer.hang() } else { Ok(()) }
    }
}

/// False where a step ended the connection.
fn follow(steps: &[Step], peer: &mut Peer) -> io::Result<bool> {
    for step in steps {
        match step {
            Step::Expect(bytes) => {
                let came = peer.read_exact(bytes.len())?;
                if came != *bytes {
                    return Err(io::Error::other(format!(
                        "expected {:?}, got {:?}",
                        String::from_utf8_lossy(bytes),
                        String::from_utf8_lossy(&came)
                    )));
                }
            }
            Step::Read(count) => drop(peer.read_exact(*count)?),
            Step::ReadUntil(end) => drop(peer.read_until(end)?),
            Step::Send(bytes) => peer.send(bytes)?,
            Step::StartTls(config) => peer.start_tls(config.clone())?,
            Step::Hang => return peer.hang().map(|()| false),
            Step::Reset => return peer.reset().map(|()| false),
            Step::Close => return peer.close().map(|()| false),
            Step::Flood(bytes) => return peer.flood(*bytes).map(|()| false),
            Step::Nonsense => peer.send(NONSENSE)?,
            Step::Repeat(steps) => loop {
                match follow(steps, peer) {
                    Ok(true) => {}
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                    ended => return ended,
                }
            },
        }
    }
    Ok(true)
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expect(bytes) => write!(f, "Expect({:?})", String::from_utf8_lossy(bytes)),
            Self::Read(count) => write!(f, "Read({count})"),
            Self::ReadUntil(end) => write!(f, "ReadUntil({:?})", String::from_utf8_lossy(end)),
            Self::Send(bytes) => write!(f, "Send({:?})", String::from_utf8_lossy(bytes)),
            Self::StartTls(_) => f.write_str("StartTls"),
            Self::Hang => f.write_str("Hang"),
            Self::Reset => f.write_str("Reset"),
            Self::Close => f.write_str("Close"),
            Self::Flood(bytes) => write!(f, "Flood({bytes})"),
            Self::Nonsense => f.write_str("Nonsense"),
            Self::Repeat(steps) => write!(f, "Repeat({steps:?})"),
        }
    }
}
