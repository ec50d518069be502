//! Every route against every kind of session. What a good session may see is the API's decision: a real host shows it.

use super::stand_in::{Got, KEY, OWN, REVOKED, Site};
use crate::{Door, ROUTES, Route, Verb};

/// What a route that needs no session answers without one: status and where it leads.
const OPEN: [(Verb, &str, u16, &str); 5] = [
    (Verb::Get, "/ui/", 303, "/ui"),
    (Verb::Get, "/ui/sign-in", 200, ""),
    (Verb::Post, "/ui/sign-in", 401, ""),
    (Verb::Post, "/ui/sign-out", 303, "/ui/sign-in"),
    (Verb::Get, "/ui/assets/{name}", 404, ""),
];

fn path(route: &Route) -> String {
    let ids = [("{tenant}", "acme"), ("{destination}", "crm"), ("{event}", "ord-1"), ("{delivery}", "dlv_Crm1")];
    let path = ids.iter().fold(route.path.to_owned(), |path, (name, id)| path.replace(name, id));
    path.replace("{*path}", "any/thing").replace("{name}", "none.css")
}

async fn send(site: &Site, route: &Route, cookie: &str) -> Got {
    match route.verb {
        Verb::Get => site.get(&path(route), cookie).await,
        Verb::Post => site.post(&path(route), cookie, OWN, "environment=sandbox").await,
    }
}

#[test]
fn every_open_route_has_a_row_and_every_row_a_route() {
    let mut open: Vec<_> = ROUTES.iter().filter(|route| route.door == Door::Open).collect();
    open.retain(|route| !OPEN.iter().any(|(verb, path, ..)| (*verb, *path) == (route.verb, route.path)));
    assert!(open.is_empty(), "say what these answer without a session: {open:?}");
    for (verb, path, ..) in OPEN {
        assert!(ROUTES.iter().any(|route| (route.verb, route.path) == (verb, path)), "there is no route {path}");
    }
}

/// None, an empty one, a guessed one, one that was changed, one of another host, one whose time is over, one that was signed
/// out, one whose key was revoked.
#[tokio::test]
async fn no_session_but_a_good_one_is_let_in_by_any_route() {
    let (site, other) = (Site::new(false, |sample| sample), Site::new(false, |sample| sample));
    let expired = site.signed_in(KEY).await;
    site.clock.advance(8 * 3_600_000);
    let (out, revoked, changed) =
        (site.signed_in(KEY).await, site.signed_in(REVOKED).await, site.signed_in(KEY).await.replace('=', "=A"));
    site.post("/ui/sign-out", &out, OWN, "").await;
    site.revoke();
    let none = ["", "railhead_session=", "railhead_session=guessed", "railhead_session=\"", "other=1"];
    let bad: Vec<_> =
        none.into_iter().map(str::to_owned).chain([changed, other.signed_in(KEY).await, expired, out]).collect();
    let before = site.asked.lock().expect("not poisoned").len();
    for route in ROUTES.iter().filter(|route| route.door == Door::SignedIn) {
        for cookie in &bad {
            let got = send(&site, route, cookie).await;
            assert_eq!((got.status, got.body.as_str()), (303, ""), "{route:?} {cookie}");
            let to = got.location().split('?').next().unwrap_or_default();
            assert_eq!(to, "/ui/sign-in", "{route:?} {cookie}");
        }
    }
    assert_eq!(site.asked.lock().expect("not poisoned").len(), before, "the API was asked");
    for route in ROUTES.iter().filter(|route| route.door == Door::SignedIn && !route.path.contains('*')) {
        let got = send(&site, route, &revoked).await;
        assert_eq!(got.status, 303, "{route:?}");
        assert!(got.header("set-cookie").contains("Max-Age=0"), "{route:?}");
    }
    for (verb, shape, status, to) in OPEN {
        let route = ROUTES.iter().find(|route| (route.verb, route.path) == (verb, shape)).expect("a route");
        for cookie in &bad {
            let got = send(&site, route, cookie).await;
            assert_eq!((got.status, got.location()), (status, to), "{route:?} {cookie}");
        }
    }
}

#[tokio::test]
async fn every_form_must_be_ours_and_every_answer_is_hardened() {
    let site = Site::new(false, |sample| sample);
    let cookie = site.signed_in(KEY).await;
    for route in ROUTES {
        if route.verb == Verb::Post {
            let foreign = site.post(&path(route), &cookie, &[("sec-fetch-site", "cross-site")], "").await;
            assert_eq!(foreign.status, 403, "{route:?}");
        }
        let got = send(&site, route, &cookie).await;
        assert!(got.header("content-security-policy").contains("frame-ancestors 'none'"), "{route:?}");
        for (name, value) in [("x-frame-options", "DENY"), ("x-content-type-options", "nosniff")] {
            assert_eq!(got.header(name), value, "{route:?}");
        }
        assert_eq!(got.header("cache-control"), "no-store", "{route:?}");
    }
    assert_eq!(site.get("/ui", &cookie).await.status, 303, "signing out was among them");
}
