//! A PostgreSQL server for the tests: started once, stopped with this process.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Set where a skipped test must count as a failure.
const REQUIRE: &str = "RAILHEAD_REQUIRE_POSTGRES";

/// Ends the server when this process closes the pipe, however it ends.
const KEEPER: &str = r#"
"$@" >"$DIR/log" 2>&1 </dev/null &
pid=$!
cat >/dev/null
kill -QUIT "$pid" # nothing of it is kept
wait "$pid"
rm -rf "$DIR"
"#;

/// A running server. Its pipe is never read: it ends with this process.
struct Server {
    dir: PathBuf,
    _keeper: Child,
}

static SERVER: OnceLock<Option<Server>> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The URL of a new, empty database, or `None` (with a word on stderr) where no server is installed.
pub async fn database() -> Option<String> {
    let server = SERVER.get_or_init(start).as_ref()?;
    let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let mut connection = loop {
        match <sqlx::PgConnection as sqlx::Connection>::connect(&server.url("postgres")).await {
            Ok(connection) => break connection,
            // The server is still starting; it says so by refusing.
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let sql = format!("CREATE DATABASE {name}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.expect("a database");
    Some(server.url(&name))
}

/// The server's socket: for a proxy in between.
pub fn socket() -> PathBuf {
    SERVER.get().and_then(Option::as_ref).expect("a server").dir.join(".s.PGSQL.5432")
}

/// What the server wrote to its log.
pub fn log() -> String {
    let server = SERVER.get().and_then(Option::as_ref).expect("a server");
    std::fs::read_to_string(server.dir.join("log")).expect("the log")
}

impl Server {
    fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&user=railhead", self.dir.display())
    }
}

fn start() -> Option<Server> {
    let Some(bin) = binaries() else {
        assert!(std::env::var_os(REQUIRE).is_none(), "PostgreSQL 15 is not installed, and {REQUIRE} is set");
        eprintln!("skipped: PostgreSQL 15 is not installed");
        return None;
    };
    let dir = tempfile::Builder::new().prefix("railhead-postgres-").tempdir().expect("a folder").keep();
    if is_root() {
        run(Command::new("chown").arg("postgres").arg(&dir));
    }
    let data = dir.join("data");
    run(as_postgres(&bin.join("initdb")).args(["-A", "trust", "-U", "railhead", "-N", "-D"]).arg(&data));
    let mut server = Command::new("sh");
    server.args(["-c", KEEPER, "keeper"]).env("DIR", &dir).stdin(Stdio::piped());
    let mut postgres = as_postgres(&bin.join("postgres"));
    postgres.arg("-D").arg(&data).arg("-k").arg(&dir).args(["-c", "listen_addresses="]);
    // The database in each line: tests run at once, and some read what the server says of theirs.
    postgres.args(["-c", "log_line_prefix=%m [%p] %d "]);
    server.arg(postgres.get_program()).args(postgres.get_args());
    let keeper = server.spawn().expect("the server");
    Some(Server { dir, _keeper: keeper })
}

fn binaries() -> Option<PathBuf> {
    let versions = [15, 16, 17, 18].map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
    versions.into_iter().find(|bin| bin.join("postgres").exists())
}

/// The server refuses to run as root.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("id");
    output.stdout.trim_ascii() == b"0"
}

fn run(command: &mut Command) {
    let output = command.output().expect("the program");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
