//! Settings: a TOML file (`--config`) and the environment, same names; the environment wins.

use crate::operators::OperatorCredentials;
use ipnet::IpNet;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Why the settings cannot be used: which one, and what to change.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {path}: {why}")]
    File {
        /// Which.
        path: PathBuf,
        /// The system's words, or the parser's.
        why: String,
    },
    /// A setting does not fit.
    #[error("setting {name}: {why}")]
    Setting {
        /// As the environment spells it.
        name: &'static str,
        /// What is allowed.
        why: String,
    },
}

/// The settings of `serve`, with defaults filled in. Secrets do not print.
#[derive(Clone)]
pub struct Config {
    /// Where everything is kept that is not told elsewhere: `./railhead-data`.
    pub data: PathBuf,
    /// `sqlite://path` or `postgres://…`.
    pub database_url: String,
    /// The API's listener.
    pub listen: SocketAddr,
    /// The metrics' listener.
    pub metrics_listen: SocketAddr,
    /// Where the master key is, or itself.
    pub master_key: MasterKeySource,
    /// Bootstrap key with scope `admin`.
    pub admin_key: Option<String>,
    /// An all-scopes key of environment `live`, for containers.
    pub api_key: Option<String>,
    /// Networks that destinations may be in, beyond the public internet.
    pub egress_allow: Vec<IpNet>,
    /// Allows plain `http://` everywhere, not only in `egress_allow`.
    pub egress_plaintext: bool,
    /// An HTTP proxy for all egress.
    pub egress_proxy: Option<String>,
    /// Roots that destinations' certificates are checked against, beside the public ones.
    pub egress_ca_file: Option<PathBuf>,
    /// Filter of the log, such as `info` or `railhead=debug`.
    pub log: String,
    /// `text` or `json`.
    pub log_format: LogFormat,
    /// How long events, deliveries and attempts are kept.
    pub retention_days: u32,
    /// The operator's own credentials, by connector.
    pub operators: OperatorCredentials,
}

/// Where the master key comes from.
#[derive(Clone)]
pub enum MasterKeySource {
    /// A file; made with mode 0600 if it is the embedded default's and absent.
    File(PathBuf),
    /// The setting itself.
    Text(String),
    /// The embedded default: `master.key` in the data folder.
    DataFolder,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The file, and the environment: all optional.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    data: Option<PathBuf>,
    database_url: Option<String>,
    listen: Option<String>,
    metrics_listen: Option<String>,
    master_key_file: Option<PathBuf>,
    master_key: Option<String>,
    admin_key: Option<String>,
    api_key: Option<String>,
    egress_allow: Option<String>,
    egress_plaintext: Option<String>,
    egress_proxy: Option<String>,
    egress_ca_file: Option<PathBuf>,
    log: Option<String>,
    log_format: Option<String>,
    retention_days: Option<String>,
    connector_credentials: Option<String>,
    connector_credentials_file: Option<PathBuf>,
    #[serde(default)]
    connectors: BTreeMap<String, RawConnector>,
}

/// `[connectors.<name>]` of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConnector {
    #[serde(default)]
    credentials: toml::Table,
}

impl Config {
    /// Reads the file, if one is given, then the environment through `env` (a parameter, so that tests repeat).
    ///
    /// # Errors
    /// [`ConfigError`] names the setting and what is allowed.
    pub fn load(file: Option<&Path>, env: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut raw = file.map(read_file).transpose()?.unwrap_or_default();
        for (name, slot) in raw.texts() {
            if let Some(value) = env(&format!("RAILHEAD_{}", name.to_uppercase())) {
                *slot = Some(value);
            }
        }
        for (name, slot) in raw.paths() {
            if let Some(value) = env(&format!("RAILHEAD_{}", name.to_uppercase())) {
                *slot = Some(value.into());
            }
        }
        raw.finish()
    }

    /// True if the store is the embedded one.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.database_url.starts_with("sqlite:")
    }

    /// The embedded database's file.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<PathBuf> {
        let rest = self.database_url.strip_prefix("sqlite:")?;
        Some(PathBuf::from(rest.strip_prefix("//").unwrap_or(rest)))
    }
}

fn read_file(path: &Path) -> Result<Raw, ConfigError> {
    let wrong = |why: String| ConfigError::File { path: path.to_owned(), why };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    // Numbers and booleans may be written as such.
    let texts: toml::Table = table
        .into_iter()
        .map(|(name, value)| match value {
            toml::Value::Integer(_) | toml::Value::Boolean(_) => (name, toml::Value::String(value.to_string())),
            toml::Value::Array(items) => (name, toml::Value::String(join(&items))),
            other => (name, other),
        })
        .collect();
    texts.try_into().map_err(|error: toml::de::Error| wrong(error.to_string()))
}

fn join(items: &[toml::Value]) -> String {
    items.iter().map(|item| item.as_str().unwrap_or_default()).collect::<Vec<_>>().join(",")
}

impl Raw {
    fn texts(&mut self) -> [(&'static str, &mut Option<String>); 13] {
        [
            ("database_url", &mut self.database_url),
            ("listen", &mut self.listen),
            ("metrics_listen", &mut self.metrics_listen),
            ("master_key", &mut self.master_key),
            ("admin_key", &mut self.admin_key),
            ("api_key", &mut self.api_key),
            ("egress_allow", &mut self.egress_allow),
            ("egress_plaintext", &mut self.egress_plaintext),
            ("egress_proxy", &mut self.egress_proxy),
            ("log", &mut self.log),
            ("log_format", &mut self.log_format),
            ("retention_days", &mut self.retention_days),
            ("connector_credentials", &mut self.connector_credentials),
        ]
    }

    fn paths(&mut self) -> [(&'static str, &mut Option<PathBuf>); 4] {
        [
            ("data", &mut self.data),
            ("master_key_file", &mut self.master_key_file),
            ("egress_ca_file", &mut self.egress_ca_file),
            ("connector_credentials_file", &mut self.connector_credentials_file),
        ]
    }

    fn finish(self) -> Result<Config, ConfigError> {
        let data = self.data.unwrap_or_else(|| PathBuf::from("./railhead-data"));
        let database_url =
            self.database_url.unwrap_or_else(|| format!("sqlite://{}", data.join("railhead.db").display()));
        if !["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| database_url.starts_with(scheme)) {
            let why = "expected sqlite://path or postgres://user@host/database".to_owned();
            return Err(ConfigError::Setting { name: "RAILHEAD_DATABASE_URL", why });
        }
        let master_key = match (self.master_key, self.master_key_file) {
            (Some(_), Some(_)) => {
                let why = "set it or RAILHEAD_MASTER_KEY_FILE, not both".to_owned();
                return Err(ConfigError::Setting { name: "RAILHEAD_MASTER_KEY", why });
            }
            (Some(text), None) => MasterKeySource::Text(text),
            (None, Some(path)) => MasterKeySource::File(path),
            (None, None) => MasterKeySource::DataFolder,
        };
        let in_file = self.connectors.into_iter().map(|(name, own)| (name, own.credentials));
        let operators =
            OperatorCredentials::read(in_file, self.connector_credentials, self.connector_credentials_file.as_deref())?;
        Ok(Config {
            operators,
            listen: address("RAILHEAD_LISTEN", self.listen, "127.0.0.1:8080")?,
            metrics_listen: address("RAILHEAD_METRICS_LISTEN", self.metrics_listen, "127.0.0.1:9464")?,
            egress_allow: networks(self.egress_allow.as_deref().unwrap_or_default())?,
            egress_plaintext: boolean("RAILHEAD_EGRESS_PLAINTEXT", self.egress_plaintext)?,
            egress_proxy: self.egress_proxy.filter(|text| !text.is_empty()),
            egress_ca_file: self.egress_ca_file,
            log: self.log.unwrap_or_else(|| "info".to_owned()),
            log_format: log_format(self.log_format.as_deref())?,
            retention_days: number("RAILHEAD_RETENTION_DAYS", self.retention_days, 30, 1..=3_650)?,
            data,
            database_url,
            master_key,
            admin_key: key("RAILHEAD_ADMIN_KEY", self.admin_key)?,
            api_key: key("RAILHEAD_API_KEY", self.api_key)?,
        })
    }
}

fn address(name: &'static str, value: Option<String>, default: &str) -> Result<SocketAddr, ConfigError> {
    let text = value.unwrap_or_else(|| default.to_owned());
    text.parse().map_err(|_| ConfigError::Setting {
        name,
        why: format!("expected address:port, such as {default}, got `{text}`"),
    })
}

fn networks(text: &str) -> Result<Vec<IpNet>, ConfigError> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    items
        .map(|item| {
            item.parse().or_else(|_| item.parse::<std::net::IpAddr>().map(IpNet::from)).map_err(|_| {
                ConfigError::Setting {
                    name: "RAILHEAD_EGRESS_ALLOW",
                    why: format!("expected networks such as 127.0.0.0/8,::1/128, got `{item}`"),
                }
            })
        })
        .collect()
}

fn boolean(name: &'static str, value: Option<String>) -> Result<bool, ConfigError> {
    match value.as_deref() {
        None | Some("" | "false" | "0" | "no") => Ok(false),
        Some("true" | "1" | "yes") => Ok(true),
        Some(other) => Err(ConfigError::Setting { name, why: format!("expected true or false, got `{other}`") }),
    }
}

fn number(
    name: &'static str,
    value: Option<String>,
    default: u32,
    allowed: std::ops::RangeInclusive<u32>,
) -> Result<u32, ConfigError> {
    let Some(text) = value else { return Ok(default) };
    let number = text.parse().ok().filter(|number| allowed.contains(number));
    number.ok_or_else(|| ConfigError::Setting {
        name,
        why: format!("expected a number from {} to {}, got `{text}`", allowed.start(), allowed.end()),
    })
}

fn log_format(value: Option<&str>) -> Result<LogFormat, ConfigError> {
    match value {
        None | Some("text") => Ok(LogFormat::Text),
        Some("json") => Ok(LogFormat::Json),
        Some(other) => Err(ConfigError::Setting {
            name: "RAILHEAD_LOG_FORMAT",
            why: format!("expected text or json, got `{other}`"),
        }),
    }
}

/// Short keys could be guessed; the value itself is never repeated.
fn key(name: &'static str, value: Option<String>) -> Result<Option<String>, ConfigError> {
    match value.filter(|text| !text.is_empty()) {
        Some(text) if text.len() < 24 => Err(ConfigError::Setting {
            name,
            why: "expected at least 24 characters; make one with `openssl rand -hex 24`".into(),
        }),
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(env: &[(&str, &str)]) -> Result<Config, String> {
        let get = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Config::load(None, get).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_needed() {
        let config = load(&[]).expect("defaults");
        assert_eq!(config.sqlite_path(), Some(PathBuf::from("./railhead-data/railhead.db")));
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert!(config.egress_allow.is_empty() && !config.egress_plaintext);
    }

    #[test]
    fn a_wrong_setting_is_named_with_what_is_allowed() {
        for (name, value) in [
            ("RAILHEAD_LISTEN", "8080"),
            ("RAILHEAD_DATABASE_URL", "mysql://x"),
            ("RAILHEAD_EGRESS_ALLOW", "localhost"),
            ("RAILHEAD_EGRESS_PLAINTEXT", "maybe"),
            ("RAILHEAD_LOG_FORMAT", "xml"),
            ("RAILHEAD_ADMIN_KEY", "short"),
        ] {
            let error = load(&[(name, value)]).err().expect(name);
            assert!(error.contains(name) && error.contains("expected"), "{error}");
            assert!(name != "RAILHEAD_ADMIN_KEY" || !error.contains("short"), "{error}");
        }
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(
            file.path(),
            "listen = \"127.0.0.1:1\"\nretention_days = 7\negress_allow = [\"10.0.0.0/8\", \"::1\"]",
        )
        .expect("written");
        let config =
            Config::load(Some(file.path()), |name| (name == "RAILHEAD_LISTEN").then(|| "127.0.0.1:2".to_owned()));
        let config = config.expect("loads");
        assert_eq!((config.listen.port(), config.retention_days, config.egress_allow.len()), (2, 7, 2));
        std::fs::write(file.path(), "listne = \"x\"").expect("written");
        let error = Config::load(Some(file.path()), |_| None).err().expect("unknown").to_string();
        assert!(error.contains("listne"), "{error}");
    }

    /// The table of `host/README.md` has every setting, no other one, and the defaults.
    #[test]
    fn the_operators_table_is_this_file() {
        let config = load(&[]).expect("defaults");
        let mut raw = Raw::default();
        let texts = raw.texts().map(|(name, _)| name);
        let mut names: Vec<_> = texts.into_iter().chain(raw.paths().map(|(name, _)| name)).collect();
        names.sort_unstable();
        let defaults = [
            ("data", config.data.display().to_string()),
            ("database_url", config.database_url),
            ("listen", config.listen.to_string()),
            ("metrics_listen", config.metrics_listen.to_string()),
            ("master_key_file", "./railhead-data/master.key".to_owned()),
            ("egress_plaintext", config.egress_plaintext.to_string()),
            ("log", config.log),
            ("log_format", format!("{:?}", config.log_format).to_lowercase()),
            ("retention_days", config.retention_days.to_string()),
        ];
        let table = include_str!("../../README.md").split("| file | environment |").nth(1).expect("the table");
        let mut listed = Vec::new();
        for row in table.lines().skip(2).take_while(|line| line.starts_with('|')) {
            let cells: Vec<_> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
            assert_eq!(cells[2], format!("RAILHEAD_{}", cells[1].to_uppercase()));
            let default = defaults.iter().find(|(name, _)| *name == cells[1]).map_or("none", |(_, default)| default);
            let told = cells[3].replace("<data>", "./railhead-data");
            assert_eq!(told.split('`').next(), Some(default), "{}", cells[1]);
            listed.push(cells[1]);
        }
        listed.sort_unstable();
        assert_eq!(listed, names);
    }
}
