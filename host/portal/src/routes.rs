//! Every route of the pages. The router is built of this table, and tests hold every kind of caller against it.

use crate::{Portal, assets, pages};
use Door::{Open, SignedIn};
use axum::Router;
use axum::routing::{MethodFilter, MethodRouter, on};
use std::fmt;

/// Who is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Everybody.
    Open,
    /// Who has a session; others are sent to sign in.
    SignedIn,
}

/// The methods of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Reads.
    Get,
    /// Sends a form, which has to be one of ours.
    Post,
}

/// One route.
pub struct Route {
    /// Its method.
    pub verb: Verb,
    /// Its path, with `{name}` for what varies.
    pub path: &'static str,
    /// Who is let in.
    pub door: Door,
    serve: fn(MethodFilter) -> MethodRouter<Portal>,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} ({:?})", self.verb, self.path, self.door)
    }
}

/// All of them.
pub static ROUTES: &[Route] = &[
    get("/ui", SignedIn, |verb| on(verb, pages::overview::show)),
    get("/ui/environment", SignedIn, |verb| on(verb, pages::environment::show)),
    post("/ui/environment", SignedIn, |verb| on(verb, pages::environment::choose)),
    get("/ui/tenants", SignedIn, |verb| on(verb, pages::tenants::show)),
    get("/ui/tenants/{tenant}", SignedIn, |verb| on(verb, pages::tenant::show)),
    get("/ui/tenants/{tenant}/destinations/{destination}", SignedIn, |verb| on(verb, pages::destination::show)),
    get("/ui/tenants/{tenant}/events", SignedIn, |verb| on(verb, pages::events::show)),
    get("/ui/tenants/{tenant}/events/{event}", SignedIn, |verb| on(verb, pages::event::show)),
    get("/ui/tenants/{tenant}/deliveries", SignedIn, |verb| on(verb, pages::deliveries::show)),
    get("/ui/tenants/{tenant}/deliveries/{delivery}", SignedIn, |verb| on(verb, pages::delivery::show)),
    get("/ui/{*path}", SignedIn, |verb| on(verb, pages::missing)),
    get("/ui/", Open, |verb| on(verb, pages::home)),
    get("/ui/sign-in", Open, |verb| on(verb, pages::sign_in::show)),
    post("/ui/sign-in", Open, |verb| on(verb, pages::sign_in::sign_in)),
    post("/ui/sign-out", Open, |verb| on(verb, pages::sign_in::sign_out)),
    get("/ui/assets/{name}", Open, |verb| on(verb, assets::serve)),
];

/// The routes behind this door.
pub fn behind(door: Door) -> Router<Portal> {
    let add = |router: Router<Portal>, route: &Route| {
        let filter = match route.verb {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
        };
        router.route(route.path, (route.serve)(filter))
    };
    ROUTES.iter().filter(|route| route.door == door).fold(Router::new(), add)
}

const fn get(path: &'static str, door: Door, serve: fn(MethodFilter) -> MethodRouter<Portal>) -> Route {
    Route { verb: Verb::Get, path, door, serve }
}

const fn post(path: &'static str, door: Door, serve: fn(MethodFilter) -> MethodRouter<Portal>) -> Route {
    Route { verb: Verb::Post, path, door, serve }
}
