//! Statements, and how names get into them. Pure.

use crate::config::Config;

/// Most bytes of a name (`NAMEDATALEN` - 1).
pub const MAX_NAME: usize = 63;

/// The columns that an insert fills, in order. `received_at` is the database's own.
pub const COLUMNS: [&str; 8] =
    ["event_id", "id", "event_type", "occurred_at", "tenant", "source", "payload", "metadata"];

/// A table, quoted for a statement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Table {
    schema: String,
    name: String,
}

impl Table {
    /// The table for events of this type.
    pub fn of(config: &Config, event_type: &str) -> Self {
        let name = if config.table_per_event_type {
            name_of_type(&config.table_prefix, event_type)
        } else {
            config.table.clone()
        };
        Self { schema: config.schema.clone(), name }
    }

    /// `"schema"."table"`.
    pub fn quoted(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }

    /// Any number of rows, whose columns are the parameters: arrays of one length. So one statement serves all sizes.
    pub fn insert(&self) -> String {
        let names = COLUMNS.join(", ");
        let columns = COLUMNS.map(quoted).join(", ");
        format!(
            "INSERT INTO {} ({columns}) SELECT event_id, id, event_type, occurred_at::timestamptz, tenant, source, \
             payload, metadata FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], \
             $7::jsonb[], $8::jsonb[]) AS event ({names}) ON CONFLICT (\"event_id\") DO NOTHING RETURNING \"event_id\"",
            self.quoted()
        )
    }

    /// The table as this connector wants it.
    pub fn create(&self) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {} (\"event_id\" text PRIMARY KEY, \"id\" text NOT NULL, \"event_type\" text NOT \
             NULL, \"occurred_at\" timestamptz NOT NULL, \"tenant\" text NOT NULL, \"source\" text NOT NULL, \"payload\" \
             jsonb, \"metadata\" jsonb NOT NULL, \"received_at\" timestamptz NOT NULL DEFAULT now())",
            self.quoted()
        )
    }

    /// What its owner runs so that this role may insert.
    pub fn grant(&self, user: &str) -> String {
        format!("GRANT INSERT, SELECT (\"event_id\") ON {} TO {};", self.quoted(), quoted(user))
    }
}

/// An identifier, exactly as it is.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Bytes of a name's own end where it could not be kept whole: `_` and eight hexadecimal digits.
const MARK: usize = 9;

/// A name for a table of this event type: lower case, `_` for all but ASCII letters and digits. One that is too long is
/// cut, and gets a mark of the whole event type; so does one with other letters, which would all look the same.
fn name_of_type(prefix: &str, event_type: &str) -> String {
    let mapped = event_type.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    let mut name: String = prefix.chars().chain(mapped).collect();
    if name.len() > MAX_NAME || !event_type.is_ascii() {
        name.truncate(MAX_NAME - MARK);
        name.push_str(&format!("_{:08x}", fnv1a(event_type)));
    }
    name
}

/// FNV-1a of 32 bits: tells names apart, and guards nothing.
fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::config;

    fn per_type(prefix: &str) -> Config {
        config(&format!(
            r#"{{"host": "h", "database": "d", "user": "u", "table_per_event_type": true, "table_prefix": "{prefix}"}}"#
        ))
    }

    fn name(prefix: &str, event_type: &str) -> String {
        Table::of(&per_type(prefix), event_type).name
    }

    #[test]
    fn identifiers_are_quoted() {
        let table = Table { schema: "a\"b".to_owned(), name: "Event s; DROP".to_owned() };
        assert_eq!(table.quoted(), r#""a""b"."Event s; DROP""#);
        assert_eq!(table.grant("x"), r#"GRANT INSERT, SELECT ("event_id") ON "a""b"."Event s; DROP" TO "x";"#);
    }

    #[test]
    fn event_types_become_names() {
        assert_eq!(name("", "order.created"), "order_created");
        assert_eq!(name("events_", "com.Example/Order-Paid"), "events_com_example_order_paid");
        assert_eq!(name("", "a\"b';--"), "a_b____");
    }

    #[test]
    fn long_and_foreign_names_are_told_apart_within_63_bytes() {
        let long = "a".repeat(200);
        let (one, other) = (name("events_", &format!("{long}1")), name("events_", &format!("{long}2")));
        assert_eq!((one.len(), other.len()), (MAX_NAME, MAX_NAME));
        assert_ne!(one, other);
        assert_eq!(name("", &"a".repeat(63)), "a".repeat(63));
        assert_ne!(name("", "заказ"), name("", "товар"));
        assert_eq!(name("", "bücher"), format!("b_cher_{:08x}", fnv1a("bücher")));
        assert_eq!(fnv1a("foobar"), 0xbf9c_f968, "the published test vector");
    }

    #[test]
    fn the_statement_to_run_fits_into_a_message() {
        let hard = "\"".repeat(MAX_NAME);
        let table = Table { schema: "s".to_owned(), name: hard };
        assert!(table.create().len() < 800, "{}", table.create().len());
    }
}
