//! One SCRAM login, the client's side (RFC 5802, RFC 7677), without I/O, clock or randomness of its own.
//!
//! What leaves this module proves the password to one server, for one nonce that the host made, and holds nothing to log in
//! with a second time: a proof is the client's key under a pad that only the server's stored key can take off.

mod mechanism;
mod memo;

pub(crate) use mechanism::Mechanism;
pub(crate) use memo::{Memo, Salt};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use zeroize::Zeroizing;

/// The least that RFC 5802 and RFC 7677 (section 4) have servers ask for. With fewer, an impostor who is told a proof could
/// search for the password that much faster.
pub(crate) const MIN_ITERATIONS: u32 = 4_096;
/// The most: a tenth of a second of the host's CPU at the worst. PostgreSQL and Kafka ask for 4,096 unless told otherwise, MongoDB
/// for 10,000 and 15,000.
pub(crate) const MAX_ITERATIONS: u32 = 100_000;
/// Bytes of a server's message. Real ones have some hundred.
const MAX_MESSAGE: usize = 4 * 1024;
/// Bytes of a salt: 16 to 64 are usual.
const MAX_SALT: usize = 1024;
/// Bytes of a user's name.
const MAX_USER: usize = 1024;
/// Bytes of the host's nonce, before base64: 18 are usual (libpq), 24 leave no padding either.
pub(crate) const NONCE: usize = 24;

/// Why a login cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// The server's message is not what the RFC says.
    Message(&'static str),
    /// It asks for fewer or more iterations than the host does.
    Iterations(u32),
    /// It refused: its word for it (RFC 5802, `server-error-value`).
    Refused(String),
    /// It does not know the password.
    Impostor,
    /// User name or channel binding cannot stand in a login.
    Argument(&'static str),
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(what) => write!(f, "The server's SCRAM message {what}."),
            Self::Iterations(given) if *given < MIN_ITERATIONS => write!(
                f,
                "The server stores this password with {given} SCRAM iterations; at least {MIN_ITERATIONS} are needed. \
                 Raise the server's setting and set the password anew."
            ),
            Self::Iterations(given) => write!(
                f,
                "The server stores this password with {given} SCRAM iterations; at most {MAX_ITERATIONS} are computed. \
                 Lower the server's setting and set the password anew."
            ),
            Self::Refused(word) => write!(f, "The server refused the login: {word}."),
            Self::Impostor => f.write_str(
                "The server did not prove that it knows the password: it is not the server that the password is for.",
            ),
            Self::Argument(what) => f.write_str(what),
        }
    }
}

/// The client of one login. Calls come in the order [`Client::first`], [`Client::challenge`], [`Client::answer`].
pub(crate) struct Client {
    mechanism: Mechanism,
    /// The GS2 header, and what the channel is bound to.
    header: &'static str,
    binding: Vec<u8>,
    nonce: String,
    /// The first message without its header.
    bare: String,
}

/// What the server asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    message: String,
    nonce: String,
    pub(crate) salt: Salt,
}

/// What the server's signature must be.
pub(crate) struct Proof(Zeroizing<Vec<u8>>);

impl Client {
    /// `binding`: the channel's `tls-server-end-point` (`p=…`); empty: the client could, and the server did not offer it
    /// (`y`); none: no channel to bind to (`n`).
    pub(crate) fn new(
        mechanism: Mechanism,
        user: &str,
        binding: Option<Vec<u8>>,
        nonce: &[u8; NONCE],
    ) -> Result<Self, Wrong> {
        Self::with_nonce(mechanism, user, binding, STANDARD.encode(nonce))
    }

    fn with_nonce(mechanism: Mechanism, user: &str, binding: Option<Vec<u8>>, nonce: String) -> Result<Self, Wrong> {
        if user.len() > MAX_USER || user.contains('\0') {
            return Err(Wrong::Argument("The user name has more than 1024 bytes, or a NUL."));
        }
        let (header, binding) = match binding {
            None => ("n,,", Vec::new()),
            Some(bytes) if bytes.is_empty() => ("y,,", bytes),
            // The digests of certificates that RFC 5929 knows.
            Some(bytes) if matches!(bytes.len(), 32 | 48 | 64) => ("p=tls-server-end-point,,", bytes),
            Some(_) => {
                return Err(Wrong::Argument("The channel binding is not what `connection.channel-binding` gives."));
            }
        };
        let user = user.replace('=', "=3D").replace(',', "=2C");
        let bare = format!("n={user},r={nonce}");
        Ok(Self { mechanism, header, binding, nonce, bare })
    }

    /// The channel binding that it claims, where it claims one.
    pub(crate) fn bound_to(&self) -> Option<&[u8]> {
        Some(self.binding.as_slice()).filter(|binding| !binding.is_empty())
    }

    /// The client's first message: a name and a nonce, public both.
    pub(crate) fn first(&self) -> Vec<u8> {
        format!("{}{}", self.header, self.bare).into_bytes()
    }

    /// Reads the server's first message.
    pub(crate) fn challenge(&self, message: &[u8]) -> Result<Challenge, Wrong> {
        let text = readable(message)?;
        if let Some(word) = text.strip_prefix("e=") {
            return Err(Wrong::Refused(word.to_owned()));
        }
        let mut attributes = text.split(',');
        let mut next = |name: &str, missing| {
            attributes.next().and_then(|attribute| attribute.strip_prefix(name)).ok_or(Wrong::Message(missing))
        };
        // An extension that must be understood (`m=`) would stand first, where none is known.
        let nonce = next("r=", "does not begin with a nonce")?;
        if nonce.len() <= self.nonce.len() || !nonce.starts_with(&self.nonce) {
            return Err(Wrong::Message("does not continue the nonce of this login"));
        }
        let salt = STANDARD.decode(next("s=", "has no salt")?).map_err(|_| Wrong::Message("has no salt in base64"))?;
        if salt.is_empty() || salt.len() > MAX_SALT {
            return Err(Wrong::Message("has no salt of 1 to 1024 bytes"));
        }
        let iterations = next("i=", "has no iteration count")?;
        let iterations = iterations.parse().map_err(|_| Wrong::Message("has no iteration count"))?;
        if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations) {
            return Err(Wrong::Iterations(iterations));
        }
        let salt = Salt { mechanism: self.mechanism, bytes: salt, iterations };
        Ok(Challenge { message: text.to_owned(), nonce: nonce.to_owned(), salt })
    }

    /// The client's final message, and what the server has to answer it with. `salted`: see [`Salt::password`]. The proof in it
    /// is bound to both nonces and to the channel: no other login takes it.
    pub(crate) fn answer(&self, challenge: &Challenge, salted: &[u8]) -> (Vec<u8>, Proof) {
        let bound = STANDARD.encode([self.header.as_bytes(), &self.binding].concat());
        let unproven = format!("c={bound},r={}", challenge.nonce);
        let signed = format!("{},{},{unproven}", self.bare, challenge.message);
        let client_key = self.mechanism.hmac(salted, b"Client Key");
        let stored_key = self.mechanism.digest(&client_key);
        let mut proof = self.mechanism.hmac(&stored_key, signed.as_bytes());
        proof.iter_mut().zip(client_key.iter()).for_each(|(pad, key)| *pad ^= key);
        let server_key = self.mechanism.hmac(salted, b"Server Key");
        let expected = self.mechanism.hmac(&server_key, signed.as_bytes());
        (format!("{unproven},p={}", STANDARD.encode(&*proof)).into_bytes(), Proof(expected))
    }
}

impl Proof {
    /// Proves the server by its final message, in constant time.
    pub(crate) fn verify(&self, message: &[u8]) -> Result<(), Wrong> {
        let text = readable(message)?;
        if let Some(word) = text.strip_prefix("e=") {
            return Err(Wrong::Refused(word.split(',').next().unwrap_or_default().to_owned()));
        }
        let signature = text.split(',').next().and_then(|attribute| attribute.strip_prefix("v="));
        let signature = signature.and_then(|text| STANDARD.decode(text).ok());
        let signature = signature.ok_or(Wrong::Message("has no signature"))?;
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.0, &signature).map_err(|_| Wrong::Impostor)
    }
}

fn readable(message: &[u8]) -> Result<&str, Wrong> {
    if message.len() > MAX_MESSAGE {
        return Err(Wrong::Message("has more than 4096 bytes"));
    }
    std::str::from_utf8(message).map_err(|_| Wrong::Message("is not UTF-8"))
}

#[cfg(test)]
mod tests;
