//! Destinations that are wrong in every way of HTTP and TLS: each attempt has its outcome and code, its record is bounded,
//! and nothing in it is more than text.

#[path = "hostile_destinations/http.rs"]
mod http;
#[path = "hostile_destinations/tls.rs"]
mod tls;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use railhead_harness::{Browser, Client, Host, Page, Peer, Reply, Store};
use serde_json::{Value, json};
use std::time::Duration;

railhead_harness::on_both_stores! {
    every_wrong_http_answer_has_its_outcome,
    every_wrong_tls_has_its_outcome_and_nothing_is_sent,
    an_answer_that_nobody_asked_for_belongs_to_no_event,
}

/// Longest record of one attempt, in bytes of JSON. The text that is kept of a request or an answer is at most 64 KiB of
/// body and 64 KiB of head; in JSON, a control character is six bytes.
const MAX_RECORD: usize = 6 * 128 * 1024 + 64 * 1024;

/// One way to be wrong.
struct Case {
    name: &'static str,
    peer: Peer,
    url: String,
    /// The attempt's outcome, its code, and the status of the answer that is on record.
    expected: (&'static str, &'static str, Option<u16>),
    /// Milliseconds; short where nothing but time ends the attempt.
    timeout_ms: u32,
}

/// Long enough that on a busy machine an attempt ends by what the peer does.
const AMPLE_MS: u32 = 60_000;
/// How long anything may take that nothing tells of.
const AMPLE: Duration = Duration::from_secs(60);
/// Where only time ends it. The last quarter of a second is the connector's, to say how its request ended: so each ends at
/// a moment of its own, and after those that cost the host most.
const fn short_ms(n: u32) -> u32 {
    5_000 + 250 * n
}
/// All cases of one store at a time.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

impl Case {
    fn webhook(&self) -> Value {
        json!({"connector": "webhook", "config": {"url": self.url},
               "retry": {"schedule_ms": [3_600_000]}, "timeout_ms": self.timeout_ms})
    }

    async fn attempt(&self, client: &Client) -> Value {
        // Each is a tenant's own: one tenant may not hold all sessions of the host.
        client.make_tenant(self.name).await;
        client.make_destination(self.name, "hook", &self.webhook()).await;
        publish(client, self.name, "1").await;
        client.first_attempt(self.name, "hook").await
    }
}

async fn publish(client: &Client, tenant: &str, id: &str) {
    let event = json!({"tenant": tenant, "type": "a.b", "id": format!("{tenant}-{id}"), "data": {"hello": "world"}});
    let (status, answer) = client.post("/v1/events", &event).await;
    assert_eq!(status, 202, "{answer}");
}

/// All cases at once: that is also how they would come.
async fn check(client: &Client, cases: &[Case]) {
    let attempts = cases.iter().map(|case| async move { (case, case.attempt(client).await) });
    let attempts: Vec<_> = attempts.collect::<FuturesUnordered<_>>().collect().await;
    let mut wrong = Vec::new();
    for (case, attempt) in &attempts {
        let seen = (attempt["outcome"].as_str(), attempt["code"].as_str(), attempt["response"]["status"].as_u64());
        if seen != (Some(case.expected.0), Some(case.expected.1), case.expected.2.map(u64::from)) {
            wrong.push(format!("{}: expected {:?}, got {seen:?}: {}", case.name, case.expected, attempt["message"]));
        }
        check_record(case.name, attempt);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Code and message are ours, in printable words; the whole is bounded.
fn check_record(name: &str, attempt: &Value) {
    let size = attempt.to_string().len();
    assert!(size < MAX_RECORD, "{name}: {size} bytes are on record");
    assert!(attempt["request"].is_object(), "{name}: {attempt}");
    for field in ["outcome", "code", "message"] {
        let text = attempt[field].as_str().unwrap_or_else(|| panic!("{name}: no {field}: {attempt}"));
        assert!(text.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{name}: {field} is {text:?}");
        assert!(!text.is_empty() && text.len() < 1_000 && !text.contains('<'), "{name}: {field} is {text:?}");
    }
}

/// All pages that show something of what came; their HTML.
async fn look_at(browser: &Browser, client: &Client, tenant: &str) -> String {
    let root = format!("/ui/tenants/{tenant}");
    let mut paths = vec![root.clone(), format!("{root}/destinations/hook"), format!("{root}/deliveries")];
    for delivery in client.list(&format!("/v1/tenants/{tenant}/deliveries")).await {
        paths.push(format!("{root}/deliveries/{}", delivery["id"].as_str().expect("an id")));
        paths.push(format!("{root}/events/{tenant}-1"));
    }
    assert!(paths.len() > 4, "{tenant}: {paths:?}");
    let mut shown = String::new();
    for path in paths {
        let page = browser.get(&path).await;
        check_page(&path, &page);
        shown += &page.html;
    }
    shown
}

/// What a peer wrote is there to be read, as text: otherwise its absence as HTML would prove nothing.
fn shows_as_text(name: &str, shown: &str, written: &[&str]) {
    let escaped = |text: &str| text.replace('<', "&lt;").replace('>', "&gt;");
    let shown = shown.replace("&#60;", "&lt;").replace("&#62;", "&gt;");
    for text in written {
        assert!(shown.contains(&escaped(text)), "{name}: no page shows {text}");
    }
}

/// Nothing in a page runs but its own script, from its own file, and nothing in it moves the text around.
fn check_page(path: &str, page: &Page) {
    assert_eq!(page.status, 200, "{path}: {}", page.html);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
    let policy = page.header("content-security-policy").unwrap_or_default();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy:?}");
    let moves = |c: &char| {
        (c.is_control() && !"\n\t".contains(*c)) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let odd: Vec<_> = page.html.chars().filter(moves).collect();
    assert!(odd.is_empty(), "{path} holds {odd:?}");
    let html = page.html.to_ascii_lowercase();
    for script in html.split("<script").skip(1) {
        let tag = script.split('>').next().unwrap_or_default();
        assert!(tag.contains("src=\"/ui/assets/") && script.contains("></script>"), "{path}: <script{tag}>");
        let within = script.split_once('>').map(|(_, rest)| rest).unwrap_or_default();
        assert!(within.starts_with("</script>"), "{path}: something runs in the page itself: {within:.80}");
    }
    for tag in ["<img src=x", "<iframe", "<object", "<embed", "javascript:", "srcdoc="] {
        assert!(!html.contains(tag), "{path} holds {tag}");
    }
}

async fn every_wrong_http_answer_has_its_outcome(store: &Store) {
    let _turn = TURN.lock().await;
    let host = store.start().await;
    let (client, cases) = (host.client(), http::cases().await);
    check(&client, &cases).await;
    let browser = Browser::sign_in(host.address, railhead_harness::host::API_KEY).await;
    check_page("/ui", &browser.get("/ui").await);
    for case in cases {
        let shown = look_at(&browser, &client, case.name).await;
        if case.name == http::SCRIPT_EVERYWHERE {
            shows_as_text(case.name, &shown, &http::SCRIPTS);
        }
        // One request each: nothing that a peer says makes the host ask again within an attempt.
        assert_eq!(case.peer.requests().len(), 1, "{}: {:?}", case.name, case.peer.requests());
    }
}

async fn every_wrong_tls_has_its_outcome_and_nothing_is_sent(store: &Store) {
    let authority = railhead_harness::certificates::Authority::new("The operator's own");
    let folder = tempfile::tempdir().expect("a folder");
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, authority.pem()).expect("written");
    let mut options = store.options();
    options.env.push(("RAILHEAD_EGRESS_CA_FILE".to_owned(), roots.display().to_string()));
    let host = Host::start(store.folder(), &options).await;
    let cases = tls::cases(&authority).await;
    check(&host.client(), &cases).await;
    let (delivered, wrong): (Vec<_>, Vec<_>) = cases.iter().partition(|case| case.expected.0 == "delivered");
    for case in delivered {
        assert_eq!(case.peer.requests().len(), 1, "{}: {:?}", case.name, case.peer.requests());
    }
    for case in wrong {
        let heads: Vec<_> = case.peer.requests().into_iter().map(|request| request.head).collect();
        assert!(!heads.iter().any(|head| head.contains("webhook-id")), "{}: it got the event: {heads:?}", case.name);
    }
}

/// What a peer writes after its answer is not taken for the answer to the next request.
async fn an_answer_that_nobody_asked_for_belongs_to_no_event(store: &Store) {
    let host = store.start().await;
    let client = host.client();
    let two = http::ok("first") + &http::ok("smuggled");
    let peer = Peer::start(move |request| {
        let first = request.headers("webhook-id").any(|id| id == "smuggler-1");
        let refused = b"HTTP/1.1 400 No\r\ncontent-length: 0\r\n\r\n".to_vec();
        Reply::Whole(if first { two.clone().into_bytes() } else { refused })
    })
    .await;
    let url = peer.url("/");
    let smuggler = Case { name: "smuggler", peer, url, expected: ("", "", None), timeout_ms: AMPLE_MS };
    let first = smuggler.attempt(&client).await;
    assert_eq!((&first["code"], &first["status"]), (&json!("http-200"), &json!("200")), "{first}");
    assert!(!first.to_string().contains("smuggled"), "{first}");
    for n in 2..5 {
        publish(&client, "smuggler", &n.to_string()).await;
    }
    let refused = tokio::time::timeout(AMPLE, each_is_refused(&client, 3)).await;
    if refused.is_err() {
        panic!("three events were not refused in {} s: {:#?}", AMPLE.as_secs(), deliveries(&client, "").await);
    }
    assert_eq!(smuggler.peer.requests().len(), 4);
}

/// Waits until so many events after the first are dead. Only the first one may be delivered.
async fn each_is_refused(client: &Client, count: usize) {
    while deliveries(client, "?state=dead").await.len() < count {
        let delivered = deliveries(client, "?state=delivered").await;
        assert!(delivered.len() <= 1, "what nobody asked for was taken for an answer: {delivered:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn deliveries(client: &Client, query: &str) -> Vec<Value> {
    client.list(&format!("/v1/tenants/smuggler/deliveries{query}")).await
}
