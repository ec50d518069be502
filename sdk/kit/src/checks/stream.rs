//! A connector that speaks a protocol of its own over a connection.

mod dialogue;
mod real;

use crate::data::{marked, marks_in};
use crate::plan::Line;
use crate::stage::Stage;
use dialogue::Script;
use railhead_model::{BodyPart, Event, Exchange, OutcomeClass as Class};
use railhead_plugin_harness::{Destination, Dialogue, SettledEvent, Step, TcpPeer};
use std::io;

/// Of calls whose server never answers.
const SHORT_MS: u32 = 2_000;
/// More than any protocol's message has.
const HUGE: u64 = 16 * 1024 * 1024;

/// Servers that refuse, cut, hang, flood and talk nonsense; and one that follows the plan's dialogue.
pub(crate) async fn stream(stage: &Stage) -> io::Result<()> {
    let script = Script::of(&stage.plan.dialogue, &stage.authority)?;
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
        let hangs = matches!(steps.as_slice(), [Step::Hang]);
        let peer = TcpPeer::following(Dialogue(steps))?;
        let settled = delivered(stage, &peer, SHORT_MS).await;
        let fine =
            |class: Class| matches!(class, Class::Transient | Class::Uncertain | Class::Misconfigured | Class::Untried);
        stage.holds("O1", check, settled.iter().all(|event| fine(event.outcome.class())), || {
            format!("The server failed, not the events; they came to {}.", words(&settled))
        });
        if hangs {
            unwritten(stage, &peer, &settled);
        }
        // Whoever never ended a transaction has written nothing.
        if !script.commits() {
            carried(stage, &peer, &settled);
        }
    }
    if !script.is_empty() {
        dialogue::dialogue(stage, &script).await?;
    }
    match &stage.server {
        Some(server) => real::server(stage, server).await,
        None if script.is_empty() => {
            let why = "Nobody here speaks its protocol. Put a `dialogue` into test.json, or name a real server with --server.";
            super::unjudged(stage, why);
        }
        None if stage.connector.manifest.credentials.is_empty() => {}
        None => {
            let why = "A dialogue knows no right password. Name a real server with --server.";
            stage.findings.borrow_mut().skip("C2", "a new session uses the new value", why);
        }
    }
    Ok(())
}

/// What another configuration of the plan comes to.
pub(crate) async fn way(stage: &Stage, check: &str) -> io::Result<()> {
    let script = Script::of(&stage.plan.dialogue, &stage.authority)?;
    let destination = match &stage.server {
        Some(server) => stage.at_server(server),
        None if script.is_empty() => {
            stage.findings.borrow_mut().skip("O3", check, "There is neither a `dialogue` in test.json nor a --server.");
            return Ok(());
        }
        None => return dialogue::way(stage, &script, check).await,
    };
    let settled = handed_over(stage, &destination, marked(2, &stage.plan.data)).await;
    arrived(stage, check, &settled);
    super::secrets::told(stage, &destination, &settled).await;
    Ok(())
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
    let has = |index: &u32, (of, exchange): &(Vec<u32>, Exchange)| of.contains(index) && says_anything(exchange);
    let named = shown.as_ref().is_ok_and(|shown| [0, 1].iter().all(|index| shown.iter().any(|it| has(index, it))));
    stage.holds("V3", "a preview shows each event", named || found == [1, 2].into(), || {
        format!("The preview of two events shows {found:?}: {:?}.", shown.err())
    });
    Ok(())
}

fn says_anything(exchange: &Exchange) -> bool {
    exchange.request.body.iter().any(|part| match part {
        BodyPart::Text(text) | BodyPart::Base64(text) => !text.is_empty(),
        _ => true,
    })
}

async fn nobody(stage: &Stage) -> io::Result<()> {
    let destination = stage.at_port(TcpPeer::refused_port()?);
    let settled = handed_over(stage, &destination, marked(2, &stage.plan.data)).await;
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

/// What never arrived at a server that reads all that comes was never written.
fn unwritten(stage: &Stage, peer: &TcpPeer, settled: &[SettledEvent]) {
    let arrived: Vec<u8> = peer.received().iter().flat_map(|bytes| marks_in(bytes)).collect();
    for event in settled {
        let sent = arrived.iter().any(|number| usize::from(*number) == event.index + 1);
        let unsure = !sent && event.outcome.class() == Class::Uncertain;
        stage.holds("T11", "what was not written is not uncertain", !unsure, || {
            format!(
                "Event {} never left, and came to {}. Settle what was not written as untried.",
                event.index,
                words(settled)
            )
        });
    }
}

/// Hands two events over to this peer.
async fn delivered(stage: &Stage, peer: &TcpPeer, deadline_ms: u32) -> Vec<SettledEvent> {
    let destination = stage.at_port(peer.port()).deadline_ms(deadline_ms);
    let settled = handed_over(stage, &destination, marked(2, &stage.plan.data)).await;
    destination.retire();
    settled
}

/// Hands events over, and looks at what must hold whatever comes of them.
async fn handed_over(stage: &Stage, destination: &Destination, events: Vec<Event>) -> Vec<SettledEvent> {
    let count = events.len();
    let settled = destination.deliver(events).await;
    stage.always(&settled, count);
    settled
}

/// All of them are to be delivered.
fn arrived(stage: &Stage, check: &str, settled: &[SettledEvent]) {
    let all = settled.iter().all(|event| event.outcome.class() == Class::Delivered);
    stage.holds("O3", check, all && !settled.is_empty(), || format!("The events came to {}.", words(settled)));
}

fn words(settled: &[SettledEvent]) -> String {
    let word = |event: &SettledEvent| {
        let reason = event.outcome.reason();
        format!("{} ({}: {})", event.outcome.class().as_str(), reason.code, reason.message)
    };
    settled.iter().map(word).collect::<Vec<_>>().join(", ")
}
