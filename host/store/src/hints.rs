//! Hints: what hosts tell each other so that nobody has to wait for the next look into the database.
//!
//! They are only speed. A hint may be lost, come late or come twice; the survey and the reload find the same. They never
//! ride in a data transaction.

use crate::StoreError;
use async_trait::async_trait;
use railhead_model::{DestinationNo, EventUid, HostId, TenantNo};
use std::fmt::Write as _;

/// One thing that others may want to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Work of these destinations was made or changed.
    Work(Vec<DestinationNo>),
    /// A tenant's configuration changed, and that of these destinations; deleted ones count.
    Config(TenantNo, Vec<DestinationNo>),
    /// A person acted on these destinations: one that is failing is tried at once.
    Probe(Vec<DestinationNo>),
    /// Payloads of these events were erased.
    Erased(Vec<EventUid>),
    /// API keys were revoked or replaced: what is remembered of any is not to be trusted.
    Keys,
    /// Shards were given back.
    Shards,
    /// A replay was started or cancelled, or a large event waits for its fan-out.
    Jobs,
    /// Anything may have changed: too much at once, or nothing was heard for a while.
    All,
}

/// Tells the other hosts. Owns what it needs (a connection), and connects when it is first used.
#[async_trait]
pub trait Notifier: Send {
    /// Tells them; at once, and without waiting for their answer. Nothing to tell is a sign of life, due every
    /// [`SIGN_OF_LIFE_MS`].
    ///
    /// # Errors
    /// Of the database: tell the same again. The next call connects anew.
    async fn notify(&mut self, hints: &[Hint]) -> Result<(), StoreError>;
}

/// Hears the other hosts.
#[async_trait]
pub trait Listener: Send {
    /// What came since the last call; waits for something. [`Hint::All`] after every connect: what was told before was
    /// not heard.
    async fn next(&mut self) -> Vec<Hint>;
}

/// A host that has nothing to tell says so as often, in milliseconds: listeners know by it that their connection works.
pub const SIGN_OF_LIFE_MS: u64 = 5_000;

/// The way between hosts.
pub trait Hints: Send + Sync + 'static {
    /// Speaks as this host.
    fn notifier(&self, host: HostId) -> Box<dyn Notifier>;
    /// Hears all hosts but this one.
    fn listener(&self, host: HostId) -> Box<dyn Listener>;
}

/// Where there is one host only: tells nobody, hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

#[async_trait]
impl Notifier for Alone {
    async fn notify(&mut self, _hints: &[Hint]) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl Listener for Alone {
    async fn next(&mut self) -> Vec<Hint> {
        std::future::pending().await
    }
}

/// Bytes of a payload at most: Postgres takes less than 8,000.
const PAYLOAD_BYTES: usize = 7_900;
/// Payloads of one notification at most; what needs more is told as [`Hint::All`].
const PAYLOADS: usize = 8;
/// Numbers of one word: far below a payload.
const NUMBERS: usize = 150;

/// Hints as texts: the host that speaks, then one word each. At least one text; each is short enough for a payload.
#[must_use]
pub fn encode(host: HostId, hints: &[Hint]) -> Vec<String> {
    let head = host.0.simple().to_string();
    let mut texts = vec![head.clone()];
    for word in hints.iter().flat_map(words) {
        match texts.last_mut() {
            Some(text) if text.len() + 1 + word.len() <= PAYLOAD_BYTES => _ = write!(text, " {word}"),
            _ => texts.push(format!("{head} {word}")),
        }
    }
    if texts.len() > PAYLOADS { vec![format!("{head} a")] } else { texts }
}

/// The host that speaks and its hints; `None` for a text that no host wrote. Words of newer hosts are skipped.
#[must_use]
pub fn decode(text: &str) -> Option<(HostId, Vec<Hint>)> {
    let mut words = text.split(' ');
    let host = HostId(words.next()?.parse().ok()?);
    Some((host, words.filter_map(hint).collect()))
}

fn words(hint: &Hint) -> Vec<String> {
    match hint {
        Hint::Work(nos) => nos.chunks(NUMBERS).map(|nos| format!("w{}", list(nos, |no| no.0))).collect(),
        Hint::Config(tenant, nos) if nos.is_empty() => vec![format!("c{}:", tenant.0)],
        Hint::Config(tenant, nos) => {
            nos.chunks(NUMBERS).map(|nos| format!("c{}:{}", tenant.0, list(nos, |no| no.0))).collect()
        }
        Hint::Probe(nos) => nos.chunks(NUMBERS).map(|nos| format!("p{}", list(nos, |no| no.0))).collect(),
        Hint::Erased(uids) => {
            uids.chunks(NUMBERS).map(|uids| format!("e{}", list(uids, |uid| uid.0.simple()))).collect()
        }
        Hint::Keys => vec!["k".to_owned()],
        Hint::Shards => vec!["s".to_owned()],
        Hint::Jobs => vec!["j".to_owned()],
        Hint::All => vec!["a".to_owned()],
    }
}

fn list<T, N: std::fmt::Display>(items: &[T], number: impl Fn(&T) -> N) -> String {
    items.iter().map(|item| number(item).to_string()).collect::<Vec<_>>().join(",")
}

fn hint(word: &str) -> Option<Hint> {
    let (kind, rest) = word.split_at_checked(1)?;
    Some(match kind {
        "w" => Hint::Work(numbers(rest)),
        "c" => {
            let (tenant, nos) = rest.split_once(':')?;
            Hint::Config(TenantNo(tenant.parse().ok()?), numbers(nos))
        }
        "p" => Hint::Probe(numbers(rest)),
        "k" => Hint::Keys,
        "e" => Hint::Erased(rest.split(',').filter_map(|uid| uid.parse().ok()).map(EventUid).collect()),
        "s" => Hint::Shards,
        "j" => Hint::Jobs,
        "a" => Hint::All,
        _ => return None,
    })
}

fn numbers(list: &str) -> Vec<DestinationNo> {
    list.split(',').filter_map(|no| no.parse().ok()).map(DestinationNo).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use railhead_model::Timestamp;

    fn host() -> HostId {
        HostId::new(Timestamp(1), [7; 10])
    }

    #[test]
    fn what_is_told_is_heard() {
        let uid = EventUid::new(Timestamp(5), [3; 10]);
        let hints = vec![
            Hint::Work(vec![DestinationNo(1), DestinationNo(i64::MAX)]),
            Hint::Config(TenantNo(9), vec![DestinationNo(4)]),
            Hint::Config(TenantNo(10), Vec::new()),
            Hint::Probe(vec![DestinationNo(8)]),
            Hint::Erased(vec![uid, EventUid::new(Timestamp(6), [4; 10])]),
            Hint::Keys,
            Hint::Shards,
            Hint::Jobs,
            Hint::All,
        ];
        let texts = encode(host(), &hints);
        assert_eq!(texts.len(), 1);
        assert_eq!(decode(&texts[0]), Some((host(), hints)));
        assert_eq!(encode(host(), &[]).iter().filter_map(|text| decode(text)).collect::<Vec<_>>(), [(host(), vec![])]);
    }

    #[test]
    fn much_is_told_in_parts_and_too_much_as_anything() {
        let told = |count| {
            let texts = encode(host(), &[Hint::Work((0..count).map(|no| DestinationNo(i64::MAX - no)).collect())]);
            assert!(texts.iter().all(|text| text.len() <= PAYLOAD_BYTES));
            let hints: Vec<_> = texts.iter().filter_map(|text| decode(text)).flat_map(|(_, hints)| hints).collect();
            (texts.len(), hints)
        };
        let (texts, hints) = told(2_000);
        let heard = hints.iter().map(|hint| if let Hint::Work(nos) = hint { nos.len() } else { 0 }).sum::<usize>();
        assert!(texts > 1);
        assert_eq!(heard, 2_000);
        assert_eq!(told(100_000), (1, vec![Hint::All]));
    }

    #[test]
    fn foreign_texts_and_words_of_newer_hosts_are_skipped() {
        assert_eq!(decode(""), None);
        assert_eq!(decode("hello w1"), None);
        let text = format!("{} z9 s é c: w", host().0.simple());
        assert_eq!(decode(&text), Some((host(), vec![Hint::Shards, Hint::Work(Vec::new())])));
    }
}
