//! The whole router: who is let in, what is asked of the API, what is sent along.

use super::stand_in::{ADMIN, KEY, OWN, POOR, REVOKED, Site};

const EVENT: &str = super::samples::EVENT;

/// Every page that is read.
pub fn pages() -> Vec<String> {
    let tenant = "/ui/tenants/acme";
    let paths = ["", "/events", "/deliveries", "/destinations/crm", "/deliveries/dlv_Crm1"];
    let mut all: Vec<_> = paths.iter().map(|path| format!("{tenant}{path}")).collect();
    all.push(format!("{tenant}/events/{EVENT}"));
    all.extend(["/ui", "/ui/tenants"].map(str::to_owned));
    all
}

fn site() -> Site {
    Site::new(false, |sample| sample)
}

#[tokio::test]
async fn without_a_session_every_page_leads_to_the_door_and_back() {
    let site = site();
    for path in pages() {
        let got = site.get(&path, "").await;
        assert_eq!((got.status, got.body.as_str()), (303, ""), "{path}");
        assert!(got.location().starts_with("/ui/sign-in"), "{path}");
    }
    assert!(site.asked.lock().expect("not poisoned").is_empty());
    let got = site.get("/ui/tenants/acme?cursor=c%26", "").await;
    assert_eq!(got.location(), "/ui/sign-in?next=%2Fui%2Ftenants%2Facme%3Fcursor%3Dc%2526");
    let door = site.get(got.location(), "").await;
    assert!(door.body.contains("name=\"next\" value=\"/ui/tenants/acme?cursor=c%26\""), "{}", door.body);
    let back =
        site.post("/ui/sign-in", "", OWN, &format!("key={KEY}&next=%2Fui%2Ftenants%2Facme%3Fcursor%3Dc%2526")).await;
    assert_eq!((back.status, back.location()), (303, "/ui/tenants/acme?cursor=c%26"));
}

#[tokio::test]
async fn every_page_renders_with_strict_headers() {
    let site = site();
    let cookie = site.signed_in(KEY).await;
    for path in pages() {
        let got = site.get(&path, &cookie).await;
        assert_eq!(got.status, 200, "{path}: {}", got.body);
        assert!(got.header("content-security-policy").starts_with("default-src 'none'; style-src 'self'"), "{path}");
        assert!(got.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(got.header("x-frame-options"), "DENY");
        assert_eq!(got.header("x-content-type-options"), "nosniff");
        assert_eq!(got.header("referrer-policy"), "no-referrer");
        assert_eq!(got.header("cache-control"), "no-store");
        assert!(got.body.contains("<html lang=\"en\">") && got.body.contains("<main id=\"main\""), "{path}");
        for inline in ["style=", "<style", "onclick", "javascript:"] {
            assert!(!got.body.contains(inline), "{path} has {inline}");
        }
        assert!(!got.body.contains(KEY), "{path} shows the key");
    }
}

#[tokio::test]
async fn a_cookie_is_sealed_and_for_these_pages_alone() {
    for (https_only, headers, secure) in [
        (false, OWN, false),
        (true, OWN, true),
        (false, &[("sec-fetch-site", "same-origin"), ("x-forwarded-proto", "https")], true),
    ] {
        let site = Site::new(https_only, |sample| sample);
        let got = site.post("/ui/sign-in", "", headers, &format!("key={KEY}")).await;
        let cookie = got.header("set-cookie");
        for attribute in ["Path=/ui", "HttpOnly", "SameSite=Strict", "Max-Age=28800"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert_eq!(cookie.contains("; Secure"), secure, "{cookie}");
        assert!(!cookie.contains("rk_live"));
    }
}

#[tokio::test]
async fn a_session_ends_by_time_by_sign_out_and_with_its_key() {
    let site = site();
    let cookie = site.signed_in(KEY).await;
    site.clock.advance(8 * 3_600_000 - 1);
    assert_eq!(site.get("/ui", &cookie).await.status, 200);
    site.clock.advance(1);
    assert_eq!(site.get("/ui", &cookie).await.status, 303);
    let out = site.post("/ui/sign-out", &cookie, OWN, "").await;
    assert_eq!((out.status, out.location()), (303, "/ui/sign-in"));
    assert!(out.header("set-cookie").starts_with("railhead_session=; Path=/ui; Max-Age=0"));

    let other = Site::new(false, |sample| sample);
    assert_eq!(other.get("/ui", &site.signed_in(KEY).await).await.status, 303, "another host opens it");
    for (at, _) in cookie.char_indices().skip("railhead_session=".len()).step_by(7) {
        let mut changed = cookie.clone();
        let with = if changed[at..].starts_with('A') { "B" } else { "A" };
        changed.replace_range(at..=at, with);
        assert_eq!(site.get("/ui", &changed).await.status, 303);
    }
}

#[tokio::test]
async fn a_cookie_that_somebody_kept_is_refused_after_sign_out() {
    let site = site();
    let (kept, other) = (site.signed_in(ADMIN).await, site.signed_in(ADMIN).await);
    let changed = site.post("/ui/environment", &kept, OWN, "environment=sandbox").await.cookie();
    site.post("/ui/sign-out", &changed, OWN, "").await;
    let asked = site.asked.lock().expect("not poisoned").len();
    for cookie in [&kept, &changed] {
        assert_eq!(site.get("/ui", cookie).await.status, 303);
    }
    assert_eq!(site.asked.lock().expect("not poisoned").len(), asked, "its key is not used any more");
    assert_eq!(site.get("/ui", &other).await.status, 200, "another session of the same key goes on");
}

#[tokio::test]
async fn signing_in_again_ends_the_session_before() {
    let site = site();
    let before = site.signed_in(KEY).await;
    let now = site.post("/ui/sign-in", &before, OWN, &format!("key={KEY}")).await.cookie();
    assert_eq!(site.get("/ui", &before).await.status, 303);
    assert_eq!(site.get("/ui", &now).await.status, 200);
    site.post("/ui/sign-in", &now, OWN, "key=rk_live_guess").await;
    assert_eq!(site.get("/ui", &now).await.status, 200, "a wrong key ends nothing");
}

#[tokio::test]
async fn an_event_page_asks_for_nothing_that_went_over_the_wire() {
    let site = site();
    let cookie = site.signed_in(KEY).await;
    let got = site.get(&format!("/ui/tenants/acme/events/{EVENT}"), &cookie).await;
    assert!(got.body.contains("http-422") && got.body.contains("attempt 2, 12"), "{}", got.body);
    assert!(site.asked.lock().expect("not poisoned").iter().all(|path| !path.contains("/attempts")));
}

#[tokio::test]
async fn a_revoked_key_is_signed_out() {
    let site = Site::new(false, |sample| sample);
    let cookie = site.signed_in(REVOKED).await;
    site.revoke();
    let got = site.get("/ui/tenants", &cookie).await;
    assert_eq!((got.status, got.location()), (303, "/ui/sign-in?next=%2Fui%2Ftenants"));
    assert!(got.header("set-cookie").starts_with("railhead_session=; "), "{}", got.header("set-cookie"));
}

#[tokio::test]
async fn wrong_keys_are_told_nothing_but_that() {
    let site = site();
    let long = "x".repeat(300);
    for key in ["", "rk_live_guess", "a%0D%0Ab", "%00", &long] {
        let got = site.post("/ui/sign-in", "", OWN, &format!("key={key}")).await;
        assert_eq!(got.status, 401, "{key}");
        assert!(got.body.contains("That is not a valid key.") && !got.headers.contains_key("set-cookie"));
        assert!(!got.body.contains("Said by the API"));
    }
    let large = site.post("/ui/sign-in", "", OWN, &format!("key={}", "x".repeat(20_000))).await;
    assert_eq!(large.status, 413);
    assert!(large.body.contains("<h1>Too large</h1>") && !large.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn forms_of_other_pages_are_refused() {
    let site = site();
    let cookie = site.signed_in(ADMIN).await;
    let before = site.asked.lock().expect("not poisoned").len();
    for (path, form) in
        [("/ui/sign-in", "key=rk_live_good"), ("/ui/sign-out", ""), ("/ui/environment", "environment=live")]
    {
        for foreign in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("origin", "https://evil.example"), ("host", "host.test")],
            &[("host", "host.test")],
        ] {
            let got = site.post(path, &cookie, foreign, form).await;
            assert_eq!(got.status, 403, "{path}");
            assert!(
                !got.headers.contains_key("set-cookie") && got.body.contains("did not come from a page of this host")
            );
        }
    }
    assert_eq!(site.asked.lock().expect("not poisoned").len(), before);
}

#[tokio::test]
async fn the_administrator_looks_at_one_environment_at_a_time() {
    let site = site();
    let cookie = site.signed_in(ADMIN).await;
    assert!(site.get("/ui", &cookie).await.body.contains("/ui/environment"));
    let last = || site.asked.lock().expect("not poisoned").last().cloned().unwrap_or_default();
    assert_eq!(last(), "/v1/overview?environment=live");
    let got = site.post("/ui/environment", &cookie, OWN, "environment=sandbox").await;
    assert_eq!((got.status, got.location()), (303, "/ui"));
    let cookie = got.cookie();
    assert_eq!(site.get("/ui/tenants", &cookie).await.status, 200);
    assert_eq!(last(), "/v1/tenants?environment=sandbox");
    assert_eq!(site.post("/ui/environment", &cookie, OWN, "environment=other").await.status, 404);
}

#[tokio::test]
async fn what_the_api_refuses_is_a_page_with_a_next_step() {
    let site = site();
    let cookie = site.signed_in(KEY).await;
    for (path, status, words) in [
        ("/ui/tenants/globex", 404, "Check the address"),
        ("/ui/tenants/acme/events/broken", 500, "req_7"),
        ("/ui/no/such/page", 404, "There is no such page"),
        ("/ui/assets/none.css", 404, "There is no such page"),
        ("/ui/tenants/%ff", 400, "The address cannot be read"),
        ("/ui/assets/%ff", 400, "The address cannot be read"),
    ] {
        let got = site.get(path, &cookie).await;
        assert_eq!(got.status, status, "{path}");
        assert!(got.body.contains(words) && got.body.contains("<h1>"), "{path}: {}", got.body);
        assert!(got.headers.contains_key("content-security-policy"), "{path}");
    }
    let poor = site.signed_in(POOR).await;
    let got = site.get("/ui", &poor).await;
    assert_eq!(got.status, 403);
    assert!(got.body.contains("Said by the API.") && got.body.contains("Sign in with a key that has this scope"));
    assert_eq!(site.post("/ui/tenants", &cookie, OWN, "").await.status, 405);
}

#[tokio::test]
async fn names_stay_one_step_of_a_path() {
    let site = site();
    let cookie = site.signed_in(KEY).await;
    let steps = ["..%2F..%2Fkeys", "%2e%2e", "a%3Fenvironment%3Dsandbox", "a%23", "%0D%0A", "%FF", "a%2Fb"];
    for step in steps {
        let got = site.get(&format!("/ui/tenants/acme/destinations/{step}"), &cookie).await;
        let last =
            site.asked.lock().expect("not poisoned").iter().rev().find(|path| path.contains("destinations/")).cloned();
        let Some(last) = last else { continue };
        assert!(matches!(got.status, 200 | 400 | 404), "{step}: {}", got.status);
        let steps: Vec<_> = last.split('?').next().expect("a path").split('/').collect();
        assert_eq!(steps.len(), 6, "{last}");
        assert!(last.ends_with("?environment=live") && last.matches('?').count() == 1, "{last}");
    }
}

#[tokio::test]
async fn an_event_is_looked_up_by_its_id() {
    let site = site();
    let cookie = site.signed_in(KEY).await;
    let got = site.get("/ui/tenants/acme/events?id=ord%2F1%3F", &cookie).await;
    assert_eq!((got.status, got.location()), (303, format!("/ui/tenants/acme/events/{EVENT}").as_str()));
    assert!(site.asked.lock().expect("not poisoned").iter().any(|path| path.contains("/events/ord%2F1%3F?")));
    let unknown = site.get("/ui/tenants/acme/events?id=unknown", &cookie).await;
    assert_eq!(unknown.status, 200);
    assert!(unknown.body.contains("There is no event <code>unknown</code>"));
}

#[tokio::test]
async fn filters_reach_the_api_and_stay_in_links() {
    let site = site();
    let cookie = site.signed_in(KEY).await;
    let path = "/ui/tenants/acme/deliveries?state=dead&code=&since=2026-11-23T15:04&evil=1";
    let got = site.get(path, &cookie).await;
    let last = site.asked.lock().expect("not poisoned").last().cloned().unwrap_or_default();
    assert_eq!(last, "/v1/tenants/acme/deliveries?state=dead&since=2026-11-23T15%3A04%3A00Z&environment=live");
    assert!(
        got.body.contains("/ui/tenants/acme/deliveries?state=dead&#38;since=2026-11-23T15%3A04&#38;cursor=c1"),
        "{}",
        got.body
    );
}

#[tokio::test]
async fn assets_are_named_by_their_content_and_kept() {
    let site = site();
    let door = site.get("/ui/sign-in", "").await;
    for (name, kind) in [("portal-", "text/css"), ("portal-", "text/javascript"), ("icon-", "image/svg+xml")] {
        let end = match kind {
            "text/css" => ".css",
            "text/javascript" => ".js",
            _ => ".svg",
        };
        let paths: Vec<_> = door.body.split('"').filter(|part| part.contains(name) && part.ends_with(end)).collect();
        let got = site.get(paths.first().expect("a link"), "").await;
        assert_eq!(got.status, 200);
        assert!(got.header("content-type").starts_with(kind) && got.header("cache-control").contains("immutable"));
        assert_eq!(got.header("x-content-type-options"), "nosniff");
    }
}
