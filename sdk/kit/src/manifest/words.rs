//! What fields are by their names, however they are written: `api_key`, `apiKey`, `API-Key`.

/// What names of secrets end with.
const SECRETS: [&[&str]; 28] = [
    &["password"],
    &["passwd"],
    &["pwd"],
    &["passphrase"],
    &["passcode"],
    &["secret"],
    &["secrets"],
    &["token"],
    &["tokens"],
    &["credential"],
    &["credentials"],
    &["apikey"],
    &["authtoken"],
    &["authorization"],
    &["bearer"],
    &["pin"],
    &["api", "key"],
    &["private", "key"],
    &["access", "key"],
    &["secret", "key"],
    &["account", "key"],
    &["auth", "key"],
    &["signing", "key"],
    &["shared", "key"],
    &["license", "key"],
    &["master", "key"],
    &["integration", "key"],
    &["connection", "string"],
];

/// Words of fields that decide what is signed, or how.
const DECIDING: [&str; 9] =
    ["algorithm", "algorithms", "digest", "audience", "issuer", "scope", "scopes", "claims", "canonicalization"];

/// True if a field of this name asks for a secret.
pub(super) fn names_secret(name: &str) -> bool {
    let mut words = words(name);
    // `password2`, `token_1`.
    while words.len() > 1 && words.last().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        words.pop();
    }
    if let Some(last) = words.last_mut() {
        *last = last.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
    }
    SECRETS.iter().any(|end| words.ends_with(&end.iter().map(ToString::to_string).collect::<Vec<_>>()))
}

/// True if a field of this name decides what a key signs: `signature_header`, `tokenAudience`.
pub(super) fn decides(name: &str) -> bool {
    words(name).iter().any(|word| word.starts_with("sign") || DECIDING.contains(&word.as_str()))
}

/// In lower case: parted where anything but letters and digits stands, and before a capital.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    let chars: Vec<char> = name.chars().collect();
    for (at, &c) in chars.iter().enumerate() {
        let next_is_small = chars.get(at + 1).is_some_and(|next| next.is_lowercase());
        let begins = c.is_uppercase() && (before.is_lowercase() || before.is_uppercase() && next_is_small);
        if begins || !c.is_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_however_they_are_written() {
        for name in [
            "password",
            "note_password",
            "dbPassword",
            "apiKey",
            "api-key",
            "API_KEY",
            "APIKey",
            "apikey",
            "token",
            "auth_token",
            "authToken",
            "bearerToken2",
            "client_secret",
            "secretAccessKey",
            "connection_string",
            "password_2",
            "credentials",
        ] {
            assert!(names_secret(name), "{name}");
        }
    }

    #[test]
    fn what_only_speaks_of_secrets_is_none() {
        for name in [
            "token_url",
            "tokenUrl",
            "kms_key_id",
            "key",
            "partition_key",
            "bucket_key",
            "password_header",
            "signature_header",
            "secretary",
            "tokenize",
            "access_key_id",
            "mapping",
        ] {
            assert!(!names_secret(name), "{name}");
        }
    }

    #[test]
    fn what_decides_is_known() {
        for name in ["signature_header", "signatures", "signedHeaders", "token_audience", "algorithm"] {
            assert!(decides(name), "{name}");
        }
        for name in ["url", "header_prefix", "design", "assigned", "note"] {
            assert!(!decides(name), "{name}");
        }
    }
}
