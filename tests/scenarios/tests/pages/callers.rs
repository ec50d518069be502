//! Every page of a real host against every kind of caller. The portal's own tests hold the routes against bad sessions; here
//! sessions are good, and what they show is what the API lets their key see.

use super::person::Person;
use super::{post, put};
use railhead_harness::host::{ADMIN_KEY, API_KEY};
use railhead_harness::{Host, HostOptions, Sink};
use railhead_portal::{Door, ROUTES, Route, Verb};
use serde_json::{Value, json};

/// What a page shows, as far as permission goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shows {
    /// The caller's own environment; without the scope 403.
    Own(&'static str),
    /// A tenant: 404 in another environment. Another tenant's page is that tenant's.
    Tenant(&'static str),
    /// An object: 404 in another environment, and 404 below another tenant.
    Object(&'static str),
    /// What is the administrator's: 403 for everybody else.
    Administrator,
    /// Nothing: 404 for everybody.
    Nothing,
}

use Shows::{Administrator, Nothing, Object, Own, Tenant};

/// Every route behind the door. One that is missing here fails the tests.
const ROWS: [(Verb, &str, Shows); 11] = [
    (Verb::Get, "/ui", Own("deliveries:read")),
    (Verb::Get, "/ui/environment", Administrator),
    (Verb::Post, "/ui/environment", Administrator),
    (Verb::Get, "/ui/tenants", Own("tenants")),
    (Verb::Get, "/ui/tenants/{tenant}", Tenant("destinations:read")),
    (Verb::Get, "/ui/tenants/{tenant}/destinations/{destination}", Object("destinations:read")),
    (Verb::Get, "/ui/tenants/{tenant}/events", Tenant("events:read")),
    (Verb::Get, "/ui/tenants/{tenant}/events/{event}", Object("events:read")),
    (Verb::Get, "/ui/tenants/{tenant}/deliveries", Tenant("deliveries:read")),
    (Verb::Get, "/ui/tenants/{tenant}/deliveries/{delivery}", Object("deliveries:read")),
    (Verb::Get, "/ui/{*path}", Nothing),
];

const SCOPES: [&str; 5] = ["tenants", "destinations:read", "events:read", "payloads:read", "deliveries:read"];

/// What stands on pages of tenant `acme` alone.
const OF_ACME: [&str; 4] = ["Acme Limited", "crm-of-acme", "ord-of-acme", "a word of the payload"];

/// A host with a tenant that has an event, a delivery and a destination, and with a tenant that has nothing.
struct World {
    host: Host,
    delivery: String,
    _folder: tempfile::TempDir,
    _sink: Sink,
}

impl World {
    async fn new() -> Self {
        let (folder, sink) = (tempfile::tempdir().expect("a folder"), Sink::start().await);
        let host = Host::start(folder.path(), &HostOptions::default()).await;
        let client = host.client();
        put(&client, "/v1/tenants/acme", &json!({"name": OF_ACME[0]})).await;
        put(&client, "/v1/tenants/globex", &json!({})).await;
        let crm = json!({"connector": "webhook", "config": {"url": sink.url("/crm")}});
        put(&client, &format!("/v1/tenants/acme/destinations/{}", OF_ACME[1]), &crm).await;
        let event = json!({"tenant": "acme", "type": "order.created", "id": OF_ACME[2], "data": {"note": OF_ACME[3]}});
        post(&client, "/v1/events", &event).await;
        let (_, event) = client.get(&format!("/v1/tenants/acme/events/{}", OF_ACME[2])).await;
        let delivery = event["destinations"][0]["delivery"].as_str().expect("a delivery").to_owned();
        Self { host, delivery, _folder: folder, _sink: sink }
    }

    async fn key(&self, without: &str) -> String {
        let scopes: Vec<_> = SCOPES.into_iter().filter(|scope| *scope != without).collect();
        let made = post(&self.host.client(), "/v1/keys", &json!({"scopes": scopes})).await;
        made["secret"].as_str().expect("a secret").to_owned()
    }

    /// A key with every scope, of the environment `sandbox`.
    async fn elsewhere(&self) -> String {
        let admin = railhead_harness::Client::new(self.host.address, ADMIN_KEY);
        let made: Value = post(&admin, "/v1/keys?environment=sandbox", &json!({"scopes": ["*"]})).await;
        made["secret"].as_str().expect("a secret").to_owned()
    }

    /// Opens a page with ids of `acme`, below this tenant; its status and text.
    async fn ask(&self, person: &Person, route: &Route, tenant: &str) -> (u16, String) {
        let ids = [("{destination}", OF_ACME[1]), ("{event}", OF_ACME[2]), ("{delivery}", &self.delivery)];
        let path = route.path.replace("{tenant}", tenant).replace("{*path}", "keys");
        let path = ids.iter().fold(path, |path, (name, id)| path.replace(name, id));
        match route.verb {
            Verb::Get => person.get(&path).await,
            Verb::Post => {
                let answer = person.post(&path, "environment=live").await;
                (answer.status().as_u16(), answer.text().await.expect("text"))
            }
        }
    }
}

fn rows() -> impl Iterator<Item = (&'static Route, Shows)> {
    let found = |route: &Route| ROWS.iter().find(|(verb, path, _)| (*verb, *path) == (route.verb, route.path));
    let behind = ROUTES.iter().filter(|route| route.door == Door::SignedIn);
    behind
        .map(move |route| (route, found(route).unwrap_or_else(|| panic!("{route:?} has no row: say what it shows")).2))
}

#[track_caller]
fn shows_nothing_of_acme(route: &Route, page: &str, asked: &[&str]) {
    for foreign in OF_ACME.iter().filter(|text| !asked.contains(text)) {
        assert!(!page.contains(foreign), "{route:?} shows {foreign}: {page}");
    }
}

#[test]
fn every_route_behind_the_door_has_a_row_and_every_row_a_route() {
    assert_eq!(rows().count(), ROWS.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_every_caller_what_its_key_may_see() {
    let world = World::new().await;
    let own = Person::sign_in(&world.host, API_KEY).await;
    let elsewhere = Person::sign_in(&world.host, &world.elsewhere().await).await;
    let admin = Person::sign_in(&world.host, ADMIN_KEY).await;
    let mut admin_elsewhere = Person::sign_in(&world.host, ADMIN_KEY).await;
    let chosen = admin_elsewhere.post("/ui/environment", "environment=sandbox").await;
    admin_elsewhere.keep(&chosen);
    // Ids that somebody asks for may stand in the answer that there is none.
    let asked = [OF_ACME[1], OF_ACME[2]];
    for (route, shows) in rows() {
        let status = async |person: &Person, tenant| world.ask(person, route, tenant).await.0;
        let (own_status, admin_status) = (status(&own, "acme").await, status(&admin, "acme").await);
        let expected = match shows {
            Own(_) | Tenant(_) | Object(_) => (200, 200),
            Administrator if route.verb == Verb::Post => (403, 303),
            Administrator => (403, 200),
            Nothing => (404, 404),
        };
        assert_eq!((own_status, admin_status), expected, "{route:?}");

        let (foreign, page) = world.ask(&own, route, "globex").await;
        let expected = match shows {
            Object(_) | Nothing => 404,
            Administrator => 403,
            Own(_) | Tenant(_) => 200,
        };
        assert_eq!(foreign, expected, "{route:?} below another tenant");
        if !matches!(shows, Own(_)) {
            shows_nothing_of_acme(route, &page, &asked);
        }

        let outside = match shows {
            Tenant(_) | Object(_) | Nothing => 404,
            Administrator => 403,
            Own(_) => 200,
        };
        let (found, page) = world.ask(&elsewhere, route, "acme").await;
        assert_eq!(found, outside, "{route:?} with another environment's key");
        shows_nothing_of_acme(route, &page, &asked);
        // Last: its form goes back to `live`, in this answer's cookie alone.
        let (found, page) = world.ask(&admin_elsewhere, route, "acme").await;
        let outside = if shows == Administrator { admin_status } else { outside };
        assert_eq!(found, outside, "{route:?} where the administrator looks elsewhere");
        shows_nothing_of_acme(route, &page, &asked);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_scope_the_key_has_not_says_which_and_a_key_that_ended_is_signed_out() {
    let world = World::new().await;
    for scope in SCOPES {
        let person = Person::sign_in(&world.host, &world.key(scope).await).await;
        for (route, shows) in rows() {
            let (status, page) = world.ask(&person, route, "acme").await;
            let lacks = match shows {
                // The overview is made of three.
                Own(needed) if route.path == "/ui" => {
                    needed == scope || ["tenants", "destinations:read"].contains(&scope)
                }
                Own(needed) | Tenant(needed) | Object(needed) => needed == scope,
                Administrator => true,
                Nothing => false,
            };
            if lacks {
                let needed = if shows == Administrator { "admin" } else { scope };
                assert!(status == 403 && page.contains(needed), "{route:?} without {scope}: {status} {page}");
            } else {
                assert_eq!(status, if shows == Nothing { 404 } else { 200 }, "{route:?} without {scope}");
            }
            assert!(scope != "payloads:read" || !page.contains(OF_ACME[3]), "{route:?} shows a payload");
        }
    }
    let ends = post(&world.host.client(), "/v1/keys", &json!({"scopes": ["*"]})).await;
    let person = Person::sign_in(&world.host, ends["secret"].as_str().expect("a secret")).await;
    assert_eq!(person.get("/ui").await.0, 200);
    let path = format!("/v1/keys/{}", ends["id"].as_str().expect("an id"));
    assert_eq!(world.host.client().delete(&path).await.0, 204);
    for (route, shows) in rows().filter(|(_, shows)| *shows != Nothing) {
        assert_eq!(world.ask(&person, route, "acme").await.0, 303, "{route:?} {shows:?}");
    }
    let (log, secret) = (world.host.log(), ends["secret"].as_str().expect("a secret"));
    assert!(!log.contains(secret) && !log.contains("railhead_session"), "{log}");
}
