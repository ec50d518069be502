//! What events came to, said to the host and put on record.

use crate::classify::{Meaning, Verdict};
use crate::request::Group;
use railhead_sdk::host::Call;
use railhead_sdk::types::{Outcome, Reason};
use serde_json::json;
use std::collections::HashSet;

/// What the record shows is JSON.
pub const SHOWN: &str = "application/json";

/// All rows of the group are in the table: now, or since an earlier attempt.
pub fn arrived(call: &Call, group: &Group<'_>, mut inserted: HashSet<String>) {
    let is_new: Vec<bool> = group.rows.iter().map(|row| inserted.remove(row.uid())).collect();
    let of = |wanted: bool| -> Vec<u32> {
        group.rows.iter().zip(&is_new).filter(|(_, is)| **is == wanted).map(|(row, _)| row.index).collect()
    };
    let (new, known) = (of(true), of(false));
    let answer = json!({ "inserted": new.len(), "duplicates": known.len() });
    call.show(&group.indexes(), SHOWN, group.shown().to_string().as_bytes(), answer.to_string().as_bytes());
    let delivered = |code: &str, message: &str| {
        Outcome::Delivered(Reason { code: code.to_owned(), message: message.to_owned(), status: None })
    };
    if !new.is_empty() {
        call.settle(&new, &delivered("inserted", "The row is in the table."));
    }
    if !known.is_empty() {
        call.settle(&known, &delivered("duplicate", "The table had a row of this event already."));
    }
}

/// The rows of these groups, which went together, came to this.
pub fn failed(call: &Call, groups: &[Group<'_>], verdict: &Verdict) {
    let alone = groups.iter().map(|group| group.rows.len()).sum::<usize>() == 1;
    let outcome = outcome(verdict, alone);
    let answer = json!({ "code": verdict.code, "sqlstate": verdict.status, "message": verdict.message });
    for group in groups {
        let indexes = group.indexes();
        call.show(&indexes, SHOWN, group.shown().to_string().as_bytes(), answer.to_string().as_bytes());
        call.settle(&indexes, &outcome);
    }
}

pub fn reason(verdict: &Verdict) -> Reason {
    Reason { code: verdict.code.clone(), message: verdict.message.clone(), status: verdict.status.clone() }
}

fn outcome(verdict: &Verdict, alone: bool) -> Outcome {
    let reason = reason(verdict);
    match verdict.meaning {
        Meaning::Transient => Outcome::Transient((reason, None)),
        Meaning::Uncertain => Outcome::Uncertain(reason),
        Meaning::Permanent => Outcome::Permanent(reason),
        // Fewer than one cannot be handed over.
        Meaning::TooLarge if alone => Outcome::Permanent(reason),
        Meaning::Slow if alone => Outcome::Transient((reason, None)),
        Meaning::TooLarge => Outcome::TooLarge(reason),
        Meaning::Slow => {
            let message = format!("{} Fewer rows go at once the next time.", reason.message);
            Outcome::TooLarge(Reason { message, ..reason })
        }
        Meaning::Misconfigured => Outcome::Misconfigured(reason),
        Meaning::RejectedCredentials => Outcome::RejectedCredentials(reason),
    }
}
