//! Hints by NOTIFY and LISTEN, each on a connection of its own.
//!
//! A commit with a NOTIFY takes a lock that all of the database's notifying commits share, so it never rides with data,
//! and it does not wait for the disk.

use crate::connect::PostgresStore;
use crate::error::undone;
use async_trait::async_trait;
use railhead_model::HostId;
use railhead_store::StoreError;
use railhead_store::hints::{Hint, Hints, Listener, Notifier, SIGN_OF_LIFE_MS, decode, encode};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions as _, PgConnection};
use std::time::Duration;

const CHANNEL: &str = "railhead";
/// A notification, or a connect, that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(3);
/// Nothing was heard for so long, the own signs of life included: the connection is dead.
const DEAF: Duration = Duration::from_millis(SIGN_OF_LIFE_MS * 3);
/// Pause before the listener connects again.
const AGAIN: Duration = Duration::from_millis(500);

struct Speaks {
    host: HostId,
    options: PgConnectOptions,
    connection: Option<PgConnection>,
}

struct Hears {
    host: HostId,
    options: PgConnectOptions,
    listener: Option<PgListener>,
}

impl Hints for PostgresStore {
    fn notifier(&self, host: HostId) -> Box<dyn Notifier> {
        let options = self.plain_options().clone().options([
            ("synchronous_commit", "off"),
            ("statement_timeout", "3000"),
            ("tcp_user_timeout", "3000"),
        ]);
        Box::new(Speaks { host, options, connection: None })
    }

    fn listener(&self, host: HostId) -> Box<dyn Listener> {
        Box::new(Hears { host, options: self.plain_options().clone(), listener: None })
    }
}

#[async_trait]
impl Notifier for Speaks {
    async fn notify(&mut self, hints: &[Hint]) -> Result<(), StoreError> {
        // Taken out: should it break, or the caller leave half-way, the next call connects anew.
        let open = self.connection.take();
        let spoken = tokio::time::timeout(LIMIT, speak(open, &self.options, encode(self.host, hints)));
        let connection = spoken.await.map_err(|_| StoreError::Unavailable("a notification took too long".into()))?;
        self.connection = Some(connection.map_err(undone)?);
        Ok(())
    }
}

async fn speak(
    open: Option<PgConnection>,
    options: &PgConnectOptions,
    texts: Vec<String>,
) -> Result<PgConnection, sqlx::Error> {
    let mut connection = match open {
        Some(connection) => connection,
        None => options.connect().await?,
    };
    for text in texts {
        sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(text).execute(&mut connection).await?;
    }
    Ok(connection)
}

#[async_trait]
impl Listener for Hears {
    async fn next(&mut self) -> Vec<Hint> {
        loop {
            let Some(listener) = &mut self.listener else {
                match listen(&self.options).await {
                    Some(listener) => {
                        self.listener = Some(listener);
                        return vec![Hint::All];
                    }
                    None => tokio::time::sleep(AGAIN).await,
                }
                continue;
            };
            match tokio::time::timeout(DEAF, listener.try_recv()).await {
                Ok(Ok(Some(told))) => match decode(told.payload()) {
                    Some((host, hints)) if host != self.host && !hints.is_empty() => return hints,
                    _ => {}
                },
                // Broken, or deaf: what was told in the meantime is lost.
                _ => self.listener = None,
            }
        }
    }
}

async fn listen(options: &PgConnectOptions) -> Option<PgListener> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(LIMIT)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(options.clone());
    let listening = async {
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok::<_, sqlx::Error>(listener)
    };
    tokio::time::timeout(LIMIT * 2, listening).await.ok()?.ok()
}
