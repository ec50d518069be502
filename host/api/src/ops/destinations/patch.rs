//! `PATCH /v1/tenants/{tenant}/destinations/{destination}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::destination::{self, Input};
use crate::operation::{Example, PATCH, Verb, answers, operation};
use crate::problem::Problem;

operation! {
    id: "destinations.patch",
    verb: Verb::Patch,
    path: "/v1/tenants/{tenant}/destinations/{destination}",
    tag: "destinations",
    summary: "Change a destination",
    about: "A JSON merge patch: what is absent stays, null goes back to the default or deletes a credential. `retry` is \
            replaced as a whole. A change that sends a credential to another origin needs the scope `credentials:write`.",
    action: Some(Action::DestinationsWrite),
    body: "DestinationPatch",
    takes: PATCH,
    answers: &[answers(200, "Destination", "Changed.")],
    examples: &[Example::json(
        "Another URL, a rate limit",
        "/v1/tenants/acme/destinations/orders",
        r#"{"config": {"url": "https://hooks.example.com/v2"}, "rate_limit": {"per_second": 50, "burst": 100}}"#,
        200,
    )],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let found = call.destination(&tenant).await?;
    let if_match = call.if_match()?;
    let expect = if_match.check(Some(found.revision))?;
    let patch = call.value()?;
    if destination::names_given(&patch) {
        call.authorize(Action::CredentialsWrite)?;
    }
    let input = Input::patched(&found.spec, patch)?;
    let saved = super::put::replace(&call, &tenant, found, input, expect, if_match).await?;
    super::get::answer(&call, &tenant, &saved, 200).await
}
