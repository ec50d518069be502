//! Where the master key comes from, and the check that it is the store's own.

use crate::config::{Config, MasterKeySource};
use railhead_store::Directory;
use railhead_vault::{MasterKey, MasterKeys, SystemRandom, Vault};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why there is no usable master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// A server database without a key.
    #[error(
        "a master key is needed with this database, and none is set. Make one with `railhead master-key new > master.key`, \
         keep it apart from the database's backups, and set RAILHEAD_MASTER_KEY_FILE=master.key on every host"
    )]
    Missing,
    /// The file cannot be read or made.
    #[error("the master key file {path}: {why}")]
    File {
        /// Which.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// What was found is no master key.
    #[error(transparent)]
    Bad(#[from] railhead_vault::VaultError),
    /// The store was made under another key.
    #[error(
        "this master key does not open this store ({0}). Nothing was changed. Set the key under which the store was made; \
         without it, what is sealed there cannot be read"
    )]
    Wrong(railhead_vault::VaultError),
    /// The embedded store exists, its key file does not.
    #[error(
        "the store {store} exists, but its master key {path} is missing. Nothing was changed. Restore the key file from \
         where you keep it; a new key could not open this store"
    )]
    Lost {
        /// The key file.
        path: PathBuf,
        /// The database's file.
        store: PathBuf,
    },
    /// The store could not be asked.
    #[error(transparent)]
    Store(#[from] railhead_store::StoreError),
}

/// Reads the configured key; on the embedded default, makes one at the first start.
///
/// # Errors
/// [`MasterKeyError`] says what to change.
pub fn load(config: &Config) -> Result<MasterKeys, MasterKeyError> {
    match &config.master_key {
        MasterKeySource::Text(text) => Ok(MasterKeys::parse(text)?),
        MasterKeySource::File(path) => read(path),
        MasterKeySource::DataFolder if !config.is_embedded() => Err(MasterKeyError::Missing),
        MasterKeySource::DataFolder => {
            let path = config.data.join("master.key");
            if path.exists() {
                return read(&path);
            }
            match config.sqlite_path().filter(|store| store.exists()) {
                Some(store) => Err(MasterKeyError::Lost { path, store }),
                None => make(&path),
            }
        }
    }
}

fn read(path: &Path) -> Result<MasterKeys, MasterKeyError> {
    let text = std::fs::read_to_string(path).map_err(|error| file_error(path, &error))?;
    Ok(MasterKeys::parse(&zeroize::Zeroizing::new(text))?)
}

fn make(path: &Path) -> Result<MasterKeys, MasterKeyError> {
    let key = MasterKey::generate(&SystemRandom);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| file_error(folder, &error))?;
    }
    write_private(path, key.to_text().as_bytes()).map_err(|error| file_error(path, &error))?;
    Ok(MasterKeys::one(key))
}

/// Writes a new file that only its owner reads; durable before it counts.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.write_all(b"\n")?;
    file.sync_all()
}

fn file_error(path: &Path, error: &std::io::Error) -> MasterKeyError {
    MasterKeyError::File { path: path.to_owned(), why: error.to_string() }
}

/// The name under which a store keeps its check value.
pub const CHECK: &str = "master-key-check";

/// Opens the vault over these keys, after the store agreed that they are its own. A new store takes them.
///
/// # Errors
/// [`MasterKeyError::Wrong`] for a foreign key: nothing is overwritten.
pub async fn open_vault(keys: MasterKeys, store: &(impl Directory + ?Sized)) -> Result<Arc<Vault>, MasterKeyError> {
    let vault = Vault::new(keys, Arc::new(SystemRandom));
    let stored = match store.meta(CHECK).await? {
        Some(stored) => stored,
        None => store.put_meta(CHECK, &vault.check_value()).await?,
    };
    vault.verify_check(&stored).map_err(MasterKeyError::Wrong)?;
    Ok(Arc::new(vault))
}

/// Puts a new key first in `path`; the older lines stay, to open what they wrapped.
///
/// # Errors
/// [`MasterKeyError`]; the old file stands then.
pub fn prepend_new(path: &Path) -> Result<MasterKeys, MasterKeyError> {
    let old = zeroize::Zeroizing::new(std::fs::read_to_string(path).map_err(|error| file_error(path, &error))?);
    MasterKeys::parse(&old)?;
    let key = MasterKey::generate(&SystemRandom);
    let text = zeroize::Zeroizing::new(format!("{}\n{}", key.to_text().as_str(), old.trim_end()));
    let next = path.with_extension("next");
    let _ = std::fs::remove_file(&next);
    write_private(&next, text.as_bytes()).map_err(|error| file_error(&next, &error))?;
    std::fs::rename(&next, path).map_err(|error| file_error(path, &error))?;
    Ok(MasterKeys::parse(&text)?)
}
