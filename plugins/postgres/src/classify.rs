//! What an error means: for the event, for its table, for the destination. Pure.

mod message;

use crate::config::Config;
use crate::protocol::backend::{Names, ServerError};
use crate::sql::{COLUMNS, Table};
use railhead_sdk::types::{Failure, Kind};

/// Whose fault an error of the server is ("PostgreSQL Error Codes" in its manual).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nobody's: the same later may do.
    Moment,
    /// A row's of the statement: the others may do without it.
    Row,
    /// Of a function behind the table, such as a trigger's: the row's if the table takes others, else the table's.
    Function,
    /// Of a table that has no partition for the row: the others may do without it, and its owner has to act.
    Partition,
    /// The table is not there.
    NoTable,
    /// The table's, or of the rights on it: its owner has to act.
    Table,
    /// The destination's: nothing gets through.
    Destination,
    /// The credential's.
    Credential,
}

/// What an attempt came to: the contract's `outcome`, as far as it is used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    Transient,
    /// It took longer than there was time: fewer at once, or, of one alone, the same later.
    Slow,
    Uncertain,
    Permanent,
    Misconfigured,
    RejectedCredentials,
    TooLarge,
}

/// How far a transaction had come when the answer failed to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// Nothing of it was sent.
    Nothing,
    /// Its statements, and not its end: the server has undone them.
    Statements,
    /// Its end was sent, and may have been reached.
    Commit,
}

/// A meaning and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub meaning: Meaning,
    pub code: String,
    pub message: String,
    /// The SQLSTATE, where the server gave one.
    pub status: Option<String>,
}

/// Whose fault this is.
pub fn fault(error: &ServerError) -> Fault {
    let state = error.sqlstate.as_str();
    match state {
        "28000" | "28P01" => Fault::Credential,
        "3D000" | "25006" => Fault::Destination,
        "08P01" => pooler(error).map_or(Fault::Moment, |(fault, _)| fault),
        "42P01" => Fault::NoTable,
        // A column that is not ours and has to be filled: no event ever will.
        "23502" if !error.names.column.is_empty() && !COLUMNS.contains(&error.names.column.as_str()) => Fault::Table,
        // The table has no partition for the row. A check's violation names the check.
        "23514" if is_unpartitioned(error) => Fault::Partition,
        // A key that is deferrable, which duplicates cannot be known by.
        "55000" if !error.names.constraint.is_empty() => Fault::Table,
        // What a trigger raises of its own will.
        "P0001" => Fault::Row,
        // Arguments of functions: division by zero, a pattern, a logarithm.
        _ if state.starts_with("2201") => Fault::Function,
        _ => match state.get(..2) {
            Some("0A" | "3F" | "42") => Fault::Table,
            // Data, constraints, limits of a value.
            Some("22" | "23" | "44" | "54") => Fault::Row,
            // What goes wrong within a trigger and its functions.
            Some("21" | "2F" | "38" | "39" | "P0") => Fault::Function,
            Some("0L" | "0P") => Fault::Destination,
            // Connection, transaction, resources, operator, system; and what nobody knows.
            _ => Fault::Moment,
        },
    }
}

/// Says what an error of the server means; `table` is the one of its statement.
pub fn server(error: &ServerError, config: &Config, table: Option<&Table>) -> Verdict {
    let fault = fault(error);
    let meaning = match fault {
        Fault::Moment if error.sqlstate == "57014" => Meaning::Slow,
        Fault::Moment => Meaning::Transient,
        Fault::Row => Meaning::Permanent,
        // Nothing says that the table takes any other.
        Fault::Function => Meaning::Misconfigured,
        Fault::Partition | Fault::NoTable | Fault::Table | Fault::Destination => Meaning::Misconfigured,
        Fault::Credential => Meaning::RejectedCredentials,
    };
    Verdict {
        meaning,
        code: code(error),
        message: message::of(error, fault, config, table),
        status: Some(error.sqlstate.clone()),
    }
}

/// What it means that a table took none of so many rows, each for the same reason: it is the table's.
pub fn of_every_row(error: &ServerError, rows: usize, config: &Config, table: &Table) -> Verdict {
    let verdict = server(error, config, Some(table));
    let message = message::of_every_row(error, rows, table);
    Verdict { meaning: Meaning::Misconfigured, message, ..verdict }
}

/// Says what the lack of an answer means.
pub fn failure(failure: &Failure, reached: Reached) -> Verdict {
    let meaning = match failure.kind {
        _ if reached == Reached::Commit => Meaning::Uncertain,
        Kind::Timeout if reached == Reached::Statements => Meaning::Slow,
        Kind::Denied | Kind::Invalid => Meaning::Misconfigured,
        Kind::Credential => Meaning::RejectedCredentials,
        // No event gets through until somebody gives the server another certificate, or us its authority.
        Kind::Tls if failure.code == "tls-certificate" => Meaning::Misconfigured,
        Kind::TooLarge => Meaning::TooLarge,
        // Whatever broke, the transaction was never ended: the server has undone it.
        _ => Meaning::Transient,
    };
    Verdict { meaning, code: failure.code.clone(), message: failure.message.clone(), status: None }
}

/// True if both errors have one cause, by all names that the server gives. That of the table is none of them: rows of one
/// table may go to several partitions.
pub fn is_same(one: &ServerError, other: &ServerError) -> bool {
    let named = |error: &ServerError| Names { table: String::new(), ..(*error.names).clone() };
    one.sqlstate == other.sqlstate && named(one) == named(other)
}

/// Of a table that is partitioned, or a partition itself.
fn is_unpartitioned(error: &ServerError) -> bool {
    error.sqlstate == "23514" && error.names.constraint.is_empty() && !error.names.table.is_empty()
}

/// What PgBouncer says by the protocol's own error, in words that are never translated: whose fault, and a code.
fn pooler(error: &ServerError) -> Option<(Fault, &'static str)> {
    let says = |words: &str| error.message.to_ascii_lowercase().contains(words);
    if error.sqlstate != "08P01" {
        None
    } else if says("statement pooling") {
        Some((Fault::Destination, "pooler-statement-mode"))
    } else if says("no such database") {
        Some((Fault::Destination, "undefined-database"))
    } else if says("authentication failed") || says("no such user") {
        Some((Fault::Credential, "invalid-password"))
    } else {
        None
    }
}

/// Of those that people meet, what PostgreSQL calls them.
fn code(error: &ServerError) -> String {
    if let Some((_, code)) = pooler(error) {
        return code.to_owned();
    }
    let known = match error.sqlstate.as_str() {
        "22001" => "string-data-right-truncation",
        "22003" => "numeric-value-out-of-range",
        "22012" => "division-by-zero",
        "22021" => "character-not-in-repertoire",
        "22P02" => "invalid-text-representation",
        "22P05" => "untranslatable-character",
        "23502" => "not-null-violation",
        "23503" => "foreign-key-violation",
        "23505" => "unique-violation",
        "23514" if is_unpartitioned(error) => "no-partition",
        "23514" => "check-violation",
        "25006" => "read-only-transaction",
        "28000" => "invalid-authorization",
        "28P01" => "invalid-password",
        "3D000" => "undefined-database",
        "3F000" => "undefined-schema",
        "40001" => "serialization-failure",
        "40P01" => "deadlock-detected",
        "42501" => "insufficient-privilege",
        "42703" => "undefined-column",
        "42804" => "datatype-mismatch",
        "42P01" => "undefined-table",
        "42P10" => "no-unique-constraint",
        "55000" if !error.names.constraint.is_empty() => "no-unique-constraint",
        "53100" => "disk-full",
        "53200" => "out-of-memory",
        "53300" => "too-many-connections",
        "55P03" => "lock-not-available",
        "57014" => "query-canceled",
        "57P01" => "admin-shutdown",
        "57P02" => "crash-shutdown",
        "57P03" => "cannot-connect-now",
        "P0001" => "raise-exception",
        other => return format!("sqlstate-{}", other.to_ascii_lowercase()),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests;
