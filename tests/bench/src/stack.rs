//! What is measured: hosts of our own on the embedded store, or on a PostgreSQL with its durable defaults.

use crate::target::{self, Publish};
use clap::ValueEnum;
use railhead_harness::{Client, Host, HostOptions, Postgres};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Where hosts keep everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Store {
    Sqlite,
    Postgres,
}

/// Which stack.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub store: Store,
    /// Hosts that share the database; the embedded store has one.
    pub hosts: usize,
}

/// Hosts and their store. All of it ends when this is dropped.
pub struct Stack {
    // Hosts end before their database.
    pub hosts: Vec<Host>,
    pub postgres: Option<Postgres>,
    options: HostOptions,
    folder: tempfile::TempDir,
}

impl Stack {
    /// Starts it, and waits until it is ready.
    pub async fn start(shape: Shape) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut stack = Self { hosts: Vec::new(), postgres: None, options: HostOptions::default(), folder };
        if shape.store == Store::Postgres {
            let postgres = Postgres::start(&[]).await.expect("PostgreSQL is installed");
            stack.options = HostOptions::on_postgres(&postgres.url(), stack.folder.path());
            stack.options.migrate();
            stack.postgres = Some(postgres);
        }
        for _ in 0..shape.hosts {
            stack.one_more().await;
        }
        stack
    }

    /// Starts another host on the same store.
    pub async fn one_more(&mut self) {
        let data = self.folder.path().join(format!("host{}", self.hosts.len()));
        std::fs::create_dir_all(&data).expect("a folder");
        self.hosts.push(Host::start(&data, &self.options).await);
    }

    /// Ends all of them in order.
    pub fn end_hosts(&mut self) {
        for mut host in self.hosts.drain(..) {
            assert_eq!(host.terminate(), Some(0), "{}", host.log());
        }
    }

    /// Waits until its hosts have taken so many destinations in.
    pub async fn has_loaded(&self, destinations: usize) {
        let http = reqwest::Client::new();
        while self.counters(&http).await.get("railhead_destinations").is_none_or(|count| *count < destinations as f64) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Where hosts write.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A client of the first host.
    pub fn client(&self) -> Client {
        self.hosts.first().expect("a host").client()
    }

    /// Publishes through all hosts in turn.
    pub fn publish(&self) -> Publish {
        Publish::railhead(&self.hosts)
    }

    /// Makes a tenant with so many destinations at the receiver.
    pub async fn make_destinations(&self, tenant: &str, sink: &str, destinations: usize) {
        let client = self.client();
        client.make_tenant(tenant).await;
        for n in 0..destinations {
            let body = json!({"connector": "webhook", "config": {"url": format!("{sink}/d{n}")}});
            client.make_destination(tenant, &format!("d{n}"), &body).await;
        }
    }

    /// Processes whose cost is the stack's.
    pub fn processes(&self) -> Vec<(String, u32)> {
        let mut all: Vec<_> = self.hosts.iter().map(|host| ("host".to_owned(), host.pid())).collect();
        if let [_, _, ..] = all.as_slice() {
            all.iter_mut().enumerate().for_each(|(no, (name, _))| *name = format!("host_{no}"));
        }
        all.extend(self.postgres.as_ref().and_then(Postgres::pid).map(|pid| ("postgres".to_owned(), pid)));
        all
    }

    /// Counters of all hosts, summed; of PostgreSQL, its transactions, those of them that wrote, and the bytes of its
    /// write-ahead log.
    pub async fn counters(&self, http: &reqwest::Client) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for host in &self.hosts {
            for (name, value) in target::counters(http, host).await {
                *sums.entry(name).or_insert(0.0) += value;
            }
        }
        if let Some(postgres) = &self.postgres {
            let all = postgres.ask("SELECT sum(xact_commit) FROM pg_stat_database");
            // Numbers are given to transactions that write, and to no others.
            let written = postgres.ask("SELECT pg_snapshot_xmax(pg_current_snapshot())");
            let log = postgres.ask("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')");
            sums.insert("postgres_transactions".to_owned(), all.parse().unwrap_or(f64::NAN));
            sums.insert("postgres_commits".to_owned(), written.parse().unwrap_or(f64::NAN));
            sums.insert("postgres_wal_bytes".to_owned(), log.parse().unwrap_or(f64::NAN));
        }
        sums
    }
}
