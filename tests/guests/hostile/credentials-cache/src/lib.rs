//! Leaves what it knows in its cache, and looks for what a session of somebody else left.

use hostile_kit::{Failure, Given, Hostile, host};

#[derive(Default)]
struct Cache;

impl Hostile for Cache {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let found =
            host::cache_get("loot").map_or_else(|| "nothing".to_owned(), |loot| String::from_utf8_lossy(&loot).into());
        host::cache_put("loot", given.events[0].tenant.as_bytes(), 60_000)?;
        Ok(format!("Found: {found}."))
    }
}

hostile_kit::hostile!(Cache);
