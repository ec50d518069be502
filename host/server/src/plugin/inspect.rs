//! `railhead plugin inspect`: what a component is, and what it may do.

mod changes;
mod facts;

use super::{InspectArgs, read, say};
use changes::{Change, changes};
use facts::{facts, for_people};
use railhead_sandbox::{Inspected, inspect};
use serde_json::{Value, json};
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
    let (before, after) = (facts(&old), facts(&new));
    if args.json {
        let changes: Vec<Value> =
            changes.iter().map(|change| json!({ "more": change.more, "words": change.words })).collect();
        say(&pretty(&json!({ "more_authority": more, "changes": changes, "old": before, "new": after })));
    } else {
        say(&told(&before, &after, &changes));
    }
    Ok(if more { MORE } else { 0 })
}

fn of(path: &Path) -> Result<Inspected, String> {
    inspect(&read(path)?).map_err(|error| format!("{}: {error} ({})", path.display(), error.code()))
}

fn told(old: &Value, new: &Value, changes: &[Change]) -> String {
    let named =
        |facts: &Value| ["name", "version"].map(|it| facts[it].as_str().unwrap_or_default().to_owned()).join(" ");
    let mut text = format!("{} against {}\n\n", named(new), named(old));
    for change in changes {
        // Writing to a text cannot fail.
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
