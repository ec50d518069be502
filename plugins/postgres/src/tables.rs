//! Tables that are to be there: created where that was asked for, looked at in a check.

use crate::classify::{self, Verdict};
use crate::config::Config;
use crate::link::{Link, Patience, Trouble};
use crate::protocol::backend::ServerError;
use crate::protocol::frontend::{Array, Element, Parameter};
use crate::request::Group;
use crate::session::Session;
use crate::sql::{Table, quoted};

/// Creates those that are missing. One that cannot be created comes back with why.
pub fn create_missing(
    session: &mut Session,
    tables: &[&Table],
    patience: Patience<'_>,
) -> Result<Result<(), (Table, Verdict)>, Trouble> {
    let config = session.config.clone();
    let link = session.link(patience)?;
    let missing = match missing(link, tables, patience)? {
        Ok(missing) => missing,
        // Without a right to look, all of them share the reason.
        Err(error) => {
            let Some(table) = tables.first() else { return Ok(Ok(())) };
            return Ok(Err(((*table).clone(), not_created(&error, &config, table))));
        }
    };
    for table in tables.iter().filter(|table| missing.contains(&table.quoted())) {
        if let Err(error) = link.run(&table.create(), patience)?
            && !is_there(&error)
        {
            return Ok(Err(((*table).clone(), not_created(&error, &config, table))));
        }
    }
    Ok(Ok(()))
}

/// Those that the database does not have.
fn missing(
    link: &mut Link,
    tables: &[&Table],
    patience: Patience<'_>,
) -> Result<Result<Vec<String>, ServerError>, Trouble> {
    let mut names = Array::new(Element::Text, tables.len());
    tables.iter().for_each(|table| names.push(table.quoted().as_bytes()));
    let sql = "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NULL";
    link.ask(sql, vec![names.finish()], patience)
}

/// Another session was quicker: `IF NOT EXISTS` does not see what is not committed yet.
fn is_there(error: &ServerError) -> bool {
    matches!(error.sqlstate.as_str(), "42P07" | "23505" | "42710")
}

fn not_created(error: &ServerError, config: &Config, table: &Table) -> Verdict {
    let verdict = classify::server(error, config, Some(table));
    if error.sqlstate != "42501" {
        return verdict;
    }
    let (schema, user) = (quoted(&config.schema), quoted(&config.user));
    let message = format!(
        "There is no table {}, and the user {user} may not create it. Run: GRANT CREATE, USAGE ON SCHEMA {schema} TO \
         {user}; or create it yourself: {};",
        table.quoted(),
        table.create()
    );
    Verdict { message, ..verdict }
}

/// Looks whether events could be inserted, and inserts none. Says what was found.
pub fn look(link: &mut Link, config: &Config, patience: Patience<'_>) -> Result<Result<String, Verdict>, Trouble> {
    // A pooler may allow none.
    for word in ["BEGIN", "ROLLBACK"] {
        if let Err(error) = link.run(word, patience)? {
            return Ok(Err(classify::server(&error, config, None)));
        }
    }
    let read_only = match link.ask("SHOW transaction_read_only", Vec::new(), patience)? {
        Ok(answer) => answer.first().is_some_and(|value| value == "on"),
        Err(error) => return Ok(Err(classify::server(&error, config, None))),
    };
    if read_only {
        let error = ServerError { sqlstate: "25006".to_owned(), ..ServerError::default() };
        return Ok(Err(classify::server(&error, config, None)));
    }
    if config.table_per_event_type {
        look_at_schema(link, config, patience)
    } else {
        look_at_table(link, config, patience)
    }
}

/// The server plans an insert, for which it looks at table, columns, key and rights, and does not execute it.
fn look_at_table(link: &mut Link, config: &Config, patience: Patience<'_>) -> Result<Result<String, Verdict>, Trouble> {
    let table = Table::of(config, "");
    let none = Group { table: table.clone(), rows: Vec::new() };
    let explain = format!("EXPLAIN {}", table.insert());
    let Err(error) = link.ask(&explain, none.parameters(), patience)? else {
        return Ok(Ok(format!("The table {} is there, and takes rows of this user.", table.quoted())));
    };
    if error.sqlstate == "42P01" && config.create_tables {
        let name = table.quoted();
        let found = look_at_schema(link, config, patience)?;
        return Ok(found.map(|_| format!("The table {name} is not there; the first delivery creates it.")));
    }
    Ok(Err(classify::server(&error, config, Some(&table))))
}

/// Whether the schema is there, and what this user may do in it.
fn look_at_schema(
    link: &mut Link,
    config: &Config,
    patience: Patience<'_>,
) -> Result<Result<String, Verdict>, Trouble> {
    let right = if config.create_tables { "CREATE" } else { "USAGE" };
    let sql = format!("SELECT has_schema_privilege($1::text, '{right}')");
    let schema = quoted(&config.schema);
    match link.ask(&sql, vec![Parameter::text(&config.schema)], patience)? {
        Ok(answer) if answer.first().is_some_and(|value| value == "t") => {
            Ok(Ok(format!("The schema {schema} is there, and this user has {right} on it.")))
        }
        Ok(_) => {
            let error = ServerError { sqlstate: "42501".to_owned(), ..ServerError::default() };
            let message =
                format!("This user may not do that: GRANT {right} ON SCHEMA {schema} TO {};", quoted(&config.user));
            Ok(Err(Verdict { message, ..classify::server(&error, config, None) }))
        }
        Err(error) => Ok(Err(classify::server(&error, config, None))),
    }
}
