//! Key pairs of kind `aws`.

use super::parse::SecretError;
use super::{Nature, Secret, Value};
use railhead_model::manifest::{CredentialKind, CredentialUse};
use std::collections::BTreeMap;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What a signature of AWS is made with. Never leaves egress.
pub struct AwsKeys<'a> {
    /// Public; it stands in each signature.
    pub access_key_id: &'a str,
    /// What is signed with.
    pub secret_access_key: &'a str,
    /// Of keys that a token service made.
    pub session_token: Option<&'a str>,
}

/// The name of the attribute that shows whose keys they are.
const ID: &str = "access-key-id";

impl Secret {
    /// The parts of a key pair of kind `aws`; of any other kind there are none.
    #[must_use]
    pub fn aws(&self) -> Option<AwsKeys<'_>> {
        if self.kind != CredentialKind::Aws { None } else { keys(&self.value) }
    }

    /// A key pair that a token service made: of use `sign-request`, for these origins.
    ///
    /// # Errors
    /// `secret-not-document`: a part is empty or cannot stand in a header.
    pub(crate) fn made_aws(
        field: &str,
        origins: &[String],
        access_key_id: &str,
        (secret_access_key, session_token): (Zeroizing<String>, Option<Zeroizing<String>>),
        nature: Nature,
    ) -> Result<Arc<Self>, SecretError> {
        let hidden = std::iter::once(secret_access_key).chain(session_token).collect();
        let attributes = BTreeMap::from([(ID.to_owned(), access_key_id.to_owned())]);
        // Nobody ever had it as one text.
        let value = Value::Document { whole: Zeroizing::default(), hidden, attributes };
        check(&value)?;
        Ok(Arc::new(Self {
            field: field.to_owned(),
            kind: CredentialKind::Aws,
            usage: CredentialUse::SignRequest,
            origins: origins.to_vec(),
            value,
            written: None,
            nature,
        }))
    }
}

/// Judges the parts: all of them stand in headers or sign.
pub(super) fn check(value: &Value) -> Result<(), SecretError> {
    let wrong = |message: &str| Err(SecretError::new("secret-not-document", message));
    let Some(keys) = keys(value) else { return wrong("The member `access_key_id` is missing.") };
    let id = keys.access_key_id;
    if id.is_empty() || id.len() > 128 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
    {
        return wrong("The member `access_key_id` is no id of an access key.");
    }
    let is_shown = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_shown(keys.secret_access_key) || !keys.session_token.is_none_or(is_shown) {
        return wrong("`secret_access_key` or `session_token` is empty, or holds a blank or a character beyond ASCII.");
    }
    Ok(())
}

fn keys(value: &Value) -> Option<AwsKeys<'_>> {
    let Value::Document { hidden, attributes, .. } = value else { return None };
    let mut hidden = hidden.iter().map(|text| text.as_str());
    let (access_key_id, secret_access_key) = (attributes.get(ID)?, hidden.next()?);
    Some(AwsKeys { access_key_id, secret_access_key, session_token: hidden.next() })
}
