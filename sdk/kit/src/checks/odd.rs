//! Events as publishers send them: with anything in any field.

use crate::data::{marked, with_mark};
use crate::stage::{Stage, none};
use bytes_like::odd;
use railhead_model::{Event, OutcomeClass as Class};
use serde_json::{Map, Value};
use std::io;

/// Each event is settled, and those that are not odd are delivered.
pub(super) async fn events(stage: &Stage) -> io::Result<()> {
    for batched in [false, true] {
        if batched && !stage.is_batching() {
            continue;
        }
        let scene = stage.scene(none())?;
        let destination = if batched { scene.destination.clone().batched() } else { scene.destination.clone() };
        let run = stage.hand_over(&scene, &destination, with_two(&stage.plan.data)).await;
        settled(stage, batched, &run.classes(), &run.words());
    }
    Ok(())
}

/// Two events that have nothing odd, and then all that have.
pub(super) fn with_two(members: &Map<String, Value>) -> Vec<Event> {
    let mut events = marked(2, members);
    events.extend(odd(|| with_mark(3, members)));
    events
}

/// What they may come to at a server that takes everything.
pub(super) fn settled(stage: &Stage, batched: bool, classes: &[Class], words: &str) {
    let check = if batched { "odd events of a batch are settled" } else { "odd events are settled" };
    let fine = |class: &Class| matches!(class, Class::Delivered | Class::Permanent | Class::TooLarge);
    stage.holds("D10", check, classes.iter().all(fine), || {
        format!(
            "Events with odd ids, media types, attributes or data (empty, no UTF-8, 300 KiB) came to: {words}. Send them, or \
             settle them as permanent."
        )
    });
    let plain = classes.iter().take(2).all(|class| *class == Class::Delivered);
    stage.holds("D5", "odd events stop no other", plain, || {
        format!("The two events that have nothing odd came to: {words}.")
    });
}

/// What may be in an event.
mod bytes_like {
    use railhead_model::Event;

    /// Variants of an event.
    pub(super) fn odd(event: impl Fn() -> Event) -> Vec<Event> {
        let with = |change: &dyn Fn(&mut Event)| {
            let mut event = event();
            change(&mut event);
            event
        };
        vec![
            with(&|event| event.data = Vec::new().into()),
            with(&|event| event.data = vec![0xff, 0x00, 0xfe].into()),
            with(&|event| event.data = format!("{{\"long\":\"{}\"}}", "x".repeat(300 * 1024)).into_bytes().into()),
            with(&|event| event.data = b"[1, 2".to_vec().into()),
            with(&|event| event.id = "line\r\nend: \u{1f642} \"quoted\" \\ ".to_owned()),
            with(&|event| event.id = "i".repeat(256)),
            with(&|event| event.event_type = "t\u{e9}.\u{1f642}/../{x}'; --".to_owned()),
            with(&|event| event.head.content_type = "application/octet-stream; x=\"\u{e9}\"".to_owned()),
            with(&|event| event.head.source = String::new()),
            with(&|event| event.head.subject = Some("sub\nject".to_owned())),
            with(&|event| {
                event.head.attributes.insert("odd".to_owned(), "a\r\nb: \u{1f642}".to_owned());
            }),
        ]
    }
}
