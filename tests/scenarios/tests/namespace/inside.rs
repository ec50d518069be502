//! What runs within the namespace.

use super::spellings::{self, METADATA, REFUSED_V4, REFUSED_V6, Spelling, TRICKS, is_unconnectable};
use futures::StreamExt as _;
use railhead_harness::{Client, Host, HostOptions};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Set by the test that makes the namespace: elsewhere this one would change the machine's own network.
pub const IS_INSIDE: &str = "RAILHEAD_INSIDE_NAMESPACE";
/// The ports that listen at every address.
const PORTS: [u16; 3] = [80, 443, 8080];
/// A public address: reached where names lead to it.
const PUBLIC: &str = "93.184.216.34";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the test that makes a namespace for it"]
async fn all_of_it() {
    assert!(std::env::var_os(IS_INSIDE).is_some(), "this test belongs into a namespace of its own");
    let folder = tempfile::tempdir().expect("a folder");
    let names = Names::new(folder.path());
    make_everything_local();
    let listeners = Listeners::start().await;
    every_refused_address_listens(&listeners).await;

    let spellings = spellings::all();
    let targets = targets(&spellings, &names);
    let data = folder.path().join("data");
    let open = Host::start(&data, &open_to_everything()).await;
    make_destinations(&open.client(), &targets).await;
    all_are_reached(&open.client(), &targets, &listeners).await;
    drop(open);

    let closed = Host::start(&data, &closed()).await;
    let client = closed.client();
    listeners.forget();
    written_anew_they_are_refused(&client, &targets).await;
    kept_ones_are_not_sent_to(&client, &targets).await;
    assert_eq!(listeners.reached(), BTreeMap::new(), "something was reached");
    tricks_are_refused(&client).await;
    // Some tricks do name the public address; none leads anywhere else.
    let public: IpAddr = PUBLIC.parse().expect("an address");
    assert!(listeners.reached().keys().all(|ip| *ip == public), "{:?}", listeners.reached());

    names_that_change_are_judged_at_each_attempt(&client, &names, &listeners).await;
}

/// One URL to be tried.
struct Target {
    url: String,
    ip: IpAddr,
    /// The address stands in the URL itself.
    literal: bool,
    tenant: String,
    id: String,
}

impl Target {
    fn path(&self) -> String {
        format!("/v1/tenants/{}/destinations/{}", self.tenant, self.id)
    }

    fn takes_events(&self) -> bool {
        self.id.ends_with(['0', '1', '2', '3', '4'])
    }

    /// Half of them hide the URL in a credential, and those that the field takes in no spelling of that kind.
    fn webhook(&self) -> Value {
        let in_config = self.url.is_ascii() && !self.url.contains('%') && self.id.ends_with(['0', '2', '4', '6', '8']);
        let event_types = if self.takes_events() { ["a.b"] } else { ["nothing"] };
        // What failed while it was reached is not retried while the test looks at what is refused.
        let mut body = json!({"connector": "webhook", "config": {}, "event_types": event_types,
                              "retry": {"schedule_ms": [86_400_000]}});
        body[if in_config { "config" } else { "credentials" }] = json!({"url": self.url});
        body
    }
}

/// Every spelling, and every address behind a name, by turns with and without TLS.
fn targets(spellings: &[Spelling], names: &Names) -> Vec<Target> {
    let literals = spellings.iter().map(|one| (one.host.clone(), one.ip, true));
    let named = names.0.iter().map(|(name, ip)| (name.clone(), *ip, false));
    let mut targets = Vec::new();
    for (n, (host, ip, literal)) in literals.chain(named).enumerate() {
        let url = match n % 3 {
            0 => format!("http://{host}:8080/a"),
            1 => format!("http://{host}/a"),
            _ => format!("https://{host}/a"),
        };
        // A tenant holds a bounded share of the host's sessions.
        targets.push(Target { url, ip, literal, tenant: format!("t{}", n / 20), id: format!("d{n}") });
    }
    targets
}

const AT_ONCE: usize = 8;

async fn make_destinations(client: &Client, targets: &[Target]) {
    for number in 0..=targets.len() / 20 {
        client.make_tenant(&format!("t{number}")).await;
    }
    client.make_tenant("tricks").await;
    let made = futures::stream::iter(targets).map(|target| async move {
        let (status, answer) = client.put(&target.path(), &target.webhook()).await;
        assert_eq!(status, 201, "{}: {answer}", target.url);
    });
    made.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
}

/// Sends an event now, and answers with its attempt.
async fn attempt(client: &Client, path: &str) -> Value {
    let event = json!({"event": {"type": "a.test", "data": {}}});
    let (status, answer) = client.post(&format!("{path}/test"), &event).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer["attempt"].clone()
}

/// Without the policy each of them is reached: these spellings do mean these addresses.
async fn all_are_reached(client: &Client, targets: &[Target], listeners: &Listeners) {
    let tried =
        futures::stream::iter(targets).map(|target| async move { (target, attempt(client, &target.path()).await) });
    for (target, attempt) in tried.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
        let code = attempt["code"].as_str().unwrap_or_default();
        let expected = if is_unconnectable(target.ip.to_canonical()) {
            code.starts_with("connect-")
        } else if target.url.starts_with("https:") {
            code.starts_with("tls-")
        } else {
            code == "http-302"
        };
        assert!(expected, "{} ({}) was not reached: {attempt}", target.url, target.ip);
    }
    let reached = listeners.reached();
    for ip in REFUSED_V4.map(IpAddr::from).into_iter().filter(|ip| !is_unconnectable(*ip) && !ip.is_unspecified()) {
        assert!(reached.contains_key(&ip), "{ip} was not reached: {reached:?}");
    }
}

/// What can be said of a URL when it is written is said then.
async fn written_anew_they_are_refused(client: &Client, targets: &[Target]) {
    for target in targets.iter().filter(|target| target.literal) {
        let (status, answer) = client.put(&format!("{}-new", target.path()), &target.webhook()).await;
        assert_eq!(status, 422, "{}: {answer}", target.url);
        let pointer = answer["errors"][0]["pointer"].as_str().unwrap_or_default();
        assert!(["/config/url", "/credentials/url"].contains(&pointer), "{}: {answer}", target.url);
    }
}

/// What was written while the policy was another one is judged again when it is sent to: by an event or a test (which
/// waits where events have failed), and by a check.
async fn kept_ones_are_not_sent_to(client: &Client, targets: &[Target]) {
    for number in 0..=targets.len() / 20 {
        let event = json!({"tenant": format!("t{number}"), "type": "a.b", "id": "all", "data": {}});
        assert_eq!(client.post("/v1/events", &event).await.0, 202);
    }
    let tried = futures::stream::iter(targets).map(|target| async move {
        assert_eq!(client.post(&format!("{}/check", target.path()), &json!({})).await.0, 200);
        let attempt = match target.takes_events() {
            true => client.first_attempt(&target.tenant, &target.id).await,
            false => attempt(client, &target.path()).await,
        };
        (target, attempt)
    });
    for (target, attempt) in tried.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
        let seen = (&attempt["outcome"], &attempt["code"]);
        assert_eq!(seen, (&json!("misconfigured"), &json!("address-not-allowed")), "{}: {attempt}", target.url);
    }
}

async fn tricks_are_refused(client: &Client) {
    for (n, trick) in TRICKS.iter().enumerate() {
        for (k, url) in [trick.replace("{p}", "8080"), trick.replace("{p}", "80")].into_iter().enumerate() {
            for body in [
                json!({"connector": "webhook", "config": {"url": url}}),
                json!({"connector": "webhook", "config": {}, "credentials": {"url": url}}),
            ] {
                let path = format!("/v1/tenants/tricks/destinations/k{n}-{k}");
                let (status, answer) = client.put(&path, &body).await;
                if (200..300).contains(&status) {
                    let attempt = attempt(client, &path).await;
                    assert_ne!(attempt["outcome"], "delivered", "{url}: {attempt}");
                } else {
                    assert_eq!(status, 422, "{url:?}: {answer}");
                }
            }
        }
    }
}

/// A name with both kinds of address leads to the public one; one that changes is judged anew; a redirect leads nowhere.
async fn names_that_change_are_judged_at_each_attempt(client: &Client, names: &Names, listeners: &Listeners) {
    let path = "/v1/tenants/tricks/destinations/changing";
    let body = json!({"connector": "webhook", "config": {"url": "http://changing.test:8080/"}});
    let refused = json!("address-not-allowed");
    names.also(&format!("10.0.0.1 changing.test\n{PUBLIC} changing.test\n127.0.0.1 changing.test\n"));
    assert_eq!(client.put(path, &body).await.0, 201);
    for _ in 0..3 {
        assert_eq!(attempt(client, path).await["code"], "http-302");
    }
    let public: IpAddr = PUBLIC.parse().expect("an address");
    assert_eq!(listeners.reached().into_keys().collect::<Vec<_>>(), [public], "only the public one");
    for inside in ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fd00:ec2::254"] {
        names.also(&format!("{PUBLIC} changing.test\n"));
        assert_eq!(attempt(client, path).await["code"], "http-302");
        names.also(&format!("{inside} changing.test\n"));
        assert_eq!(attempt(client, path).await["code"], refused, "{inside}");
    }
    assert_eq!(listeners.reached().into_keys().collect::<Vec<_>>(), [public], "only the public one");
}

fn open_to_everything() -> HostOptions {
    let mut options = closed();
    options.env.push(("RAILHEAD_EGRESS_ALLOW".to_owned(), format!("0.0.0.0/0,::/0,{METADATA}")));
    options
}

/// The default policy, but for plain HTTP: that must not be why something is refused. And a proxy that is none of ours.
fn closed() -> HostOptions {
    let proxy = "http://10.0.0.1:8080";
    let set = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    let mut env: Vec<_> = set.map(|name| (name.to_owned(), proxy.to_owned())).into();
    env.push(("RAILHEAD_EGRESS_PLAINTEXT".to_owned(), "true".to_owned()));
    HostOptions { env, allow_loopback: false, ..HostOptions::default() }
}

/// Names in a hosts file of the namespace's own.
struct Names(Vec<(String, IpAddr)>);

impl Names {
    fn new(folder: &Path) -> Self {
        let v6 = REFUSED_V6.map(|text| text.parse().expect("an address"));
        let refused = REFUSED_V4.map(IpAddr::from).into_iter().chain(v6);
        let mut names: Vec<_> = refused.enumerate().map(|(n, ip)| (format!("n{n}.inside.test"), ip)).collect();
        let loopback: IpAddr = "127.0.0.1".parse().expect("an address");
        names.extend(
            ["localhost", "LOCALHOST", "localhost.", "LocalHost.LocalDomain"].map(|name| (name.to_owned(), loopback)),
        );
        let names = Self(names);
        for (name, text) in
            [("hosts", String::new()), ("resolv.conf", String::new()), ("nsswitch.conf", "hosts: files\n".into())]
        {
            let (file, place) = (folder.join(name), format!("/etc/{name}"));
            std::fs::write(&file, text).expect("written");
            // A machine without the file has nothing to hide.
            if Path::new(&place).exists() {
                run("mount", &["--bind", &file.display().to_string(), &place]);
            }
        }
        names.also("");
        names
    }

    /// All names, and more lines: in place, for the file is mounted.
    fn also(&self, lines: &str) {
        let own = self.0.iter().map(|(name, ip)| format!("{ip} {name}\n")).collect::<String>();
        std::fs::write("/etc/hosts", own + lines).expect("written");
    }
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn make_everything_local() {
    let interfaces = std::fs::read_dir("/sys/class/net").map(|all| all.count()).unwrap_or_default();
    let routes = std::fs::read_to_string("/proc/net/route").expect("a kernel");
    assert!(routes.lines().count() <= 1, "this is no namespace of its own ({interfaces} interfaces): {routes}");
    run("ip", &["link", "set", "lo", "up"]);
    run("ip", &["route", "add", "local", "0.0.0.0/0", "dev", "lo"]);
    run("ip", &["-6", "route", "add", "local", "::/0", "dev", "lo"]);
}

/// Listeners at all addresses, which count by the address that was reached.
#[derive(Clone)]
struct Listeners(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

impl Listeners {
    async fn start() -> Self {
        let listeners = Self(Arc::default());
        for port in PORTS {
            let listener = TcpListener::bind(format!("[::]:{port}")).await.expect("a port of the namespace");
            let own = listeners.clone();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    own.count(stream.local_addr().expect("an address"));
                    tokio::spawn(answer(stream));
                }
            });
        }
        listeners
    }

    fn count(&self, at: SocketAddr) {
        *self.0.lock().expect("not poisoned").entry(at.ip().to_canonical()).or_default() += 1;
    }

    fn reached(&self) -> BTreeMap<IpAddr, usize> {
        self.0.lock().expect("not poisoned").clone()
    }

    fn forget(&self) {
        self.0.lock().expect("not poisoned").clear();
    }
}

/// Sends everybody on to where nobody may go. Over TLS that is garbage, but then it was reached.
async fn answer(mut stream: TcpStream) {
    let _ = stream.read(&mut [0; 16 * 1024]).await;
    let to = "location: http://169.254.169.254/latest/meta-data/";
    let head = format!("HTTP/1.1 302 Found\r\n{to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// The test can fail: a connection to any of these addresses arrives, and is counted.
async fn every_refused_address_listens(listeners: &Listeners) {
    let all: std::collections::BTreeSet<IpAddr> = spellings::all().iter().map(|one| one.ip).collect();
    for ip in all.into_iter().filter(|ip| !is_unconnectable(ip.to_canonical())) {
        for port in PORTS {
            let connecting = TcpStream::connect((ip, port));
            let connected = tokio::time::timeout(Duration::from_secs(10), connecting).await.expect("in time");
            let mut stream = connected.unwrap_or_else(|error| panic!("{ip} does not listen at {port}: {error}"));
            let _ = stream.write_all(b"hello").await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        let counted = ip.to_canonical().is_unspecified() || listeners.reached().contains_key(&ip.to_canonical());
        assert!(counted, "{ip} was not counted: {:?}", listeners.reached());
    }
}
