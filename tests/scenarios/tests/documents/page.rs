//! Reads Markdown: fenced blocks and tables.

use std::path::{Path, PathBuf};

/// A file of the repository.
pub fn path(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(name)
}

/// Its text.
pub fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The fenced blocks that begin with exactly this, such as `python verify`.
pub fn blocks(page: &str, info: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(own) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if own == info {
            found.push(block.join("\n") + "\n");
        }
    }
    found
}

/// The only block of that kind.
pub fn block(page: &str, info: &str) -> String {
    let mut found = blocks(page, info);
    assert_eq!(found.len(), 1, "blocks `{info}`");
    found.remove(0)
}

/// The cells of the first table whose head begins with this cell, row by row, without the head.
pub fn table(page: &str, head: &str) -> Vec<Vec<String>> {
    tables(page, head).remove(0)
}

/// The same of every table of that head.
pub fn tables(page: &str, head: &str) -> Vec<Vec<Vec<String>>> {
    let start = format!("| {head} |");
    let lines: Vec<&str> = page.lines().collect();
    let heads = lines.iter().enumerate().filter(|(_, line)| line.starts_with(&start));
    let rows = |index: usize| lines[index + 2..].iter().take_while(|line| line.starts_with('|')).map(|row| cells(row));
    let found: Vec<Vec<_>> = heads.map(|(index, _)| rows(index).collect()).collect();
    assert!(!found.is_empty() && found.iter().all(|table| !table.is_empty()), "no table `{head}`");
    found
}

fn cells(row: &str) -> Vec<String> {
    row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// Every file below a folder whose name ends so, as paths from the root.
pub fn files(folder: &str, extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path(folder)).unwrap_or_else(|error| panic!("{folder}: {error}")) {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a name");
        let below = if folder == "." { name.clone() } else { format!("{folder}/{name}") };
        if entry.file_type().expect("a type").is_dir() {
            let is_ours =
                !name.starts_with('.') && !["target", "node_modules", "railhead-data"].contains(&name.as_str());
            found.extend(is_ours.then(|| files(&below, extension)).into_iter().flatten());
        } else if below.ends_with(&format!(".{extension}")) {
            found.push(below);
        }
    }
    found.sort_unstable();
    found
}
