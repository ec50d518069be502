//! `/ui/tenants/{tenant}/deliveries/{delivery}`: a delivery and what went over the wire at each attempt.

use super::Answer;
use super::events::Pages;
use crate::api::tenant_path;
use crate::foreign::Foreign;
use crate::frame::{Layout, Visitor, page};
use crate::query::Query;
use crate::views::{self, Attempt, Delivery};
use askama::Template;
use axum::Extension;
use axum::extract::{Path, RawQuery};

#[derive(Template)]
#[template(path = "delivery.html")]
struct Page {
    layout: Layout,
    tenant: Foreign,
    delivery: Delivery,
    attempts: Vec<Attempt>,
    pages: Pages,
}

pub async fn show(
    Extension(visitor): Extension<Visitor>,
    Path((tenant, delivery)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Answer {
    let query = Query::parse(query.unwrap_or_default().as_bytes(), &["cursor"]);
    let found: Delivery = visitor.api.get(&tenant_path(&tenant, &["deliveries", &delivery]), &[]).await?;
    let asked = [("limit", "20"), ("cursor", query.get("cursor"))];
    let asked: Vec<_> = asked.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let attempts: views::Page<Attempt> =
        visitor.api.get(&tenant_path(&tenant, &["deliveries", &delivery, "attempts"]), &asked).await?;
    let tenant = Foreign(tenant);
    let base = format!("/ui/tenants/{}/deliveries/{}", tenant.step(), found.id.step());
    let pages = Pages::of(&base, &query, attempts.next.as_deref(), attempts.data.is_empty());
    page(&Page { layout: visitor.layout(), tenant, delivery: found, attempts: attempts.data, pages })
}

impl Page {
    fn waits(&self) -> bool {
        matches!(self.delivery.state.as_str(), "pending" | "retrying")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::tests::layout;
    use crate::tests::samples;

    #[test]
    fn it_shows_request_response_timings_and_help() {
        let page = Page {
            layout: layout(),
            tenant: "acme".into(),
            delivery: samples::read(samples::delivery()),
            attempts: vec![samples::read(samples::attempt()), samples::read(samples::failed_attempt())],
            pages: Pages::default(),
        };
        let html = page.render().expect("renders");
        for expected in [
            "https://crm.example/hooks",
            "webhook-id",
            "Waiting for the answer",
            "deliver again once that is mended",
            "nothing listens there",
            "not supported",
        ] {
            assert!(html.contains(expected), "{expected}");
        }
    }
}
