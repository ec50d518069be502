//! A connector that speaks a protocol of its own over a connection.

use crate::data::{marked, marks_in};
use crate::plan::{Line, Server};
use crate::stage::Stage;
use railhead_model::OutcomeClass as Class;
use railhead_plugin_harness::{Authority, Dialogue, SettledEvent, Step, TcpPeer};
use std::io;

/// Of calls whose server never answers.
const SHORT_MS: u32 = 2_000;
/// More than any protocol's message has.
const HUGE: u64 = 16 * 1024 * 1024;

/// Servers that refuse, cut, hang, flood and talk nonsense; and one that follows the plan's dialogue.
pub(crate) async fn stream(stage: &Stage) -> io::Result<()> {
    previews(stage).await?;
    nobody(stage).await?;
    let faults = [
        ("a connection that is closed at once is tried again", vec![Step::Close]),
        ("a connection that is reset at once is tried again", vec![Step::Reset]),
        ("a server that says nothing is tried again", vec![Step::Hang]),
        ("a server that talks nonsense is no success", vec![Step::Nonsense, Step::Hang]),
        ("a server that floods is no success", vec![Step::Flood(HUGE)]),
    ];
    for (check, steps) in faults {
        let peer = TcpPeer::following(Dialogue(steps))?;
        let settled = delivered(stage, &peer, SHORT_MS).await;
        let fine = |class: Class| matches!(class, Class::Transient | Class::Uncertain | Class::Misconfigured);
        stage.holds("O1", check, settled.iter().all(|event| fine(event.outcome.class())), || {
            format!("The server failed, not the events; they came to {}.", words(&settled))
        });
        carried(stage, &peer, &settled);
    }
    if stage.plan.server == Some(Server::Real) || stage.plan.dialogue.is_empty() {
        let why = "Only the real server can talk to it: deliveries are its own tests' matter.";
        stage.findings.borrow_mut().skip("O3", "what a server takes is delivered", why);
        return Ok(());
    }
    dialogue(stage).await
}

/// Nothing is opened, and all is shown.
async fn previews(stage: &Stage) -> io::Result<()> {
    let peer = TcpPeer::following(Dialogue(vec![Step::Close]))?;
    let shown = stage.at_port(peer.port()).preview(marked(2, &stage.plan.data)).await;
    stage.holds("V3", "a preview opens nothing", peer.connections() == 0, || {
        "A preview connected to the server. Show what would be written with call.show.".to_owned()
    });
    let text = shown.as_ref().map(|shown| serde_json::to_string(shown).unwrap_or_default()).unwrap_or_default();
    let found = marks_in(text.as_bytes());
    let named =
        shown.as_ref().is_ok_and(|shown| [0, 1].iter().all(|index| shown.iter().any(|(of, _)| of.contains(index))));
    stage.holds("V3", "a preview shows each event", named || found == [1, 2].into(), || {
        format!("The preview of two events shows {found:?}: {:?}.", shown.err())
    });
    Ok(())
}

async fn nobody(stage: &Stage) -> io::Result<()> {
    let destination = stage.at_port(TcpPeer::refused_port()?);
    let settled = destination.deliver(marked(2, &stage.plan.data)).await;
    let transient = settled.iter().all(|event| matches!(event.outcome.class(), Class::Transient | Class::Untried));
    stage.holds("O2", "a connection that is refused is transient", transient && settled.len() == 2, || {
        format!("Nothing was sent, and the events came to {}.", words(&settled))
    });
    let steps = destination.check().await;
    let noticed = steps.as_ref().map_or(true, |steps| steps.iter().any(Result::is_err));
    stage.holds("V1", "check tells that nobody is there", noticed, || {
        format!(
            "Nobody listens where it is to deliver to, and check came to {steps:?}. Connect, and say what was found."
        )
    });
    Ok(())
}

/// The server of the plan; and then servers that go away after each of its steps.
async fn dialogue(stage: &Stage) -> io::Result<()> {
    let authority = Authority::new("Peers").map_err(io::Error::other)?;
    let lines = stage.plan.dialogue.clone();
    let steps = steps(&lines, &authority)?;
    let peer = TcpPeer::following(Dialogue(steps.clone()))?;
    let settled = delivered(stage, &peer, 60_000).await;
    stage.holds(
        "O3",
        "what a server takes is delivered",
        settled.iter().all(|it| it.outcome.class() == Class::Delivered),
        || {
            format!(
                "The server followed the dialogue of test.json; the events came to {}. It ended so: {:?}.",
                words(&settled),
                peer.errors()
            )
        },
    );
    for cut in 0..steps.len() {
        let mut until: Vec<Step> = steps.iter().take(cut).cloned().collect();
        until.push(Step::Reset);
        let peer = TcpPeer::following(Dialogue(until))?;
        let settled = delivered(stage, &peer, 60_000).await;
        carried(stage, &peer, &settled);
        let permanent = settled.iter().any(|event| event.outcome.class() == Class::Permanent);
        stage.holds("O1", "a server that goes away is tried again", !permanent, || {
            format!("The connection was reset after step {cut}; the events came to {}.", words(&settled))
        });
    }
    Ok(())
}

/// What arrived and was not answered is uncertain.
fn carried(stage: &Stage, peer: &TcpPeer, settled: &[SettledEvent]) {
    let arrived: Vec<u8> = peer.received().iter().flat_map(|bytes| marks_in(bytes)).collect();
    for event in settled {
        let sent = arrived.iter().any(|number| usize::from(*number) == event.index + 1);
        let lost = sent && matches!(event.outcome.class(), Class::Transient | Class::Untried);
        stage.holds("O2", "what was written and not answered is uncertain", !lost, || {
            format!("The server has event {} and never answered; it came to {}.", event.index, words(settled))
        });
    }
}

async fn delivered(stage: &Stage, peer: &TcpPeer, deadline_ms: u32) -> Vec<SettledEvent> {
    let destination = stage.at_port(peer.port()).deadline_ms(deadline_ms);
    let settled = destination.deliver(marked(2, &stage.plan.data)).await;
    destination.retire();
    settled
}

fn words(settled: &[SettledEvent]) -> String {
    let word = |event: &SettledEvent| {
        let reason = event.outcome.reason();
        format!("{} ({}: {})", event.outcome.class().as_str(), reason.code, reason.message)
    };
    settled.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// The steps of a plan's dialogue.
fn steps(lines: &[Line], authority: &Authority) -> io::Result<Vec<Step>> {
    let step = |line: &Line| {
        Ok(match line {
            Line::Expect(text) => Step::Expect(text.clone().into_bytes()),
            Line::Read(count) => Step::Read(*count),
            Line::ReadUntil(text) => Step::ReadUntil(text.clone().into_bytes()),
            Line::Send(text) => Step::Send(text.clone().into_bytes()),
            Line::SendHex(digits) => Step::Send(hex::decode(digits).map_err(io::Error::other)?),
            Line::Tls => Step::StartTls(authority.server("localhost").map_err(io::Error::other)?),
            Line::Repeat(lines) => Step::Repeat(steps(lines, authority)?),
        })
    };
    lines.iter().map(step).collect()
}
