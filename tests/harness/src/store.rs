//! Where a test's hosts keep everything: a folder, or a database of a PostgreSQL beside it.

use crate::host::{Host, HostOptions, binary};
use crate::postgres::Postgres;
use std::path::Path;
use std::process::Command;

impl HostOptions {
    /// Hosts on the database with this URL. Those that share it share a folder too: their master key lies there, and is
    /// made where it is missing.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn on_postgres(url: &str, folder: &Path) -> Self {
        let file = folder.join("master.key");
        if !file.exists() {
            let key = Command::new(binary()).args(["master-key", "new"]).output().expect("runs").stdout;
            std::fs::write(&file, key).expect("written");
        }
        let env = [("RAILHEAD_DATABASE_URL", url.to_owned()), ("RAILHEAD_MASTER_KEY_FILE", file.display().to_string())];
        Self { env: env.map(|(name, value)| (name.to_owned(), value)).into(), ..Self::default() }
    }

    /// Brings their database to the schema of their program, by `railhead migrate`.
    ///
    /// # Panics
    /// If that fails; with what it says.
    pub fn migrate(&self) {
        let program = self.binary.as_deref().unwrap_or_else(|| binary());
        let env = self.env.iter().map(|(name, value)| (name, value));
        let migrated = Command::new(program).arg("migrate").envs(env).output().expect("runs");
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    }
}

/// An empty store of a test's own. It goes when this is dropped, a database when the process ends.
#[derive(Debug)]
pub struct Store {
    folder: tempfile::TempDir,
    options: HostOptions,
}

impl Store {
    /// The embedded one.
    ///
    /// # Panics
    /// If there is no place for it.
    #[must_use]
    pub fn embedded() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), options: HostOptions::default() }
    }

    /// A new database, with today's schema, of the server that all tests of this process share; `None`, with a word on
    /// stderr, where no PostgreSQL is installed.
    ///
    /// # Panics
    /// If PostgreSQL must be installed and is not, or does not do what it is asked.
    pub async fn on_postgres() -> Option<Self> {
        let server = Postgres::shared().await?;
        let folder = tempfile::tempdir().expect("a folder");
        let options = HostOptions::on_postgres(&server.new_database(), folder.path());
        options.migrate();
        Some(Self { folder, options })
    }

    /// Options of hosts on it, which a test may add to.
    #[must_use]
    pub fn options(&self) -> HostOptions {
        self.options.clone()
    }

    /// Where `master.key` is, and the embedded store.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a host on it, and waits until it is ready. A second one, after the first has ended, finds what the first left.
    ///
    /// # Panics
    /// As [`Host::start`].
    pub async fn start(&self) -> Host {
        Host::start(self.folder(), &self.options).await
    }
}

/// Runs each of these tests, which take a [`Store`](crate::Store), on both stores.
#[macro_export]
macro_rules! on_both_stores {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {$(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(&$crate::Store::embedded()).await;
            }
        )+}

        mod postgres {$(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let Some(store) = $crate::Store::on_postgres().await else { return };
                super::$test(&store).await;
            }
        )+}
    };
}
