//! `/ui/tenants/{tenant}/events`: newest first, with a box to look one up.

use super::Answer;
use crate::api::tenant_path;
use crate::failure::Failure;
use crate::foreign::Foreign;
use crate::frame::{Layout, Visitor, page, redirect};
use crate::query::Query;
use crate::views::{self, EventSummary};
use askama::Template;
use axum::Extension;
use axum::extract::{Path, RawQuery};
use serde::Deserialize;

/// Links to other places of a list.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    /// To the first place, unless this is it.
    pub first: Option<String>,
    /// To the next one.
    pub next: Option<String>,
    /// Nothing matched among the rows that were looked at, and there are more.
    pub go_on: bool,
}

impl Pages {
    /// Links of a list.
    #[must_use]
    pub fn of(base: &str, query: &Query, next: Option<&str>, empty: bool) -> Self {
        Self {
            first: (!query.get("cursor").is_empty()).then(|| format!("{base}{}", query.at(""))),
            next: next.map(|cursor| format!("{base}{}", query.at(cursor))),
            go_on: empty && next.is_some(),
        }
    }
}

#[derive(Template)]
#[template(path = "events.html")]
struct Page {
    layout: Layout,
    tenant: Foreign,
    query: Query,
    /// What was looked up and is not there.
    unknown: Option<Foreign>,
    events: Vec<EventSummary>,
    pages: Pages,
}

#[derive(Deserialize)]
struct Found {
    uid: Foreign,
}

pub async fn show(
    Extension(visitor): Extension<Visitor>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let text = query.unwrap_or_default();
    let lookup = Query::parse(text.as_bytes(), &["id"]);
    let query = Query::parse(text.as_bytes(), &["event_type", "since", "until", "cursor"]);
    let base = format!("/ui/tenants/{}/events", crate::foreign::encode(&tenant));
    let mut unknown = None;
    if !lookup.get("id").is_empty() {
        match look_up(&visitor, &tenant, lookup.get("id")).await? {
            Some(found) => return Ok(redirect(&format!("{base}/{}", found.uid.step()))),
            None => unknown = Some(Foreign::from(lookup.get("id"))),
        }
    }
    let asked = query.for_api();
    let asked: Vec<_> = asked.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let found: views::Page<EventSummary> = visitor.api.get(&tenant_path(&tenant, &["events"]), &asked).await?;
    let pages = Pages::of(&base, &query, found.next.as_deref(), found.data.is_empty());
    page(&Page { layout: visitor.layout(), tenant: Foreign(tenant), query, unknown, events: found.data, pages })
}

/// By our uid or the vendor's id.
async fn look_up(visitor: &Visitor, tenant: &str, id: &str) -> Result<Option<Found>, Failure> {
    match visitor.api.get(&tenant_path(tenant, &["events", id]), &[]).await {
        Ok(found) => Ok(Some(found)),
        Err(failure) if failure.status == 404 && failure.code == "not-found" => Ok(None),
        Err(failure) => Err(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::tests::layout;
    use crate::tests::samples;

    #[test]
    fn it_renders_rows_and_their_absence() {
        let mut page = Page {
            layout: layout(),
            tenant: "acme".into(),
            query: Query::parse(b"event_type=order.paid", &["event_type"]),
            unknown: None,
            events: vec![samples::read(samples::event())],
            pages: Pages::default(),
        };
        let html = page.render().expect("renders");
        assert!(html.contains("ord-1") && html.contains("value=\"order.paid\""));
        page.events.clear();
        page.unknown = Some("no-such".into());
        page.pages.go_on = true;
        let html = page.render().expect("renders");
        assert!(html.contains("no-such") && html.contains("among the rows"));
    }
}
