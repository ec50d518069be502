//! The first-party plugins: compiled from the folders beside this crate, embedded in the host's binary.
//!
//! They run in the sandbox like anyone's, and nothing in the host knows what they do.

/// A plugin that comes with the host.
#[derive(Clone, Copy, Debug)]
pub struct Plugin {
    /// As in its manifest.
    pub name: &'static str,
    /// The component, with its manifest in a custom section.
    pub component: &'static [u8],
}

/// Posts each event to a URL, signed.
pub const WEBHOOK: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/webhook.wasm"));

/// Writes each event as a row of a table.
pub const POSTGRES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/postgres.wasm"));

/// Writes batches of events as objects to S3 and compatible stores.
pub const S3: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/s3.wasm"));

/// All of them.
pub const ALL: &[Plugin] = &[
    Plugin { name: "webhook", component: WEBHOOK },
    Plugin { name: "postgres", component: POSTGRES },
    Plugin { name: "s3", component: S3 },
];

#[cfg(test)]
mod tests;
