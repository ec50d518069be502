//! `/ui/tenants/{tenant}`: its destinations, and what failed lately.

use super::Answer;
use crate::api::tenant_path;
use crate::frame::{Layout, Visitor, page};
use crate::query::Query;
use crate::views::{self, Delivery, Destination};
use askama::Template;
use axum::Extension;
use axum::extract::{Path, RawQuery};

#[derive(Template)]
#[template(path = "tenant.html")]
struct Page {
    layout: Layout,
    tenant: crate::foreign::Foreign,
    name: Option<crate::foreign::Foreign>,
    destinations: Vec<Destination>,
    pages: super::events::Pages,
    /// `None`: the key does not reach them.
    failed: Option<Vec<Delivery>>,
}

/// Failed deliveries that are shown.
const FAILED: &str = "10";

pub async fn show(
    Extension(visitor): Extension<Visitor>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let query = Query::parse(query.unwrap_or_default().as_bytes(), &["cursor"]);
    let asked = query.for_api();
    let asked: Vec<_> = asked.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (api, path) = (&visitor.api, |rest: &[&str]| tenant_path(&tenant, rest));
    let destinations: views::Page<Destination> = api.get(&path(&["destinations"]), &asked).await?;
    let own: Option<views::Tenant> = api.get_if_allowed(&path(&[]), &[]).await?;
    let failed = [("state", "dead,expired,retrying"), ("limit", FAILED)];
    let failed: Option<views::Page<Delivery>> = api.get_if_allowed(&path(&["deliveries"]), &failed).await?;
    let tenant = crate::foreign::Foreign(tenant);
    let (base, empty) = (format!("/ui/tenants/{}", tenant.step()), destinations.data.is_empty());
    page(&Page {
        layout: visitor.layout(),
        name: own.and_then(|own| own.name.filter(|name| *name != own.id)),
        pages: super::events::Pages::of(&base, &query, destinations.next.as_deref(), empty),
        destinations: destinations.data,
        failed: failed.map(|page| page.data),
        tenant,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::tests::layout;
    use crate::tests::samples;

    #[test]
    fn it_renders_with_failures_without_and_where_the_key_does_not_reach_them() {
        for failed in [Some(vec![samples::read(samples::delivery())]), Some(Vec::new()), None] {
            let page = Page {
                layout: layout(),
                tenant: "acme".into(),
                name: Some("Acme Ltd".into()),
                destinations: vec![samples::read(samples::destination())],
                pages: super::super::events::Pages::default(),
                failed: failed.clone(),
            };
            let html = page.render().expect("renders");
            assert!(html.contains("https://crm.example/hooks") && html.contains("failures in a row"));
            assert_eq!(html.contains("ord-1"), failed.is_some_and(|failed| !failed.is_empty()));
        }
    }
}
