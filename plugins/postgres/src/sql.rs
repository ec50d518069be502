//! Statements, and how names get into them. Pure.

use crate::config::Config;
use sha2::{Digest as _, Sha256};

/// Most bytes of a name (`NAMEDATALEN` - 1).
pub const MAX_NAME: usize = 63;

/// The columns that an insert fills, in order.
pub const COLUMNS: [&str; 9] =
    ["event_id", "id", "event_type", "occurred_at", "tenant", "source", "payload", "metadata", "received_at"];

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
             payload, metadata, received_at::timestamptz FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], \
             $7::jsonb[], $8::jsonb[], $9::text[]) AS event ({names}) ON CONFLICT (\"event_id\") DO NOTHING RETURNING \"event_id\"",
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

/// Hexadecimal digits of a mark: half of a SHA-256.
const MARK: usize = 32;

/// A name for a table of this event type. A plain type is one of lower-case words with dots between them: `_` stands for
/// each dot, which no plain type has itself. Any other, and one that is too long, ends in `__` and a mark of the whole type,
/// which no plain one does: so no two types have the same name.
fn name_of_type(prefix: &str, event_type: &str) -> String {
    let mapped = event_type.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    let mut name: String = prefix.chars().chain(mapped).collect();
    if name.len() > MAX_NAME || !is_plain(event_type) {
        name.truncate(MAX_NAME - MARK - 2);
        name.push_str("__");
        let digest = Sha256::digest(event_type.as_bytes());
        digest.iter().take(MARK / 2).for_each(|byte| name.push_str(&format!("{byte:02x}")));
    }
    name
}

fn is_plain(event_type: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    event_type.split('.').all(is_word)
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
    fn plain_event_types_become_plain_names() {
        assert_eq!(name("", "order.created"), "order_created");
        assert_eq!(name("events_", "order2.line.paid"), "events_order2_line_paid");
        assert_eq!(name("", &"a".repeat(63)), "a".repeat(63));
        let marked = name("events_", "com.Example/Order-Paid");
        // printf com.Example/Order-Paid | sha256sum
        assert_eq!(marked, "events_com_example_order_paid__199dba72fa35b4a033c8314dbd1431ba");
    }

    #[test]
    fn no_two_types_share_a_name() {
        let long = "a".repeat(200);
        let created = name("", "Order.Created");
        let types = [
            "order.created",
            "order_created",
            "Order.Created",
            "order-created",
            "order..created",
            ".order.created",
            "order.created.",
            "a\"b';--",
            "a_b____",
            "",
            "_",
            "заказ",
            "товар",
            "bücher",
            "b.cher",
            &format!("{long}1"),
            &format!("{long}2"),
            // What somebody makes up to get into the table of another type.
            &created,
            &created.replace('_', "."),
            &created.replace("__", "."),
        ];
        for prefix in ["", "e_", "a2345678901234567890123_"] {
            let names: std::collections::HashSet<_> = types.iter().map(|of| name(prefix, of)).collect();
            assert_eq!(names.len(), types.len(), "{names:?}");
            assert!(names.iter().all(|name| name.len() <= MAX_NAME && name.starts_with(prefix)), "{names:?}");
        }
    }

    #[test]
    fn the_statement_to_run_fits_into_a_message() {
        let hard = "\"".repeat(MAX_NAME);
        let table = Table { schema: "s".to_owned(), name: hard };
        assert!(table.create().len() < 800, "{}", table.create().len());
    }
}
