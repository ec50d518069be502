//! Deliveries to the real server.

use super::dialogue::several;
use super::{Class, Stage, handed_over, words};
use crate::canary::Secret;
use crate::checks::secrets;
use crate::data::marked;
use crate::plugin::Address;
use railhead_model::manifest::{CredentialField, CredentialUse as Use};

/// The edition of values that no server takes.
const WRONG: u8 = 9;

/// See the module.
pub(super) async fn server(stage: &Stage, server: &Address) {
    let destination = stage.at_server(server);
    several(stage, &destination).await;
    let steps = destination.check().await;
    let works = steps.as_ref().is_ok_and(|steps| !steps.is_empty() && steps.iter().all(Result::is_ok));
    stage.holds("V1", "check tells what it finds", works, || {
        format!("The server is there, and check came to {steps:?}.")
    });
    let settled = handed_over(stage, &destination, marked(2, &stage.plan.data)).await;
    secrets::told(stage, &destination, &settled).await;
    rotation(stage, server).await;
}

/// A wrong value is used, and waits for a person; the right one is used again after it.
async fn rotation(stage: &Stage, server: &Address) {
    let origin = format!("http://{}:{}", server.host, server.port);
    let given = stage.secrets(&origin, &[1]);
    let fields = &stage.connector.manifest.credentials;
    let is_given = |field: &&CredentialField| given.iter().any(|secret| secret.field == field.name);
    // Another certificate may do as well as the first one.
    let tried: Vec<_> = fields.iter().filter(|field| field.usage != Use::TlsIdentity).filter(is_given).collect();
    if tried.is_empty() {
        let why = "No credential is given: see test.json.";
        return stage.findings.borrow_mut().skip("C2", "a new session uses the new value", why);
    }
    for field in tried {
        let Ok(wrong) = Secret::make(field, WRONG, &origin, &stage.authority) else { continue };
        let value =
            |secret: &'_ Secret| if secret.field == field.name { wrong.value.clone() } else { secret.value.clone() };
        let values: Vec<(&str, String)> = given.iter().map(|secret| (secret.field.as_str(), value(secret))).collect();
        let pairs: Vec<(&str, &str)> = values.iter().map(|(field, value)| (*field, value.as_str())).collect();
        let destination = stage.at_server(server).rotated(&pairs);
        let settled = handed_over(stage, &destination, marked(1, &stage.plan.data)).await;
        let classes: Vec<Class> = settled.iter().map(|event| event.outcome.class()).collect();
        stage.holds("C2", "a new session uses the new value", !classes.contains(&Class::Delivered), || {
            format!("{} was rotated to a wrong value, and the event was delivered.", field.name)
        });
        let waits = [Class::RejectedCredentials, Class::Misconfigured, Class::Transient];
        stage.holds("O1", "a wrong credential waits for a person", classes.iter().all(|it| waits.contains(it)), || {
            format!("With a wrong {} the event came to {}.", field.name, words(&settled))
        });
        let right: Vec<(&str, &str)> =
            given.iter().map(|secret| (secret.field.as_str(), secret.value.as_str())).collect();
        let settled = handed_over(stage, &destination.rotated(&right), marked(1, &stage.plan.data)).await;
        let delivered = settled.iter().all(|event| event.outcome.class() == Class::Delivered);
        stage.holds("C2", "the right value is used after a wrong one", delivered, || words(&settled));
    }
}
