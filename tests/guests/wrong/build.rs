//! Builds the connector that keeps the contract, and each variant of it with its one line changed, in one workspace.

use railhead_guest_build::{Error, Guests, build_lifted};
use serde::Deserialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// A file of `variants`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Variant {
    /// What it is a line away from: `stream` for that template; else the connector in `base`.
    #[serde(default)]
    of: Option<String>,
    rule: String,
    says: String,
    file: String,
    line: String,
    instead: String,
}

/// What a member of the workspace is made of.
const FILES: [&str; 5] = ["Cargo.toml", "manifest.json", "example.json", "test.json", "src/lib.rs"];

/// Small and quickly built: none has to be fast.
const PROFILE: &str = "[profile.release]\nopt-level = 1\ncodegen-units = 4\npanic = \"abort\"\nstrip = true\n";

/// What new plugins start from: folders of `sdk/kit/templates`.
const TEMPLATES: [&str; 3] = ["template-http", "template-batch", "template-stream"];

fn main() -> Result<(), Error> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(env::var("OUT_DIR").map_err(|_| Error::Variable("OUT_DIR"))?);
    let workspace = out.join("workspace");
    let variants = variants(&here.join("variants"))?;
    let mut members = vec!["base".to_owned()];
    make(&here.join("base"), &workspace.join("base"), None)?;
    let mut list = String::from("&[\n");
    let (templates, sdk) = (here.join("../../../sdk/kit/templates"), here.join("../../../sdk/rust"));
    for name in TEMPLATES {
        let kind = name.trim_start_matches("template-");
        template(&templates.join(kind), &workspace.join(name), name, &sdk)?;
        members.push(name.to_owned());
    }
    let mut of_templates: Vec<&str> = TEMPLATES.to_vec();
    for (name, variant) in &variants {
        let base = match &variant.of {
            None => here.join("base"),
            Some(kind) => {
                of_templates.push(name);
                workspace.join(format!("template-{kind}"))
            }
        };
        make(&base, &workspace.join(name), Some((name, variant)))?;
        members.push(name.clone());
        let dir = workspace.join(name);
        let base = variant.of.as_ref().map_or_else(|| "base".to_owned(), |kind| format!("template-{kind}"));
        // Writing to a text cannot fail.
        let _ = writeln!(
            list,
            "Wrong {{ name: {name:?}, rule: {:?}, says: {:?}, file: {:?}, base: {:?}, folder: {:?}, component: \
             include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.wasm\")) }},",
            variant.rule,
            variant.says,
            variant.file,
            workspace.join(base),
            dir
        );
    }
    list.push(']');
    // By name: what was a member in a build before may still be there.
    let all = format!("[workspace]\nresolver = \"3\"\nmembers = {members:?}\n\n{PROFILE}");
    write(&workspace.join("Cargo.toml"), &all)?;
    write(&workspace.join("Cargo.lock"), &locked(&read(&here.join("base.lock"))?, &members, &of_templates))?;
    write(&out.join("wrong.rs"), &list)?;
    let from = [
        templates,
        here.join("base"),
        here.join("variants"),
        here.join("base.lock"),
        here.join("../../../sdk/rust/src"),
    ];
    build_lifted(Guests { dir: &workspace, wit: &here.join("../../../wit/0.1.0"), members: &members }, &from)
}

/// All variants by name.
fn variants(dir: &Path) -> Result<Vec<(String, Variant)>, Error> {
    let failed = |cause| Error::File { path: dir.to_owned(), cause };
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let variant = toml::from_str(&read(&path)?)
            .map_err(|cause| Error::File { path: path.clone(), cause: io::Error::other(cause.to_string()) })?;
        all.push((name, variant));
    }
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(all)
}

/// Copies the base, with one line changed.
fn make(base: &Path, to: &Path, variant: Option<(&String, &Variant)>) -> Result<(), Error> {
    for file in FILES {
        let mut text = read(&base.join(file))?;
        if let Some((name, variant)) = variant {
            if file == "Cargo.toml" {
                let own = base.file_name().map(|own| own.to_string_lossy().into_owned()).unwrap_or_default();
                text = text.replace(&format!("name = {own:?}"), &format!("name = {name:?}"));
            }
            if file == variant.file {
                text = changed(&text, variant).map_err(|cause| Error::File {
                    path: base.join(file),
                    cause: io::Error::other(format!("variant {name}: {cause}")),
                })?;
            }
        }
        if file == "Cargo.toml" {
            let sdk = base.join("../../../../sdk/rust");
            text = text.replace("../../../../sdk/rust", &sdk.display().to_string());
        }
        let path = to.join(file);
        let dir = path.parent().unwrap_or(to);
        fs::create_dir_all(dir).map_err(|cause| Error::File { path: dir.to_owned(), cause })?;
        // What is as it was is not compiled again.
        if fs::read_to_string(&path).is_ok_and(|before| before == text) {
            continue;
        }
        write(&path, &text)?;
    }
    Ok(())
}

/// Copies a template as `railhead plugin new` does, into the workspace instead of one of its own.
fn template(from: &Path, to: &Path, name: &str, sdk: &Path) -> Result<(), Error> {
    let src = to.join("src");
    fs::create_dir_all(&src).map_err(|cause| Error::File { path: src.clone(), cause })?;
    for file in FILES {
        let text = read(&from.join(file))?.replace("{{name}}", name);
        let text = text.replace("{{sdk}}", &format!("{{ path = {:?} }}", sdk.display().to_string()));
        let own = |block: &&str| !block.contains("[workspace]") && !block.starts_with("[profile");
        let blocks: Vec<&str> = text.split("\n\n").filter(own).collect();
        let text = if file == "Cargo.toml" { blocks.join("\n\n") + "\n" } else { text };
        if fs::read_to_string(to.join(file)).is_ok_and(|before| before == text) {
            continue;
        }
        write(&to.join(file), &text)?;
    }
    Ok(())
}

/// The text with the variant's line in the place of the one that it names, which is there once.
fn changed(text: &str, variant: &Variant) -> Result<String, String> {
    let count = text.lines().filter(|line| *line == variant.line).count();
    if count != 1 || variant.instead.contains('\n') {
        return Err(format!("the line is there {count} times; it must be one line that is there once"));
    }
    let lines = text.lines().map(|line| if line == variant.line { variant.instead.as_str() } else { line });
    Ok(lines.flat_map(|line| [line, "\n"]).collect())
}

/// The base's lock file with a package for each member: they need what the base needs, but for one thing that templates, and
/// what is made of them, do without.
fn locked(base: &str, members: &[String], of_templates: &[&str]) -> String {
    let mut packages: Vec<String> = base.split("\n[[package]]\n").map(str::to_owned).collect();
    let head = packages.remove(0);
    let own = packages.iter().position(|package| package.starts_with("name = \"base\"\n"));
    let own = own.map(|at| packages.remove(at)).unwrap_or_default();
    packages.extend(members.iter().map(|name| {
        let package = own.replace("name = \"base\"", &format!("name = {name:?}"));
        if of_templates.contains(&name.as_str()) { package.replace(" \"serde_json\",\n", "") } else { package }
    }));
    packages.sort_by_key(|package| package.lines().next().map(str::to_owned));
    let packages: Vec<String> = packages.iter().map(|package| package.trim_end().to_owned()).collect();
    format!("{head}\n[[package]]\n{}\n", packages.join("\n\n[[package]]\n"))
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|cause| Error::File { path: path.to_owned(), cause })
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|cause| Error::File { path: path.to_owned(), cause })
}
