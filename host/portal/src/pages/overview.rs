//! `/ui`: the environment as it stands.

use super::Answer;
use crate::frame::{Layout, Visitor, page};
use crate::views::Overview;
use askama::Template;
use axum::Extension;

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    layout: Layout,
    overview: Overview,
}

pub async fn show(Extension(visitor): Extension<Visitor>) -> Answer {
    let overview = visitor.api.get("/v1/overview", &[]).await?;
    page(&Page { layout: visitor.layout(), overview })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::tests::layout;
    use crate::tests::samples;

    #[test]
    fn it_renders_with_and_without_trouble() {
        let overview = samples::read(samples::overview());
        let html = Page { layout: layout(), overview }.render().expect("renders");
        for expected in ["acme", "crm", "1,204", "91.1 %", "http-503: The endpoint answered 503.", "ord-1"] {
            assert!(html.contains(expected), "{expected}");
        }
        let mut calm: Overview = samples::read(samples::overview());
        (calm.attention, calm.dead, calm.tenants) = (Vec::new(), Vec::new(), Vec::new());
        let html = Page { layout: layout(), overview: calm }.render().expect("renders");
        assert!(html.contains("No tenant yet"));
    }
}
