//! JSON Web Tokens (RFC 7519) in the compact form of RFC 7515.

use super::{MAX_LIFE_S, MAX_TEXT, Refused, Token};
use crate::secret::Secret;
use crate::secret::key::KeyAlgorithm;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

type Members = Map<String, Value>;

/// Signs claims. The host's clock makes `iat`, and `exp` where there is none: nobody can have a token made today for next
/// year. `alg` is the one that it is signed with.
///
/// # Errors
/// `algorithm-unknown`, `key-unsuitable`, `token-header`, `token-claims`, `token-life`.
pub(crate) fn jwt(key: &Secret, algorithm: &str, header: &str, claims: &str, now_s: i64) -> Result<Token, Refused> {
    let (algorithm, alg) = match KeyAlgorithm::parse(algorithm) {
        Some(algorithm @ KeyAlgorithm::Rs256) => (algorithm, "RS256"),
        Some(algorithm @ KeyAlgorithm::Es256) => (algorithm, "ES256"),
        Some(algorithm @ KeyAlgorithm::Ed25519) => (algorithm, "EdDSA"),
        _ => return Err(Refused::new("algorithm-unknown", "This host signs tokens with rs256, es256 or ed25519.")),
    };
    let header = self::header(header, alg)?;
    let (claims, life_s) = self::claims(claims, now_s)?;
    let encoded = |members: Members| URL_SAFE_NO_PAD.encode(Value::Object(members).to_string());
    let mut text = Zeroizing::new(format!("{}.{}", encoded(header), encoded(claims)));
    let signature = key.signature(algorithm, text.as_bytes()).ok_or_else(|| {
        let message = format!("The credential field {} is not a key that {alg} signs with.", key.field());
        Refused::new("key-unsuitable", message)
    })?;
    text.push('.');
    text.push_str(&Zeroizing::new(URL_SAFE_NO_PAD.encode(Zeroizing::new(signature))));
    Ok(Token { text, life_s })
}

fn header(text: &str, alg: &str) -> Result<Members, Refused> {
    let mut header = object(text).ok_or_else(|| Refused::new("token-header", "The header is not a JSON object."))?;
    if header.get("alg").is_some_and(|given| given != alg) {
        return Err(Refused::new("token-header", format!("The header's `alg` is not {alg}. Leave it out.")));
    }
    // They change what is signed, or how it is read (RFC 7515, 4.1.11; RFC 7797).
    if header.contains_key("crit") || header.contains_key("b64") {
        return Err(Refused::new("token-header", "The header must not hold `crit` or `b64`."));
    }
    header.insert("alg".to_owned(), alg.into());
    header.entry("typ").or_insert_with(|| "JWT".into());
    Ok(header)
}

fn claims(text: &str, now_s: i64) -> Result<(Members, i64), Refused> {
    let mut claims = object(text).ok_or_else(|| Refused::new("token-claims", "The claims are not a JSON object."))?;
    let life_s = match claims.get("exp") {
        None => MAX_LIFE_S,
        Some(given) => given.as_i64().ok_or_else(Refused::life)?.saturating_sub(now_s),
    };
    if !(1..=MAX_LIFE_S).contains(&life_s) {
        return Err(Refused::life());
    }
    claims.insert("iat".to_owned(), now_s.into());
    claims.insert("exp".to_owned(), now_s.saturating_add(life_s).into());
    Ok((claims, life_s))
}

fn object(text: &str) -> Option<Members> {
    (text.len() <= MAX_TEXT).then(|| serde_json::from_str(text).ok())?
}
