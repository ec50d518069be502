//! What can be done, as far as permission goes.

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
