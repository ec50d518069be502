//! What is sent: everything once, the same every time, in previews too.

use crate::data::{carried, marked, with_mark};
use crate::stage::{Run, Scene, Stage, none};
use railhead_model::{Exchange, OutcomeClass};
use railhead_plugin_harness::{Received, TcpPeer};
use std::io;

/// How far the clock goes on between two attempts.
const LATER_MS: i64 = 3_600_000;

/// Three events arrive, each by itself. False: nothing does.
pub(super) async fn arrives(stage: &Stage) -> io::Result<bool> {
    let scene = stage.scene(none())?;
    let run = stage.hand_over(&scene, &scene.destination, marked(3, &stage.plan.data)).await;
    let arrived = run.classes() == [OutcomeClass::Delivered; 3];
    stage.holds("O3", "what a server takes is delivered", arrived, || {
        format!(
            "The peer answered as test.json says, or 200 and nothing, and the outcomes are: {}. If that is no success of \
             this destination, put one under `answers` of test.json.",
            run.words()
        )
    });
    let alone = run.requests.iter().all(|request| carried(request).len() == 1) && run.requests.len() == 3;
    stage.holds("D8", "without a batch each event is sent by itself", alone || !arrived, || {
        format!(
            "Three events were handed over with call.batched false, and {} requests came: {}.",
            run.requests.len(),
            run.requests.iter().map(|request| format!("{:?}", carried(request))).collect::<Vec<_>>().join(", ")
        )
    });
    unchanged_data(stage, &run);
    let named = run.requests.iter().find(|request| spoken(request).contains("railheaduid"));
    stage.holds("D7", "the host's id is not sent on as an attribute", named.is_none(), || {
        "railheaduid was sent on like an attribute of the publisher. Leave it out where attributes are sent.".to_owned()
    });
    Ok(arrived)
}

/// All of a request as text.
fn spoken(request: &Received) -> String {
    let headers = request.headers.iter().map(|(name, values)| format!("{name}: {}\n", values.join(", ")));
    format!("{}\n{}{}", request.line, headers.collect::<String>(), String::from_utf8_lossy(&request.body))
        .to_ascii_lowercase()
}

fn unchanged_data(stage: &Stage, run: &Run) {
    let copied = run.settled.iter().find(|event| {
        let data = with_mark(u8::try_from(event.index + 1).unwrap_or(u8::MAX), &stage.plan.data).data;
        let text = String::from_utf8_lossy(&data).into_owned();
        run.recorded().iter().any(|recorded| recorded.contains(&text))
    });
    stage.holds("P1", "data is sent as event-data", copied.is_none(), || {
        "The data of an event stands on the record as bytes of the plugin's own: it would outlive the event. Send it as \
         event-data."
            .to_owned()
    });
}

/// Three events as one batch.
pub(super) async fn batches(stage: &Stage) -> io::Result<()> {
    if !stage.is_batching() {
        stage.findings.borrow_mut().skip("D8", "a batch is one request", "The manifest has no `batch`.");
        return Ok(());
    }
    let scene = stage.scene(none())?;
    let destination = scene.destination.clone().batched();
    let run = stage.hand_over(&scene, &destination, marked(3, &stage.plan.data)).await;
    stage.holds(
        "O3",
        "a batch that a server takes is delivered",
        run.classes() == [OutcomeClass::Delivered; 3],
        || format!("The outcomes of a batch of three are: {}.", run.words()),
    );
    let members: Vec<_> = run.requests.iter().map(carried).collect();
    stage.holds("D8", "a batch is one request", members == [[1, 2, 3].into()], || {
        format!("The batch came as {} requests, which carried {members:?}.", members.len())
    });
    if stage.connector.manifest.batch.is_some_and(|batch| batch.stable) {
        let later = later(stage, &scene, &destination.clone().attempt(2)).await;
        let lines = |run: &Run| run.requests.iter().map(|request| request.line.clone()).collect::<Vec<_>>();
        stage.holds("D7", "a stable batch goes to the same place again", lines(&run) == lines(&later), || {
            format!("The first attempt went to {:?}, the second one to {:?}.", lines(&run), lines(&later))
        });
    }
    unchanged_data(stage, &run);
    Ok(())
}

/// The same batch an hour later, in a session of its own.
async fn later(stage: &Stage, scene: &Scene, destination: &railhead_plugin_harness::Destination) -> Run {
    destination.retire();
    stage.harness.clock().stop_at(railhead_model::Timestamp(crate::stage::NOW.0 + LATER_MS));
    let run = stage.hand_over(scene, destination, marked(3, &stage.plan.data)).await;
    stage.harness.clock().stop_at(crate::stage::NOW);
    run
}

/// The same events are the same requests: in another session, after other events, at another attempt.
pub(super) async fn same_again(stage: &Stage) -> io::Result<()> {
    let scene = stage.scene(none())?;
    let events = || marked(3, &stage.plan.data);
    let first = stage.hand_over(&scene, &scene.destination, events()).await;
    let again = stage.hand_over(&scene, &scene.destination, events()).await;
    let wrong = difference(&first.requests, &again.requests);
    stage.holds("S7", "nothing is kept of events before", wrong.is_none(), || {
        format!("The same events in the same session, once more, are another request: {}.", wrong.unwrap_or_default())
    });
    let mut wrong = None;
    for _ in 0..3 {
        scene.destination.retire();
        let fresh = stage.hand_over(&scene, &scene.destination, events()).await;
        let lost = fresh.classes() != first.classes();
        stage.holds("S3", "a new session goes on where the old one ended", !lost, || {
            format!("After its session ended, the same events came to: {}.", fresh.words())
        });
        wrong = wrong.or_else(|| difference(&first.requests, &fresh.requests));
    }
    stage.holds("D9", "the same input is the same request", wrong.is_none(), || {
        format!(
            "In a new session, at the same time of the clock, the request differs: {}. Take times from call.now-ms, and \
             leave out what is random, such as the order of a hash map.",
            wrong.unwrap_or_default()
        )
    });
    let second = stage.hand_over(&scene, &scene.destination.clone().attempt(2), events()).await;
    let places = |run: &Run| run.requests.iter().map(|request| request.line.clone()).collect::<Vec<_>>();
    stage.holds("D7", "an event goes to the same place at each attempt", places(&first) == places(&second), || {
        format!("The first attempt went to {:?}, the second one to {:?}.", places(&first), places(&second))
    });
    Ok(())
}

/// The first difference between two lists of requests.
fn difference(one: &[Received], other: &[Received]) -> Option<String> {
    if one.len() != other.len() {
        return Some(format!("{} requests, and then {}", one.len(), other.len()));
    }
    one.iter().zip(other).find_map(|(one, other)| {
        if one.line != other.line {
            return Some(format!("{} and {}", one.line, other.line));
        }
        let names = one.headers.keys().chain(other.headers.keys());
        let header = names.into_iter().find(|name| one.headers.get(*name) != other.headers.get(*name));
        let header = header.map(|name| format!("the header {name}: {:?} and {:?}", one.first(name), other.first(name)));
        header.or_else(|| (one.body != other.body).then(|| format!("the body of {}", one.line)))
    })
}

/// What a preview shows is what is sent then.
pub(super) async fn previews(stage: &Stage) -> io::Result<()> {
    for batched in [false, true] {
        if batched && !stage.is_batching() {
            continue;
        }
        let scene = stage.scene(none())?;
        let destination = if batched { scene.destination.clone().batched() } else { scene.destination.clone() };
        let shown = destination.preview(marked(2, &stage.plan.data)).await;
        let sent = scene.peer.received().iter().find(|request| !carried(request).is_empty()).map(|it| it.line.clone());
        stage.holds("V2", "a preview sends no event", sent.is_none(), || {
            format!("{} arrived during a preview.", sent.unwrap_or_default())
        });
        let run = stage.hand_over(&scene, &destination, marked(2, &stage.plan.data)).await;
        let wrong = match shown {
            Err(reason) => Some(format!("It could not be had: {} ({})", reason.message, reason.code)),
            Ok(shown) => unlike(&shown, &run, batched),
        };
        let check = if batched { "the preview of a batch is what is sent" } else { "a preview is what is sent" };
        stage.findings.borrow_mut().check("V2", check, wrong);
    }
    Ok(())
}

/// How the previewed requests differ from those that were sent for the same events.
fn unlike(shown: &[(Vec<u32>, Exchange)], run: &Run, batched: bool) -> Option<String> {
    let of_event = |index: u32| {
        let shown = shown.iter().filter(move |(events, _)| events.contains(&index)).map(|(_, exchange)| exchange);
        shown.collect::<Vec<_>>()
    };
    for event in &run.settled {
        let index = u32::try_from(event.index).unwrap_or(u32::MAX);
        let (previewed, sent) = (of_event(index), &event.transcript.exchanges);
        // HTTP sends one after the other: what is behind the first request that is only shown need not be reached.
        let Some((previewed, sent)) = previewed.first().zip(sent.first()) else {
            return Some(format!(
                "Event {index} is in {} previewed requests and {} sent ones.",
                previewed.len(),
                sent.len()
            ));
        };
        let (one, other) = (&previewed.request, &sent.request);
        if (&one.method, &one.url) != (&other.method, &other.url) {
            return Some(format!("{} {} is shown, {} {} is sent.", one.method, one.url, other.method, other.url));
        }
        let header = one
            .headers
            .iter()
            .chain(&other.headers)
            .find(|header| one.headers.contains(header) != other.headers.contains(header));
        if let Some(header) = header {
            return Some(format!("The header {} is not the same.", header.0));
        }
        // Batches refer to each event's data in its own way: what counts are the bytes between.
        let own = |parts: &[railhead_model::BodyPart]| -> Vec<String> {
            let text = |part: &railhead_model::BodyPart| match part {
                railhead_model::BodyPart::Text(text) | railhead_model::BodyPart::Base64(text) => Some(text.clone()),
                _ => None,
            };
            parts.iter().filter_map(text).collect()
        };
        if own(&one.body) != own(&other.body) || one.body_bytes != other.body_bytes && !batched {
            return Some("The body is not the same.".to_owned());
        }
    }
    None
}

/// A check tells what it finds, and sends no event.
pub(super) async fn checks(stage: &Stage) -> io::Result<()> {
    let scene = stage.scene(none())?;
    let run = stage.hand_over(&scene, &scene.destination, marked(1, &stage.plan.data)).await;
    let before = scene.peer.received().len();
    let steps = scene.destination.check().await;
    let told = steps.as_ref().is_ok_and(|steps| !steps.is_empty());
    stage.holds("V1", "check tells what it finds", told, || format!("check came to {steps:?}."));
    let place =
        |request: &Received| (request.method().to_owned(), request.path().split('?').next().unwrap_or("").to_owned());
    let of_events: Vec<_> = run.requests.iter().map(place).collect();
    let asked = scene.peer.received();
    let sent =
        asked.iter().skip(before).find(|request| of_events.contains(&place(request)) && !request.body.is_empty());
    stage.holds("V1", "check sends no event", sent.is_none(), || {
        let line = sent.map(|request| request.line.clone()).unwrap_or_default();
        format!("check sends {line} with a body, as deliver does for an event. Ask for something that changes nothing.")
    });
    let nowhere = stage.at_origin(&format!("http://127.0.0.1:{}", TcpPeer::refused_port()?), &[1]);
    let steps = nowhere.check().await;
    let noticed = steps.as_ref().map_or(true, |steps| steps.iter().any(Result::is_err));
    stage.holds("V1", "check tells that nobody is there", noticed, || {
        format!(
            "Nobody listens where it is to deliver to, and check came to {steps:?}. Connect, and say what was found."
        )
    });
    Ok(())
}
