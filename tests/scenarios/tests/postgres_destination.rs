//! A customer's PostgreSQL as a destination: the host dies in the middle, and each event is in the table once.

use railhead_harness::{Host, Postgres, Store};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const PASSWORD: &str = "canary-of-the-customers-database";
const EVENTS: usize = 1_000;

/// TLS and SCRAM for everybody but its superuser.
const HBA: &str = "
local   all all                       trust
host    all railhead   127.0.0.1/32   trust
hostssl all all        127.0.0.1/32   scram-sha-256
";

#[tokio::test(flavor = "multi_thread")]
async fn each_event_is_in_the_table_once_however_often_the_host_dies() {
    let Some(postgres) = Postgres::start(&["fsync=off"]).await else { return };
    let authority = prepared(&postgres);
    let store = Store::embedded();
    let mut host = store.start().await;
    host.client().make_tenant("acme").await;
    let body = json!({
        "connector": "postgres",
        "config": {
            "host": "localhost", "port": postgres.address.port(), "database": "postgres", "user": "app",
            "create_tables": true,
        },
        "credentials": { "password": PASSWORD, "tls_identity": authority },
        "batch": { "max_events": 50, "max_bytes": 1_000_000, "linger_ms": 20 },
        "retry": { "schedule_ms": [200, 200, 200, 200, 200, 200, 200, 200, 200, 200] },
    });
    host.client().make_destination("acme", "db", &body).await;
    let all: Vec<Value> = (0..EVENTS).map(event).collect();
    for some in all.chunks(100) {
        let (status, body) = host.client().post("/v1/events", &Value::Array(some.to_vec())).await;
        assert_eq!(status, 202, "{body}");
    }
    let mut database = PgConnection::connect(&postgres.url()).await.expect("a connection");
    for at_least in [1, 300, 600] {
        reached(&mut database, at_least).await;
        // Whatever it writes just now waits, and so does the host when it is killed.
        let mut lock = PgConnection::connect(&postgres.url()).await.expect("a connection");
        lock.execute("BEGIN; LOCK TABLE events IN EXCLUSIVE MODE").await.expect("locked");
        host.kill();
        lock.execute("ROLLBACK").await.expect("unlocked");
        host = store.start().await;
    }
    reached(&mut database, EVENTS).await;
    delivered(&host).await;
    let counts = "SELECT count(*) || ' ' || count(DISTINCT id) || ' ' || count(DISTINCT payload) FROM events";
    let counts: String = sqlx::query_scalar(counts).fetch_one(&mut database).await.expect("counts");
    assert_eq!(counts, format!("{EVENTS} {EVENTS} {EVENTS}"));
    assert_eq!(host.terminate(), Some(0), "{}", host.log());
    assert!(!host.whole_log().contains(PASSWORD), "the password is in the log");
    assert!(!postgres.log().contains(PASSWORD), "the password went over the wire");
    assert_eq!(holding(store.folder()), Vec::<String>::new(), "the password is on the disk");
}

fn event(number: usize) -> Value {
    json!({
        "tenant": "acme", "type": "order.created", "id": format!("ord_{number}"),
        "data": { "order": number, "text": "x".repeat(500) },
    })
}

/// Waits until so many events are in the table.
async fn reached(database: &mut PgConnection, rows: usize) {
    let mut count = 0_i64;
    for _ in 0..1_200 {
        // It is not there before the first event is.
        count = sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(&mut *database).await.unwrap_or(0);
        if count >= i64::try_from(rows).expect("few") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{count} rows of {rows} in a minute");
}

/// Waits until the host knows that every event is delivered.
async fn delivered(host: &Host) {
    let mut count = 0;
    for _ in 0..300 {
        count = host.client().list("/v1/tenants/acme/deliveries?destination=db&state=delivered").await.len();
        if count == EVENTS {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("{count} of {EVENTS} are delivered after a minute");
}

/// Switches TLS on, and lets the role `app` create tables. The authority in PEM.
fn prepared(postgres: &Postgres) -> String {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(["localhost".to_owned()]).expect("a name").signed_by(&key, &authority);
    let data = postgres.ask("SHOW data_directory");
    let files = [
        ("server.crt", certificate.expect("a certificate").pem()),
        ("server.key", key.serialize_pem()),
        ("pg_hba.conf", HBA.to_owned()),
    ];
    for (name, contents) in files {
        let path = Path::new(&data).join(name);
        std::fs::write(&path, contents).expect("written");
        let mut owned = Command::new("sh");
        owned.args(["-c", r#"chmod 600 "$0" && chown "$(stat -c %U "$1")" "$0""#]).arg(&path).arg(&data);
        assert!(owned.status().expect("sh runs").success());
    }
    let _ = postgres.ask(&format!("CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'"));
    let _ = postgres.ask("GRANT CREATE ON SCHEMA public TO app");
    let _ = postgres.ask("ALTER SYSTEM SET ssl = on");
    let _ = postgres.ask("SELECT pg_reload_conf()");
    while postgres.ask("SHOW ssl") != "on" {
        std::thread::sleep(Duration::from_millis(20));
    }
    authority.pem()
}

/// Files under a folder that hold the password.
fn holding(folder: &Path) -> Vec<String> {
    let found = Command::new("grep").args(["-rlaF", PASSWORD]).arg(folder).output().expect("grep runs");
    String::from_utf8_lossy(&found.stdout).lines().map(str::to_owned).collect()
}
