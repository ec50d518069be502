//! A PostgreSQL server of a test's own: on TCP, started, stopped, killed and starved as the test likes.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::OnceCell;

/// Set where a skipped test must count as a failure.
const REQUIRE: &str = "RAILHEAD_REQUIRE_POSTGRES";

/// Ends the server when this process closes the pipe, however it ends.
const KEEPER: &str = r#"
"$@" >>"$LOG" 2>&1 </dev/null &
pid=$!
cat >/dev/null
kill -INT "$pid" 2>/dev/null
wait "$pid"
[ -z "$REMOVE" ] || rm -rf "$REMOVE"
"#;

/// Mounts a small disk that nobody else sees, and keeps it until the pipe is closed.
const DISK: &str = r#"mount -t tmpfs -o "size=$SIZE" tmpfs "$DATA" && echo mounted && exec cat >/dev/null"#;

/// A server, and its data. Stopped and deleted when dropped.
pub struct Postgres {
    /// Where it listens.
    pub address: SocketAddr,
    bin: PathBuf,
    settings: Vec<String>,
    keeper: Option<Child>,
    disk: Option<Child>,
    /// Nobody drops it: its folder goes when this process does.
    is_shared: bool,
    // Last: it goes when the server has ended.
    folder: tempfile::TempDir,
}

impl Postgres {
    /// Makes a server with these settings (`max_connections=20`) and starts it; `None`, with a word on stderr, where none
    /// is installed.
    ///
    /// # Panics
    /// If it does not start, or must be installed and is not.
    pub async fn start(settings: &[&str]) -> Option<Self> {
        Self::start_on(settings, None, false).await
    }

    /// One that all tests of this process share, each with a database of its own. None of them cuts the power, so it does
    /// not wait for its disk.
    ///
    /// # Panics
    /// As [`Postgres::start`].
    pub async fn shared() -> Option<&'static Self> {
        static SERVER: OnceCell<Option<Postgres>> = OnceCell::const_new();
        let start = || Self::start_on(&["max_connections=400", "fsync=off"], None, true);
        SERVER.get_or_init(start).await.as_ref()
    }

    /// One whose data lies on a disk of so many bytes; needs root.
    ///
    /// # Panics
    /// As [`Postgres::start`].
    pub async fn start_on_disk(settings: &[&str], bytes: u64) -> Option<Self> {
        Self::start_on(settings, Some(bytes), false).await
    }

    async fn start_on(settings: &[&str], bytes: Option<u64>, is_shared: bool) -> Option<Self> {
        let Some(bin) = binaries() else {
            assert!(std::env::var_os(REQUIRE).is_none(), "PostgreSQL 15 is not installed, and {REQUIRE} is set");
            skipped("PostgreSQL 15 is not installed");
            return None;
        };
        if bytes.is_some() && !is_root() {
            assert!(std::env::var_os("RAILHEAD_REQUIRE_NAMESPACE").is_none(), "mounting a disk needs root");
            skipped("mounting a disk needs root");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("railhead-postgres-").tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("data")).expect("a folder");
        let mut server = Self {
            address: crate::host::free_port(),
            bin,
            settings: settings.iter().map(ToString::to_string).collect(),
            keeper: None,
            disk: None,
            is_shared,
            folder,
        };
        server.disk = bytes.map(|bytes| mount(&server.data(), bytes));
        if is_root() {
            let (folder, data) = (server.folder.path(), server.data());
            run(server.inside(Path::new("chown")).arg("postgres").arg(folder).arg(data));
        }
        let data = server.data();
        run(server.as_postgres("initdb").args(["-A", "trust", "-U", "railhead", "-N", "-D"]).arg(data));
        server.resume().await;
        Some(server)
    }

    /// The URL of its database, by TCP.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_through(self.address)
    }

    /// The same by way of a proxy.
    #[must_use]
    pub fn url_through(&self, address: SocketAddr) -> String {
        format!("postgres://railhead@{address}/postgres")
    }

    /// Makes another database; its URL.
    ///
    /// # Panics
    /// If it does not.
    #[must_use]
    pub fn new_database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let _ = self.ask(&format!("CREATE DATABASE {name}"));
        format!("postgres://railhead@{}/{name}", self.address)
    }

    /// Starts it again after [`Postgres::stop`] or [`Postgres::kill`], or its own end; comes back when it answers.
    ///
    /// # Panics
    /// If it does not, in a minute.
    pub async fn resume(&mut self) {
        self.give_up();
        let mut postgres = self.as_postgres("postgres");
        postgres.arg("-D").arg(self.data()).arg("-k").arg(self.folder.path());
        postgres.args(["-h", "127.0.0.1", "-p", &self.address.port().to_string()]);
        for setting in &self.settings {
            postgres.args(["-c", setting]);
        }
        let mut keeper = Command::new("sh");
        // The shell has its say about a server that was killed.
        keeper.args(["-c", KEEPER, "keeper"]).env("LOG", self.log_file()).stdin(Stdio::piped()).stderr(Stdio::null());
        keeper.env("REMOVE", if self.is_shared { self.folder.path() } else { Path::new("") });
        keeper.arg(postgres.get_program()).args(postgres.get_args());
        self.keeper = Some(keeper.spawn().expect("the server"));
        for _ in 0..1_200 {
            if self.answers() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("PostgreSQL does not start:\n{}", self.log());
    }

    /// Waits until it answers; starts it where it has ended by itself, as its supervisor would.
    ///
    /// # Panics
    /// If it does not, in a minute.
    pub async fn recovered(&mut self) {
        for _ in 0..1_200 {
            if self.answers() {
                return;
            }
            if !self.is_running() {
                return self.resume().await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("PostgreSQL does not recover:\n{}", self.log());
    }

    /// Ends it in order, as an operator's restart does: sessions are cut, what is committed is written.
    pub fn stop(&mut self) {
        if let Some(pid) = self.pid() {
            signal("-INT", &[pid]);
        }
        self.give_up();
    }

    /// `kill -9` of the server and of every process of it. All of them are gone when it returns: the next server refuses to
    /// start while one still has the memory that they shared.
    ///
    /// # Panics
    /// If one is still there after a minute.
    pub fn kill(&mut self) {
        if let Some(pid) = self.pid() {
            // Stopped, it can make no more of them.
            signal("-STOP", &[pid]);
            wait_for("the server stands still", || state(pid).is_none_or(|state| matches!(state, 'T' | 'Z')));
            let mut all = children(pid);
            all.push(pid);
            signal("-KILL", &all);
            wait_for("its processes are gone", || all.iter().all(|pid| state(*pid).is_none_or(|state| state == 'Z')));
        }
        self.give_up();
    }

    /// True while its first process lives.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.pid().is_some_and(|pid| Path::new("/proc").join(pid.to_string()).exists())
    }

    /// Fills its disk to the last byte.
    ///
    /// # Panics
    /// If it has no disk of its own.
    pub fn fill_disk(&self) {
        let mut file = std::fs::File::create(self.ballast()).expect("a file");
        for size in [1 << 20, 4 << 10, 1] {
            while std::io::Write::write_all(&mut file, &vec![0; size]).is_ok() {}
        }
    }

    /// Takes away what [`Postgres::fill_disk`] wrote.
    ///
    /// # Panics
    /// If it was not called.
    pub fn free_disk(&self) {
        std::fs::remove_file(self.ballast()).expect("the file");
    }

    /// Runs SQL as its superuser; the answer as psql prints it, without headings.
    ///
    /// # Panics
    /// If it fails.
    #[must_use]
    pub fn ask(&self, sql: &str) -> String {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", &self.url(), "-c", sql]);
        run(&mut psql).unwrap_or_else(|| panic!("{sql} failed:\n{}", self.log())).trim().to_owned()
    }

    /// Runs SQL of any length as its superuser.
    ///
    /// # Panics
    /// If it fails; with what psql says.
    pub fn ask_file(&self, sql: &str) {
        let file = self.folder.path().join("ask.sql");
        std::fs::write(&file, sql).expect("written");
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-Xq", "-v", "ON_ERROR_STOP=1", "-d", &self.url(), "-f"]).arg(&file).stdout(Stdio::null());
        let output = psql.output().expect("psql runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// What it wrote to its log.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A file on the small disk, as this process can reach it.
    fn ballast(&self) -> PathBuf {
        let holder = self.disk.as_ref().expect("a disk of its own").id();
        let data = self.data();
        let inside = data.strip_prefix("/").expect("an absolute path");
        Path::new("/proc").join(holder.to_string()).join("root").join(inside).join("ballast")
    }

    /// The id of its first process.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        let data = self.data();
        let file = run(self.inside(Path::new("cat")).arg(data.join("postmaster.pid")))?;
        file.lines().next()?.trim().parse().ok()
    }

    fn answers(&self) -> bool {
        let mut ask = Command::new(self.bin.join("pg_isready"));
        ask.args(["-q", "-h", "127.0.0.1", "-p", &self.address.port().to_string()]);
        ask.status().expect("pg_isready runs").success()
    }

    /// Waits for the end of the server, which somebody else made.
    fn give_up(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            keeper.wait().expect("our own process");
        }
    }

    /// A program that sees the server's disk.
    fn inside(&self, program: &Path) -> Command {
        let Some(holder) = &self.disk else { return Command::new(program) };
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &holder.id().to_string(), "--"]).arg(program);
        command
    }

    /// A program of the server's; it refuses to run as root.
    fn as_postgres(&self, name: &str) -> Command {
        if !is_root() {
            return Command::new(self.bin.join(name));
        }
        let mut command = self.inside(Path::new("setpriv"));
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(self.bin.join(name));
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.give_up();
        if let Some(mut disk) = self.disk.take() {
            drop(disk.stdin.take());
            let _ = disk.wait();
        }
    }
}

#[allow(clippy::print_stderr)] // whoever reads a run should know what it left out
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

fn mount(data: &Path, bytes: u64) -> Child {
    let mut holder = Command::new("unshare");
    holder.args(["--mount", "sh", "-c", DISK]).env("DATA", data).env("SIZE", bytes.to_string());
    let mut holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("unshare runs");
    let mut told = String::new();
    BufReader::new(holder.stdout.take().expect("a pipe")).read_line(&mut told).expect("a line");
    assert_eq!(told.trim(), "mounted", "no disk for {}", data.display());
    holder
}

fn binaries() -> Option<PathBuf> {
    let versions = [15, 16, 17, 18].map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
    versions.into_iter().find(|bin| bin.join("postgres").exists())
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("id");
    output.stdout.trim_ascii() == b"0"
}

/// Polls: nobody can wait for a process that is another's child.
fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..12_000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("not in a minute: {what}");
}

/// The state of a process, as `/proc/<pid>/stat` has it; `None`: there is none.
fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Its name stands in parentheses before that, and may have some of its own.
    stat.rsplit_once(") ")?.1.chars().next()
}

fn children(pid: u32) -> Vec<u32> {
    let output = Command::new("pgrep").args(["-P", &pid.to_string()]).output().expect("pgrep runs");
    String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.trim().parse().ok()).collect()
}

/// To processes of our own.
fn signal(name: &str, pids: &[u32]) {
    let pids = pids.iter().map(ToString::to_string);
    // One that has just ended is as good as signalled.
    let _ = Command::new("kill").arg(name).args(pids).stderr(Stdio::null()).status().expect("kill runs");
}

/// What it printed, if it succeeded.
fn run(command: &mut Command) -> Option<String> {
    let output = command.output().expect("the program");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
