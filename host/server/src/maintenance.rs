//! Commands beside a running host: migrate, and the master key's life.

use crate::compose::StartError;
use crate::config::{Config, MasterKeySource};
use crate::stores::MigrateError;
use crate::{master_key, stores};
use railhead_store::Store;
use railhead_vault::{MasterKey, SystemRandom, Vault};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;

/// Exit code of a migration that may succeed when it is run again (`EX_TEMPFAIL`).
const TRY_AGAIN: u8 = 75;

/// Brings the schema up to date, says what it did, and answers with the exit code: 0, 75 if it may work later, else 1.
#[allow(clippy::print_stdout)] // what a command prints is its purpose
pub async fn migrate(config: &Config, json: bool) -> u8 {
    let database = shown(&config.database_url);
    match stores::migrate(config).await {
        Ok(done) if json => {
            println!("{}", json!({"database": database, "applied": done.applied, "reader_made": done.reader}));
            0
        }
        Ok(done) => {
            done.applied.iter().for_each(|name| println!("applied {name}"));
            if done.reader {
                println!("made the reading role, or granted it what it reads");
            }
            println!("the schema of {database} is up to date");
            0
        }
        Err(error) => {
            complain(&error, json);
            if error.is_retryable() { TRY_AGAIN } else { 1 }
        }
    }
}

#[allow(clippy::print_stdout, clippy::print_stderr)] // what a command says when it fails
fn complain(error: &MigrateError, json: bool) {
    if json {
        let (code, retryable) = (error.code(), error.is_retryable());
        println!("{}", json!({"error": {"code": code, "message": error.to_string(), "retryable": retryable}}));
    } else {
        eprintln!("railhead: {error} ({})", error.code());
    }
}

/// A database's URL without its password.
fn shown(database_url: &str) -> String {
    let Ok(mut url) = url::Url::parse(database_url) else { return database_url.to_owned() };
    if url.password().is_some() {
        // Fails only for URLs that cannot have a password.
        let _ = url.set_password(Some("***"));
    }
    url.to_string()
}

/// Prints a new master key.
#[allow(clippy::print_stdout)] // what a command prints is its purpose
pub fn new_master_key() {
    println!("{}", MasterKey::generate(&SystemRandom).to_text().as_str());
}

/// Puts a new key first in the key file, then wraps every tenant's key with it. Run again, it goes on where it ended:
/// what is wrapped by the first key is left alone. The older line can be taken out of the file afterwards.
///
/// # Errors
/// The key is not in a file, the store is in use, or does not belong to it.
#[allow(clippy::print_stdout)] // what a command prints is its purpose
pub async fn rotate_master_key(config: &Config) -> Result<(), StartError> {
    let path = key_file(config)?;
    let opened = stores::open(config).await?;
    let store = opened.store.as_ref();
    let keys = master_key::load(config).map_err(|error| StartError(error.to_string()))?;
    let failed = |error: master_key::MasterKeyError| StartError(error.to_string());
    let vault = master_key::open_vault(keys, store).await.map_err(failed)?;
    // A first key that wraps nothing yet was made by a rotation that was cut short: go on with it.
    let vault = if is_unused(&vault, store).await? {
        vault
    } else {
        let keys = master_key::prepend_new(&path).map_err(failed)?;
        Arc::new(Vault::new(keys, Arc::new(SystemRandom)))
    };
    let count = rewrap_all(&vault, store).await?;
    println!("{count} keys wrapped anew; hosts must be started again with {}", path.display());
    opened.close().await;
    Ok(())
}

fn key_file(config: &Config) -> Result<PathBuf, StartError> {
    match &config.master_key {
        MasterKeySource::File(path) => Ok(path.clone()),
        MasterKeySource::DataFolder if config.is_embedded() => Ok(config.data.join("master.key")),
        _ => Err(StartError("a rotation writes the master key file; set RAILHEAD_MASTER_KEY_FILE".to_owned())),
    }
}

/// True while the store's check value, which is wrapped last, still needs the first key.
async fn is_unused(vault: &Vault, store: &dyn Store) -> Result<bool, StartError> {
    let failed = |error: &dyn std::fmt::Display| StartError::at("the store", error);
    let check = store.meta(master_key::CHECK).await.map_err(|error| failed(&error))?.unwrap_or_default();
    Ok(vault.rewrap_check(&check).map_err(|error| failed(&error))?.is_some())
}

async fn rewrap_all(vault: &Vault, store: &dyn Store) -> Result<usize, StartError> {
    let failed = |error: &dyn std::fmt::Display| StartError::at("a key could not be wrapped anew", error);
    let mut count = 0;
    for environment in store.environments().await.map_err(|error| failed(&error))? {
        let mut after = None;
        loop {
            let page = store.tenants(environment.no, after.as_ref(), 200).await.map_err(|error| failed(&error))?;
            let Some(last) = page.last() else { break };
            after = Some(last.id.clone());
            for tenant in page {
                let binding = railhead_delivery::keyring::binding(environment.no, &tenant.id);
                if let Some(new) = vault.rewrap(&binding, &tenant.wrapped_key).map_err(|error| failed(&error))? {
                    let replaced = store.replace_wrapped_key(tenant.no, &tenant.wrapped_key, &new).await;
                    count += usize::from(replaced.map_err(|error| failed(&error))?);
                }
            }
        }
    }
    if let Some(host) = store.meta(HOST_KEY).await.map_err(|error| failed(&error))?
        && let Some(new) = vault.rewrap_host(&host).map_err(|error| failed(&error))?
    {
        count += usize::from(store.replace_meta(HOST_KEY, &host, &new).await.map_err(|error| failed(&error))?);
    }
    // Last: while it needs the old key, a rotation is not over.
    let check = store.meta(master_key::CHECK).await.map_err(|error| failed(&error))?.unwrap_or_default();
    if let Some(new) = vault.rewrap_check(&check).map_err(|error| failed(&error))? {
        store.replace_meta(master_key::CHECK, &check, &new).await.map_err(|error| failed(&error))?;
    }
    Ok(count)
}

/// The name under which the API keeps the host's own key.
const HOST_KEY: &str = "api-host-key";
