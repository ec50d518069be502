//! `/ui/environment`: which environment the administrator looks at.

use super::Answer;
use crate::Portal;
use crate::failure::Failure;
use crate::foreign::Foreign;
use crate::frame::{Layout, Visitor, page, redirect};
use crate::pages::sign_in::form;
use crate::views::{self, Environment};
use askama::Template;
use axum::Extension;
use axum::extract::{Request, State};
use http::header::SET_COOKIE;

#[derive(Template)]
#[template(path = "environment.html")]
struct Page {
    layout: Layout,
    environments: Vec<Foreign>,
}

pub async fn show(Extension(visitor): Extension<Visitor>) -> Answer {
    let environments = all(&visitor).await?.into_iter().map(|one| one.name).collect();
    page(&Page { layout: visitor.layout(), environments })
}

pub async fn choose(State(portal): State<Portal>, Extension(visitor): Extension<Visitor>, request: Request) -> Answer {
    let headers = request.headers().clone();
    let form = form(request, &["environment"]).await?;
    let known = all(&visitor).await?.into_iter().find(|one| one.name.as_str() == form.get("environment"));
    let chosen = known.ok_or_else(Failure::missing)?;
    let mut session = visitor.session;
    session.environment = Some(chosen.name.0);
    let mut response = redirect("/ui");
    if let Some(cookie) = session.cookie(&portal, &headers) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

async fn all(visitor: &Visitor) -> Result<Vec<Environment>, Failure> {
    let found: views::Page<Environment> = visitor.api.get("/v1/environments", &[]).await?;
    Ok(found.data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::tests::layout;

    #[test]
    fn it_renders() {
        let page = Page { layout: layout(), environments: vec!["sandbox".into(), "live".into()] };
        let html = page.render().expect("renders");
        assert!(html.contains("value=\"sandbox\"") && html.contains("looked at now"));
    }
}
