//! Connectors for tests of the contract suite: one that keeps the contract, and many that break one rule of it, each by one
//! line. See `base` and `variants` beside this crate; some are a line away from what new plugins start from.

/// The connector that keeps the contract.
pub const BASE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/base.wasm"));

/// The folder of the one that keeps the contract.
pub const BASE_FOLDER: &str = concat!(env!("OUT_DIR"), "/workspace/base");

/// What new plugins start from: name, component, folder.
pub const TEMPLATES: [(&str, &[u8], &str); 3] = [
    (
        "http",
        include_bytes!(concat!(env!("OUT_DIR"), "/template-http.wasm")),
        concat!(env!("OUT_DIR"), "/workspace/template-http"),
    ),
    (
        "batch",
        include_bytes!(concat!(env!("OUT_DIR"), "/template-batch.wasm")),
        concat!(env!("OUT_DIR"), "/workspace/template-batch"),
    ),
    (
        "stream",
        include_bytes!(concat!(env!("OUT_DIR"), "/template-stream.wasm")),
        concat!(env!("OUT_DIR"), "/workspace/template-stream"),
    ),
];

/// A connector that breaks a rule: a file of `variants`.
#[derive(Clone, Copy, Debug)]
pub struct Wrong {
    /// The file's name.
    pub name: &'static str,
    /// The rule that it breaks.
    pub rule: &'static str,
    /// What the suite says of it, in part.
    pub says: &'static str,
    /// Where it differs from the base.
    pub file: &'static str,
    /// The folder of the one that it is a line away from.
    pub base: &'static str,
    /// Its source.
    pub folder: &'static str,
    /// With its manifest.
    pub component: &'static [u8],
}

/// All of them, by name.
pub const WRONG: &[Wrong] = include!(concat!(env!("OUT_DIR"), "/wrong.rs"));

#[cfg(test)]
mod tests {
    use super::WRONG;
    use std::fs;
    use std::path::Path;

    #[test]
    fn each_differs_from_the_base_in_one_line_of_one_file() {
        assert!(WRONG.len() >= 40, "{}", WRONG.len());
        for wrong in WRONG {
            let mut different = Vec::new();
            for file in ["manifest.json", "example.json", "test.json", "src/lib.rs"] {
                let text = |dir: &str| fs::read_to_string(Path::new(dir).join(file)).unwrap();
                let (base, own) = (text(wrong.base), text(wrong.folder));
                assert_eq!(base.lines().count(), own.lines().count(), "{}: {file}", wrong.name);
                let lines = base.lines().zip(own.lines()).filter(|(base, own)| base != own);
                different.extend(lines.map(|_| file));
            }
            assert_eq!(different, [wrong.file], "{}", wrong.name);
        }
    }
}
