//! What stands around every page: headers, the session, failure pages.

use crate::api::Api;
use crate::assets::{ASSETS, Assets};
use crate::failure::Failure;
use crate::foreign::Foreign;
use crate::session::{Session, no_cookie};
use crate::when::When;
use crate::{Portal, origin};
use askama::Template;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

/// Nothing is loaded from elsewhere, nothing runs inside a page, no other page frames it.
pub const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                          connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Who looks at a page.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The API with this person's key.
    pub api: Api,
    /// The session.
    pub session: Session,
    /// Path and query of the page.
    pub here: String,
    /// Now.
    pub now: When,
}

/// What the template of every page needs.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Where style and script are.
    pub assets: &'static Assets,
    /// Whether somebody is signed in.
    pub signed_in: bool,
    /// The environment that is looked at.
    pub environment: Option<Foreign>,
    /// Whether it can be chosen.
    pub admin: bool,
    /// Path and query of the page.
    pub here: String,
    /// Now.
    pub now: When,
}

impl Visitor {
    /// The layout of this person's pages.
    #[must_use]
    pub fn layout(&self) -> Layout {
        Layout {
            assets: &ASSETS,
            signed_in: true,
            environment: self.session.environment.as_deref().map(Foreign::from),
            admin: self.session.admin,
            here: self.here.clone(),
            now: self.now,
        }
    }
}

impl Layout {
    /// The layout where nobody is signed in.
    #[must_use]
    pub fn open(portal: &Portal) -> Self {
        let now = When(portal.clock.now());
        Self { assets: &ASSETS, signed_in: false, environment: None, admin: false, here: String::new(), now }
    }
}

/// A page as a response.
///
/// # Errors
/// The template could not be rendered, which is a defect.
pub fn page(template: &impl Template) -> Result<Response, Failure> {
    let html = template.render().map_err(|error| {
        tracing::error!(%error, "a page cannot be rendered");
        Failure::internal()
    })?;
    Ok(([(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response())
}

/// Sends the browser elsewhere in these pages.
#[must_use]
pub fn redirect(to: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert(LOCATION, to);
    }
    response
}

/// Around everything: forms must be ours, headers are strict, failures become pages.
pub async fn guard(State(portal): State<Portal>, request: Request, next: Next) -> Response {
    let is_form = request.method() == Method::POST;
    let response = if is_form && !origin::is_own(request.headers()) {
        Failure::foreign_form().into_response()
    } else {
        next.run(request).await
    };
    let mut response = failure_page(response, Layout::open(&portal));
    harden(response.headers_mut());
    response
}

/// Around pages of people who are signed in: opens the session, or sends them to sign in.
pub async fn signed_in(State(portal): State<Portal>, mut request: Request, next: Next) -> Response {
    let here = request.uri().path_and_query().map_or("/ui", |path| path.as_str()).to_owned();
    let Some(session) = Session::of(&portal, request.headers()) else { return to_sign_in(&here) };
    let api = Api::new(portal.api.clone(), session.clone());
    let visitor = Visitor { api, session, here, now: When(portal.clock.now()) };
    let headers = request.headers().clone();
    request.extensions_mut().insert(visitor.clone());
    // Only reading is counted: a form that never arrives must not keep others out.
    let response = match (request.method() == Method::GET).then(|| portal.gate.pass()) {
        None => next.run(request).await,
        Some(pass) => match pass.await {
            Ok(_pass) => next.run(request).await,
            Err(failure) => failure.into_response(),
        },
    };
    if response.extensions().get::<Failure>().is_some_and(|failure| failure.status == 401) {
        return signed_out(&portal, &headers, &visitor.here);
    }
    failure_page(response, visitor.layout())
}

/// The key was revoked, or has ended.
fn signed_out(portal: &Portal, headers: &HeaderMap, here: &str) -> Response {
    let mut response = to_sign_in(here);
    if let Some(cookie) = no_cookie(portal, headers) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

fn to_sign_in(here: &str) -> Response {
    match here {
        "/ui" => redirect("/ui/sign-in"),
        here => redirect(&format!("/ui/sign-in?next={}", crate::foreign::encode(here))),
    }
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage {
    layout: Layout,
    title: &'static str,
    next: &'static str,
    detail: Foreign,
    code: Foreign,
    request_id: Foreign,
}

fn failure_page(mut response: Response, layout: Layout) -> Response {
    let Some(failure) = response.extensions_mut().remove::<Failure>().or_else(|| unreadable(&response)) else {
        return response;
    };
    let shown = FailurePage {
        layout,
        title: failure.title(),
        next: failure.next(),
        detail: Foreign(failure.detail),
        code: Foreign(failure.code),
        request_id: Foreign(failure.request_id),
    };
    // Without its template a failure is still a status.
    let Ok(mut page) = page(&shown) else { return response };
    *page.status_mut() = response.status();
    if let Some(after) = response.headers().get(RETRY_AFTER) {
        page.headers_mut().insert(RETRY_AFTER, after.clone());
    }
    page
}

/// A path that the router itself refused, in words of its own.
fn unreadable(response: &Response) -> Option<Failure> {
    let is_page = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    (response.status().is_client_error() && !is_page).then(|| Failure::unreadable(response.status().as_u16()))
}

fn harden(headers: &mut HeaderMap) {
    let fixed: [(HeaderName, &'static str); 6] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        // For browsers that do not know `frame-ancestors`.
        (X_FRAME_OPTIONS, "DENY"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use railhead_model::Timestamp;

    /// A layout for tests of templates.
    pub fn layout() -> Layout {
        let now = When(Timestamp::parse("2026-11-23T15:04:05Z").expect("a time"));
        let (environment, here) = (Some(Foreign::from("live")), "/ui".to_owned());
        Layout { assets: &ASSETS, signed_in: true, environment, admin: true, here, now }
    }

    #[test]
    fn a_failure_says_what_to_do_next() {
        let failure = Failure::answered(StatusCode::FORBIDDEN, br#"{"code": "missing-scope", "detail": "<b>no</b>"}"#);
        let response = failure_page(failure.into_response(), layout());
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let page = FailurePage {
            layout: layout(),
            title: "Not for this key",
            next: "Sign in with another.",
            detail: "<b>no</b>".into(),
            code: "missing-scope".into(),
            request_id: "req_1".into(),
        };
        let html = page.render().expect("renders");
        assert!(html.contains("Sign in with another.") && html.contains("req_1") && !html.contains("<b>no</b>"));
    }
}
