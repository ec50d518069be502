//! Style, script and icon: compiled in, named by their content, so that a browser may keep them for good.

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;

use crate::failure::Failure;

/// Where each is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assets {
    /// `/ui/assets/portal-….css`
    pub style: String,
    /// `/ui/assets/portal-….js`
    pub script: String,
    /// `/ui/assets/icon-….svg`
    pub icon: String,
}

const STYLE: &str = include_str!("../assets/portal.css");
const SCRIPT: &str = include_str!("../assets/portal.js");
const ICON: &str = include_str!("../assets/icon.svg");

/// The addresses of this build.
pub static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: named("portal", "css", STYLE),
    script: named("portal", "js", SCRIPT),
    icon: named("icon", "svg", ICON),
});

fn named(name: &str, kind: &str, content: &str) -> String {
    let hash: String = Sha256::digest(content.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("/ui/assets/{name}-{hash}.{kind}")
}

/// `GET /ui/assets/{name}`
pub async fn serve(Path(name): Path<String>) -> Response {
    let path = format!("/ui/assets/{name}");
    let (content, kind) = match path {
        path if path == ASSETS.style => (STYLE, "text/css; charset=utf-8"),
        path if path == ASSETS.script => (SCRIPT, "text/javascript; charset=utf-8"),
        path if path == ASSETS.icon => (ICON, "image/svg+xml"),
        _ => return Failure::missing().into_response(),
    };
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "public, max-age=31536000, immutable")], content).into_response()
}
