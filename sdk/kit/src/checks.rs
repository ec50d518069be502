//! What is looked at while the connector runs.

mod answers;
mod faults;
mod odd;
pub(crate) mod secrets;
mod sending;
mod stream;

use crate::stage::Stage;
use std::io;

pub(crate) use stream::{stream, way as stream_way};

/// A connector that speaks HTTP.
pub(crate) async fn http(stage: &Stage) -> io::Result<()> {
    if !sending::arrives(stage).await? {
        // Nothing else can be told of a connector that delivers nothing.
        return Ok(());
    }
    sending::batches(stage).await?;
    sending::same_again(stage).await?;
    sending::previews(stage).await?;
    sending::checks(stage).await?;
    answers::statuses(stage).await?;
    answers::cases(stage).await?;
    faults::cut(stage).await?;
    faults::one_of_several(stage).await?;
    odd::events(stage).await?;
    secrets::rotation(stage).await
}

/// What is said of a connector whose deliveries nobody here can answer: nothing, and that is told.
pub(crate) fn unjudged(stage: &Stage, why: &str) {
    let mut findings = stage.findings.borrow_mut();
    for (rule, check) in UNJUDGED {
        findings.skip(rule, check, why);
    }
}

/// What takes a server that answers.
const UNJUDGED: [(&str, &str); 7] = [
    ("O3", "what a server takes is delivered"),
    ("O2", "what was written and not answered is uncertain"),
    ("D8", "a batch is delivered"),
    ("D10", "odd events are settled"),
    ("S3", "a new session goes on where the old one ended"),
    ("C2", "a new session uses the new value"),
    ("C7", "no secret comes back in outcomes, records, previews and checks"),
];
