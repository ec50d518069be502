//! What the owner of a destination is told, and what of the server's words may be part of it.
//!
//! A reason outlives the event that it is about. So words that may repeat what is in a row, as those about values and
//! those of triggers may, are left where they are, and names of tables, columns and constraints stand for them.

use super::{Fault, pooler};
use crate::config::{Config, SslMode};
use crate::protocol::backend::ServerError;
use crate::sql::{MAX_NAME, Table, quoted};

/// What an error is called in front of people.
pub fn of(error: &ServerError, fault: Fault, config: &Config, table: Option<&Table>) -> String {
    if let Some((_, code)) = pooler(error) {
        return of_pooler(code, config);
    }
    match (error.sqlstate.as_str(), table) {
        ("28P01" | "28000" | "3D000" | "25006" | "3F000" | "53300", _) => of_destination(error, config),
        ("57014", _) => format!(
            "{} gave the statement up: {}. Somebody holds a lock on the table, or its indexes and triggers take too long.",
            config.address(),
            said(error)
        ),
        (_, Some(table)) if matches!(fault, Fault::Partition | Fault::NoTable | Fault::Table) => {
            of_table(error, config, table)
        }
        _ => match fault {
            Fault::Row | Fault::Function => format!("The table does not take this event: {}.", cause(error)),
            Fault::Moment => format!("{}: {}.", config.address(), said(error)),
            _ => format!("{} refuses: {}. Somebody has to change that at the database.", config.address(), said(error)),
        },
    }
}

/// For rows that all failed alike.
pub fn of_every_row(error: &ServerError, rows: usize, table: &Table) -> String {
    format!(
        "The table {} took none of {rows} events, each for the same reason: {}. If none of them should be taken, look at \
         the event types of this destination; else somebody has to change the table.",
        table.quoted(),
        cause(error)
    )
}

/// What to run where a table is missing.
pub fn missing(table: &Table) -> String {
    let (name, create) = (table.quoted(), table.create());
    format!("There is no table {name} (or no right to see it). Set create_tables, or run: {create};")
}

fn of_destination(error: &ServerError, config: &Config) -> String {
    let (said, user, host) = (said(error), &config.user, config.address());
    match error.sqlstate.as_str() {
        "28P01" => {
            format!("{host} does not accept the password of the user {user:?}. Set the credential password again.")
        }
        "28000" if config.sslmode == SslMode::Disable => {
            format!("{host} does not let the user {user:?} in: {said}. If it wants TLS, set sslmode to verify-full.")
        }
        "28000" => format!(
            "{host} does not let the user {user:?} in: {said}. Look at the role, and at the server's pg_hba.conf."
        ),
        "3D000" => format!("{host} has no database {:?}. Set another one, or create it.", config.database),
        "25006" => format!("{host} is read-only, such as a standby. Set the host of the primary server."),
        "3F000" => {
            let schema = quoted(&config.schema);
            format!("There is no schema {schema}. Set another one, or create it: CREATE SCHEMA {schema};")
        }
        _ => format!("{host} has no connection left: {said}. Raise its limit, or that of the role."),
    }
}

fn of_pooler(code: &str, config: &Config) -> String {
    let (user, host) = (&config.user, config.address());
    match code {
        "pooler-statement-mode" => format!(
            "The pooler at {host} is in statement mode and allows no transactions. Use pool_mode = transaction (or \
             session) for this database, or set host and port of the server itself."
        ),
        "undefined-database" => {
            format!("The pooler at {host} has no database {:?}. Set another one, or add it there.", config.database)
        }
        _ => format!(
            "The pooler at {host} does not let the user {user:?} in. Set the credential password again, or look at the \
             user in the pooler's auth_file."
        ),
    }
}

fn of_table(error: &ServerError, config: &Config, table: &Table) -> String {
    let (user, name) = (&config.user, table.quoted());
    match error.sqlstate.as_str() {
        "42P01" => missing(table),
        "42501" => format!(
            "The user {user:?} may not do that: {}. It needs USAGE on the schema, and: {}",
            said(error),
            table.grant(user)
        ),
        "42703" | "42804" => {
            format!(
                "The table {name} has other columns than it should: {}. It should be: {};",
                said(error),
                table.create()
            )
        }
        "42P10" | "55000" => format!(
            "Duplicates are known by event_id, so {name} needs a unique key on that column alone, which is not deferrable: \
             ALTER TABLE {name} ADD PRIMARY KEY (\"event_id\"); A table can have it that is not partitioned, or \
             partitioned by event_id."
        ),
        "23502" => format!(
            "The column {} of {name} must not be NULL and has no default. Give it one, or drop NOT NULL.",
            named(&error.names.column)
        ),
        "23514" => format!(
            "The table {} has no partition for this event. Create it, or one for all the rest: CREATE TABLE … PARTITION OF \
             {name} DEFAULT;",
            named(&error.names.table)
        ),
        _ => format!("{} refuses: {}. Somebody has to change that at the database.", config.address(), said(error)),
    }
}

/// Why a row was not taken, without what it holds.
fn cause(error: &ServerError) -> String {
    let what = match error.sqlstate.as_str() {
        "22001" => return truncation(error),
        "22003" => "a number is out of the range of its column",
        "22012" => "a trigger or an expression of it divides by zero",
        "22P05" | "22021" => "it has a character that the database cannot hold",
        "22007" | "22008" | "22P02" => "a value is not of its column's type",
        "23502" => "a column must not be NULL",
        "23503" => "a foreign key refers to a row that is not there",
        "23505" => "another row has the same value under a unique key",
        "23514" => "a check forbids it",
        "23P01" => "an exclusion constraint forbids it",
        "P0001" => "a trigger raised an exception, whose words are in the server's log",
        state => match state.get(..2) {
            Some("22") => "a value is not fit for its column, or for a function of it",
            Some("23") => "a constraint forbids it",
            Some("44") => "the view does not take it",
            Some("54") => "it is beyond a limit of the server",
            _ => "a trigger or a function of it failed, whose words are in the server's log",
        },
    };
    // Who raises an exception may put anything there.
    let has_names = ["22", "23", "44"].iter().any(|class| error.sqlstate.starts_with(class));
    let names =
        [("constraint", &error.names.constraint), ("column", &error.names.column), ("type", &error.names.datatype)];
    let names: Vec<String> = names
        .into_iter()
        .filter(|(_, name)| has_names && !name.is_empty())
        .map(|(what, name)| format!("{what} {}", named(name)))
        .collect();
    if names.is_empty() {
        format!("{what} (SQLSTATE {})", error.sqlstate)
    } else {
        format!("{what} ({}; SQLSTATE {})", names.join(", "), error.sqlstate)
    }
}

/// The server names no column then, but its type: `character varying(15)`.
fn truncation(error: &ServerError) -> String {
    let is_type = |text: &&str| text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || " ()".contains(c));
    let of = error.message.strip_prefix("value too long for type ").filter(is_type);
    let of = of.map_or_else(String::new, |of| format!(" of type {}", of.chars().take(MAX_NAME).collect::<String>()));
    format!("a value of it is too long for its column{of} (SQLSTATE {})", error.sqlstate)
}

/// The server's words, where they are about anything but a row.
fn said(error: &ServerError) -> String {
    let is_harmless = match error.sqlstate.as_str() {
        // Of a statement that a trigger made of a row.
        "42601" => false,
        state => matches!(
            state.get(..2),
            Some(
                "08" | "0A"
                    | "0L"
                    | "0P"
                    | "25"
                    | "26"
                    | "28"
                    | "3D"
                    | "3F"
                    | "40"
                    | "42"
                    | "53"
                    | "55"
                    | "57"
                    | "58"
                    | "XX"
            )
        ),
    };
    if !is_harmless {
        return format!("an error with SQLSTATE {}, whose words are in the server's log", error.sqlstate);
    }
    // Room for our own words beside them.
    error.message.trim_end_matches(['.', '\n']).chars().take(300).collect()
}

/// A name that the server gave.
fn named(name: &str) -> String {
    quoted(&name.chars().take(MAX_NAME).collect::<String>())
}
