//! What is read, however what came is cut.

use super::*;
use railhead_model::manifest::CredentialUse;

/// Of a session with this secret, which was written here.
fn inbox(secret: &str) -> Inbox {
    let (mut inbox, secret) = silent(secret);
    inbox.look_for([&secret]).unwrap();
    inbox
}

/// Of a session with this secret, of which nothing was written.
fn silent(secret: &str) -> (Inbox, Arc<Secret>) {
    let secret = Secret::derived("key", CredentialUse::Wire, &[], secret.as_bytes().to_vec());
    (Inbox::new(Masker::new([secret.clone()])), secret)
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What is read after each piece.
fn read(inbox: &mut Inbox, pieces: &[&str]) -> Vec<String> {
    let each = |piece: &&str| {
        inbox.push(piece.as_bytes());
        text(&inbox.take(usize::MAX))
    };
    pieces.iter().map(each).collect()
}

#[test]
fn a_secret_in_one_piece_keeps_its_length() {
    for mut inbox in [inbox("hunter2-hunter3"), silent("hunter2-hunter3").0] {
        assert_eq!(read(&mut inbox, &["a hunter2-hunter3 b"]), ["a *************** b"]);
        assert_eq!(read(&mut inbox, &["aHVudGVyMi1odW50ZXIz!"]), ["********************!"]);
    }
}

#[test]
fn wherever_a_secret_is_cut_few_bytes_of_it_are_given_out() {
    let secret = "hunter2-hunter3";
    for cut in 0..=secret.len() {
        let (one, other) = secret.split_at(cut);
        let mut inbox = inbox(secret);
        let got = read(&mut inbox, &[&format!("<{one}"), &format!("{other}>")]).concat();
        let shown = if cut < HELD { one } else { "" };
        assert_eq!(got, format!("<{shown}{}>", "*".repeat(secret.len() - shown.len())), "{cut}");
        assert_eq!(inbox.in_vain(), 0, "{cut}");
    }
}

#[test]
fn byte_by_byte_it_is_masked_all_the_same() {
    for spelling in ["hunter2-<nter3", "hunter2%2D%3cnter3", "hunter2-\\u003cnter3", "HUNTER2-<NTER3"] {
        let pieces: Vec<String> = format!("{spelling}.").chars().map(String::from).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let got = read(&mut inbox("hunter2-<nter3"), &pieces).concat();
        let (shown, rest) = got.split_at(HELD - 1);
        assert!(spelling.starts_with(shown), "{got}");
        assert_eq!(rest, format!("{}.", "*".repeat(spelling.len() + 1 - HELD)), "{spelling}");
    }
}

#[test]
fn what_turns_out_to_be_none_is_given_out_whole_and_counted() {
    let mut inbox = inbox("hunter2-hunter3");
    assert_eq!(read(&mut inbox, &["x hunter2-", "hunt", "ing h"]), ["x ", "", "hunter2-hunting h"]);
    assert_eq!((inbox.in_vain(), inbox.in_vain()), (1, 0));
    assert_eq!(read(&mut inbox, &["unt"]), ["unt"]);
    assert!(inbox.is_empty());
    inbox.let_go();
    assert_eq!(inbox.in_vain(), 0, "nothing was held");
}

#[test]
fn what_is_surely_the_beginning_of_a_secret_is_not_given_out_by_waiting() {
    let mut inbox = inbox("hunter2-hunter3");
    assert_eq!(read(&mut inbox, &["<hunter2-h"]), ["<"]);
    inbox.let_go();
    assert_eq!(text(&inbox.take(99)), "*********");
    assert_eq!(inbox.in_vain(), 1);
    assert_eq!(read(&mut inbox, &["unter3>"]), ["******>"], "and the rest of it neither");
}

#[test]
fn each_guess_counts_once_and_a_slow_peer_is_none() {
    let mut inbox = inbox("hunter2-hunter3");
    for piece in ["hunter2-h", "u", "n", "t"] {
        assert_eq!(read(&mut inbox, &[piece]), [""]);
        inbox.let_go();
        assert_eq!(text(&inbox.take(99)), "*".repeat(piece.len()));
    }
    assert_eq!(inbox.in_vain(), 1, "it is one guess as long as it goes on");
    // The next one begins in the piece that ends the one before.
    for _ in 0..3 {
        assert_eq!(read(&mut inbox, &["! hunter2-"]), ["! "]);
        inbox.let_go();
        assert_eq!(text(&inbox.take(99)), "********");
    }
    assert_eq!(inbox.in_vain(), 3);
    assert_eq!(read(&mut inbox, &["!", "hunter2-", "hunter3"]), ["!", "", "***************"]);
    assert_eq!(inbox.in_vain(), 0);
}

/// The whole of the attack: a server sends guesses back, and what is read must not tell how far each was right.
#[test]
fn a_secret_that_was_not_written_here_is_told_by_the_whole_of_it_alone() {
    let secret = "hunter2-hunter3";
    for length in 1..secret.len() {
        let (right, wrong) = (&secret[..length], format!("{}!", &secret[..length - 1]));
        for pieces in [[right, ""], [&wrong, ""], [right, "!rest"], [&wrong, "!rest"]] {
            let (mut inbox, _) = silent(secret);
            assert_eq!(read(&mut inbox, &pieces), pieces, "given out at once, as it came");
            assert_eq!((inbox.len(), inbox.in_vain()), (0, 0));
        }
    }
    let (mut inbox, _) = silent(secret);
    assert_eq!(read(&mut inbox, &["<hunter2-", "hunter3>"]), ["<hunter2-", "*******>"], "the rest of it is masked");
}

#[test]
fn what_is_written_is_all_that_is_held_back() {
    let (mut inbox, _) = silent("hunter2-hunter3");
    let other = Secret::derived("other", CredentialUse::Wire, &[], b"swordfish-sword".to_vec());
    inbox.look_for([&other, &other]).unwrap();
    assert_eq!(read(&mut inbox, &["hunter2-hunter", " swordfish-"]), ["hunter2-hunter", " "]);
    assert!(inbox.looking() > 0);
    let before = inbox.looking();
    inbox.look_for([&other]).unwrap();
    assert_eq!(inbox.looking(), before, "once");
    let many: Vec<_> = (0..70)
        .map(|number| Secret::derived("many", CredentialUse::Wire, &[], format!("composed-{number}").into_bytes()))
        .collect();
    assert_eq!(inbox.look_for(&many), Err(TooManySecrets));
    assert_eq!(inbox.looking(), before);
}

#[test]
fn secrets_that_touch_leave_nothing_and_hold_nothing() {
    let mut inbox = inbox("aaaaaaaa");
    let flood = "a".repeat(10_000);
    let got = read(&mut inbox, &[&flood, &flood, "."]).concat();
    assert_eq!(got, format!("{}.", "*".repeat(20_000)));
    assert!(inbox.open.is_empty() && inbox.covered.is_empty());
}
