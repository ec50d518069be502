//! Folders that new plugins start from.

/// A file of a template.
#[derive(Clone, Copy, Debug)]
pub struct File {
    /// Inside the new folder.
    pub path: &'static str,
    /// With `{{name}}` and `{{sdk}}`.
    pub text: &'static str,
}

macro_rules! template {
    ($folder:literal) => {
        &[
            template!($folder, "Cargo.toml", "Cargo.toml"),
            template!($folder, "gitignore", ".gitignore"),
            template!($folder, "README.md", "README.md"),
            template!($folder, "manifest.json", "manifest.json"),
            template!($folder, "example.json", "example.json"),
            template!($folder, "test.json", "test.json"),
            template!($folder, "src/lib.rs", "src/lib.rs"),
        ]
    };
    ($folder:literal, $file:literal, $path:literal) => {
        File { path: $path, text: include_str!(concat!("../templates/", $folder, "/", $file)) }
    };
}

/// One HTTP request an event.
pub const HTTP: &[File] = template!("http");
/// One HTTP request a batch.
pub const BATCH: &[File] = template!("batch");
/// A protocol of its own over a connection.
pub const STREAM: &[File] = template!("stream");

/// A file's text for a connector of this name; `sdk` is where `railhead-sdk` comes from, as a `Cargo.toml` has it.
#[must_use]
pub fn filled(text: &str, name: &str, sdk: &str) -> String {
    text.replace("{{name}}", name).replace("{{sdk}}", sdk)
}
