//! Every link, file and test that a document names exists.

use super::page;
use std::path::{Path, PathBuf};

/// The repository's documents, as paths from its root.
fn documents() -> Vec<String> {
    let all = page::files(".", "md");
    assert!(all.len() > 8, "{all:?}");
    all
}

/// A page's text without its fenced blocks.
fn prose(page: &str) -> String {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            lines.push(line);
        }
    }
    lines.join("\n")
}

/// What stands in backticks, or between brackets as a link's target.
fn marked(prose: &str) -> Vec<&str> {
    prose.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

fn links(prose: &str) -> Vec<&str> {
    prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect()
}

/// A heading as the fragment of a link.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    text.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
}

#[test]
fn every_link_leads_somewhere() {
    for document in documents() {
        let text = page::read(&document);
        let text = prose(&text);
        let folder = Path::new(&document).parent().expect("a folder");
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target: PathBuf = if file.is_empty() { document.clone().into() } else { folder.join(file) };
            let there = page::path(target.to_str().expect("text"));
            assert!(there.exists(), "{document}: {link} leads nowhere");
            if !fragment.is_empty() {
                let target = std::fs::read_to_string(there).expect("a page");
                let found = target.lines().filter(|line| line.starts_with('#')).any(|line| slug(line) == fragment);
                assert!(found, "{document}: no heading for {link}");
            }
        }
    }
}

const FOLDERS: [&str; 7] = ["host/", "plugins/", "tests/", "wit/", "sdk/", "examples/", ".ci/"];

/// `path`, or `path::test`, from the root.
fn named(token: &str) -> Option<(&str, Option<&str>)> {
    // Only what is spelled out: not `…/<name>`, `*.rs`, or a command.
    let is_path = FOLDERS.iter().any(|folder| token.starts_with(folder));
    if !is_path || token.contains(['<', '*', '{', '…', ' ']) {
        return None;
    }
    Some(token.split_once("::").map_or((token, None), |(file, test)| (file, Some(test))))
}

#[test]
fn every_file_and_test_that_a_document_names_exists() {
    for document in documents() {
        let text = prose(&page::read(&document));
        for (file, test) in marked(&text).into_iter().filter_map(named) {
            assert!(page::path(file).exists(), "{document}: there is no {file}");
            if let Some(test) = test {
                assert!(is_a_test(&page::read(file), test), "{document}: {file} has no test {test}");
            }
        }
    }
}

/// True if the source has a function of that name under a `#[test]` of some kind, one that is run on both stores, or one
/// that its own `main` calls.
fn is_a_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let declared = |line: &str| line.split("fn ").nth(1).is_some_and(|rest| rest.starts_with(&format!("{name}(")));
    let both = source.split("on_both_stores! {").nth(1).and_then(|rest| rest.split('}').next()).unwrap_or_default();
    let on_both = both.split(',').any(|listed| listed.trim() == name);
    let called = source.contains("\nfn main()") && source.matches(&format!("{name}()")).count() > 1;
    lines.iter().enumerate().any(|(index, line)| {
        let above = lines[..index].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        let mut above = above.map(|line| line.starts_with("#[test") || line.starts_with("#[tokio::test"));
        declared(line) && (on_both || called || above.any(|is_test| is_test))
    })
}

/// Each boundary of `SECURITY.md` is shown by a test, or by a sentence that says that there is none.
#[test]
fn each_boundary_names_what_proves_it() {
    let tables = page::tables(&page::read("SECURITY.md"), "boundary");
    assert!(tables.len() > 5, "{}", tables.len());
    for row in tables.into_iter().flatten() {
        let proof = row.last().expect("a cell");
        let tests = marked(proof).into_iter().filter_map(named).filter(|(_, test)| test.is_some()).count();
        assert!(tests > 0 || proof.contains("no test"), "{row:?}");
    }
}
