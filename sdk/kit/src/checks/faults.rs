//! Servers that go wrong in the middle.

use crate::data::marked;
use crate::stage::{Run, Stage, all, only};
use railhead_model::OutcomeClass as Class;
use railhead_plugin_harness::{Answer, TcpPeer};
use std::io;

/// Of calls whose server never answers.
const SHORT_MS: u32 = 2_000;
/// More than the host reads of an answer.
const HUGE: u64 = 64 * 1024 * 1024;

/// Connections that are refused, cut, left hanging, flooded.
pub(super) async fn cut(stage: &Stage) -> io::Result<()> {
    let uncertain: &[Class] = &[Class::Uncertain];
    let any: &[Class] = &[Class::Uncertain, Class::Delivered, Class::Transient];
    let nonsense = Answer::Bytes(b"\x00\xff this is not HTTP\r\n\r\n".as_slice().into());
    let faults = [
        ("a connection that is closed without an answer is uncertain", Answer::Close, uncertain),
        ("a connection that is reset is uncertain", Answer::Reset, uncertain),
        ("no answer in time is uncertain", Answer::Hang, uncertain),
        ("half an answer is uncertain", Answer::HeadOnly(200), uncertain),
        ("an answer that is no HTTP is uncertain", nonsense, uncertain),
        ("an answer without end is uncertain at most", Answer::Flood(HUGE), any),
    ];
    let both: &[bool] = if stage.is_batching() { &[false, true] } else { &[false] };
    let faults = faults.iter().flat_map(|fault| both.iter().map(move |batched| (fault, *batched)));
    // Side by side: most of them wait.
    let runs = faults.map(async |((check, answer, allowed), batched)| {
        let run = faulty(stage, answer.clone(), batched).await?;
        let fits = run.classes().iter().all(|class| allowed.contains(class));
        stage.holds("O2", check, fits, || {
            format!("It came to {}. The server may have taken the event: use uncertain.", run.words())
        });
        Ok::<(), io::Error>(())
    });
    futures::future::try_join_all(runs).await?;
    let nowhere = stage.at_origin(&format!("http://127.0.0.1:{}", TcpPeer::refused_port()?), &[1]);
    let class = nowhere.deliver_one(marked(1, &stage.plan.data).remove(0)).await.outcome;
    let waits = matches!(class.class(), Class::Transient | Class::Misconfigured);
    stage.holds("O2", "a connection that is refused is transient", waits, || {
        format!("Nothing was sent, and it came to {}: {}.", class.class().as_str(), class.reason().message)
    });
    Ok(())
}

async fn faulty(stage: &Stage, answer: Answer, batched: bool) -> io::Result<Run> {
    let hangs = matches!(answer, Answer::Hang | Answer::HeadOnly(_));
    let scene = stage.scene(all(answer))?;
    let destination = if batched { scene.destination.clone().batched() } else { scene.destination.clone() };
    let destination = if hangs { destination.deadline_ms(SHORT_MS) } else { destination };
    let events = if batched { 2 } else { 1 };
    Ok(stage.hand_over(&scene, &destination, marked(events, &stage.plan.data)).await)
}

/// One event's request goes wrong; the others are delivered all the same.
pub(super) async fn one_of_several(stage: &Stage) -> io::Result<()> {
    let refused = [
        ("one event that is refused stops no other", Answer::status(422)),
        ("one event whose connection is cut stops no other", Answer::Reset),
        ("what was answered is settled when another request hangs", Answer::Hang),
    ];
    let runs = refused.into_iter().map(async |(check, answer)| {
        let hangs = answer == Answer::Hang;
        let scene = stage.scene(only(2, answer))?;
        let destination =
            if hangs { scene.destination.clone().deadline_ms(SHORT_MS) } else { scene.destination.clone() };
        let run = stage.hand_over(&scene, &destination, marked(3, &stage.plan.data)).await;
        let classes = run.classes();
        let first = classes.first() == Some(&Class::Delivered);
        // A connector that sends one after the other has no time left for the third one.
        let third = classes.get(2) == Some(&Class::Delivered) || hangs;
        let second = classes.get(1).is_some_and(|class| *class != Class::Delivered);
        let rule = if hangs { "D1" } else { "D5" };
        stage.holds(rule, check, first && second && third, || {
            format!("Of three events the server took the first and the third one. They came to: {}.", run.words())
        });
        Ok::<(), io::Error>(())
    });
    futures::future::try_join_all(runs).await?;
    Ok(())
}
