//! `railhead plugin new`: a folder to start from.

use super::{NewArgs, Template, say, write};
use railhead_plugin_kit::templates::{self, File};
use std::path::Path;

pub(super) fn run(args: &NewArgs) -> Result<(), String> {
    let name = match &args.name {
        Some(name) => name.clone(),
        None => folder_name(&args.dir),
    };
    if !is_name(&name) {
        return Err(format!("{name:?} is no name of a connector: kebab-case, 2 to 64 characters, such as acme-queue."));
    }
    let filled = std::fs::read_dir(&args.dir).is_ok_and(|mut entries| entries.next().is_some());
    if filled {
        return Err(format!("{} is there, and is not empty.", args.dir.display()));
    }
    let sdk = sdk(args)?;
    let files = match args.template {
        Template::Http => templates::HTTP,
        Template::Batch => templates::BATCH,
        Template::Stream => templates::STREAM,
    };
    for File { path, text } in files {
        let to = args.dir.join(path);
        let dir = to.parent().unwrap_or(&args.dir);
        std::fs::create_dir_all(dir).map_err(|cause| format!("{} cannot be made: {cause}", dir.display()))?;
        write(&to, templates::filled(text, &name, &sdk).as_bytes())?;
    }
    let dir = args.dir.display();
    say(&format!(
        "{dir}: a connector named {name}. Now:\n\n  railhead plugin build {dir}\n  railhead plugin test {dir}\n\nThen change \
         src/lib.rs, manifest.json and example.json, and test again."
    ));
    Ok(())
}

/// The folder's own name, however the path leads to it: `.` has one too.
fn folder_name(dir: &Path) -> String {
    let whole = dir.canonicalize().or_else(|_| std::path::absolute(dir)).unwrap_or_else(|_| dir.to_owned());
    whole.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned()
}

/// Where the SDK comes from, as `Cargo.toml` has it.
fn sdk(args: &NewArgs) -> Result<String, String> {
    if let Some(url) = &args.sdk_git {
        return Ok(format!("{{ git = {url:?} }}"));
    }
    let path = args.sdk_path.as_deref().unwrap_or(Path::new("."));
    let absolute = path.canonicalize().map_err(|cause| format!("{}: {cause}", path.display()))?;
    if !absolute.join("Cargo.toml").exists() {
        return Err(format!("{} is not the folder of railhead-sdk: it has no Cargo.toml.", path.display()));
    }
    Ok(format!("{{ path = {:?} }}", absolute.display().to_string()))
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (2..=64).contains(&name.len())
        && name.bytes().all(fits)
        && name.starts_with(|first: char| first.is_ascii_lowercase())
}
