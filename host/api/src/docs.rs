//! Pages for people: the reference and the help for every code. HTML without scripts or foreign assets.

use crate::answer::Answer;
use crate::codes::{self, Code};
use crate::openapi::path_params;
use crate::operation::{Example, Operation};
use crate::ops;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_FRAME_OPTIONS};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

const STYLE: &str = "\
:root{color-scheme:light dark;--paper:#fff;--ink:#1a1d21;--line:#c9ced4;--soft:#f1f3f5;--accent:#1d4ed8}\
@media (prefers-color-scheme:dark){:root{--paper:#14171a;--ink:#e6e9ec;--line:#3a4149;--soft:#1f2429;--accent:#8ab4ff}}\
html{background:var(--paper);color:var(--ink)}:focus-visible{outline:2px solid var(--accent);outline-offset:2px}\
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1.5rem}\
h1,h2,p,dd{overflow-wrap:anywhere}\
h2{margin-top:3rem;border-bottom:1px solid var(--line)}\
article{border:1px solid var(--line);border-radius:.5rem;margin:1rem 0;padding:.2rem 1rem 1rem}\
code,pre{font:13px/1.5 ui-monospace,monospace}\
pre{background:var(--soft);border-radius:.3rem;overflow-x:auto;padding:.7rem;white-space:pre-wrap}\
.verb{color:var(--accent);font-weight:700;text-transform:uppercase}\
dt{font-weight:600}a{color:var(--accent)}nav li{display:inline-block;margin-right:1rem}nav ul{list-style:none;padding:0}";

/// A page as an answer: nothing may load, frame or run.
#[must_use]
pub fn html(page: &str) -> Answer {
    let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    Answer::bytes(200, "text/html; charset=utf-8", page.to_owned().into())
        .header(CONTENT_SECURITY_POLICY, policy)
        .header(REFERRER_POLICY, "no-referrer")
        .header(X_FRAME_OPTIONS, "DENY")
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} · Railhead</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head>\n<body><main>{body}</main></body></html>\n"
    )
}

/// Text as HTML.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Words as HTML: what stands between backticks is code.
fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for (index, piece) in escape(text).split('`').enumerate() {
        match index {
            0 => {}
            odd if odd % 2 == 1 => out.push_str("<code>"),
            _ => out.push_str("</code>"),
        }
        out.push_str(piece);
    }
    out
}

/// `/docs`
#[must_use]
pub fn reference() -> String {
    let mut body = String::from(
        "<h1>Railhead API</h1><p>Base <code>/v1</code>, JSON. Send <code>Authorization: Bearer &lt;key&gt;</code>. \
         The same as an <a href=\"/openapi.json\">OpenAPI 3.1 document</a>; \
         <a href=\"/problems\">all error codes</a>.</p><nav aria-label=\"Groups\"><ul>",
    );
    let mut tags: Vec<&str> = Vec::new();
    for operation in ops::ALL {
        if !tags.contains(&operation.tag) {
            tags.push(operation.tag);
            // Writing to a string cannot fail.
            let _ = write!(body, "<li><a href=\"#{0}\">{1}</a></li>", anchor(operation.tag), escape(operation.tag));
        }
    }
    body.push_str("</ul></nav>");
    for tag in tags {
        let _ = write!(body, "<h2 id=\"{}\">{}</h2>", anchor(tag), escape(tag));
        for operation in ops::ALL.iter().filter(|operation| operation.tag == tag) {
            article(&mut body, operation);
        }
    }
    page("API", &body)
}

fn anchor(tag: &str) -> String {
    tag.replace(' ', "-")
}

fn article(body: &mut String, operation: &Operation) {
    let _ = write!(
        body,
        "<article id=\"{id}\"><h3>{summary}</h3><p><span class=\"verb\">{verb}</span> <code>{path}</code> · \
         <code>{id}</code></p>",
        id = escape(operation.id),
        summary = escape(operation.summary),
        verb = operation.verb.as_str(),
        path = escape(operation.path),
    );
    if !operation.about.is_empty() {
        let _ = write!(body, "<p>{}</p>", words(operation.about));
    }
    match operation.action {
        Some(action) => _ = write!(body, "<p>Scope <code>{}</code>.</p>", action.scope()),
        None => body.push_str("<p>Needs no key.</p>"),
    }
    let params: Vec<_> = path_params(operation.path)
        .map(|name| (name, "in the path"))
        .chain(operation.query.iter().map(|param| (param.name, param.about)))
        .collect();
    list(body, "Parameters", params.iter().map(|(name, about)| (format!("<code>{name}</code>"), *about)));
    for example in operation.examples {
        let _ = write!(body, "<h4>{}</h4><pre>{}</pre>", escape(example.name), escape(&curl(operation, example)));
    }
    let answers = operation.answers.iter().map(|answer| (answer.status.to_string(), answer.about));
    list(body, "Answers", answers);
    body.push_str("</article>");
}

fn list<'a>(body: &mut String, title: &str, entries: impl Iterator<Item = (String, &'a str)>) {
    let entries: Vec<_> = entries.collect();
    if entries.is_empty() {
        return;
    }
    let _ = write!(body, "<h4>{title}</h4><dl>");
    for (term, about) in entries {
        let _ = write!(body, "<dt>{term}</dt><dd>{}</dd>", words(about));
    }
    body.push_str("</dl>");
}

/// An example as a command to paste.
fn curl(operation: &Operation, example: &Example) -> String {
    let mut command = format!("curl -X {} \"$RAILHEAD{}\"", operation.verb.as_str().to_uppercase(), example.path);
    if operation.action.is_some() {
        command.push_str(" \\\n  -H \"Authorization: Bearer $KEY\"");
    }
    if !example.content_type.is_empty() {
        let _ = write!(command, " \\\n  -H 'Content-Type: {}'", example.content_type);
    }
    for (name, value) in example.headers {
        let _ = write!(command, " \\\n  -H '{name}: {value}'");
    }
    if let Some(text) = example.body {
        let _ = write!(command, " \\\n  --data-binary '{text}'");
    }
    command
}

/// `/problems`
#[must_use]
pub fn problems() -> String {
    let mut body = String::from("<h1>Error codes</h1><dl>");
    for code in codes::ALL {
        let _ = write!(
            body,
            "<dt><a href=\"/problems/{0}\"><code>{0}</code></a></dt><dd>{1} ({2})</dd>",
            code.name,
            escape(code.title),
            code.status
        );
    }
    body.push_str("</dl><p><a href=\"/docs\">The API</a></p>");
    page("Error codes", &body)
}

/// `/problems/{code}`
#[must_use]
pub fn problem(code: &Code) -> String {
    let body = format!(
        "<h1>{title}</h1><p><code>{name}</code> · status {status}</p><h2>What happened</h2><p>{what}</p>\
         <h2>What to change</h2><p>{change}</p><h2>Repeating it</h2><p>{repeating}</p>\
         <p><a href=\"/problems\">All codes</a> · <a href=\"/docs\">The API</a></p>",
        title = escape(code.title),
        name = code.name,
        status = code.status,
        what = words(code.what),
        change = words(code.change),
        repeating = words(code.repeating()),
    );
    page(code.title, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_no_script_no_foreign_asset_and_every_operation_and_code() {
        let reference = reference();
        for operation in ops::ALL {
            assert!(reference.contains(&format!("id=\"{}\"", operation.id)), "{}", operation.id);
        }
        let list = problems();
        for code in codes::ALL {
            assert!(list.contains(code.name) && problem(code).contains(&words(code.what)), "{}", code.name);
        }
        for page in [reference, list] {
            assert_eq!(page.matches("<code>").count(), page.matches("</code>").count());
            assert!(!page.contains("<script") && !page.contains("<link") && !page.contains("src="));
        }
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
        assert_eq!(words("`a` & `<b>`"), "<code>a</code> &amp; <code>&lt;b&gt;</code>");
    }
}
