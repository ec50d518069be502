//! Bounds of a destination's fields, each a named constant.

use crate::problem::FieldError;
use crate::{codes, json};
use railhead_model::destination::{Exponential, Schedule};
use railhead_model::retry::{MAX_DELAY_MS, MAX_SCHEDULE};
use railhead_model::time::DAY_MS;
use railhead_model::{Batch, DestinationSpec, Fields, Manifest, Ordering, RateLimit, RetryPolicy};
use railhead_routing::{Matcher, check_pointer};
use serde_json::Value;
use std::collections::BTreeMap;

/// A hand-over's deadline, in milliseconds: below it nothing across an ocean succeeds, above it slots are held too long.
pub const TIMEOUT_MS: std::ops::RangeInclusive<u32> = 1_000..=120_000;
/// Events in flight to one destination.
pub const CONCURRENCY: std::ops::RangeInclusive<u32> = 1..=1_000;
/// Longest retry window, in milliseconds: nothing is kept longer.
pub const MAX_WINDOW_MS: u64 = 30 * DAY_MS as u64;
/// Largest growth of a delay.
pub const MAX_FACTOR: f64 = 100.0;
/// Highest rate and burst that a limit may name.
pub const MAX_RATE: u32 = 100_000;
/// Longest wait for company in a batch, in milliseconds.
pub const MAX_LINGER_MS: u64 = 900_000;
/// Characters of a name.
pub const MAX_NAME: usize = 200;
/// Pointers of a field selection.
pub const MAX_POINTERS: usize = 200;
/// Entries of metadata, characters of a key and of a value.
pub const MAX_METADATA: (usize, usize, usize) = (50, 64, 500);

fn wrong(errors: &mut Vec<FieldError>, pointer: impl Into<String>, detail: impl Into<String>) {
    errors.push(FieldError::new(pointer, &codes::INVALID_VALUE, detail));
}

/// Checks what a schema of ours can say.
pub fn check_spec(spec: &DestinationSpec, manifest: &Manifest, errors: &mut Vec<FieldError>) {
    check_name("/name", spec.name.as_deref(), errors);
    if let Err(error) = Matcher::compile(&spec.event_types, spec.filter.as_ref()) {
        errors.push(FieldError::new(error.pointer, &codes::INVALID_PATTERN, format!("{}.", error.detail)));
    }
    if let Some(fields) = &spec.fields {
        check_fields(fields, errors);
    }
    check_timeout("/timeout_ms", Some(spec.timeout_ms), errors);
    check_concurrency("/concurrency", Some(spec.concurrency), errors);
    check_rate("/rate_limit", spec.rate_limit, errors);
    if let Some(batch) = spec.batch {
        check_batch(batch, manifest, errors);
    }
    if let Ordering::Key(pointer) = &spec.ordering
        && let Err(why) = check_pointer(pointer)
    {
        wrong(errors, "/ordering/key", format!("{why}."));
    }
    check_metadata("/metadata", &spec.metadata, errors);
}

/// A name for people.
pub fn check_name(pointer: &str, name: Option<&str>, errors: &mut Vec<FieldError>) {
    if name.is_some_and(|name| name.chars().count() > MAX_NAME || name.chars().any(char::is_control)) {
        wrong(errors, pointer, format!("Expected at most {MAX_NAME} characters, no control characters."));
    }
}

/// The vendor's own notes.
pub fn check_metadata(pointer: &str, metadata: &BTreeMap<String, String>, errors: &mut Vec<FieldError>) {
    let (entries, key, value) = MAX_METADATA;
    let fits = |(name, text): (&String, &String)| name.chars().count() <= key && text.chars().count() <= value;
    if metadata.len() > entries || !metadata.iter().all(fits) {
        let detail = format!("Expected at most {entries} entries, keys of {key} characters, values of {value}.");
        wrong(errors, pointer, detail);
    }
}

fn check_fields(fields: &Fields, errors: &mut Vec<FieldError>) {
    for (name, list) in [("include", &fields.include), ("exclude", &fields.exclude)] {
        if list.len() > MAX_POINTERS {
            wrong(errors, format!("/fields/{name}"), format!("Expected at most {MAX_POINTERS} pointers."));
            continue;
        }
        for (index, pointer) in list.iter().enumerate() {
            if let Err(why) = check_pointer(pointer) {
                wrong(errors, format!("/fields/{name}/{index}"), format!("{why}."));
            }
        }
    }
}

/// See [`TIMEOUT_MS`].
pub fn check_timeout(pointer: &str, timeout_ms: Option<u32>, errors: &mut Vec<FieldError>) {
    if timeout_ms.is_some_and(|ms| !TIMEOUT_MS.contains(&ms)) {
        wrong(errors, pointer, format!("Expected {} to {} (milliseconds).", TIMEOUT_MS.start(), TIMEOUT_MS.end()));
    }
}

/// See [`CONCURRENCY`].
pub fn check_concurrency(pointer: &str, concurrency: Option<u32>, errors: &mut Vec<FieldError>) {
    if concurrency.is_some_and(|events| !CONCURRENCY.contains(&events)) {
        wrong(errors, pointer, format!("Expected {} to {}.", CONCURRENCY.start(), CONCURRENCY.end()));
    }
}

/// See [`MAX_RATE`].
pub fn check_rate(pointer: &str, rate: Option<RateLimit>, errors: &mut Vec<FieldError>) {
    let Some(rate) = rate else { return };
    if !(rate.per_second > 0.0 && rate.per_second <= f64::from(MAX_RATE)) {
        wrong(errors, format!("{pointer}/per_second"), format!("Expected a number above 0, at most {MAX_RATE}."));
    }
    if !(1..=MAX_RATE).contains(&rate.burst) {
        wrong(errors, format!("{pointer}/burst"), format!("Expected 1 to {MAX_RATE}."));
    }
}

fn check_batch(batch: Batch, manifest: &Manifest, errors: &mut Vec<FieldError>) {
    let Some(bounds) = manifest.batch else {
        return wrong(errors, "/batch", "The connector sends one event a request; leave the field out.");
    };
    if !(1..=bounds.max_events).contains(&batch.max_events) {
        wrong(errors, "/batch/max_events", format!("Expected 1 to {}.", bounds.max_events));
    }
    if !(1..=bounds.max_bytes).contains(&batch.max_bytes) {
        wrong(errors, "/batch/max_bytes", format!("Expected 1 to {}.", bounds.max_bytes));
    }
    if batch.linger_ms > MAX_LINGER_MS {
        wrong(errors, "/batch/linger_ms", format!("Expected 0 to {MAX_LINGER_MS} (milliseconds)."));
    }
}

/// Reads a retry policy: `{"schedule_ms": [...]}` or `{"initial_ms", "factor", "max_ms", "window_ms"}`.
///
/// # Errors
/// The fields that are wrong.
pub fn retry(pointer: &str, value: &Value) -> Result<RetryPolicy, Vec<FieldError>> {
    let mut errors = Vec::new();
    let policy = if value.get("schedule_ms").is_some() {
        let schedule: Schedule = json::at(pointer, value.clone()).map_err(|error| vec![error])?;
        check_schedule(pointer, &schedule, &mut errors);
        RetryPolicy::Schedule(schedule)
    } else {
        let growth: Exponential = json::at(pointer, value.clone()).map_err(|error| vec![error])?;
        check_growth(pointer, &growth, &mut errors);
        RetryPolicy::Exponential(growth)
    };
    if errors.is_empty() { Ok(policy) } else { Err(errors) }
}

fn check_schedule(pointer: &str, schedule: &Schedule, errors: &mut Vec<FieldError>) {
    if schedule.schedule_ms.len() > MAX_SCHEDULE {
        wrong(errors, format!("{pointer}/schedule_ms"), format!("Expected at most {MAX_SCHEDULE} delays."));
        return;
    }
    for (index, ms) in schedule.schedule_ms.iter().enumerate() {
        if *ms > MAX_DELAY_MS {
            wrong(errors, format!("{pointer}/schedule_ms/{index}"), format!("Expected 0 to {MAX_DELAY_MS}."));
        }
    }
}

fn check_growth(pointer: &str, growth: &Exponential, errors: &mut Vec<FieldError>) {
    if !(1..=MAX_DELAY_MS).contains(&growth.initial_ms) {
        wrong(errors, format!("{pointer}/initial_ms"), format!("Expected 1 to {MAX_DELAY_MS}."));
    }
    if !(1.0..=MAX_FACTOR).contains(&growth.factor) {
        wrong(errors, format!("{pointer}/factor"), format!("Expected 1 to {MAX_FACTOR}."));
    }
    if !(growth.initial_ms..=MAX_DELAY_MS).contains(&growth.max_ms) {
        wrong(errors, format!("{pointer}/max_ms"), format!("Expected `initial_ms` to {MAX_DELAY_MS}."));
    }
    if growth.window_ms > MAX_WINDOW_MS {
        wrong(errors, format!("{pointer}/window_ms"), format!("Expected 0 to {MAX_WINDOW_MS}."));
    }
}
