//! What is found, whatever it is written as, and what it costs.

use super::*;
use crate::secret::{Encoding, encode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use railhead_model::manifest::{CredentialKind, CredentialUse};

fn secret(value: &[u8]) -> Arc<Secret> {
    Secret::parse("token", CredentialKind::Text, CredentialUse::Place, &[], value).unwrap()
}

#[test]
fn a_secret_is_found_in_every_encoding_and_inside_longer_base64() {
    let value = "p@ss/w+rd \"<é>";
    let masker = Masker::new([secret(value.as_bytes())]);
    use Encoding::{Base64, Base64url, Form, Hex, Json, Percent, Raw, Xml};
    for way in [Raw, Base64, Base64url, Hex, Percent, Form, Json, Xml] {
        let echo = [b"[".as_slice(), &encode(value.as_bytes(), way), b"]"].concat();
        let masked = masker.bytes(Bytes::from(echo));
        assert!(masked.starts_with(b"[\xe2") && masked.ends_with(b"]"), "{way:?}: {masked:?}");
        assert!(masked.len() <= 2 + 2 + MASK.len(), "{way:?}: {masked:?}");
    }
    let every = |escape: &str| value.bytes().map(|byte| format!("{escape}{byte:02X}")).collect::<String>();
    for echo in [
        every("%"),
        every("\\u00"),
        every("").to_lowercase(),
        value.to_ascii_uppercase(),
        value.replace('"', "\\\\\\\""),
    ] {
        assert_eq!(masker.text(&format!("[{echo}]")), format!("[{MASK}]"), "{echo}");
    }
    for prefix in ["", "u", "us", "use", "user:"] {
        let echo = STANDARD.encode(format!("{prefix}{value}!!"));
        assert!(masker.text(&echo).contains(MASK), "{prefix}: {echo}");
    }
}

#[test]
fn overlapping_secrets_leave_no_rest() {
    let masker = Masker::new([secret(b"abcdefgh1234"), secret(b"1234ijklmnop")]);
    assert_eq!(masker.text("x abcdefgh1234ijklmnop y"), format!("x {MASK} y"));
}

#[test]
fn pieces_that_contain_each_other_become_one_mask() {
    // 64 segments, each the beginning of the next one, and an answer that is all of them at each of its bytes.
    let segments: Vec<String> = (8..72).map(|length| "a".repeat(length)).collect();
    let url = format!("https://x.test/{}", segments.join("/"));
    let url = Secret::parse("url", CredentialKind::Url, CredentialUse::Url, &[], url.as_bytes()).unwrap();
    let masker = Masker::new([url]);
    assert_eq!(masker.text(&"a".repeat(300_000)), MASK);
    assert!(masker.size() < 1 << 20, "{}", masker.size());
}

#[test]
fn the_most_that_a_destination_may_have_takes_little_memory() {
    let letters: String = (0..16_384_u32).map(|n| char::from(b'a' + (n * n / 7 % 26) as u8)).collect();
    let masker = Masker::new([secret(letters.as_bytes())]);
    assert!(masker.size() < 2 << 20, "{}", masker.size());
    assert_eq!(masker.longest(), 6 * 16_384);
}

#[test]
fn escapes_are_seen_through_however_they_are_mixed() {
    let masker = Masker::new([secret("p@ss+w/rd<é>".as_bytes())]);
    for echo in
        ["p%40ss%2bw%2Frd%3c%C3%A9%3E", "p@ss\\u002Bw\\/rd\\u003C\\u00E9>", "\\\\u0070@ss+w\\\\/rd<\\\\\\u00e9>"]
    {
        assert_eq!(masker.text(&format!("%[{echo}]\\")), format!("%[{MASK}]\\"), "{echo}");
    }
    assert_eq!(masker.text("%2p@ss+w/rd<é>%5"), format!("%2{MASK}%5"), "what looks like an escape hides nothing");
}

#[test]
fn tokens_that_come_later_are_masked_by_every_masker_of_the_destination() {
    let told = Arc::new(Told::default());
    let older = Masker::with_told([secret(b"client-secret")], told.clone());
    let newer = Masker::with_told([], told.clone());
    let composed = Secret::derived("composed", CredentialUse::Place, &[], b"user:client-secret".to_vec());
    let wider = older.with([&composed]).unwrap();
    let token = Secret::derived("token", CredentialUse::Place, &[], b"token-one".to_vec());
    told.keep(&token, None, 0).unwrap();
    for masker in [&older, &newer, &wider] {
        assert_eq!(masker.text("[token%2Done]"), format!("[{MASK}]"));
        assert!(Arc::ptr_eq(masker, &masker.with([&token]).unwrap()), "it is known");
    }
    assert_eq!(wider.text("user:client-secret/token-one"), format!("{MASK}/{MASK}"));
}

#[test]
fn short_values_and_no_secrets_change_nothing() {
    let short = Secret::parse("key", CredentialKind::Text, CredentialUse::SignRequest, &[], b"1234567").unwrap();
    let masker = Masker::new([short]);
    assert!(matches!(masker.text("1234567"), Cow::Borrowed(_)));
    assert_eq!(masker.header("Set-Cookie", b"a=b"), MASK);
    assert_eq!(masker.header("x-a", b"a=b"), "a=b");
}

#[test]
fn a_wider_masker_is_made_once_for_the_same_values() {
    let masker = Masker::new([secret(b"first-secret")]);
    let composed = || Secret::derived("composed", CredentialUse::Place, &[], b"user:first-secret".to_vec());
    assert!(Arc::ptr_eq(&masker, &masker.with([&secret(b"first-secret")]).unwrap()));
    let wider = masker.with([&composed()]).unwrap();
    assert!(Arc::ptr_eq(&wider, &masker.with([&composed(), &composed()]).unwrap()));
    assert_eq!(wider.text("[user:first-secret]"), format!("[{MASK}]"));
    let other = masker.with([&secret(b"other-secret")]).unwrap();
    assert_eq!(other.text("other-secret user:first-secret"), format!("{MASK} user:{MASK}"));
}

#[test]
fn a_wider_masker_looks_for_nothing_that_it_was_not_made_for() {
    let nothing = Masker::new([secret(b"first-secret")]).nothing();
    let (one, two) = (secret(b"first-secret"), secret(b"other-secret"));
    assert_eq!(nothing.with([&one, &two]).unwrap().text("other-secret"), MASK);
    let narrow = nothing.with([&one]).unwrap();
    assert_eq!(narrow.text("first-secret other-secret"), format!("{MASK} other-secret"));
    assert_eq!((narrow.begun(b"first-se"), narrow.begun(b"other-se")), (8, 0));
}

#[test]
fn one_secret_many_times_is_one_and_many_secrets_are_too_many() {
    let long = secret(&[b'x'; 16 * 1024]);
    let masker = Masker::new([]);
    let once = masker.with([&long]).unwrap();
    let often = masker.with(std::iter::repeat_n(&long, 100_000)).unwrap();
    assert_eq!((often.secrets.len(), often.size()), (1, once.size()));
    let composed = |number: usize, bytes: usize| {
        let value = format!("{number:0>bytes$}").into_bytes();
        Secret::derived("composed", CredentialUse::Place, &[], value)
    };
    let many: Vec<_> = (0..65).map(|number| composed(number, 16)).collect();
    assert!(masker.with(&many[..64]).is_ok());
    assert_eq!(masker.with(&many).err(), Some(TooManySecrets));
    let long: Vec<_> = (0..3).map(|number| composed(number, 60 * 1024)).collect();
    let most = masker.with(&long[..2]).unwrap();
    assert!(most.size() < 32 << 20, "{}", most.size());
    assert_eq!(masker.with(&long).err(), Some(TooManySecrets));
    // What is large is not kept for who may want it again.
    assert_eq!(masker.lock().len(), 1, "{:?}", masker.lock());
}

#[test]
fn nothing_is_printed() {
    let masker = Masker::new([secret(b"hunter2hunter2")]);
    assert_eq!(format!("{masker:?}"), "Masker { secrets: [Secret(token)], .. }");
}
