//! What a newer component may do more or less than an older one.

use super::facts::{credential, facts, lines, origin, quiet};
use railhead_model::Manifest;
use railhead_model::manifest::Place;
use railhead_sandbox::Inspected;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// One difference between two versions.
pub(super) struct Change {
    /// The new one may do more by it.
    pub(super) more: bool,
    /// `+` more, `-` less, `~` something else.
    pub(super) words: String,
}

impl Change {
    fn more(words: &str) -> Self {
        Self { more: true, words: format!("+ {words}") }
    }

    fn less(words: &str) -> Self {
        Self { more: false, words: format!("- {words}") }
    }

    fn other(words: &str) -> Self {
        Self { more: false, words: format!("~ {words}") }
    }
}

/// What of a schema is for people only.
const ABOUT: [&str; 6] = ["title", "description", "default", "examples", "$comment", "deprecated"];

/// All differences in authority.
pub(super) fn changes(old: &Inspected, new: &Inspected) -> Vec<Change> {
    let (before, after) = (facts(old), facts(new));
    let mut all = Vec::new();
    listed(&before, &after, &mut all);
    credentials(&before["credentials"], &after["credentials"], &mut all);
    guards(&before, &after, &mut all);
    configuration(&old.manifest, &new.manifest, &mut all);
    bounds(&before, &after, &mut all);
    all
}

/// What stands for a value of a list, in words.
type Line = fn(&Value) -> String;

fn import(import: &Value) -> String {
    import.as_str().unwrap_or_default().to_owned()
}

/// Imports and origins: each line that is new is more.
fn listed(before: &Value, after: &Value, all: &mut Vec<Change>) {
    let kinds: [(&str, &str, Line); 2] = [("imports", "uses", import), ("origins", "connects to", origin)];
    for (name, verb, line) in kinds {
        let lines = |facts: &Value| lines(&facts[name], line).into_iter().collect::<BTreeSet<String>>();
        let (old, new) = (lines(before), lines(after));
        all.extend(new.difference(&old).map(|line| Change::more(&format!("it {verb} {line}"))));
        all.extend(old.difference(&new).map(|line| Change::less(&format!("it no longer {verb} {line}"))));
    }
}

/// A credential is more where it is new, goes further, is used in another way, or can be read by more people.
fn credentials(before: &Value, after: &Value, all: &mut Vec<Change>) {
    for field in after.as_array().into_iter().flatten() {
        let line = credential(field);
        match of_name(before, field) {
            None => all.push(Change::more(&format!("it holds {line}"))),
            Some(old) if reaches_further(old, field) => all.push(Change::more(&format!("it holds {line}"))),
            Some(old) if credential(old) != line => {
                all.push(Change::other(&format!("it holds {line}; before: {}", credential(old))));
            }
            Some(_) => {}
        }
    }
    let gone = before.as_array().into_iter().flatten().filter(|old| of_name(after, old).is_none());
    all.extend(gone.map(|old| Change::less(&format!("it no longer holds {}", credential(old)))));
}

fn of_name<'a>(fields: &'a Value, like: &Value) -> Option<&'a Value> {
    fields.as_array()?.iter().find(|field| field["name"] == like["name"])
}

fn reaches_further(old: &Value, new: &Value) -> bool {
    let (from, to) = (texts(&old["origins"]), texts(&new["origins"]));
    // None means all.
    let further = !from.is_empty() && (to.is_empty() || !to.is_subset(&from));
    let gained = |flag: &str| old[flag] != json!(true) && new[flag] == json!(true);
    further || old["kind"] != new["kind"] || old["use"] != new["use"] || gained("shared") || gained("operator")
}

/// A guard that is gone lets more people decide how a credential is used.
fn guards(before: &Value, after: &Value, all: &mut Vec<Change>) {
    for field in after["credentials"].as_array().into_iter().flatten() {
        let Some(old) = of_name(&before["credentials"], field) else { continue };
        for gone in texts(&old["guards"]).difference(&texts(&field["guards"])) {
            let words = format!("{gone} no longer needs the right to write the credential {}", field["name"]);
            all.push(Change::more(&words));
        }
    }
}

fn texts(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What owners may set decides where it connects to: a rule that is gone there is reach.
fn configuration(old: &Manifest, new: &Manifest, all: &mut Vec<Change>) {
    let (before, after) = (&old.config_schema, &new.config_schema);
    let mut told = false;
    for pointer in pointers(new) {
        let (Some(from), Some(to)) = (field(before, &pointer), field(after, &pointer)) else {
            // It cannot be told which rules hold there.
            if before != after {
                told = true;
                all.push(Change::more(&format!("the rules for {pointer}, where it connects to, may be others")));
            }
            continue;
        };
        let loose: Vec<String> =
            rules(&from).filter(|(name, rule)| !holds(name, rule, to.get(name))).map(|it| it.0).collect();
        if !loose.is_empty() {
            told = true;
            let (names, to) = (loose.join(", "), quiet(Value::Object(rules(&to).collect())));
            all.push(Change::more(&format!("{pointer}, where it connects to, is bound by another {names}: {to}")));
        }
    }
    if before != after && !told {
        all.push(Change::other("the configuration's schema is another one"));
    }
}

/// True if the new rule lets nothing through that the old one did not.
fn holds(name: &str, old: &Value, new: Option<&Value>) -> bool {
    match (old.as_f64(), new.and_then(Value::as_f64)) {
        (Some(old), Some(new)) if name.starts_with("min") || name == "exclusiveMinimum" => new >= old,
        (Some(old), Some(new)) if name.starts_with("max") || name == "exclusiveMaximum" => new <= old,
        _ => new == Some(old),
    }
}

/// Of a manifest's origins, the fields of the configuration that they are made of.
fn pointers(manifest: &Manifest) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for origin in &manifest.origins {
        match &origin.place {
            Place::Literal(_) | Place::Credential(_) => {}
            Place::Config(pointer) => drop(all.insert(pointer.clone())),
            // As JSON: the one is a text with pointers in braces, the other has two.
            Place::Template(template) => {
                let text = json!(template);
                let inside = text.as_str().unwrap_or_default().split('{').skip(1).filter_map(|it| it.split_once('}'));
                all.extend(inside.map(|(pointer, _)| pointer.to_owned()));
            }
            Place::Tcp(tcp) => {
                let tcp = json!(tcp);
                all.extend(["host", "port"].iter().filter_map(|name| tcp[*name].as_str()).map(str::to_owned));
            }
        }
    }
    all
}

/// The schema of a field, and of what it refers to.
fn field(schema: &Value, pointer: &str) -> Option<Value> {
    let mut at = schema;
    for name in pointer.split('/').skip(1) {
        at = at.get("properties")?.get(name.replace("~1", "/").replace("~0", "~"))?;
        if let Some(to) = at.get("$ref").and_then(Value::as_str) {
            at = schema.pointer(to.strip_prefix('#')?)?;
        }
    }
    Some(at.clone())
}

/// What bounds a field's values.
fn rules(field: &Value) -> impl Iterator<Item = (String, Value)> {
    let fields = field.as_object().cloned().unwrap_or_default();
    fields.into_iter().filter(|(name, _)| !ABOUT.contains(&name.as_str()))
}

/// Numbers of which more is more.
fn bounds(before: &Value, after: &Value, all: &mut Vec<Change>) {
    let numbers = [
        ("/max_sessions", "sessions of a destination at once"),
        ("/hand_over", "events that are handed over at once"),
        ("/batch/max_events", "events of a batch"),
        ("/batch/max_bytes", "bytes of a batch"),
    ];
    for (pointer, what) in numbers {
        // Without batches: one event, of any size.
        let of = |facts: &Value| facts.pointer(pointer).and_then(Value::as_u64).unwrap_or(1);
        let (old, new) = (of(before), of(after));
        if new > old {
            all.push(Change::more(&format!("{new} {what}, not {old}")));
        } else if new < old {
            all.push(Change::less(&format!("{new} {what}, not {old}")));
        }
    }
    let of = |facts: &Value| json!([facts["batch"]["stable"], facts["batch"]["default"]]);
    if of(before) != of(after) {
        all.push(Change::other(&format!("batches are others by default: {}", after["batch"])));
    }
}
