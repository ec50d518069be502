//! Every operation, one file each.

pub mod attempts;
pub mod connectors;
pub mod deliveries;
pub mod destinations;
pub mod environment;
pub mod environments;
pub mod event_types;
pub mod events;
pub mod host;
pub mod keys;
pub mod overview;
pub mod replays;
pub mod tenants;

use crate::operation::Operation;

/// All of them, in the order of the documentation.
pub static ALL: &[&Operation] = &[
    &overview::OPERATION,
    &environment::events::OPERATION,
    &environment::deliveries::OPERATION,
    &environment::destinations::OPERATION,
    &events::publish::OPERATION,
    &events::list::OPERATION,
    &events::get::OPERATION,
    &events::payload::OPERATION,
    &events::erase::OPERATION,
    &tenants::list::OPERATION,
    &tenants::put::OPERATION,
    &tenants::get::OPERATION,
    &tenants::patch::OPERATION,
    &tenants::delete::OPERATION,
    &destinations::list::OPERATION,
    &destinations::create::OPERATION,
    &destinations::put::OPERATION,
    &destinations::get::OPERATION,
    &destinations::patch::OPERATION,
    &destinations::delete::OPERATION,
    &destinations::check::OPERATION,
    &destinations::test::OPERATION,
    &destinations::state::PAUSE,
    &destinations::state::RESUME,
    &destinations::state::DISABLE,
    &destinations::state::ENABLE,
    &destinations::credential_put::OPERATION,
    &destinations::credential_delete::OPERATION,
    &destinations::credential_reveal::OPERATION,
    &deliveries::list::OPERATION,
    &deliveries::get::OPERATION,
    &deliveries::retry::OPERATION,
    &deliveries::cancel::OPERATION,
    &attempts::list::OPERATION,
    &attempts::get::OPERATION,
    &replays::create::OPERATION,
    &replays::list::OPERATION,
    &replays::get::OPERATION,
    &replays::cancel::OPERATION,
    &event_types::list::OPERATION,
    &event_types::put::OPERATION,
    &event_types::get::OPERATION,
    &event_types::delete::OPERATION,
    &connectors::list::OPERATION,
    &connectors::get::OPERATION,
    &keys::create::OPERATION,
    &keys::list::OPERATION,
    &keys::get::OPERATION,
    &keys::rotate::OPERATION,
    &keys::delete::OPERATION,
    &environments::list::OPERATION,
    &environments::get::OPERATION,
    &environments::patch::OPERATION,
    &host::healthz::OPERATION,
    &host::readyz::OPERATION,
    &host::openapi::OPERATION,
    &host::docs::OPERATION,
    &host::problems::OPERATION,
    &host::problem::OPERATION,
];
