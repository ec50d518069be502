//! Deliveries to a server that follows the plan's dialogue, and to servers that go away after each of its steps.

use super::{Class, Dialogue, Line, SettledEvent, Stage, Step, TcpPeer, arrived, carried, handed_over, words};
use crate::checks::{odd, secrets};
use crate::data::marked;
use crate::stage::PEER;
use railhead_plugin_harness::Authority;
use std::io;

/// Nothing waits for it unless the connector does.
const LONG_MS: u32 = 60_000;

/// A dialogue: as its server follows it, and line by line with what is repeated once.
pub(super) struct Script<'a> {
    steps: Vec<Step>,
    once: Vec<Line>,
    /// Vouches for the server.
    authority: &'a Authority,
    /// Any number of events can be delivered over one connection.
    is_endless: bool,
}

impl<'a> Script<'a> {
    pub(super) fn of(lines: &[Line], authority: &'a Authority) -> io::Result<Self> {
        let is_endless = matches!(lines.last(), Some(Line::Repeat(_)));
        Ok(Self { steps: steps(lines, authority)?, once: once(lines), authority, is_endless })
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.once.is_empty()
    }

    /// True if it says where a transaction ends.
    pub(super) fn commits(&self) -> bool {
        self.once.contains(&Line::Commits)
    }

    /// Its beginnings, each with whether what was written may have arrived by then.
    fn beginnings(&self) -> io::Result<Vec<(usize, Vec<Step>, bool)>> {
        // Who goes away before the word goes away behind it too: it is no step.
        let ends = (0..=self.once.len()).filter(|end| self.once.get(*end) != Some(&Line::Commits));
        let beginning = |end| {
            let lines = self.once.get(..end).unwrap_or_default();
            let may_have_arrived = !self.commits() || lines.contains(&Line::Commits);
            Ok((end, steps(lines, self.authority)?, may_have_arrived))
        };
        ends.map(beginning).collect()
    }
}

/// See the module.
pub(super) async fn dialogue(stage: &Stage, script: &Script<'_>) -> io::Result<()> {
    followed(stage, script, "what a server takes is delivered").await?;
    for (end, mut steps, may_have_arrived) in script.beginnings()? {
        steps.push(Step::Reset);
        let peer = TcpPeer::following(Dialogue(steps))?;
        let settled = super::delivered(stage, &peer, LONG_MS).await;
        // A client that went before the server's last step never ended its transaction.
        if may_have_arrived && (!script.commits() || peer.errors().is_empty()) {
            carried(stage, &peer, &settled);
        }
        let permanent = settled.iter().any(|event| event.outcome.class() == Class::Permanent);
        stage.holds("O1", "a server that goes away is tried again", !permanent, || {
            format!(
                "The connection was reset after line {end} of the dialogue; the events came to {}.",
                words(&settled)
            )
        });
    }
    if !script.is_endless {
        let why = "The dialogue of test.json ends; with a `repeat` as its last line it takes any number of events.";
        stage.findings.borrow_mut().skip("D10", "odd events are settled", why);
        return Ok(());
    }
    endless(stage, script).await
}

/// With another configuration.
pub(super) async fn way(stage: &Stage, script: &Script<'_>, check: &str) -> io::Result<()> {
    followed(stage, script, check).await.map(drop)
}

/// Two events to a server that follows the dialogue to its end.
async fn followed(stage: &Stage, script: &Script<'_>, check: &str) -> io::Result<()> {
    let peer = TcpPeer::following(Dialogue(script.steps.clone()))?;
    let destination = stage.at_port(peer.port()).deadline_ms(LONG_MS);
    let settled = handed_over(stage, &destination, marked(2, &stage.plan.data)).await;
    let all = settled.iter().all(|event| event.outcome.class() == Class::Delivered);
    stage.holds("O3", check, all, || {
        let (words, errors) = (words(&settled), peer.errors());
        format!("The server followed the dialogue of test.json; the events came to {words}. It ended so: {errors:?}.")
    });
    destination.retire();
    // Not what it does when it is asked whether it works: the dialogue is one of deliveries.
    secrets::settled(stage, &settled);
    Ok(())
}

/// What takes more than two events.
async fn endless(stage: &Stage, script: &Script<'_>) -> io::Result<()> {
    let peer = TcpPeer::following(Dialogue(script.steps.clone()))?;
    let destination = stage.at_port(peer.port()).deadline_ms(LONG_MS);
    several(stage, &destination).await;
    destination.retire();
    Ok(())
}

/// Batches, sessions and odd events, at a server that takes all of them.
pub(super) async fn several(stage: &Stage, destination: &railhead_plugin_harness::Destination) {
    let events = || marked(3, &stage.plan.data);
    arrived(stage, "what a server takes is delivered", &handed_over(stage, destination, events()).await);
    let again = handed_over(stage, destination, events()).await;
    lost(stage, "S7", "the same events in the same session arrive again", &again);
    destination.retire();
    let fresh = handed_over(stage, &destination.clone().attempt(2), events()).await;
    lost(stage, "S3", "a new session goes on where the old one ended", &fresh);
    for batched in [false, true] {
        if batched && !stage.is_batching() {
            stage.findings.borrow_mut().skip("D8", "a batch is delivered", "The manifest has no `batch`.");
            continue;
        }
        let destination = if batched { destination.clone().batched() } else { destination.clone() };
        if batched {
            arrived(
                stage,
                "a batch that a server takes is delivered",
                &handed_over(stage, &destination, events()).await,
            );
        }
        let classes = |settled: &[SettledEvent]| settled.iter().map(|event| event.outcome.class()).collect::<Vec<_>>();
        let settled = handed_over(stage, &destination, odd::with_two(&stage.plan.data)).await;
        odd::settled(stage, batched, &classes(&settled), &words(&settled));
    }
}

/// What was delivered before is to be delivered again: a duplicate is.
fn lost(stage: &Stage, rule: &'static str, check: &str, settled: &[SettledEvent]) {
    let all = settled.iter().all(|event| event.outcome.class() == Class::Delivered);
    stage.holds(rule, check, all, || format!("They came to {}.", words(settled)));
}

/// With what is repeated once.
fn once(lines: &[Line]) -> Vec<Line> {
    let each = |line: &Line| match line {
        Line::Repeat(lines) => once(lines),
        other => vec![other.clone()],
    };
    lines.iter().flat_map(each).collect()
}

fn steps(lines: &[Line], authority: &Authority) -> io::Result<Vec<Step>> {
    let step = |line: &Line| {
        Ok(Some(match line {
            Line::Expect(text) => Step::Expect(text.clone().into_bytes()),
            Line::Read(count) => Step::Read(*count),
            Line::ReadUntil(text) => Step::ReadUntil(text.clone().into_bytes()),
            Line::Send(text) => Step::Send(text.clone().into_bytes()),
            Line::SendHex(digits) => Step::Send(
                hex::decode(digits).map_err(|why| io::Error::other(format!("send_hex of test.json: {why}")))?,
            ),
            Line::Tls => Step::StartTls(authority.server(PEER).map_err(io::Error::other)?),
            Line::Repeat(lines) => Step::Repeat(steps(lines, authority)?),
            Line::Commits => return Ok(None),
        }))
    };
    lines.iter().filter_map(|line| step(line).transpose()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_may_have_arrived_once_a_transaction_has_ended() {
        let lines = r#"[{"read": 1}, {"repeat": [{"read_until": "x"}, {"send": "y"}, {"read_until": "z"}, "commits", {"send": "."}]}]"#;
        let authority = Authority::new("Peers").unwrap();
        let script = Script::of(&serde_json::from_str::<Vec<Line>>(lines).unwrap(), &authority).unwrap();
        let ends: Vec<(usize, usize, bool)> =
            script.beginnings().unwrap().into_iter().map(|(end, steps, sent)| (end, steps.len(), sent)).collect();
        // At 4 the last word was read; the marker behind it is no step.
        assert_eq!(ends, [(0, 0, false), (1, 1, false), (2, 2, false), (3, 3, false), (5, 4, true), (6, 5, true)]);
        assert!(script.is_endless && script.commits() && !script.is_empty());
    }

    #[test]
    fn without_that_word_it_may_from_the_first_byte() {
        let authority = Authority::new("Peers").unwrap();
        let script = Script::of(&[Line::Read(1), Line::Send("y".to_owned())], &authority).unwrap();
        assert!(script.beginnings().unwrap().into_iter().all(|(_, _, sent)| sent));
        assert!(!script.is_endless && !script.commits());
    }
}
