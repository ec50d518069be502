//! A destination's configuration. The host has checked it against the schema that comes from here; what a schema cannot
//! say is looked at in [`Config::check`].

use crate::sql::MAX_NAME;
use railhead_sdk::Schema;
use serde::Deserialize;

/// Most bytes of a prefix: behind it is room for a mark, and for the beginning of an event type.
const MAX_PREFIX: usize = 24;

/// What the owner of a destination sets.
#[derive(Clone, Debug, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
#[schema(title = "PostgreSQL")]
pub struct Config {
    /// Name or address of the server. Its certificate must be for this name.
    #[schema(title = "Host", min_length = 1, max_length = 253, pattern = "^[A-Za-z0-9._:-]+$", examples = ["db.example.com"])]
    pub host: String,
    /// Port of the server, or of a pooler before it.
    #[serde(default = "default_port")]
    #[schema(title = "Port", minimum = 1, default = 5432)]
    pub port: u16,
    /// The database with the tables.
    #[schema(title = "Database", min_length = 1, max_length = 63, pattern = "^[^\\u0000-\\u001f\\u007f]+$", examples = ["analytics"])]
    pub database: String,
    /// The role that logs in; its password is the credential `password`.
    #[schema(title = "User", min_length = 1, max_length = 63, pattern = "^[^\\u0000-\\u001f\\u007f]+$", examples = ["railhead"])]
    pub user: String,
    /// `verify-full`: TLS, and the server's certificate must be valid for the host's name. `disable`: no TLS; only where the
    /// operator allows that network, and only with SCRAM.
    #[serde(default)]
    #[schema(title = "TLS", default = "verify-full")]
    pub sslmode: SslMode,
    /// The schema of the tables. It must exist.
    #[serde(default = "default_schema")]
    #[schema(
        title = "Schema",
        min_length = 1,
        max_length = 63,
        pattern = "^[^\\u0000-\\u001f\\u007f]+$",
        default = "public"
    )]
    pub schema: String,
    /// The table for all events, exactly as it is written in the database. Of no effect with `table_per_event_type`.
    #[serde(default = "default_table")]
    #[schema(
        title = "Table",
        min_length = 1,
        max_length = 63,
        pattern = "^[^\\u0000-\\u001f\\u007f]+$",
        default = "events"
    )]
    pub table: String,
    /// A table for each event type, named after it: `order.created` goes to `order_created`. A type with anything but
    /// lower-case letters, digits and dots has a mark at the end of its table's name.
    #[serde(default)]
    #[schema(title = "A table for each event type", default = false)]
    pub table_per_event_type: bool,
    /// What the names of the tables begin with, where there is one for each event type.
    #[serde(default)]
    #[schema(title = "Prefix of tables", max_length = 24, pattern = "^[a-z0-9_]*$", default = "", examples = ["events_"])]
    pub table_prefix: String,
    /// Creates a table that is missing. Needs the right to create tables in the schema.
    #[serde(default)]
    #[schema(title = "Create tables", default = false)]
    pub create_tables: bool,
}

/// How the connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    /// TLS with a certificate that is verified.
    #[default]
    VerifyFull,
    /// No TLS.
    Disable,
}

const fn default_port() -> u16 {
    5432
}

fn default_schema() -> String {
    "public".to_owned()
}

fn default_table() -> String {
    "events".to_owned()
}

/// Why a configuration cannot be used: a stable code, and words for its owner.
#[derive(Debug, PartialEq, Eq)]
pub struct Unusable {
    pub code: &'static str,
    pub message: String,
}

impl Config {
    /// Looks at what the schema cannot say.
    pub fn check(&self) -> Result<(), Unusable> {
        let names =
            [("database", &self.database), ("user", &self.user), ("schema", &self.schema), ("table", &self.table)];
        for (field, name) in names {
            // The schema counts characters, PostgreSQL bytes: it would silently cut the name.
            if name.len() > MAX_NAME || name.contains('\0') {
                let message = format!(
                    "{field}: {name:?} has more than {MAX_NAME} bytes, the most that a name of PostgreSQL has."
                );
                return Err(Unusable { code: "name-too-long", message });
            }
        }
        if self.table_prefix.len() > MAX_PREFIX {
            let message =
                format!("table_prefix: at most {MAX_PREFIX} bytes, so that there is room for the event type.");
            return Err(Unusable { code: "name-too-long", message });
        }
        Ok(())
    }

    /// Where the server is, for people.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn config(json: &str) -> Config {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn defaults_are_safe_ones() {
        let config = config(r#"{"host": "db", "database": "d", "user": "u"}"#);
        assert_eq!((config.port, config.sslmode), (5432, SslMode::VerifyFull));
        assert_eq!((config.schema.as_str(), config.table.as_str()), ("public", "events"));
        assert!(!config.create_tables && !config.table_per_event_type && config.check().is_ok());
    }

    #[test]
    fn a_name_is_counted_in_bytes() {
        let long = "ä".repeat(32);
        let config = config(&format!(r#"{{"host": "db", "database": "d", "user": "u", "table": "{long}"}}"#));
        assert_eq!(config.check().unwrap_err().code, "name-too-long");
    }
}
