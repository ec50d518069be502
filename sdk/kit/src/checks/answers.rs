//! What a server's answers come to.

use crate::data::marked;
use crate::plan::Case;
use crate::stage::{Run, Stage, all, answer_of};
use railhead_model::{Outcome, OutcomeClass as Class};
use railhead_plugin_harness::Answer;
use std::io;

/// What a connector may make of an answer.
struct Expected {
    status: u16,
    rule: &'static str,
    check: &'static str,
    allowed: &'static [Class],
    change: &'static str,
}

const WAITS: &[Class] = &[Class::Misconfigured, Class::RejectedCredentials, Class::Transient];
const NO_ANSWER: &[Class] = &[Class::Transient, Class::Uncertain, Class::Throttled];
const REFUSED: &[Class] = &[
    Class::Permanent,
    Class::Transient,
    Class::Uncertain,
    Class::TooLarge,
    Class::Misconfigured,
    Class::RejectedCredentials,
    Class::Throttled,
];
const MEND: &str =
    "A person can mend this and the event can still arrive: use misconfigured, rejected-credentials or transient.";
const LATER: &str = "The server failed, not the event: use transient, or uncertain where it may have arrived.";
const NOT_TAKEN: &str = "The server did not take the event.";
const SLOW: &str = "The destination wants less: use throttled with the time that it names.";

/// Of a single event.
const EXPECTED: [Expected; 17] = [
    expected(301, "R4", "a 301 is not success, and not the event's fault", WAITS, MEND),
    expected(302, "R4", "a 302 is not success, and not the event's fault", WAITS, MEND),
    expected(307, "R4", "a 307 is not success, and not the event's fault", WAITS, MEND),
    expected(400, "O3", "a 400 is not success", REFUSED, NOT_TAKEN),
    expected(401, "O1", "a 401 waits for a person", WAITS, MEND),
    expected(403, "O1", "a 403 waits for a person", WAITS, MEND),
    expected(404, "O1", "a 404 waits for a person", WAITS, MEND),
    expected(410, "O3", "a 410 is not success", REFUSED, NOT_TAKEN),
    expected(413, "O3", "a 413 is not success", REFUSED, NOT_TAKEN),
    expected(422, "O3", "a 422 is not success", REFUSED, NOT_TAKEN),
    expected(408, "O3", "a 408 is tried again", NO_ANSWER, LATER),
    expected(429, "O8", "a 429 slows down", &[Class::Throttled, Class::Transient], SLOW),
    expected(500, "O3", "a 500 is tried again", NO_ANSWER, LATER),
    expected(502, "O3", "a 502 is tried again", NO_ANSWER, LATER),
    expected(503, "O3", "a 503 is tried again", NO_ANSWER, LATER),
    expected(504, "O3", "a 504 is tried again", NO_ANSWER, LATER),
    expected(599, "O3", "a status that nobody knows is tried again", NO_ANSWER, LATER),
];

const fn expected(
    status: u16,
    rule: &'static str,
    check: &'static str,
    allowed: &'static [Class],
    change: &'static str,
) -> Expected {
    Expected { status, rule, check, allowed, change }
}

/// What statuses come to, for one event and for a batch.
pub(super) async fn statuses(stage: &Stage) -> io::Result<()> {
    for expected in &EXPECTED {
        let run = answered(stage, Answer::status(expected.status).header("location", "/railhead-elsewhere"), 1, false)
            .await?;
        let class = run.classes().first().copied();
        stage.holds(
            expected.rule,
            expected.check,
            class.is_some_and(|class| expected.allowed.contains(&class)),
            || format!("It came to {}. {}", run.words(), expected.change),
        );
        if expected.status >= 400 {
            let status = run.settled.first().and_then(|event| event.outcome.reason().status.clone());
            stage.holds("O6", "outcomes bear the server's status", status.is_some(), || {
                format!("The outcome of a {} has no status. Put the server's own word into `status`.", expected.status)
            });
        }
        if stage.is_batching() {
            let batch = answered(stage, Answer::status(expected.status), 3, true).await?;
            let lost = batch.classes().contains(&Class::Delivered);
            stage.holds("O3", "a batch that was not taken is not delivered", !lost, || {
                format!(
                    "The server answered {} to a batch of three, and it came to {}.",
                    expected.status,
                    batch.words()
                )
            });
            if expected.status == 413 {
                let halves = batch.classes() == [Class::TooLarge; 3];
                stage.holds("O1", "a batch that is too large is handed over by halves", halves, || {
                    format!(
                        "A 413 to a batch of three came to {}. Use too-large where there were several.",
                        batch.words()
                    )
                });
            }
        }
    }
    redirects(stage).await?;
    retry_after(stage).await
}

async fn redirects(stage: &Stage) -> io::Result<()> {
    let scene = stage.scene(all(Answer::status(307).header("location", "/railhead-elsewhere")))?;
    stage.hand_over(&scene, &scene.destination, marked(1, &stage.plan.data)).await;
    let followed = scene.peer.received().iter().any(|request| request.path().contains("railhead-elsewhere"));
    stage.holds("R4", "redirects are not followed", !followed, || {
        "It sent a request to the `location` of a redirect. That is the destination owner's to configure.".to_owned()
    });
    Ok(())
}

async fn retry_after(stage: &Stage) -> io::Result<()> {
    for (status, check) in [(429, "Retry-After of a 429 is handed on"), (503, "Retry-After of a 503 is handed on")] {
        let run = answered(stage, Answer::status(status).header("retry-after", "7"), 1, false).await?;
        let after = run.settled.first().map(|event| match &event.outcome {
            Outcome::Throttled(_, ms) => Some(*ms),
            Outcome::Transient(_, ms) => *ms,
            _ => None,
        });
        stage.holds("O8", check, after.flatten() == Some(7_000), || {
            format!("The server said to wait 7 s; the outcome says {:?} ms: {}.", after.flatten(), run.words())
        });
    }
    Ok(())
}

/// Answers that only this destination gives.
pub(super) async fn cases(stage: &Stage) -> io::Result<()> {
    for case in &stage.plan.cases {
        let Case { name, batched, answer, outcomes } = case;
        let count = u8::try_from(outcomes.len()).unwrap_or(9);
        let run = answered(stage, answer_of(answer), count, *batched).await?;
        stage.holds("O3", name, run.classes() == *outcomes, || {
            format!("The answer {} {} came to {}.", answer.status, answer.body, run.words())
        });
    }
    Ok(())
}

/// Hands events over to a destination that answers them all alike.
async fn answered(stage: &Stage, answer: Answer, events: u8, batched: bool) -> io::Result<Run> {
    let scene = stage.scene(all(answer))?;
    let destination = if batched { scene.destination.clone().batched() } else { scene.destination.clone() };
    let run = stage.hand_over(&scene, &destination, marked(events, &stage.plan.data)).await;
    scene.destination.retire();
    Ok(run)
}
