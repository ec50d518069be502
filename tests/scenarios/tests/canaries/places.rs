//! Everything that a host wrote or said is searched, and each place of it must show first that it is.

use super::search::{Canary, Found, Search};

/// A place, and which texts (by name and content) are of it. What is planted must be found there in every spelling.
pub type Place = (&'static str, fn(&str, &[u8]) -> bool);

/// Who must have written to the log at its finest level: the sandbox, at each call, and the HTTP library, which has what is
/// sent in its hands.
const TRACED: [&[u8]; 2] = [b"railhead_sandbox::session", b"hyper_util::client"];

/// Whether these bytes are in a text.
pub fn holds(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|some| some == what)
}

/// Fails where a place does not show what is planted, and where a canary is found.
pub fn check(texts: &[(String, Vec<u8>)], canaries: &[Canary], places: &[Place]) {
    let search = Search::new(canaries);
    let all: Vec<(&str, &[u8], Found)> =
        texts.iter().map(|(name, text)| (&name[..], &text[..], search.read(text))).collect();
    let mut missed: Vec<String> = places.iter().filter_map(|(place, is_of)| missed_in(&all, place, is_of)).collect();
    // The log shows letters and digits at least: most of it takes no more.
    let found = all.iter().filter(|(name, ..)| *name == "the log").map(|(.., found)| found);
    let found = found.fold(Found::default(), Found::plus);
    missed.extend((!found.missed_plainly().is_empty()).then(|| format!("the log: {:?}", found.missed_plainly())));
    missed.extend(untraced(texts).map(|of| format!("the log: no line of {of} at the level TRACE")));
    // Each request that was sent to a destination shows it.
    for (name, text, found) in all.iter().filter(|(name, ..)| name.contains("/attempts/")) {
        let sent = !holds(text, b"\"request\":null") && !holds(text, b"/no-token");
        missed.extend((sent && !found.missed().is_empty()).then(|| format!("{name}: {:?}", found.missed())));
    }
    assert!(missed.is_empty(), "what is planted is not found; nothing else would be:\n{}", missed.join("\n"));
    let found: Vec<String> =
        all.iter().flat_map(|(name, _, found)| found.secrets.iter().map(move |it| format!("{name}: {it}"))).collect();
    assert!(found.is_empty(), "{} times a secret in {} texts:\n{}", found.len(), texts.len(), found.join("\n"));
}

fn missed_in(all: &[(&str, &[u8], Found)], place: &str, is_of: &dyn Fn(&str, &[u8]) -> bool) -> Option<String> {
    let of = all.iter().filter(|(name, text, _)| is_of(name, text)).map(|(.., found)| found);
    let missed = of.fold(Found::default(), Found::plus).missed();
    (!missed.is_empty()).then(|| format!("{place}: {missed:?}"))
}

fn untraced(texts: &[(String, Vec<u8>)]) -> impl Iterator<Item = String> {
    let logs = texts.iter().filter(|(name, _)| name == "the log").map(|(_, text)| text);
    let lines: Vec<&[u8]> = logs.flat_map(|text| text.split(|byte| *byte == b'\n')).collect();
    let traced = move |of: &&[u8]| lines.iter().any(|line| holds(line, b"TRACE") && holds(line, of));
    TRACED.into_iter().filter(move |of| !traced(of)).map(|of| String::from_utf8_lossy(of).into_owned())
}
