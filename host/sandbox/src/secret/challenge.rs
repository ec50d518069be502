//! What may be signed as a challenge of a server.
//!
//! A signature over bytes that a guest chose could be a token's: the host signs what only the server that asked can use.

use super::key::KeyAlgorithm;

/// Bytes of a nonce. NATS sends some twenty; the shortest JSON Web Token has more, and its dots besides.
const MAX_NONCE: usize = 64;
/// RFC 4252, `SSH_MSG_USERAUTH_REQUEST`.
const USERAUTH_REQUEST: u8 = 50;

/// True for a nonce, and for what SSH has a user sign with such a key.
pub(crate) fn is_challenge(message: &[u8], algorithm: KeyAlgorithm) -> bool {
    is_nonce(message) || is_ssh(message, algorithm).is_some()
}

/// Letters, digits, `-`, `_`, `+`, `/`, `=`: no dot, which every token has.
pub(crate) fn is_nonce(message: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_+/=".contains(byte);
    (8..=MAX_NONCE).contains(&message.len()) && message.iter().all(fits)
}

/// RFC 4252, section 7: the session's identifier, which both sides made (RFC 4253, section 7.2), and a request to log in.
fn is_ssh(message: &[u8], algorithm: KeyAlgorithm) -> Option<()> {
    let (session, rest) = string(message)?;
    let rest = rest.strip_prefix(&[USERAUTH_REQUEST])?;
    let (_user, rest) = string(rest)?;
    let (service, rest) = string(rest)?;
    let (method, rest) = string(rest)?;
    let rest = rest.strip_prefix(&[1])?;
    let (name, rest) = string(rest)?;
    let (_key, rest) = string(rest)?;
    let expected: &[u8] = match algorithm {
        KeyAlgorithm::Ed25519 => b"ssh-ed25519",
        KeyAlgorithm::Es256 => b"ecdsa-sha2-nistp256",
        KeyAlgorithm::Rs256 => b"rsa-sha2-256",
        KeyAlgorithm::RsaSha512 => b"rsa-sha2-512",
    };
    // The digests of key exchanges have 20 to 64 bytes.
    let fits = (20..=64).contains(&session.len())
        && service == b"ssh-connection"
        && method == b"publickey"
        && name == expected
        && rest.is_empty();
    fits.then_some(())
}

/// A string of RFC 4251 (section 5), and what follows it.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssh(session: usize, number: u8, words: [&str; 4]) -> Vec<u8> {
        let string = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
        let [user, service, method, name] = words.map(|word| string(word.as_bytes()));
        [string(&vec![7; session]), vec![number], user, service, method, vec![1], name, string(b"key")].concat()
    }

    #[test]
    fn what_ssh_and_nats_send_is_a_challenge() {
        let words = |name| ["deploy", "ssh-connection", "publickey", name];
        for (algorithm, name) in [
            (KeyAlgorithm::Ed25519, "ssh-ed25519"),
            (KeyAlgorithm::Es256, "ecdsa-sha2-nistp256"),
            (KeyAlgorithm::Rs256, "rsa-sha2-256"),
            (KeyAlgorithm::RsaSha512, "rsa-sha2-512"),
        ] {
            assert!(is_challenge(&ssh(32, 50, words(name)), algorithm), "{name}");
            assert!(!is_challenge(&ssh(32, 50, words("ssh-rsa")), algorithm), "another algorithm");
        }
        // As nats-server sends it.
        assert!(is_challenge(b"kbYPSOJRRV3lWXU", KeyAlgorithm::Ed25519));
    }

    #[test]
    fn what_could_be_used_elsewhere_is_none() {
        let words = ["deploy", "ssh-connection", "publickey", "ssh-ed25519"];
        let whole = ssh(32, 50, words);
        let mut wrong = vec![
            Vec::new(),
            b"short".to_vec(),
            vec![b'a'; MAX_NONCE + 1],
            b"eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0".to_vec(),
            b"AWS4-X509-RSA-SHA256\n20260101T000000Z".to_vec(),
            ssh(32, 51, words),
            ssh(19, 50, words),
            ssh(65, 50, words),
            ssh(32, 50, ["deploy", "ssh-other", "publickey", "ssh-ed25519"]),
            ssh(32, 50, ["deploy", "ssh-connection", "hostbased", "ssh-ed25519"]),
            [whole.clone(), b"more".to_vec()].concat(),
        ];
        wrong.extend((0..whole.len()).map(|end| whole[..end].to_vec()));
        for message in wrong {
            assert!(!is_challenge(&message, KeyAlgorithm::Ed25519), "{message:?}");
        }
    }
}
