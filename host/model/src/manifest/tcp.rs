//! Where a destination's configuration names the server that streams connect to.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A server of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tcp {
    /// JSON Pointer to its name or address.
    pub host: String,
    /// JSON Pointer to its port, a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Where the configuration holds none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_port: Option<u16>,
    /// Hosts that it tells of are allowed too, at any port, where they lie under the parent domain of the configured one.
    #[serde(default)]
    pub discover: bool,
}

impl Tcp {
    /// Host and port of a configuration; `None` where it names no host.
    ///
    /// # Errors
    /// The JSON Pointer of what cannot be used: a host that is no text, a port that is not from 1 to 65535.
    pub fn of<'a>(&'a self, config: &'a Value) -> Result<Option<(&'a str, u16)>, &'a str> {
        let present = |pointer: &str| config.pointer(pointer).filter(|value| !value.is_null());
        let Some(host) = present(&self.host) else { return Ok(None) };
        let host = host.as_str().ok_or(self.host.as_str())?;
        let port = match self.port.as_deref().and_then(present) {
            Some(given) => given.as_u64().and_then(|port| u16::try_from(port).ok()),
            None => self.default_port,
        };
        let port = port.filter(|port| *port > 0).ok_or(self.port.as_deref().unwrap_or_default())?;
        Ok(Some((host, port)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Origin, Place};
    use serde_json::json;

    fn tcp(manifest: Value) -> Tcp {
        let origin: Origin = serde_json::from_value(json!({ "name": "server", "tcp": manifest })).unwrap();
        let Place::Tcp(tcp) = origin.place else { panic!("another place") };
        tcp
    }

    #[test]
    fn host_and_port_come_from_the_configuration() {
        let own = tcp(json!({ "host": "/server/host", "port": "/server/port", "default_port": 5432 }));
        let at = |config: Value| own.of(&config).map(|found| found.map(|(host, port)| format!("{host}:{port}"))).ok();
        assert_eq!(at(json!({ "server": { "host": "db", "port": 6432 } })), Some(Some("db:6432".to_owned())));
        assert_eq!(at(json!({ "server": { "host": "db", "port": null } })), Some(Some("db:5432".to_owned())));
        assert_eq!(at(json!({ "server": {} })), Some(None));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let own = tcp(json!({ "host": "/host", "port": "/port" }));
        for (config, at) in [
            (json!({ "host": 1, "port": 1 }), "/host"),
            (json!({ "host": "db" }), "/port"),
            (json!({ "host": "db", "port": 0 }), "/port"),
            (json!({ "host": "db", "port": 65_536 }), "/port"),
            (json!({ "host": "db", "port": "5432" }), "/port"),
        ] {
            assert_eq!(own.of(&config), Err(at), "{config}");
        }
    }

    #[test]
    fn unknown_members_are_refused() {
        let wrong = json!({ "name": "server", "tcp": { "host": "/host", "ports": "/port" } });
        assert!(serde_json::from_value::<Origin>(wrong).is_err());
    }
}
