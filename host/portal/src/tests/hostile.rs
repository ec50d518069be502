//! Foreign text in every field, on every page: it is text and nothing else.

use super::handlers::pages;
use super::stand_in::{KEY, Site};
use serde_json::Value;

/// Ends attributes, elements, scripts and templates; turns and hides text; carries escape sequences.
const EVIL: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>&lt;{{ 7*7 }}{% x %}\u{202e}\0\x1b[2J\r\njavascript:alert(3)";

/// Every text of a sample is hostile, but what decides which page it is (names of states, times, cursors).
fn evil(value: Value) -> Value {
    match value {
        Value::String(text) if keeps(&text) => Value::String(text),
        Value::String(_) => Value::String(EVIL.to_owned()),
        Value::Array(items) => items.into_iter().map(evil).collect(),
        Value::Object(map) => map.into_iter().map(|(name, value)| (rename(name), evil(value))).collect(),
        other => other,
    }
}

fn keeps(text: &str) -> bool {
    let is_time = text.len() >= 20 && text.starts_with("2026-") && text.ends_with('Z');
    is_time || ["text", "live", "failing", "pattern", "disabled"].contains(&text)
}

/// Names that a customer chooses are hostile too.
fn rename(name: String) -> String {
    if ["x-shop", "owner", "signing_secret", "traceid", "mode"].contains(&name.as_str()) {
        EVIL.to_owned()
    } else {
        name
    }
}

#[tokio::test]
async fn nothing_foreign_leaves_its_place() {
    let site = Site::new(false, evil);
    let cookie = site.signed_in(KEY).await;
    for path in pages() {
        let got = site.get(&path, &cookie).await;
        assert_eq!(got.status, 200, "{path}: {}", got.body);
        assert!(got.body.contains("alert(1)"), "{path} shows none of it");
        for live in [
            "<script>",
            "<img",
            "alert(1)</",
            "onerror=alert(2)>",
            "href=\"javascript:",
            "\u{202e}",
            "\0",
            "\x1b",
            "\r",
        ] {
            assert!(!got.body.contains(live), "{path} has {live:?}");
        }
        assert!(got.body.contains("&#60;script&#62;") && got.body.contains("⟨U+202E⟩"), "{path}");
        for attribute in got.body.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default()) {
            assert!(
                attribute.starts_with("/ui")
                    || attribute.starts_with('#')
                    || ["/docs", "/problems"].contains(&attribute),
                "{path}: {attribute}"
            );
        }
    }
}

#[tokio::test]
async fn endless_text_in_every_field_is_cut() {
    fn long(value: Value) -> Value {
        match value {
            Value::String(text) if keeps(&text) => Value::String(text),
            Value::String(_) => Value::String("ü<".repeat(100_000)),
            Value::Array(items) => items.into_iter().map(long).collect(),
            Value::Object(map) => map.into_iter().map(member).collect(),
            other => other,
        }
    }
    /// The API bounds ids, which stand in links whole.
    fn member((name, value): (String, Value)) -> (String, Value) {
        let is_id = ["id", "uid", "event", "destination", "delivery", "tenant", "previous"].contains(&name.as_str());
        let value = if is_id && value.is_string() { value } else { long(value) };
        (name, value)
    }
    let site = Site::new(false, long);
    let cookie = site.signed_in(KEY).await;
    for path in pages() {
        let got = site.get(&path, &cookie).await;
        assert_eq!(got.status, 200, "{path}");
        assert!(got.body.len() < 8 * 1024 * 1024, "{path}: {}", got.body.len());
    }
}
