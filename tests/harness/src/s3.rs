//! Real stores that speak S3, each a process of its own: `s3s-fs`, which verifies signatures, body hashes and clocks
//! and keeps objects as files, and `moto`, which knows users, policies and roles too.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Set where a skipped test must count as a failure.
const REQUIRE: &str = "RAILHEAD_REQUIRE_S3";

/// Ends the server when this process closes the pipe, however it ends.
const KEEPER: &str = r#"
"$@" >>"$LOG" 2>&1 </dev/null &
pid=$!
cat >/dev/null
exec 2>/dev/null
kill "$pid"
wait "$pid"
"#;

/// A server of a test's own. Ended when dropped.
#[derive(Debug)]
struct Server {
    address: SocketAddr,
    keeper: Child,
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts it and waits until it listens.
    fn start(make: impl FnOnce(&Path, SocketAddr) -> Command) -> Self {
        let folder = tempfile::Builder::new().prefix("railhead-s3-").tempdir().expect("a folder");
        let (address, log) = (crate::host::free_port(), folder.path().join("log"));
        let command = make(folder.path(), address);
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "sh"]).arg(command.get_program()).args(command.get_args());
        keeper.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("LOG", &log);
        let keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("sh starts");
        let server = Self { address, keeper, folder };
        for _ in 0..1_200 {
            if TcpStream::connect(address).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("a store did not start:\n{}", std::fs::read_to_string(log).unwrap_or_default());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// `s3s-fs` with one key pair.
#[derive(Debug)]
pub struct S3Fs(Server);

impl S3Fs {
    /// The id of the access key that it knows.
    pub const ACCESS_KEY: &str = "AKIARAILHEADTEST";
    /// The secret to it.
    pub const SECRET_KEY: &str = "railhead/test+secret/0123456789abcdefghij";

    /// Starts one; `None`, with a word on stderr, where it is not installed.
    ///
    /// # Panics
    /// If it does not start, or must be installed and is not.
    #[must_use]
    pub fn start() -> Option<Self> {
        let program = s3s_fs().or_else(|| skipped("s3s-fs is not installed"))?;
        Some(Self(Server::start(|folder, address| {
            let root = folder.join("root");
            std::fs::create_dir(&root).expect("a folder");
            let mut command = Command::new(program);
            command.args(["--host", "127.0.0.1", "--port", &address.port().to_string()]);
            command.args(["--access-key", Self::ACCESS_KEY, "--secret-key", Self::SECRET_KEY]).arg(root);
            command
        })))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// `http://127.0.0.1:…`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.0.address)
    }

    /// Its key pair, as a credential of kind `aws`.
    #[must_use]
    pub fn keys() -> String {
        keys(Self::ACCESS_KEY, Self::SECRET_KEY, None)
    }

    /// Makes a bucket.
    ///
    /// # Panics
    /// If it is there already.
    pub fn make_bucket(&self, bucket: &str) {
        std::fs::create_dir(self.root().join(bucket)).expect("a new bucket");
    }

    /// All objects of a bucket by key, as they lie there.
    ///
    /// # Panics
    /// If they cannot be read.
    #[must_use]
    pub fn objects(&self, bucket: &str) -> BTreeMap<String, Vec<u8>> {
        let mut objects = BTreeMap::new();
        let top = self.root().join(bucket);
        let mut folders = vec![top.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let key = path.strip_prefix(&top).expect("inside").to_string_lossy().into_owned();
                objects.insert(key, std::fs::read(&path).expect("an object"));
            }
        }
        objects
    }

    fn root(&self) -> PathBuf {
        self.0.folder.path().join("root")
    }
}

/// `moto`'s server of AWS: S3, STS and IAM among others.
#[derive(Debug)]
pub struct Moto(Server);

impl Moto {
    /// Starts one that asks for valid credentials and policies after so many requests; `None`, with a word on stderr,
    /// where it is not installed.
    ///
    /// # Panics
    /// If it does not start, or must be installed and is not.
    #[must_use]
    pub fn start(unchecked_requests: u32) -> Option<Self> {
        let has_moto = Command::new(python()).args(["-c", "import moto.server, boto3"]).stderr(Stdio::null()).status();
        if !has_moto.is_ok_and(|status| status.success()) {
            return skipped("moto is not installed");
        }
        Some(Self(Server::start(|_, address| {
            let mut command = Command::new(python());
            command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &address.port().to_string()]);
            command.env("INITIAL_NO_AUTH_ACTION_COUNT", unchecked_requests.to_string());
            command
        })))
    }

    /// `http://127.0.0.1:…`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.0.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Runs Python in which `client(service, **keys)` makes a client of boto3 for it, in the region eu-west-1; what
    /// it prints.
    ///
    /// # Panics
    /// If it fails.
    #[must_use]
    pub fn run(&self, script: &str) -> String {
        let prelude = format!(
            r#"
import boto3, json
def client(service, **keys):
    keys = keys or dict(aws_access_key_id="nobody", aws_secret_access_key="nothing")
    return boto3.client(service, endpoint_url="{}", region_name="eu-west-1", **keys)
"#,
            self.url()
        );
        let out = Command::new(python()).args(["-c", &(prelude + script)]).output().expect("python starts");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    }
}

/// A key pair as a credential of kind `aws`.
#[must_use]
pub fn keys(id: &str, secret: &str, token: Option<&str>) -> String {
    let mut keys = serde_json::json!({"access_key_id": id, "secret_access_key": secret});
    if let Some(token) = token {
        keys["session_token"] = token.into();
    }
    keys.to_string()
}

fn s3s_fs() -> Option<PathBuf> {
    let given = std::env::var_os("RAILHEAD_S3S_FS").map(PathBuf::from);
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-tools/bin/s3s-fs");
    given.into_iter().chain([usual]).find(|path| path.is_file())
}

/// With the libraries of `tests/requirements.txt`, if they are anywhere.
fn python() -> String {
    std::env::var("RAILHEAD_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// Says that a test does not run.
///
/// # Panics
/// If it must run.
#[expect(clippy::print_stderr, reason = "whoever reads a run should know what it left out")]
#[must_use]
pub fn skipped<T>(why: &str) -> Option<T> {
    assert!(std::env::var_os(REQUIRE).is_none(), "{why}, and {REQUIRE} is set");
    eprintln!("skipped: {why}");
    None
}
