//! Who asks, and what they may do. One function decides for every route.

use crate::codes;
use crate::problem::Problem;
use railhead_model::{EnvironmentNo, KeyId, Timestamp};
use std::fmt;

/// What an operation does, as far as permission goes. Its text is the scope that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Publish, erase payloads.
    EventsWrite,
    /// See events and what became of them.
    EventsRead,
    /// See payloads.
    PayloadsRead,
    /// Manage tenants.
    Tenants,
    /// See destinations.
    DestinationsRead,
    /// Make and change destinations.
    DestinationsWrite,
    /// Set credentials.
    CredentialsWrite,
    /// Read shared credentials back.
    CredentialsReveal,
    /// See deliveries, attempts, replays.
    DeliveriesRead,
    /// Retry, cancel, replay.
    DeliveriesWrite,
    /// Manage the catalogue of event types.
    EventTypes,
    /// See connectors.
    Connectors,
    /// Manage keys.
    Keys,
    /// Administer the host.
    Admin,
}

/// Scopes that a key of an environment can have, beside `*`.
pub const SCOPES: [Action; 13] = [
    Action::EventsWrite,
    Action::EventsRead,
    Action::PayloadsRead,
    Action::Tenants,
    Action::DestinationsRead,
    Action::DestinationsWrite,
    Action::CredentialsWrite,
    Action::CredentialsReveal,
    Action::DeliveriesRead,
    Action::DeliveriesWrite,
    Action::EventTypes,
    Action::Connectors,
    Action::Keys,
];

impl Action {
    /// The scope that allows it.
    #[must_use]
    pub const fn scope(self) -> &'static str {
        match self {
            Self::EventsWrite => "events:write",
            Self::EventsRead => "events:read",
            Self::PayloadsRead => "payloads:read",
            Self::Tenants => "tenants",
            Self::DestinationsRead => "destinations:read",
            Self::DestinationsWrite => "destinations:write",
            Self::CredentialsWrite => "credentials:write",
            Self::CredentialsReveal => "credentials:reveal",
            Self::DeliveriesRead => "deliveries:read",
            Self::DeliveriesWrite => "deliveries:write",
            Self::EventTypes => "event-types",
            Self::Connectors => "connectors",
            Self::Keys => "keys",
            Self::Admin => "admin",
        }
    }
}

/// What an operation touches, as far as permission goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The host as a whole.
    Host,
    /// Something that belongs to an environment.
    In(EnvironmentNo),
}

/// The holder of a key.
#[derive(Clone)]
pub struct Principal {
    /// `key_…`; `None` for keys that the host's settings give.
    pub key: Option<KeyId>,
    /// Its environment; `None` for the administrator.
    pub environment: Option<EnvironmentNo>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When the key ends; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// SHA-256 of the key's secret: tells any two keys apart, those of settings too. Not for logs.
    pub hash: [u8; 32],
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal").field("key", &self.key).field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

impl Principal {
    /// True if it may do everything.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.environment.is_none() && self.scopes.iter().any(|scope| scope == Action::Admin.scope())
    }

    /// True if its scopes allow the action.
    #[must_use]
    pub fn may(&self, action: Action) -> bool {
        let listed = |scope: &String| scope == action.scope() || (scope == "*" && action != Action::Admin);
        self.is_admin() || (self.environment.is_some() && self.scopes.iter().any(listed))
    }

    /// True if it may do everything that these scopes allow.
    #[must_use]
    pub fn holds(&self, scopes: &[String]) -> bool {
        let allows = |action: &Action| scopes.iter().any(|scope| scope == "*" || scope == action.scope());
        SCOPES.iter().filter(|action| allows(action)).all(|action| self.may(*action))
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key {
            Some(key) => key.fmt(f),
            None => f.write_str("settings"),
        }
    }
}

/// Decides whether somebody may do something.
///
/// # Errors
/// 403 `missing-scope`; 404 for what belongs to another environment, whatever the scopes.
pub fn authorize(principal: &Principal, action: Action, resource: Resource) -> Result<(), Problem> {
    if let (Some(own), Resource::In(environment)) = (principal.environment, resource)
        && own != environment
    {
        return Err(Problem::not_found("object"));
    }
    if principal.may(action) {
        return Ok(());
    }
    Err(Problem::new(&codes::MISSING_SCOPE, format!("This operation needs the scope `{}`.", action.scope())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(environment: Option<i32>, scopes: &[&str]) -> Principal {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let environment = environment.map(EnvironmentNo);
        Principal { key: None, environment, scopes, expires_at: None, hash: [0; 32] }
    }

    #[test]
    fn scopes_decide_within_the_own_environment_and_nothing_outside() {
        let (own, other) = (Resource::In(EnvironmentNo(1)), Resource::In(EnvironmentNo(2)));
        let status = |principal: &Principal, action, resource| {
            authorize(principal, action, resource).map_err(|problem| problem.status())
        };
        let some = key(Some(1), &["tenants"]);
        assert_eq!(status(&some, Action::Tenants, own), Ok(()));
        assert_eq!(status(&some, Action::Keys, own), Err(403));
        assert_eq!(status(&some, Action::Tenants, other), Err(404));
        let all = key(Some(1), &["*"]);
        assert_eq!(status(&all, Action::Keys, own), Ok(()));
        assert_eq!(status(&all, Action::Keys, other), Err(404));
        assert_eq!(status(&all, Action::Admin, Resource::Host), Err(403));
        let pretender = key(Some(1), &["admin"]);
        assert_eq!(status(&pretender, Action::Keys, own), Err(403));
        let admin = key(None, &["admin"]);
        assert_eq!(status(&admin, Action::Admin, Resource::Host), Ok(()));
        assert_eq!(status(&admin, Action::EventsWrite, other), Ok(()));
        assert_eq!(status(&key(None, &["*"]), Action::Admin, Resource::Host), Err(403));
    }
}
