//! `/ui/tenants/{tenant}/destinations/{destination}`: health, configuration, masked credentials, latest deliveries.

use super::Answer;
use crate::api::tenant_path;
use crate::frame::{Layout, Visitor, page};
use crate::views::{self, Delivery, Destination};
use askama::Template;
use axum::Extension;
use axum::extract::Path;

#[derive(Template)]
#[template(path = "destination.html")]
struct Page {
    layout: Layout,
    tenant: crate::foreign::Foreign,
    destination: Destination,
    /// `None`: the key does not reach them.
    latest: Option<Vec<Delivery>>,
}

pub async fn show(
    Extension(visitor): Extension<Visitor>,
    Path((tenant, destination)): Path<(String, String)>,
) -> Answer {
    let path = tenant_path(&tenant, &["destinations", &destination]);
    let found: Destination = visitor.api.get(&path, &[]).await?;
    let latest = [("destination", destination.as_str()), ("limit", "20")];
    let latest: Option<views::Page<Delivery>> =
        visitor.api.get_if_allowed(&tenant_path(&tenant, &["deliveries"]), &latest).await?;
    page(&Page {
        layout: visitor.layout(),
        tenant: crate::foreign::Foreign(tenant),
        destination: found,
        latest: latest.map(|page| page.data),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::tests::layout;
    use crate::tests::samples;

    #[test]
    fn it_renders() {
        for latest in [Some(vec![samples::read(samples::delivery())]), Some(Vec::new()), None] {
            let destination = samples::read(samples::destination());
            let page = Page { layout: layout(), tenant: "acme".into(), destination, latest };
            let html = page.render().expect("renders");
            for expected in
                ["whsec_…3fa9", "http-503: The endpoint answered 503.", "order.*", "11 attempts, after 5.0\u{a0}s"]
            {
                assert!(html.contains(expected), "{expected}");
            }
        }
    }
}
