//! Starting, stopping, and days on which the disk or the database does not play along.

use railhead_harness::host::binary;
use railhead_harness::{Host, HostOptions, Sink, Store};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

railhead_harness::on_both_stores! {
    sigterm_drains_and_exits_0,
    a_wrong_master_key_opens_nothing,
    keys_are_made_rotated_and_revoked_on_the_command_line,
    the_master_key_rotates_and_the_old_line_can_go,
}

async fn host_with_a_destination(store: &Store, sink: &Sink) -> Host {
    host_with_a_destination_and(store, sink, &store.options()).await
}

async fn host_with_a_destination_and(store: &Store, sink: &Sink, options: &HostOptions) -> Host {
    let host = Host::start(store.folder(), options).await;
    host.client().make_tenant("acme").await;
    let body = json!({"connector": "webhook", "config": {"url": sink.url("/hook")}});
    host.client().make_destination("acme", "hook", &body).await;
    host
}

fn event(id: &str) -> Value {
    json!({"tenant": "acme", "type": "order.created", "id": id, "data": {"text": "x".repeat(1_000)}})
}

async fn arrived(sink: &Sink, ids: &[String]) -> bool {
    sink.wait(Duration::from_secs(60), |received| {
        ids.iter().all(|id| received.iter().any(|one| one.headers.get("webhook-id") == Some(id)))
    })
    .await
}

async fn sigterm_drains_and_exits_0(store: &Store) {
    let sink = Sink::start().await;
    let mut host = host_with_a_destination(store, &sink).await;
    let ids: Vec<String> = (0..50).map(|n| format!("e{n}")).collect();
    let batch: Vec<_> = ids.iter().map(|id| event(id)).collect();
    let (status, body) = host.client().post("/v1/events", &Value::Array(batch)).await;
    assert_eq!(status, 202, "{body}");
    assert_eq!(host.terminate(), Some(0), "{}", host.log());
    let before = sink.count();
    let _host = store.start().await;
    assert!(arrived(&sink, &ids).await);
    assert_eq!(sink.count(), 50, "{before} came before the end; nothing is sent twice after an orderly one");
}

async fn a_wrong_master_key_opens_nothing(store: &Store) {
    let sink = Sink::start().await;
    let mut host = host_with_a_destination(store, &sink).await;
    assert_eq!(host.terminate(), Some(0), "{}", host.log());
    refuses_a_wrong_key(store);
    // Nothing of it is in the way of the right one.
    let host = store.start().await;
    assert_eq!(host.client().post("/v1/events", &event("after")).await.0, 202);
    assert!(arrived(&sink, &["after".to_owned()]).await, "{}", host.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_master_key_is_refused_and_nothing_is_overwritten() {
    let (store, sink) = (Store::embedded(), Sink::start().await);
    let mut host = host_with_a_destination(&store, &sink).await;
    assert_eq!(host.terminate(), Some(0), "{}", host.log());
    let files = || ["railhead.db", "master.key"].map(|name| std::fs::read(store.folder().join(name)).expect("a file"));
    let before = files();
    refuses_a_wrong_key(&store);
    assert!(before == files(), "the store or the key file was changed");

    std::fs::remove_file(store.folder().join("master.key")).expect("removed");
    let mut lost = Host::spawn(store.folder(), &store.options());
    assert_eq!(lost.wait(), Some(1));
    assert!(!store.folder().join("master.key").exists(), "a new key was made over an old store");
}

/// Starts a host with a new key over what another one has sealed.
fn refuses_a_wrong_key(store: &Store) {
    let key = Command::new(binary()).args(["master-key", "new"]).output().expect("runs");
    let key = String::from_utf8(key.stdout).expect("text");
    let mut options = store.options();
    options.env.retain(|(name, _)| name != "RAILHEAD_MASTER_KEY_FILE");
    options.env.push(("RAILHEAD_MASTER_KEY".to_owned(), key.trim().to_owned()));
    let mut wrong = Host::spawn(store.folder(), &options);
    assert_eq!(wrong.wait(), Some(1));
    let log = wrong.whole_log();
    assert!(log.contains("this master key does not open this store"), "{log}");
    assert!(!log.contains(key.trim()), "the key is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_host_on_one_embedded_store_is_refused() {
    let (store, sink) = (Store::embedded(), Sink::start().await);
    let _host = host_with_a_destination(&store, &sink).await;
    let mut second = Host::spawn(store.folder(), &store.options());
    assert_eq!(second.wait(), Some(1), "{}", second.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_without_a_master_key_says_how_to_make_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let env = vec![("RAILHEAD_DATABASE_URL".to_owned(), "postgres://nobody@127.0.0.1:1/none".to_owned())];
    let mut host = Host::spawn(folder.path(), &HostOptions { env, ..HostOptions::default() });
    assert_eq!(host.wait(), Some(1));
    let log = host.whole_log();
    assert!(log.contains("railhead master-key new"), "{log}");
}

/// A lock of another process on the database: new events get 503, what was acknowledged stays, and it goes on after.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_database_refuses_new_events_and_loses_none() {
    let (store, sink) = (Store::embedded(), Sink::start().await);
    let host = host_with_a_destination(&store, &sink).await;
    let client = host.client();
    assert_eq!(client.post("/v1/events", &event("before")).await.0, 202);
    let script = "import sqlite3, sys\n\
        db = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
        db.execute('BEGIN IMMEDIATE')\n\
        print('locked', flush=True)\n\
        sys.stdin.read()\n";
    let python = std::env::var("RAILHEAD_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut locker = Command::new(python)
        .args(["-c", script])
        .arg(store.folder().join("railhead.db"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("python runs");
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(locker.stdout.take().expect("piped")), &mut line)
        .expect("a line");
    assert_eq!(line.trim(), "locked");
    let (status, body) = client.post("/v1/events", &event("during")).await;
    assert_eq!(status, 503, "{body}");
    assert_eq!(body["code"], "unavailable", "{body}");
    drop(locker.stdin.take());
    locker.wait().expect("ends");
    assert!(accepted_again(&client, "during").await);
    assert!(arrived(&sink, &["before".to_owned(), "during".to_owned()]).await);
    assert!(!host.log().contains("panicked"), "{}", host.log());
}

/// A file size limit is what a full disk looks like to SQLite: the write fails. Lifted, the host goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_new_events_and_loses_none() {
    let (store, sink) = (Store::embedded(), Sink::start().await);
    let options = HostOptions { outlives_file_size_limit: true, ..store.options() };
    let host = host_with_a_destination_and(&store, &sink, &options).await;
    let client = host.client();
    assert_eq!(client.post("/v1/events", &event("first")).await.0, 202);
    let limit = |bytes: &str| {
        let status = Command::new("prlimit")
            .args(["--pid", &host.pid().to_string(), &format!("--fsize={bytes}:unlimited")])
            .status();
        assert!(status.expect("prlimit runs").success());
    };
    // One byte past what the write-ahead log holds now: the next page does not fit.
    let wal = std::fs::metadata(store.folder().join("railhead.db-wal")).expect("a write-ahead log").len();
    limit(&(wal + 1).to_string());
    let (mut acknowledged, mut refused) = (vec!["first".to_owned()], 0);
    // A commit whose outcome is unknown is repeated for 10 s before its publisher is told: few of them are enough.
    for n in 0..3 {
        let id = format!("full-{n}");
        match client.post("/v1/events", &event(&id)).await {
            (202, _) => acknowledged.push(id),
            (503, _) => refused += 1,
            (status, body) => panic!("{status}: {body}\n{}", host.log()),
        }
    }
    assert!(refused > 0, "the disk never was full");
    limit("unlimited");
    assert!(accepted_again(&client, "last").await, "{}", host.log());
    acknowledged.push("last".to_owned());
    assert!(arrived(&sink, &acknowledged).await, "{}", host.log());
}

async fn accepted_again(client: &railhead_harness::Client, id: &str) -> bool {
    for _ in 0..100 {
        if client.post("/v1/events", &event(id)).await.0 == 202 {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

/// `railhead key …` speaks to the running host: made, listed, rotated, revoked.
async fn keys_are_made_rotated_and_revoked_on_the_command_line(store: &Store) {
    let host = store.start().await;
    let key = |arguments: &[&str]| {
        let out = Command::new(binary())
            .arg("key")
            .args(arguments)
            .arg("--json")
            .env("RAILHEAD_URL", format!("http://{}", host.address))
            .env("RAILHEAD_ADMIN_KEY", railhead_harness::host::ADMIN_KEY)
            .output()
            .expect("runs");
        assert!(out.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice::<Value>(&out.stdout).expect("json")
    };
    let may_list = async |key: &Value| {
        host.client().with_key(key["secret"].as_str().expect("a secret")).get("/v1/tenants").await.0 == 200
    };
    let first = key(&["create", "--environment", "sandbox", "--name", "shop", "--scopes", "tenants"]);
    assert!(may_list(&first).await);
    let id = first["id"].as_str().expect("an id");
    let second = key(&["rotate", id, "--environment", "sandbox"]);
    assert!(may_list(&second).await && !may_list(&first).await);
    let listed = key(&["list", "--environment", "sandbox"]);
    assert!(!listed.to_string().contains(second["secret"].as_str().expect("a secret")), "{listed}");
    key(&["revoke", second["id"].as_str().expect("an id"), "--environment", "sandbox"]);
    assert!(!may_list(&second).await);
}

/// A rotation of the master key: the store opens with the new first line alone, and what was sealed is still read.
async fn the_master_key_rotates_and_the_old_line_can_go(store: &Store) {
    let sink = Sink::start().await;
    let mut host = host_with_a_destination(store, &sink).await;
    assert_eq!(host.client().post("/v1/events", &event("old")).await.0, 202);
    assert!(arrived(&sink, &["old".to_owned()]).await);
    assert_eq!(host.terminate(), Some(0), "{}", host.log());
    let mut rotate = Command::new(binary());
    rotate.args(["master-key", "rotate"]).env("RAILHEAD_DATA", store.folder()).envs(store.options().env);
    let rotated = rotate.output().expect("runs");
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    let file = store.folder().join("master.key");
    let lines: Vec<String> = std::fs::read_to_string(&file).expect("the keys").lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 2);
    std::fs::write(&file, &lines[0]).expect("written");
    let host = store.start().await;
    let (status, payload) = host.client().get("/v1/tenants/acme/events/old/payload").await;
    assert_eq!(status, 200, "{payload}");
    assert!(payload.to_string().contains("xxx"), "{payload}");
    assert_eq!(host.client().post("/v1/events", &event("new")).await.0, 202);
    assert!(arrived(&sink, &["new".to_owned()]).await, "{}", host.log());
}
