//! `POST …/destinations/{destination}/pause`, `/resume`, `/disable`, `/enable`: one verb, four words.

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, Operation, Verb, answers};
use crate::problem::Problem;
use railhead_model::DestinationState;

const COMMON: Operation = Operation {
    verb: Verb::Post,
    tag: "destinations",
    action: Some(Action::DestinationsWrite),
    answers: &[answers(200, "Destination", "As it is now.")],
    ..Operation::BASE
};

/// `/pause`
pub static PAUSE: Operation = Operation {
    id: "destinations.pause",
    path: "/v1/tenants/{tenant}/destinations/{destination}/pause",
    summary: "Pause a destination",
    about: "Deliveries are made, and wait, at most as long as events are kept. Pausing twice changes nothing.",
    examples: &[Example::get("Pause it", "/v1/tenants/acme/destinations/orders/pause", 200)],
    run: |call| Box::pin(set(call, DestinationState::Paused)),
    ..COMMON
};

/// `/resume`
pub static RESUME: Operation = Operation {
    id: "destinations.resume",
    path: "/v1/tenants/{tenant}/destinations/{destination}/resume",
    summary: "Resume a paused destination",
    about: "What waits is delivered. Use `enable` for a disabled one.",
    examples: &[Example::get("Resume it", "/v1/tenants/acme/destinations/orders/resume", 200)],
    run: |call| Box::pin(resume(call)),
    ..COMMON
};

/// `/disable`
pub static DISABLE: Operation = Operation {
    id: "destinations.disable",
    path: "/v1/tenants/{tenant}/destinations/{destination}/disable",
    summary: "Disable a destination",
    about: "New events are recorded as skipped; deliveries that wait go on waiting.",
    examples: &[Example::get("Disable it", "/v1/tenants/acme/destinations/orders/disable", 200)],
    run: |call| Box::pin(set(call, DestinationState::Disabled)),
    ..COMMON
};

/// `/enable`
pub static ENABLE: Operation = Operation {
    id: "destinations.enable",
    path: "/v1/tenants/{tenant}/destinations/{destination}/enable",
    summary: "Enable a destination",
    about: "From disabled or paused to active: what waits is delivered, new events are routed to it.",
    examples: &[Example::get("Enable it", "/v1/tenants/acme/destinations/orders/enable", 200)],
    run: |call| Box::pin(set(call, DestinationState::Active)),
    ..COMMON
};

async fn resume(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let found = call.destination(&tenant).await?;
    let to = if found.state == DestinationState::Paused { DestinationState::Active } else { found.state };
    set(call, to).await
}

async fn set(call: Call, state: DestinationState) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let mut found = call.destination(&tenant).await?;
    let if_match = call.if_match()?;
    let expect = if_match.check(Some(found.revision))?;
    if found.state == state {
        // A person says that it is repaired: a failing one is probed now instead of at its next probe.
        call.state.delivery.probe(found.no);
        return super::get::answer(&call, &tenant, &found, 200).await;
    }
    found.state = state;
    found.state_reason = match state {
        DestinationState::Active => None,
        DestinationState::Paused => Some("paused through the API".to_owned()),
        DestinationState::Disabled => Some("disabled through the API".to_owned()),
    };
    let saved = super::put::save(&call, &tenant, found, expect, if_match).await?;
    super::get::answer(&call, &tenant, &saved, 200).await
}
