//! Secrets that a connector uses and never holds: the contract's, and the usual ways to ask for them.

pub use crate::bindings::railhead::plugin::credentials::*;

/// The value in force of a field, if its owner set one. Signers take all that [`get`] answers with; everything else this.
///
/// # Errors
/// As [`get`].
pub fn first(field: &str) -> Result<Option<Credential>, Failure> {
    Ok(get(field)?.into_iter().next())
}

/// The value in force of a field without which nothing can be sent.
///
/// # Errors
/// As [`get`]; of kind `invalid`, code `credential-missing`, where its owner set none.
pub fn required(field: &str) -> Result<Credential, Failure> {
    first(field)?.ok_or_else(|| Failure::invalid("credential-missing", format!("Set the credential {field}.")))
}
