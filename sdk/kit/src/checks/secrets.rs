//! Secrets are where they were sent, and nowhere else; a new one is used from the next session on.

use crate::canary::Secret;
use crate::data::marked;
use crate::log::Log;
use crate::plan::Given;
use crate::stage::{Scene, Stage};
use railhead_model::manifest::{CredentialField, CredentialKind as Kind, CredentialUse as Use};
use railhead_plugin_harness::{Answer, Destination, HttpPeer, Received, SettledEvent};
use std::collections::BTreeSet;
use std::io;

/// What one run of another configuration shows.
pub(crate) async fn way(stage: &Stage, check: &str) -> io::Result<()> {
    let scene = stage.scene(crate::stage::none())?;
    let run = stage.hand_over(&scene, &scene.destination, marked(2, &stage.plan.data)).await;
    let delivered = run.classes().iter().all(|class| *class == railhead_model::OutcomeClass::Delivered);
    stage.holds("O3", check, delivered, || format!("They came to {}.", run.words()));
    echoed(stage).await?;
    nowhere(stage);
    Ok(())
}

/// Everything that was logged.
pub(crate) fn nowhere(stage: &Stage) {
    let (Some(log), Some(search)) = (Log::installed(), stage.search()) else {
        return stage.findings.borrow_mut().skip("C7", "no secret is in the log", "This process keeps another log.");
    };
    let lines = log.lines_of(&stage.connector.manifest.name);
    let found = lines.iter().find_map(|line| search.found_in(line.as_bytes()).first().map(|name| (*name).to_owned()));
    stage.holds("C7", "no secret is in the log", found.is_none(), || {
        format!("The log holds {}.", found.unwrap_or_default())
    });
}

/// A server that sends everything back, with an error.
async fn echoed(stage: &Stage) -> io::Result<()> {
    let peer = HttpPeer::deciding(echo)?;
    let destination = stage.at_origin(peer.origin(), &[1]);
    let scene = Scene { destination, peer };
    let run = stage.hand_over(&scene, &scene.destination, marked(2, &stage.plan.data)).await;
    told(stage, &scene.destination, &run.settled).await;
    Ok(())
}

/// Looks for secrets in what came of a hand-over, and in what the destination tells when it is asked.
pub(super) async fn told(stage: &Stage, destination: &Destination, settled: &[SettledEvent]) {
    let shown = destination.preview(marked(1, &stage.plan.data)).await;
    let shown = shown.map(|shown| serde_json::to_string(&shown).unwrap_or_default()).unwrap_or_default();
    absent(stage, [shown, format!("{:?}", destination.check().await)].into_iter().chain(told_of(settled)));
}

/// Looks for secrets in what came of a hand-over alone.
pub(super) fn settled(stage: &Stage, settled: &[SettledEvent]) {
    absent(stage, told_of(settled).into_iter());
}

fn told_of(settled: &[SettledEvent]) -> Vec<String> {
    let mut texts = Vec::new();
    for event in settled {
        let reason = event.outcome.reason();
        texts.extend([reason.message.clone(), reason.code.clone(), reason.status.clone().unwrap_or_default()]);
        texts.push(serde_json::to_string(&event.transcript).unwrap_or_default());
    }
    texts
}

fn absent(stage: &Stage, mut texts: impl Iterator<Item = String>) {
    let Some(search) = stage.search() else { return };
    let found = texts.find_map(|text| search.found_in(text.as_bytes()).first().map(|name| (*name).to_owned()));
    stage.holds("C7", "no secret comes back in outcomes, records, previews and checks", found.is_none(), || {
        format!("There is {}.", found.unwrap_or_default())
    });
}

fn echo(request: &Received) -> Answer {
    let headers = request.headers.iter().map(|(name, values)| format!("{name}: {}\n", values.join(", ")));
    let told = [request.line.as_bytes(), b"\n", headers.collect::<String>().as_bytes(), b"\n", &request.body].concat();
    let answer = Answer::status(400).body(told);
    // What a server tells in a header may be any of them.
    let told =
        request.headers.iter().filter(|(name, _)| !["host", "content-length", "connection"].contains(&name.as_str()));
    told.fold(answer, |answer, (name, values)| answer.header(&format!("x-echo-{name}"), &values.join(", ")))
}

/// A new value is used by new sessions; signers use both while they overlap.
pub(crate) async fn rotation(stage: &Stage) -> io::Result<()> {
    echoed(stage).await?;
    let scene = stage.scene(crate::stage::none())?;
    let given = stage.secrets(scene.peer.origin(), &[1]);
    if given.is_empty() {
        stage.findings.borrow_mut().skip("C4", "signers use each key", "No credential is given: see test.json.");
        return Ok(());
    }
    let signing: Vec<&str> = stage
        .connector
        .manifest
        .credentials
        .iter()
        .filter(|field| is_signing(field))
        .map(|field| field.name.as_str())
        .collect();
    let signs = given.iter().any(|secret| signing.contains(&secret.field.as_str()));
    let first = sent(stage, &scene, |_| &[1]).await;
    if signs {
        // Of the others the older value is rightly not used.
        let new = sent(stage, &scene, |field| if signing.contains(&field) { &[2] } else { &[1] }).await;
        let both = sent(stage, &scene, |field| if signing.contains(&field) { &[2, 1] } else { &[1] }).await;
        let mut one_of_both = new.symmetric_difference(&first);
        let complete = one_of_both.all(|word| both.contains(word));
        stage.holds("C4", "signers use each key while two overlap", complete, || {
            "While a key rotates, the signature of one of both is missing. Give sign-header all that credentials.get \
             answers with."
                .to_owned()
        });
    }
    for secret in &given {
        let field = stage.connector.manifest.credentials.iter().find(|field| field.name == secret.field);
        let made = !matches!(stage.plan.credentials.get(&secret.field), Some(Given::Value(_)));
        // The one goes to the token endpoint, the other to the handshake: no request shows them.
        let seen = field.is_some_and(|field| !matches!(field.usage, Use::Exchange | Use::TlsIdentity));
        if !made || !seen {
            continue;
        }
        let rotated = sent(stage, &scene, |field| if field == secret.field { &[2] } else { &[1] }).await;
        stage.holds("C2", "a new session uses the new value", first != rotated, || {
            format!(
                "After a rotation of {0} the requests are as before: the new value is not used. If {0} is of no use in this \
                 configuration, take it out of `credentials` of test.json and give it in one of the `ways`.",
                secret.field
            )
        });
    }
    Ok(())
}

/// A field whose keys `sign-header` takes several of.
fn is_signing(field: &CredentialField) -> bool {
    field.usage == Use::SignRequest && matches!(field.kind, Kind::Bytes | Kind::PrivateKey)
}

/// The words of what is sent for one event with these editions of each field's values.
async fn sent(stage: &Stage, scene: &Scene, editions: impl Fn(&str) -> &'static [u8]) -> BTreeSet<String> {
    let fields = stage.secrets(scene.peer.origin(), &[1]).into_iter().map(|secret| secret.field);
    let values: Vec<Secret> = fields
        .flat_map(|field| {
            let all = stage.secrets(scene.peer.origin(), editions(&field));
            all.into_iter().filter(move |secret| secret.field == field)
        })
        .collect();
    let pairs: Vec<(&str, &str)> = values.iter().map(|secret| (secret.field.as_str(), secret.value.as_str())).collect();
    let destination = scene.destination.clone().rotated(&pairs);
    let run = stage.hand_over(scene, &destination, marked(1, &stage.plan.data)).await;
    destination.retire();
    words(&run.requests)
}

/// The words of all header values and paths.
fn words(requests: &[Received]) -> BTreeSet<String> {
    let texts = requests.iter().flat_map(|request| {
        request
            .headers
            .values()
            .flatten()
            .cloned()
            .chain([request.line.clone(), String::from_utf8_lossy(&request.body).into_owned()])
    });
    let split = |text: String| {
        text.split([' ', ',', '=', ';']).filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    texts.flat_map(split).collect()
}
