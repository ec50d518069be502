//! A PostgreSQL that takes events by TLS and SCRAM alone, and what a test does there as its owner.

use crate::certificates::{Authority, Shown};
use railhead_harness::Postgres;
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection as _, Executor as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::OnceCell;

/// The role of most tests.
pub const USER: &str = "app";
pub const PASSWORD: &str = "correct-horse-battery-staple";
/// Roles that log in otherwise; the same password.
pub const MD5_USER: &str = "old";
pub const CLEARTEXT_USER: &str = "naive";
pub const TRUSTED_USER: &str = "trusted";
pub const REJECTED_USER: &str = "rejected";
pub const BUSY_USER: &str = "busy";
/// Needs a client certificate beside its password.
pub const CERTIFIED_USER: &str = "certified";

/// Who may log in, and how. Its superuser is for the test itself.
const HBA: &str = "
local   all all                       trust
host    all railhead   127.0.0.1/32   trust
host    all trusted    127.0.0.1/32   trust
host    all rejected   127.0.0.1/32   reject
host    all naive      127.0.0.1/32   password
host    all old        127.0.0.1/32   md5
hostssl all certified  127.0.0.1/32   scram-sha-256 clientcert=verify-ca
host    all all        127.0.0.1/32   scram-sha-256
";

/// A server, and the authority that vouches for it.
pub struct Server {
    pub port: u16,
    pub authority: Authority,
    /// Of its superuser.
    url: String,
    data: PathBuf,
}

impl Server {
    /// The one that all tests of this process share; `None`, with a word on stderr, where none is installed.
    pub async fn shared() -> Option<&'static Self> {
        static SERVER: OnceCell<Option<Server>> = OnceCell::const_new();
        let start = || async {
            let postgres = Postgres::shared().await?;
            Some(Self::over(postgres).await)
        };
        SERVER.get_or_init(start).await.as_ref()
    }

    /// Makes a server that was just started what tests want.
    pub async fn over(postgres: &Postgres) -> Self {
        let server = Self::bare(postgres);
        server.write("pg_hba.conf", HBA);
        let shown = server.authority.issue(&["localhost"], |_| {});
        server.write("root.crt", &server.authority.pem());
        let _ = postgres.ask("ALTER SYSTEM SET ssl_ca_file = 'root.crt'");
        let _ = postgres.ask("ALTER SYSTEM SET ssl = on");
        server.show(&shown).await;
        for role in [USER, CLEARTEXT_USER, TRUSTED_USER, REJECTED_USER, CERTIFIED_USER] {
            let _ = postgres.ask(&format!("CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'"));
        }
        let _ = postgres.ask(&format!("CREATE ROLE {BUSY_USER} LOGIN PASSWORD '{PASSWORD}' CONNECTION LIMIT 0"));
        let _ =
            postgres.ask(&format!("SET password_encryption = md5; CREATE ROLE {MD5_USER} LOGIN PASSWORD '{PASSWORD}'"));
        server
    }

    /// A server as it was started.
    pub fn bare(postgres: &Postgres) -> Self {
        let data = PathBuf::from(postgres.ask("SHOW data_directory"));
        let authority = Authority::new("Test authority");
        Self { port: postgres.address.port(), authority, url: postgres.url(), data }
    }

    /// A server without TLS whose files are out of reach: it writes down itself who may log in. The usual role is there.
    pub async fn by_password(postgres: &Postgres) -> Self {
        let server = Self::bare(postgres);
        let file = server.data.join("pg_hba.conf");
        let _ = postgres.ask(&format!(
            "COPY (SELECT unnest(string_to_array('{HBA}', chr(10)))) TO '{}'; CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'",
            file.display()
        ));
        server.load_settings("off").await;
        server
    }

    /// Has it show this certificate from now on.
    pub async fn show(&self, shown: &Shown) {
        self.write("server.crt", &shown.certificate);
        self.write("server.key", &shown.key);
        self.load_settings("on").await;
    }

    /// From now on it offers no TLS.
    pub async fn switch_tls_off(&self) {
        self.owner().await.execute("ALTER SYSTEM SET ssl = off").await.unwrap();
        self.load_settings("off").await;
    }

    async fn load_settings(&self, tls: &str) {
        let loaded = "SELECT pg_conf_load_time()::text, current_setting('ssl')";
        let mut owner = self.owner().await;
        let (before, _): (String, String) = sqlx::query_as(loaded).fetch_one(&mut owner).await.unwrap();
        owner.execute("SELECT pg_reload_conf()").await.unwrap();
        for _ in 0..1_200 {
            // A new process begins with what the first one has loaded, all of it.
            let now: (String, String) = sqlx::query_as(loaded).fetch_one(&mut self.owner().await).await.unwrap();
            if now.0 != before && now.1 == tls {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("PostgreSQL does not load its settings again");
    }

    /// A connection as its superuser.
    pub async fn owner(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    /// A schema of a test's own, in which the role may do what the statements grant (`{schema}`).
    pub async fn schema(&self, sql: &str) -> Schema {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("s{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let pool = PgPoolOptions::new().max_connections(4).connect(&self.url).await.unwrap();
        let schema = Schema { name, pool };
        schema.run("CREATE SCHEMA {schema}; GRANT USAGE ON SCHEMA {schema} TO PUBLIC").await;
        schema.run(sql).await;
        schema
    }

    /// A file of the server's own.
    fn write(&self, name: &str, contents: &str) {
        let path = self.data.join(name);
        std::fs::write(&path, contents).unwrap();
        run(Command::new("chmod").arg("600").arg(&path));
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&path));
        }
    }
}

/// Where a test's tables are.
pub struct Schema {
    pub name: String,
    pub pool: PgPool,
}

/// The least that the connector needs, on a table of its shape.
pub const LEAST: &str = "
CREATE TABLE {schema}.events (
  event_id text PRIMARY KEY, id text NOT NULL, event_type text NOT NULL, occurred_at timestamptz NOT NULL,
  tenant text NOT NULL, source text NOT NULL, payload jsonb, metadata jsonb NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now());
GRANT INSERT, SELECT (event_id) ON {schema}.events TO PUBLIC";

impl Schema {
    /// Runs statements, in which `{schema}` is its name.
    pub async fn run(&self, sql: &str) {
        self.pool.execute(sqlx::AssertSqlSafe(sql.replace("{schema}", &self.name))).await.unwrap();
    }

    /// One value of one row, as text.
    pub async fn ask(&self, sql: &str) -> String {
        let sql = format!("SELECT ({})::text", sql.replace("{schema}", &self.name));
        let value: Option<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&self.pool).await.unwrap();
        value.unwrap_or_else(|| "NULL".to_owned())
    }

    /// Publisher's ids in the table, sorted.
    pub async fn ids(&self) -> Vec<String> {
        let sql = format!("SELECT id FROM {}.events ORDER BY id", self.name);
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&self.pool).await.unwrap()
    }
}

fn is_root() -> bool {
    Path::new("/proc/self").metadata().is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}
