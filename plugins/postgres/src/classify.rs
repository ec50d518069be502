//! What an error means: for the event, for its table, for the destination. Pure.

use crate::config::{Config, SslMode};
use crate::protocol::backend::ServerError;
use crate::sql::{COLUMNS, Table, quoted};
use railhead_sdk::types::{Failure, Kind};

/// Whose fault an error of the server is ("PostgreSQL Error Codes" in its manual).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nobody's: the same later may do.
    Moment,
    /// A row's of the statement: the others may do without it.
    Row,
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
    Uncertain,
    Permanent,
    Misconfigured,
    RejectedCredentials,
    TooLarge,
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
        "42P01" => Fault::NoTable,
        // A column that is not ours and has to be filled: no event ever will.
        "23502" if !COLUMNS.contains(&error.column.as_str()) => Fault::Table,
        _ => match state.get(..2) {
            Some("0A" | "3F" | "42") => Fault::Table,
            // Data, constraints, limits of a value, and what triggers and their functions raise.
            Some("21" | "22" | "23" | "2F" | "38" | "39" | "44" | "54" | "P0") => Fault::Row,
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
        Fault::Moment => Meaning::Transient,
        Fault::Row => Meaning::Permanent,
        Fault::NoTable | Fault::Table | Fault::Destination => Meaning::Misconfigured,
        Fault::Credential => Meaning::RejectedCredentials,
    };
    Verdict {
        meaning,
        code: code(&error.sqlstate),
        message: message(error, fault, config, table),
        status: Some(error.sqlstate.clone()),
    }
}

/// Says what the lack of an answer means. `committing`: the end of the transaction was sent, and may have been reached.
pub fn failure(failure: &Failure, committing: bool) -> Verdict {
    let meaning = match failure.kind {
        _ if committing => Meaning::Uncertain,
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

/// Of those that people meet, what PostgreSQL calls them.
fn code(state: &str) -> String {
    let known = match state {
        "22001" => "string-data-right-truncation",
        "22021" => "character-not-in-repertoire",
        "22P02" => "invalid-text-representation",
        "22P05" => "untranslatable-character",
        "23502" => "not-null-violation",
        "23503" => "foreign-key-violation",
        "23505" => "unique-violation",
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

fn message(error: &ServerError, fault: Fault, config: &Config, table: Option<&Table>) -> String {
    let said = said(error);
    let (user, host) = (&config.user, config.address());
    match (error.sqlstate.as_str(), table) {
        ("28P01", _) => {
            format!("{host} does not accept the password of the user {user:?}. Set the credential password again.")
        }
        ("28000", _) if config.sslmode == SslMode::Disable => {
            format!("{host} does not let the user {user:?} in: {said}. If it wants TLS, set sslmode to verify-full.")
        }
        ("28000", _) => format!(
            "{host} does not let the user {user:?} in: {said}. Look at the role, and at the server's pg_hba.conf."
        ),
        ("3D000", _) => format!("{host} has no database {:?}. Set another one, or create it.", config.database),
        ("25006", _) => format!("{host} is read-only, such as a standby. Set the host of the primary server."),
        ("42P01", Some(table)) => missing(table),
        ("3F000", _) => {
            let schema = quoted(&config.schema);
            format!("There is no schema {schema}. Set another one, or create it: CREATE SCHEMA {schema};")
        }
        ("42501", Some(table)) => format!(
            "The user {user:?} may not do that: {said}. It needs USAGE on the schema, and: {}",
            table.grant(user)
        ),
        ("42703" | "42804", Some(table)) => {
            format!(
                "The table {} has other columns than it should: {said}. It should be: {};",
                table.quoted(),
                table.create()
            )
        }
        ("42P10", Some(table)) => {
            let table = table.quoted();
            format!("Duplicates are known by the primary key: ALTER TABLE {table} ADD PRIMARY KEY (\"event_id\");")
        }
        ("23502", Some(table)) if fault == Fault::Table => format!(
            "The column {} of {} must not be NULL and has no default. Give it one, or drop NOT NULL.",
            quoted(&error.column),
            table.quoted()
        ),
        ("53300", _) => format!("{host} has no connection left: {said}. Raise its limit, or that of the role."),
        ("22P05" | "22021", _) => format!("The event has a character that the database cannot hold: {said}."),
        ("22001", _) => format!("A value of the event is too long for its column: {said}."),
        _ => match fault {
            Fault::Row => format!("The table does not take this event: {said}."),
            Fault::Moment => format!("{host}: {said}."),
            _ => format!("{host} refuses: {said}. Somebody has to change that at the database."),
        },
    }
}

/// What to run where a table is missing.
pub fn missing(table: &Table) -> String {
    let (name, create) = (table.quoted(), table.create());
    format!("There is no table {name} (or no right to see it). Set create_tables, or run: {create};")
}

/// The server's words. Where they are about a value, they may end with it: what an event holds is no part of a message.
fn said(error: &ServerError) -> String {
    let words = error.message.trim_end_matches(['.', '\n']);
    let of_value = error.sqlstate.starts_with("22");
    let words = words.split_once(": \"").filter(|_| of_value).map_or(words, |(before, _)| before);
    // Room for our own words beside them.
    words.chars().take(300).collect()
}

#[cfg(test)]
mod tests;
