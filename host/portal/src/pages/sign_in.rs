//! `/ui/sign-in`, `/ui/sign-out`: a key becomes a session.

use super::Answer;
use crate::Portal;
use crate::api::Api;
use crate::failure::Failure;
use crate::frame::{Layout, page, redirect};
use crate::query::Query;
use crate::session::{MAX_KEY, Session, needs_https, no_cookie};
use crate::views::{self, Environment};
use askama::Template;
use axum::body::to_bytes;
use axum::extract::{RawQuery, Request, State};
use axum::response::Response;
use http::header::SET_COOKIE;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use zeroize::Zeroizing;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page {
    layout: Layout,
    /// Where to go on.
    next: String,
    failed: bool,
    /// The browser would not keep the cookie.
    needs_https: bool,
}

/// Bytes of a form.
const MAX_FORM: usize = 16 * 1024;

/// `GET /ui/sign-in`
pub async fn show(State(portal): State<Portal>, headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    let query = Query::parse(query.unwrap_or_default().as_bytes(), &["next"]);
    let needs_https = needs_https(&portal, &headers);
    page(&Page { layout: Layout::open(&portal), next: own_page(query.get("next")), failed: false, needs_https })
}

/// `POST /ui/sign-in`
pub async fn sign_in(State(portal): State<Portal>, request: Request) -> Answer {
    let headers = request.headers().clone();
    let form = form(request, &["key", "next"]).await?;
    let (key, next) = (Zeroizing::new(form.get("key").to_owned()), own_page(form.get("next")));
    let Some(session) = session(&portal, key).await? else {
        let needs_https = needs_https(&portal, &headers);
        let mut response = page(&Page { layout: Layout::open(&portal), next, failed: true, needs_https })?;
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        return Ok(response);
    };
    // The browser keeps one cookie: nobody could sign the session before out any more.
    if let Some(before) = Session::of(&portal, &headers) {
        before.end(&portal);
    }
    let mut response = redirect(&next);
    if let Some(cookie) = session.cookie(&portal, &headers) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// `POST /ui/sign-out`
pub async fn sign_out(State(portal): State<Portal>, headers: HeaderMap) -> Response {
    if let Some(session) = Session::of(&portal, &headers) {
        session.end(&portal);
    }
    let mut response = redirect("/ui/sign-in");
    if let Some(cookie) = no_cookie(&portal, &headers) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// Reads a form.
///
/// # Errors
/// It is too large, or was cut off.
pub async fn form(request: Request, known: &[&'static str]) -> Result<Query, Failure> {
    let body = to_bytes(request.into_body(), MAX_FORM).await.map_err(|_| Failure::too_large())?;
    Ok(Query::parse(&body, known))
}

#[derive(Deserialize)]
struct Where {
    environment: String,
}

/// Tries a key; `None` if it is not valid. The API's answers tell what kind of key it is.
async fn session(portal: &Portal, key: Zeroizing<String>) -> Result<Option<Session>, Failure> {
    if key.is_empty() || key.len() > MAX_KEY {
        return Ok(None);
    }
    let mut session = Session::begin(portal, key);
    let api = Api::new(portal.api.clone(), session.clone());
    match api.get::<Where>("/v1/overview", &[]).await {
        Ok(found) => session.environment = Some(found.environment),
        Err(failure) if failure.status == 401 => return Ok(None),
        Err(failure) if failure.code == "environment-required" => {
            session.admin = true;
            session.environment = first_environment(&api).await?;
        }
        // A good key without all scopes: the pages that it reaches work.
        Err(failure) if failure.status == 403 => {}
        Err(failure) => return Err(failure),
    }
    Ok(Some(session))
}

/// The administrator begins in `live`, if there is one.
async fn first_environment(api: &Api) -> Result<Option<String>, Failure> {
    let all: views::Page<Environment> = api.get("/v1/environments", &[]).await?;
    let live = all.data.iter().find(|one| one.name.as_str() == "live");
    Ok(live.or(all.data.first()).map(|one| one.name.0.clone()))
}

/// A page of ours to go on to; anything else becomes the first page.
fn own_page(next: &str) -> String {
    let rest = next.strip_prefix("/ui").unwrap_or_default();
    let plain = rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"'<>`#".contains(&byte));
    if rest.starts_with('/') && !rest.starts_with("//") && plain { next.to_owned() } else { "/ui".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::tests::layout;

    #[test]
    fn it_renders() {
        let page = Page { layout: layout(), next: "/ui".into(), failed: true, needs_https: true };
        let html = page.render().expect("renders");
        assert!(html.contains("not a valid key") && html.contains("https"));
    }

    #[test]
    fn a_person_goes_on_to_pages_of_ours_only() {
        assert_eq!(own_page("/ui/tenants/acme%2F?state=dead"), "/ui/tenants/acme%2F?state=dead");
        for foreign in
            ["", "https://evil.example", "//evil.example", "/ui//evil", "/uix", "/ui/\\evil", "/ui/a\r\nb", "/v1"]
        {
            assert_eq!(own_page(foreign), "/ui", "{foreign}");
        }
    }
}
