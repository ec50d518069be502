//! The connector that `sdk/README.md` explains: what stands there compiles, and is what its own tests are about.

#[path = "readme/lib.rs"]
mod connector;

const README: &str = include_str!("../../README.md");

/// The first block of that language.
fn block(language: &str) -> &'static str {
    let start = README.find(&format!("```{language}\n")).expect(language) + language.len() + 4;
    let length = README[start..].find("```\n").expect("its end");
    &README[start..start + length]
}

#[test]
fn the_readme_shows_what_compiles() {
    let file = include_str!("readme/lib.rs").replace("\"tests/readme/manifest.json\"", "\"manifest.json\"");
    assert_eq!(block("rust"), file);
    assert_eq!(block("json"), include_str!("readme/manifest.json"));
}

#[test]
fn the_readme_names_every_word_of_a_schema() {
    let keywords = include_str!("../macros/src/schema/keywords.rs");
    let table = keywords.split_once("const KEYWORDS").and_then(|(_, rest)| rest.split_once("];")).expect("the table").0;
    let words: Vec<_> = table.lines().filter_map(|line| line.trim().strip_prefix("(\"")?.split('"').next()).collect();
    assert!(words.len() > 10, "{words:?}");
    for word in words.into_iter().chain(["title", "description", "raw", "extend"]) {
        assert!(README.contains(&format!("`{word}`")), "{word}");
    }
}
