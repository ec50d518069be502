//! Shared access signatures of Azure Service Bus, Event Hubs and Notification Hubs.
//!
//! Microsoft, "Service Bus access control with Shared Access Signatures": the signature is an HMAC-SHA256 of the encoded
//! resource, a line break and the expiry, keyed with the characters of the key as the portal shows them (not decoded).

use super::{MAX_LIFE_S, MAX_TEXT, Refused, Token};
use crate::secret::{Encoding, Secret, encode};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use railhead_model::manifest::CredentialKind;
use zeroize::Zeroizing;

/// Makes a token for a resource and all below it, for `life_s` seconds.
///
/// # Errors
/// `key-unsuitable`, `resource-invalid`, `token-life`.
pub(crate) fn azure_sas(
    key: &Secret,
    resource: &str,
    key_name: &str,
    life_s: u32,
    now_s: i64,
) -> Result<Token, Refused> {
    if !matches!(key.kind(), CredentialKind::Text | CredentialKind::Bytes) {
        let message = format!("The credential field {} is not a shared access key.", key.field());
        return Err(Refused::new("key-unsuitable", message));
    }
    let fits = |text: &str| !text.is_empty() && text.len() <= MAX_TEXT && !text.contains(char::is_control);
    if !fits(resource) || !fits(key_name) {
        let message =
            "A shared access signature is for a resource URI and the name of a key, each of 1 to 16,384 bytes.";
        return Err(Refused::new("resource-invalid", message));
    }
    let life_s = i64::from(life_s);
    if !(1..=MAX_LIFE_S).contains(&life_s) {
        return Err(Refused::life());
    }
    let expiry = now_s.saturating_add(life_s);
    let resource = percent(resource.as_bytes());
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.characters());
    let signature = hmac::sign(&key, format!("{}\n{expiry}", *resource).as_bytes());
    let signature = percent(Zeroizing::new(STANDARD.encode(signature)).as_bytes());
    let name = percent(key_name.as_bytes());
    let (resource, signature, name) = (resource.as_str(), signature.as_str(), name.as_str());
    let text = Zeroizing::new(format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={name}"));
    Ok(Token { text, life_s })
}

fn percent(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(String::from_utf8_lossy(&encode(bytes, Encoding::Percent)).into_owned())
}
