//! Signers of a request. While a rotation overlaps, every key in force signs, the newest first, in every scheme.

use crate::config::template::{Piece, Word};
use crate::config::{self, Config, Custom, SecretEncoding};
use railhead_sdk::prelude::*;
use std::rc::Rc;

/// One `sign-header`, but for the message id.
pub struct Signer {
    header: String,
    before: Vec<Piece>,
    each: String,
    join: String,
    message: Vec<Piece>,
    keys: Rc<Vec<Credential>>,
    algorithm: &'static str,
    encoding: Encoding,
    /// Goes on in the header that an earlier signer began.
    more: bool,
}

/// The signers that a configuration asks for.
pub fn of_credentials(config: &Config) -> Result<Vec<Signer>, Failure> {
    if config.signatures.is_empty() {
        return Ok(Vec::new());
    }
    let secrets = Rc::new(credentials::get("signing_secret")?);
    let ed25519 = Rc::new(credentials::get("ed25519_key")?);
    let mut signers = Vec::new();
    for signature in &config.signatures {
        match signature.custom()? {
            None => standard(&mut signers, config, &secrets, &ed25519)?,
            Some(custom) => signers.push(of_custom(custom, &secrets)?),
        }
    }
    Ok(signers)
}

/// Standard Webhooks 1.0: `v1` of the secret and `v1a` of the Ed25519 key, both where both are set, in one header.
fn standard(
    signers: &mut Vec<Signer>,
    config: &Config,
    secrets: &Rc<Vec<Credential>>,
    ed25519: &Rc<Vec<Credential>>,
) -> Result<(), Failure> {
    let mut more = false;
    for (keys, each, algorithm) in [(secrets, "v1,", "hmac-sha256"), (ed25519, "v1a,", "ed25519")] {
        if keys.is_empty() {
            continue;
        }
        let dot = || Piece::Text(".".to_owned());
        signers.push(Signer {
            header: format!("{}signature", config.header_prefix),
            before: Vec::new(),
            each: each.to_owned(),
            join: " ".to_owned(),
            message: vec![Piece::Word(Word::Id), dot(), Piece::Word(Word::Timestamp), dot(), Piece::Word(Word::Body)],
            keys: Rc::clone(keys),
            algorithm,
            encoding: Encoding::Base64,
            more,
        });
        more = true;
    }
    if more { Ok(()) } else { Err(no_key("Set signing_secret or ed25519_key, or an empty list of signatures.")) }
}

fn of_custom(custom: Custom, secrets: &Rc<Vec<Credential>>) -> Result<Signer, Failure> {
    let Custom { header, before, each, join, message, encoding, secret_encoding, algorithm } = custom;
    if secrets.is_empty() {
        return Err(no_key("A custom signature needs the credential signing_secret."));
    }
    let wanted = match secret_encoding {
        SecretEncoding::Utf8 => None,
        SecretEncoding::Base64 => Some("base64"),
        SecretEncoding::Hex => Some("hex"),
    };
    if let Some(wanted) = wanted
        && secrets.iter().any(|secret| secret.attribute("form").is_some_and(|form| form != wanted))
    {
        let message = format!(
            "The signing secret is not written in {wanted}, as secret_encoding has it: write `{wanted}:` before it, or set \
             another one."
        );
        return Err(Failure::invalid("secret-encoding", message));
    }
    let encoding = match encoding {
        config::Encoding::Hex => Encoding::Hex,
        config::Encoding::Base64 => Encoding::Base64,
    };
    Ok(Signer { header, before, each, join, message, keys: Rc::clone(secrets), algorithm, encoding, more: false })
}

fn no_key(message: &str) -> Failure {
    Failure::invalid("no-signing-key", message)
}

impl Signer {
    /// Adds the signer to a request; the host signs when it leaves.
    pub fn sign(&self, request: &Request, id: &str) -> Result<(), Failure> {
        let pieces = |pieces: &[Piece]| pieces.iter().map(|piece| signed(piece, id)).collect::<Vec<_>>();
        let mut before = pieces(&self.before);
        if self.more {
            before.extend([Signed::Header(self.header.clone()), Signed::Text(self.join.clone())]);
        }
        let keys: Vec<_> = self.keys.iter().collect();
        request.sign_header(
            &self.header,
            &before,
            &self.each,
            &self.join,
            &pieces(&self.message),
            &keys,
            self.algorithm,
            self.encoding,
        )
    }
}

fn signed(piece: &Piece, id: &str) -> Signed {
    match piece {
        Piece::Text(text) => Signed::Text(text.clone()),
        Piece::Word(Word::Timestamp) => Signed::Timestamp,
        Piece::Word(Word::Body) => Signed::Body,
        // Signatures stand where the host puts them, never within a piece.
        Piece::Word(Word::Id | Word::Signature | Word::Signatures) => Signed::Text(id.to_owned()),
    }
}
