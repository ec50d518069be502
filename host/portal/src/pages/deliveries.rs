//! `/ui/tenants/{tenant}/deliveries`: a tenant's deliveries, filtered by a form.

use super::Answer;
use super::events::Pages;
use crate::api::tenant_path;
use crate::foreign::Foreign;
use crate::frame::{Layout, Visitor, page};
use crate::query::Query;
use crate::views::{self, Delivery};
use askama::Template;
use axum::Extension;
use axum::extract::{Path, RawQuery};

#[derive(Template)]
#[template(path = "deliveries.html")]
struct Page {
    layout: Layout,
    tenant: Foreign,
    query: Query,
    states: [(&'static str, &'static str); 8],
    deliveries: Vec<Delivery>,
    pages: Pages,
}

const FILTERS: &[&str] = &["destination", "state", "event_type", "event", "since", "until", "code", "cursor"];

/// What the form offers: value and words.
const STATES: [(&str, &str); 8] = [
    ("", "any state"),
    ("pending,retrying", "waiting"),
    ("dead,expired", "dead or expired"),
    ("retrying", "retrying"),
    ("delivered", "delivered"),
    ("dead", "dead"),
    ("expired", "expired"),
    ("cancelled", "cancelled"),
];

pub async fn show(
    Extension(visitor): Extension<Visitor>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let query = Query::parse(query.unwrap_or_default().as_bytes(), FILTERS);
    let asked = query.for_api();
    let asked: Vec<_> = asked.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let found: views::Page<Delivery> = visitor.api.get(&tenant_path(&tenant, &["deliveries"]), &asked).await?;
    let base = format!("/ui/tenants/{}/deliveries", crate::foreign::encode(&tenant));
    let pages = Pages::of(&base, &query, found.next.as_deref(), found.data.is_empty());
    let tenant = Foreign(tenant);
    page(&Page { layout: visitor.layout(), tenant, query, states: STATES, deliveries: found.data, pages })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::tests::layout;
    use crate::tests::samples;

    #[test]
    fn it_renders_rows_and_keeps_the_filters() {
        let page = Page {
            layout: layout(),
            tenant: "acme".into(),
            query: Query::parse(b"state=dead&code=%22%3E%3Cb%3E", FILTERS),
            states: STATES,
            deliveries: vec![samples::read(samples::delivery())],
            pages: Pages::default(),
        };
        let html = page.render().expect("renders");
        assert!(html.contains("<option value=\"dead\" selected>") && !html.contains("\"><b>"));
    }
}
