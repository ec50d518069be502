//! `railhead plugin inspect`: what a component is, and what it may do.

use super::{InspectArgs, read, say};
use railhead_sandbox::{Inspected, inspect};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// Ends with this where the new component may do more than the old one.
const MORE: u8 = 3;

pub(super) fn run(args: &InspectArgs) -> Result<u8, String> {
    let new = of(&args.component)?;
    let Some(against) = &args.against else {
        let shown = facts(&new);
        say(&if args.json { pretty(&shown) } else { for_people(&shown) });
        return Ok(0);
    };
    let old = of(against)?;
    let changes = changes(&old, &new);
    let more = changes.iter().any(|change| change.more);
    if args.json {
        let changes: Vec<Value> =
            changes.iter().map(|change| json!({ "more": change.more, "words": change.words })).collect();
        say(&pretty(&json!({ "more_authority": more, "changes": changes, "old": facts(&old), "new": facts(&new) })));
    } else {
        say(&told(&old, &new, &changes));
    }
    Ok(if more { MORE } else { 0 })
}

fn of(path: &Path) -> Result<Inspected, String> {
    inspect(&read(path)?).map_err(|error| format!("{}: {error} ({})", path.display(), error.code()))
}

/// What a component is, as data.
fn facts(inspected: &Inspected) -> Value {
    let manifest = &inspected.manifest;
    let credentials: Vec<Value> = manifest.credentials.iter().map(|field| json!(field)).collect();
    json!({
        "name": manifest.name,
        "version": manifest.version,
        "contract": manifest.contract,
        "world": if inspected.is_revealing() { "connector-revealing" } else { "connector" },
        "category": manifest.category,
        "bytes": inspected.bytes,
        "sha256": inspected.sha256,
        "imports": inspected.imports,
        "origins": manifest.origins,
        "credentials": credentials,
        "batch": manifest.batch,
        "max_sessions": manifest.max_sessions,
        "hand_over": manifest.hand_over,
    })
}

fn for_people(facts: &Value) -> String {
    let text = |name: &str| facts[name].as_str().map_or_else(|| facts[name].to_string(), str::to_owned);
    let mut shown = format!("{} {}\n\n", text("name"), text("version"));
    for name in ["contract", "world", "category", "bytes", "sha256", "max_sessions", "hand_over"] {
        let _ = writeln!(shown, "  {name:<13} {}", text(name));
    }
    let batch = if facts["batch"].is_null() { "one event a request".to_owned() } else { facts["batch"].to_string() };
    let _ = writeln!(shown, "  {:<13} {batch}", "batch");
    shown.push_str("\nIt uses\n");
    for import in facts["imports"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let _ = writeln!(shown, "  {import}");
    }
    shown.push_str("\nIt connects to\n");
    for line in lines(&facts["origins"], origin) {
        let _ = writeln!(shown, "  {line}");
    }
    shown.push_str("\nIts credentials\n");
    for line in lines(&facts["credentials"], credential) {
        let _ = writeln!(shown, "  {line}");
    }
    shown
}

fn lines(values: &Value, line: impl Fn(&Value) -> String) -> Vec<String> {
    values.as_array().into_iter().flatten().map(line).collect()
}

/// An origin in one line.
fn origin(origin: &Value) -> String {
    let name = origin["name"].as_str().unwrap_or_default();
    let token = if origin["token_endpoint"] == json!(true) { ", a token endpoint" } else { "" };
    let places = ["literal", "config", "credential", "template", "tcp"].into_iter().find_map(|kind| {
        let place = origin.get(kind)?;
        let place = place.as_str().map_or_else(|| place.to_string(), str::to_owned);
        Some(match kind {
            "literal" => place,
            "config" => format!("what the owner sets at {place}"),
            "credential" => format!("the origin of the credential {place}"),
            "template" => format!("{place}, with what the owner sets"),
            _ => format!("a connection to what the owner sets: {place}"),
        })
    });
    format!("{name}: {}{token}", places.unwrap_or_else(|| origin.to_string()))
}

/// A credential field in one line.
fn credential(field: &Value) -> String {
    let text = |name: &str| field[name].as_str().unwrap_or_default().to_owned();
    let mut line = format!("{}: {} for {}", text("name"), text("kind"), text("use"));
    let origins: Vec<&str> = field["origins"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let _ = if origins.is_empty() {
        write!(line, ", to all origins")
    } else {
        write!(line, ", to {}", origins.join(" and "))
    };
    for flag in ["required", "shared", "operator"] {
        if field[flag] == json!(true) {
            let _ = write!(line, ", {flag}");
        }
    }
    line
}

/// One difference between two versions.
struct Change {
    /// The new one may do more by it.
    more: bool,
    words: String,
}

/// What stands for a value of a list, in words.
type Line = fn(&Value) -> String;

/// All differences in authority.
fn changes(old: &Inspected, new: &Inspected) -> Vec<Change> {
    let (before, after) = (facts(old), facts(new));
    let mut all = Vec::new();
    let kinds: [(&str, &str, Line); 3] = [
        ("imports", "uses", |import| import.as_str().unwrap_or_default().to_owned()),
        ("origins", "connects to", origin),
        ("credentials", "holds", credential),
    ];
    for (name, verb, line) in kinds {
        let lines = |facts: &Value| lines(&facts[name], line).into_iter().collect::<BTreeSet<String>>();
        let (old, new) = (lines(&before), lines(&after));
        all.extend(new.difference(&old).map(|line| Change { more: true, words: format!("+ it {verb} {line}") }));
        all.extend(
            old.difference(&new).map(|line| Change { more: false, words: format!("- it no longer {verb} {line}") }),
        );
    }
    guards(&before, &after, &mut all);
    all
}

/// A guard that is gone lets more people decide how a credential is used.
fn guards(before: &Value, after: &Value, all: &mut Vec<Change>) {
    for field in after["credentials"].as_array().into_iter().flatten() {
        let same = |old: &&Value| old["name"] == field["name"];
        let Some(old) = before["credentials"].as_array().into_iter().flatten().find(same) else { continue };
        let guards = |field: &Value| -> BTreeSet<String> {
            field["guards"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        for gone in guards(old).difference(&guards(field)) {
            let words = format!("+ {gone} no longer needs the right to write the credential {}", field["name"]);
            all.push(Change { more: true, words });
        }
    }
}

fn told(old: &Inspected, new: &Inspected, changes: &[Change]) -> String {
    let mut text = format!(
        "{} {} against {} {}\n\n",
        new.manifest.name, new.manifest.version, old.manifest.name, old.manifest.version
    );
    for change in changes {
        let _ = writeln!(text, "  {}", change.words);
    }
    text.push_str(if changes.iter().any(|change| change.more) {
        "\nIt may do more than before: look at each + before you approve it."
    } else {
        "\nIt may do no more than before."
    });
    text
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

#[cfg(test)]
mod tests;
