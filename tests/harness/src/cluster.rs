//! Several hosts on one database, each looked after as a supervisor does: one that ends is started again.

use crate::client::Client;
use crate::host::{API_KEY, Host, HostOptions, binary};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Between an end and the next start, as supervisors have it.
const REST: Duration = Duration::from_secs(1);
/// Between looks at the processes.
const LOOK: Duration = Duration::from_millis(100);

/// Hosts that share a master key, and a database each is told the way to.
pub struct Cluster {
    members: Arc<Vec<Mutex<Member>>>,
    supervisor: tokio::task::JoinHandle<()>,
    /// What is not in the database.
    _folder: tempfile::TempDir,
}

struct Member {
    options: HostOptions,
    data: PathBuf,
    host: Host,
    client: Client,
    /// Exit codes, in order; `None` for a signal.
    ends: Vec<Option<i32>>,
    /// Of processes that ended.
    logs: String,
    /// Looks until the next start.
    resting: Option<u32>,
    /// Ended by [`Cluster::stop`]: not started again.
    stopped: bool,
}

impl Cluster {
    /// Migrates the database and starts one host for each of `urls`; comes back when all are ready.
    ///
    /// # Panics
    /// If that fails.
    pub async fn start(urls: &[String]) -> Self {
        Self::start_with(urls, |_| Vec::new()).await
    }

    /// The same with more settings for each.
    ///
    /// # Panics
    /// As [`Cluster::start`].
    pub async fn start_with(urls: &[String], more: impl Fn(usize) -> Vec<(String, String)>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let members = urls.iter().enumerate().map(|(no, url)| {
            let mut options = HostOptions::on_postgres(url, folder.path());
            options.env.extend(more(no));
            let data = folder.path().join(format!("host{no}"));
            std::fs::create_dir(&data).expect("a folder");
            (data, options)
        });
        let members: Vec<_> = members.collect();
        members[0].1.migrate();
        let members = members.into_iter().map(|(data, options)| Mutex::new(Member::spawn(data, options))).collect();
        let members: Arc<Vec<_>> = Arc::new(members);
        let supervisor = tokio::spawn(supervise(Arc::clone(&members)));
        let cluster = Self { members, supervisor, _folder: folder };
        cluster.all_ready().await;
        cluster
    }

    /// How many hosts there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.members.len()
    }

    /// A client of one host, as it runs now.
    #[must_use]
    pub fn client(&self, no: usize) -> Client {
        self.member(no).client.clone()
    }

    /// A client of a host that was not stopped.
    ///
    /// # Panics
    /// If all were.
    #[must_use]
    pub fn any_client(&self) -> Client {
        let runs = |no: &usize| !self.member(*no).stopped;
        self.client((0..self.size()).find(runs).expect("a host that runs"))
    }

    /// `kill -9`; the supervisor starts it again.
    pub fn kill(&self, no: usize) {
        self.member(no).host.kill();
    }

    /// Sends a signal: `STOP`, `CONT`.
    pub fn signal(&self, no: usize, name: &str) {
        self.member(no).host.signal(name);
    }

    /// SIGTERM, and waits for the end; not started again.
    pub async fn stop(&self, no: usize) {
        {
            let mut member = self.member(no);
            member.stopped = true;
            member.host.signal("TERM");
        }
        while self.member(no).host.exit().is_none() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Exit codes of the host's processes so far, `None` for a signal.
    #[must_use]
    pub fn ends(&self, no: usize) -> Vec<Option<i32>> {
        self.member(no).ends.clone()
    }

    /// All that the host's processes printed.
    #[must_use]
    pub fn log(&self, no: usize) -> String {
        let member = self.member(no);
        format!("{}{}", member.logs, member.host.log())
    }

    /// Waits until every host that was not stopped is ready.
    ///
    /// # Panics
    /// If that takes more than two minutes; with their logs.
    pub async fn all_ready(&self) {
        for _ in 0..1_200 {
            let mut ready = true;
            for no in 0..self.size() {
                let (client, stopped) = {
                    let member = self.member(no);
                    (member.client.clone(), member.stopped)
                };
                // One that hangs is not ready.
                let asked = tokio::time::timeout(REST, client.get("/readyz")).await;
                ready &= stopped || asked.is_ok_and(|(status, _)| status == 200);
            }
            if ready {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("not all hosts are ready:\n{}", self.logs());
    }

    /// The logs of all.
    #[must_use]
    pub fn logs(&self) -> String {
        let one = |no| format!("--- host {no}, ended {:?}\n{}\n", self.ends(no), self.log(no));
        (0..self.size()).map(one).collect()
    }

    /// Runs `railhead` with these arguments and the settings of a host; what it printed, and whether it succeeded.
    ///
    /// # Panics
    /// If it cannot be run.
    pub async fn command(&self, no: usize, arguments: &[&str]) -> (bool, String) {
        let env = self.member(no).options.env.clone();
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let run = move || Command::new(binary()).args(arguments).envs(env).output().expect("runs");
        let output = tokio::task::spawn_blocking(run).await.expect("runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    fn member(&self, no: usize) -> MutexGuard<'_, Member> {
        self.members[no].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

impl Member {
    fn spawn(data: PathBuf, options: HostOptions) -> Self {
        let host = Host::spawn(&data, &options);
        let client = Client::new(host.address, API_KEY);
        Self { options, data, host, client, ends: Vec::new(), logs: String::new(), resting: None, stopped: false }
    }

    /// Looks at the process; starts the next one after a rest.
    fn look(&mut self) {
        match self.resting {
            _ if self.stopped => {}
            None => {
                if let Some(code) = self.host.exit() {
                    self.ends.push(code);
                    self.resting = Some(u32::try_from(REST.as_millis() / LOOK.as_millis()).unwrap_or(1));
                }
            }
            Some(0) => {
                self.logs.push_str(&self.host.log());
                self.logs.push_str("\n-- started again\n");
                self.host = Host::spawn(&self.data, &self.options);
                self.client = Client::new(self.host.address, API_KEY);
                self.resting = None;
            }
            Some(looks) => self.resting = Some(looks - 1),
        }
    }
}

async fn supervise(members: Arc<Vec<Mutex<Member>>>) {
    loop {
        tokio::time::sleep(LOOK).await;
        for member in members.iter() {
            member.lock().unwrap_or_else(PoisonError::into_inner).look();
        }
    }
}
