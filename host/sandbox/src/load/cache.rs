//! Compiled images on disk. An image is native code: only what this host wrote, and can prove that it wrote, is loaded.

use crate::platform;
use aws_lc_rs::hmac;
use sha2::{Digest, Sha256};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use wasmtime::Engine;

/// Names the layout of a file: MAC, then image.
const FORMAT: &[u8] = b"railhead image 1";
const MAC_BYTES: usize = 32;

pub(super) struct Cache {
    dir: PathBuf,
    key: hmac::Key,
    compatibility: u64,
}

impl Cache {
    /// Opens (and makes) the directory.
    pub(super) fn open(dir: &Path, key: &[u8; 32], engine: &Engine) -> wasmtime::Result<Self> {
        platform::private_directory(dir)?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        Ok(Self { dir: dir.to_owned(), key, compatibility: hasher.finish() })
    }

    /// The image of a component, if it is there and its MAC is right.
    pub(super) fn get(&self, component: &[u8; 32]) -> Option<Vec<u8>> {
        let mut file = std::fs::read(self.path(component)).ok()?;
        let (mac, image) = file.split_at_checked(MAC_BYTES)?;
        if hmac::verify(&self.key, &self.signed(component, image), mac).is_err() {
            tracing::warn!("a cached image is not what this host wrote; compiling again");
            return None;
        }
        Some(file.split_off(MAC_BYTES))
    }

    /// Keeps an image. Written beside and renamed: a reader sees all of it or nothing.
    pub(super) fn put(&self, component: &[u8; 32], image: &[u8]) -> std::io::Result<()> {
        let path = self.path(component);
        let beside = path.with_extension(format!("{}.new", std::process::id()));
        let mut file = std::fs::File::create(&beside)?;
        file.write_all(hmac::sign(&self.key, &self.signed(component, image)).as_ref())?;
        file.write_all(image)?;
        drop(file);
        std::fs::rename(beside, path)
    }

    fn signed(&self, component: &[u8; 32], image: &[u8]) -> Vec<u8> {
        [FORMAT, component, &self.compatibility.to_be_bytes(), image].concat()
    }

    fn path(&self, component: &[u8; 32]) -> PathBuf {
        let name = Sha256::new().chain_update(component).chain_update(self.compatibility.to_be_bytes()).finalize();
        self.dir.join(format!("{}.image", hex::encode(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(dir: &Path, key: u8) -> Cache {
        Cache::open(dir, &[key; 32], &crate::engine::compiling().unwrap()).unwrap()
    }

    #[test]
    fn an_image_comes_back_only_to_the_key_that_wrote_it_and_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let (component, other) = ([1; 32], [2; 32]);
        cache(dir.path(), 7).put(&component, b"native code").unwrap();
        assert_eq!(cache(dir.path(), 7).get(&component).as_deref(), Some(&b"native code"[..]));
        assert_eq!(cache(dir.path(), 7).get(&other), None);
        assert_eq!(cache(dir.path(), 8).get(&component), None);

        let path = cache(dir.path(), 7).path(&component);
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(cache(dir.path(), 7).get(&component), None);
    }

    #[cfg(unix)]
    #[test]
    fn the_directory_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("images");
        let _ = cache(&inner, 1);
        assert_eq!(std::fs::metadata(&inner).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
