//! `/ui/tenants`: all tenants of the environment.

use super::Answer;
use crate::frame::{Layout, Visitor, page};
use crate::query::Query;
use crate::views;
use askama::Template;
use axum::Extension;
use axum::extract::RawQuery;

#[derive(Template)]
#[template(path = "tenants.html")]
struct Page {
    layout: Layout,
    tenants: Vec<views::Tenant>,
    pages: super::events::Pages,
}

pub async fn show(Extension(visitor): Extension<Visitor>, RawQuery(query): RawQuery) -> Answer {
    let query = Query::parse(query.unwrap_or_default().as_bytes(), &["cursor"]);
    let asked = query.for_api();
    let asked: Vec<_> = asked.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let found: views::Page<views::Tenant> = visitor.api.get("/v1/tenants", &asked).await?;
    let pages = super::events::Pages::of("/ui/tenants", &query, found.next.as_deref(), found.data.is_empty());
    page(&Page { layout: visitor.layout(), tenants: found.data, pages })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::tests::layout;
    use crate::tests::samples;

    #[test]
    fn it_renders() {
        let tenants = vec![samples::read(samples::tenant())];
        let pages = super::super::events::Pages::of("/ui/tenants", &Query::default(), Some("next+"), false);
        let html = Page { layout: layout(), tenants, pages }.render().expect("renders");
        assert!(html.contains("Acme Ltd") && html.contains("/ui/tenants?cursor=next%2B"));
    }
}
