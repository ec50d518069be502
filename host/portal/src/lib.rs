//! Pages for people under `/ui`: server-rendered, without foreign assets, usable without JavaScript.
//!
//! The pages have no authority and no queries of their own. Every page asks `/v1` inside the process with the key of the
//! person who is signed in, and renders the answers: permissions, masks and 404s are the API's.

mod api;
mod assets;
mod failure;
mod foreign;
mod frame;
mod gate;
mod help;
mod json;
mod origin;
mod pages;
mod query;
mod routes;
mod session;
#[cfg(test)]
mod tests;
mod views;
mod when;

pub use routes::{Door, ROUTES, Route, Verb};

use axum::Router;
use gate::Gate;
use railhead_model::Clock;
use railhead_vault::{Random, Sealer};
use session::Ended;
use std::fmt;
use std::sync::Arc;

/// What the pages need.
#[derive(Clone)]
pub struct Portal {
    api: Router,
    sealer: Sealer,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    https_only: bool,
    ended: Ended,
    gate: Gate,
}

impl Portal {
    /// `api`: all routes of the API. `sealer`: seals sessions into cookies. `random`: names sessions. `https_only`: whether
    /// cookies are for HTTPS alone, whatever a request says of itself: true beyond loopback.
    #[must_use]
    pub fn new(api: Router, sealer: Sealer, clock: Arc<dyn Clock>, random: Arc<dyn Random>, https_only: bool) -> Self {
        Self { api, sealer, clock, random, https_only, ended: Ended::default(), gate: Gate::default() }
    }
}

/// What the sealer's key is derived for.
pub const SESSION_PURPOSE: &str = "railhead portal session v1";

impl fmt::Debug for Portal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Portal").field("https_only", &self.https_only).finish_non_exhaustive()
    }
}

/// All pages. To be merged with the API's routes: it takes no path outside of `/ui`.
pub fn router(portal: Portal) -> Router {
    let signed_in = routes::behind(Door::SignedIn)
        .method_not_allowed_fallback(pages::not_allowed)
        .layer(axum::middleware::from_fn_with_state(portal.clone(), frame::signed_in));
    let open = routes::behind(Door::Open).method_not_allowed_fallback(pages::not_allowed);
    signed_in.merge(open).layer(axum::middleware::from_fn_with_state(portal.clone(), frame::guard)).with_state(portal)
}
