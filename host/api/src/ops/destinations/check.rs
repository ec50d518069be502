//! `POST /v1/tenants/{tenant}/destinations/{destination}/check`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, Verb, answers, operation};
use crate::problem::Problem;
use railhead_delivery::connectors::CheckStep;
use railhead_model::Reason;
use serde_json::{Value, json};

operation! {
    id: "destinations.check",
    verb: Verb::Post,
    path: "/v1/tenants/{tenant}/destinations/{destination}/check",
    tag: "destinations",
    summary: "Check a destination without sending an event",
    about: "Resolves, connects, logs in. `ok` is false if any step failed; the steps say what was found.",
    action: Some(Action::DestinationsWrite),
    answers: &[answers(200, "Check", "What the check found.")],
    examples: &[Example::get("Check it", "/v1/tenants/acme/destinations/orders/check", 200)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let found = call.destination(&tenant).await?;
    let steps = match call.state.delivery.check(&tenant, &found).await {
        Ok(steps) => steps,
        // Not being able to run is a finding too: it is what a delivery would meet.
        Err(reason) => vec![CheckStep { result: Err(reason) }],
    };
    let ok = steps.iter().all(|step| step.result.is_ok());
    Answer::ok(&json!({"ok": ok, "steps": steps.iter().map(view).collect::<Vec<_>>()}))
}

fn view(step: &CheckStep) -> Value {
    match &step.result {
        Ok(found) => json!({"ok": true, "message": found}),
        Err(Reason { code, message, status }) => {
            json!({"ok": false, "code": code, "message": message, "status": status})
        }
    }
}
