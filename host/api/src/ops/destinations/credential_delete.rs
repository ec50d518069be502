//! `DELETE /v1/tenants/{tenant}/destinations/{destination}/credentials/{field}`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Documented, Example, Verb, operation};
use crate::problem::Problem;
use crate::{codes, destination};

operation! {
    id: "destinations.credentials.delete",
    verb: Verb::Delete,
    path: "/v1/tenants/{tenant}/destinations/{destination}/credentials/{field}",
    tag: "destinations",
    summary: "Delete a credential, all its values",
    action: Some(Action::CredentialsWrite),
    answers: &[Documented { status: 204, schema: "", about: "Deleted." }],
    examples: &[Example::get("Delete it", "/v1/tenants/acme/destinations/orders/credentials/bearer_token", 204)],
}

async fn run(call: Call) -> Result<Answer, Problem> {
    let tenant = call.tenant().await?;
    let mut found = call.destination(&tenant).await?;
    let if_match = call.if_match()?;
    let expect = if_match.check(Some(found.revision))?;
    let field = call.param("field");
    if !found.credentials.iter().any(|credential| credential.field == field) {
        return Err(Problem::not_found("credential"));
    }
    let connector = call.state.connectors.get(&found.spec.connector);
    let mut fields = connector.iter().flat_map(|connector| &connector.manifest.credentials);
    if fields.any(|own| own.name == field && own.required) {
        return Err(Problem::new(&codes::REQUIRED_CREDENTIAL, "The connector cannot work without it."));
    }
    destination::delete(&mut found.credentials, field);
    super::put::save(&call, &tenant, found, expect, if_match).await?;
    Ok(Answer::empty())
}
