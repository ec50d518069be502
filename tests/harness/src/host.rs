//! The real binary, as a vendor would run it.

use crate::client::Client;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

/// Key of environment `live` that every host of the harness accepts.
pub const API_KEY: &str = "rk_live_harness_0123456789abcdefghijklmnop";
/// The administrator's key.
pub const ADMIN_KEY: &str = "rk_admin_harness_0123456789abcdefghijklmnop";

/// Below the range of which Linux takes ports for outgoing connections (32768 and up, `ip(7)`).
const PORTS: Range<u16> = 16_000..32_000;

/// How a host is started.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// Settings beside the harness's own, as the environment spells them.
    pub env: Vec<(String, String)>,
    /// Loopback is allowed as a destination.
    pub allow_loopback: bool,
    /// Another program than [`binary`]: an older version, for instance.
    pub binary: Option<PathBuf>,
    /// Arguments after `serve`.
    pub arguments: Vec<String>,
    /// A write beyond a file size limit fails instead of ending the process (as on a full disk).
    pub outlives_file_size_limit: bool,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            env: Vec::new(),
            allow_loopback: true,
            binary: None,
            arguments: Vec::new(),
            outlives_file_size_limit: false,
        }
    }
}

/// A running `railhead serve`. Killed (by its pid) when dropped.
#[derive(Debug)]
pub struct Host {
    child: Child,
    /// Where its API listens.
    pub address: SocketAddr,
    /// Where its metrics are.
    pub metrics: SocketAddr,
    /// Where it keeps everything.
    pub data: PathBuf,
    log: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Host {
    /// Starts a host on this data folder and waits until it is ready.
    ///
    /// # Panics
    /// If it does not become ready; with its log.
    pub async fn start(data: &Path, options: &HostOptions) -> Self {
        let mut host = Self::spawn(data, options);
        host.wait_ready().await;
        host
    }

    /// Starts the process only.
    ///
    /// # Panics
    /// If the binary cannot be started.
    #[must_use]
    pub fn spawn(data: &Path, options: &HostOptions) -> Self {
        let (address, metrics) = (free_port(), free_port());
        let program = options.binary.as_deref().unwrap_or_else(|| binary());
        let mut command = if options.outlives_file_size_limit {
            let mut shell = Command::new("sh");
            shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(program);
            shell
        } else {
            Command::new(program)
        };
        command
            .arg("serve")
            .args(&options.arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("RAILHEAD_DATA", data)
            .env("RAILHEAD_LISTEN", address.to_string())
            .env("RAILHEAD_METRICS_LISTEN", metrics.to_string())
            .env("RAILHEAD_API_KEY", API_KEY)
            .env("RAILHEAD_ADMIN_KEY", ADMIN_KEY)
            .env("RAILHEAD_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if options.allow_loopback {
            command.env("RAILHEAD_EGRESS_ALLOW", "127.0.0.0/8,::1/128");
        }
        command.envs(options.env.iter().map(|(name, value)| (name, value)));
        let mut child = command.spawn().expect("the railhead binary starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let out = child.stdout.take().map(|out| keep_lines(out, Arc::clone(&log)));
        let err = child.stderr.take().map(|err| keep_lines(err, Arc::clone(&log)));
        let readers = out.into_iter().chain(err).collect();
        Self { child, address, metrics, data: data.to_owned(), log, readers }
    }

    /// Waits until `/readyz` answers 200.
    ///
    /// # Panics
    /// If the process ends first, or 60 s pass.
    pub async fn wait_ready(&mut self) {
        let client = self.client();
        for _ in 0..1_200 {
            if let Some(status) = self.child.try_wait().expect("the process can be asked") {
                panic!("the host ended with {status}:\n{}", self.log());
            }
            if client.get("/readyz").await.0 == 200 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the host did not become ready:\n{}", self.log());
    }

    /// A client with the environment's key.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.address, API_KEY)
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    ///
    /// # Panics
    /// If the process cannot be waited for.
    pub fn kill(&mut self) {
        self.child.kill().expect("our own process");
        self.child.wait().expect("our own process");
    }

    /// SIGTERM, then waits for the end; the exit code.
    ///
    /// # Panics
    /// If the process cannot be signalled or waited for.
    pub fn terminate(&mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        self.child.wait().expect("our own process").code()
    }

    /// Waits for the process to end by itself; the exit code.
    ///
    /// # Panics
    /// If the process cannot be waited for.
    pub fn wait(&mut self) -> Option<i32> {
        self.child.wait().expect("our own process").code()
    }

    /// Sends a signal by its name: `STOP`, `CONT`, `TERM`.
    ///
    /// # Panics
    /// If `kill` cannot be run.
    pub fn signal(&self, name: &str) {
        let (name, pid) = (format!("-{name}"), self.child.id().to_string());
        Command::new("kill").args([name, pid]).status().expect("kill runs");
    }

    /// The exit code, if the process has ended; the inner `None`: by a signal.
    ///
    /// # Panics
    /// If the process cannot be asked.
    pub fn exit(&mut self) -> Option<Option<i32>> {
        self.child.try_wait().expect("our own process").map(|status| status.code())
    }

    /// What it printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// All that it printed, to the last line. It must have ended.
    ///
    /// # Panics
    /// If its output could not be read.
    pub fn whole_log(&mut self) -> String {
        for reader in self.readers.drain(..) {
            reader.join().expect("its output is read to the end");
        }
        self.log()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keep_lines(out: impl std::io::Read + Send + 'static, log: Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    })
}

/// A loopback port that nobody listens on, and that the system gives to no outgoing connection: a port of the ephemeral
/// range could be taken by one before its host binds it.
///
/// # Panics
/// If the machine has none.
#[must_use]
pub fn free_port() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Tests that run side by side begin at different places.
    let first = std::process::id().wrapping_mul(61);
    for _ in 0..PORTS.len() {
        let offset = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % u32::from(PORTS.end - PORTS.start);
        let port = PORTS.start + u16::try_from(offset).expect("an offset into the range");
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return listener.local_addr().expect("a bound address");
        }
    }
    panic!("no port of {PORTS:?} is free");
}

/// The `railhead` binary, built once per test process in the profile of the test itself.
///
/// # Panics
/// If it does not build.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("RAILHEAD_BIN") {
            return path.into();
        }
        let own = std::env::current_exe().expect("a test has a path");
        let folder = own.ancestors().nth(if own.parent().is_some_and(|p| p.ends_with("deps")) { 2 } else { 1 });
        let folder = folder.expect("target/<profile>/deps/<test>");
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.args(["build", "--quiet", "-p", "railhead-server", "--bin", "railhead"]);
        if folder.ends_with("release") {
            build.arg("--release");
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        assert!(build.current_dir(root).status().expect("cargo runs").success(), "the railhead binary does not build");
        folder.join("railhead")
    })
}
