//! A secret of each kind.

use std::sync::LazyLock;

/// The text.
pub const TEXT: &str = "canary-text-0123456789-z";
/// The bytes; as base64 they are what the owner gives.
pub const BYTES: &[u8] = b"canary \"bytes\"/+\xff\xfe 0123456789";
/// Of the AWS key.
pub const AWS_SECRET: &str = "canary/aws+secret\"0123456789";
/// Of the AWS key.
pub const AWS_SESSION: &str = "canary/aws+session\"0123456789";
/// What the token endpoint gives.
pub const TOKEN: &str = "canary-token/0123456789+ABCDEF==";
/// After the origin of the URL.
pub const PATH: &str = "services/canary-url-0123456789";
/// In the headers.
pub const HEADER: &str = "canary header \"0123456789\"/+";
/// The Ed25519 seed.
pub const SEED: &[u8; 32] = b"canary \"ed25519\"/+seed 012345678";

/// A key and its certificate in PEM.
pub static IDENTITY: LazyLock<(String, String)> = LazyLock::new(|| {
    let made = rcgen::generate_simple_self_signed(["canary.example".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
});

/// The private key of the Google service account, in PEM.
pub static GOOGLE: LazyLock<String> = LazyLock::new(|| rcgen::KeyPair::generate().unwrap().serialize_pem());
