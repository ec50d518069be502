//! `railhead plugin test`: the contract suite on a folder or a component.

use super::{TestArgs, build, read, say};
use railhead_plugin_kit::{Plugin, run as judge};
use std::path::{Path, PathBuf};

/// Runs the suite: 0, or 1 where a MUST is broken.
pub(super) async fn run(args: &TestArgs) -> Result<u8, String> {
    let (component, folder) = found(args)?;
    let mut plugin = Plugin::in_folder(read(&component)?, &folder).map_err(|error| error.to_string())?;
    plugin.server.clone_from(&args.server);
    let report = judge(&plugin).await.map_err(|error| error.to_string())?;
    if args.json {
        say(&serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?);
    } else {
        say(&report.table());
    }
    Ok(u8::from(!report.is_ok()))
}

/// The component, and the folder with its example.
fn found(args: &TestArgs) -> Result<(PathBuf, PathBuf), String> {
    if args.plugin.is_dir() {
        let component = build::component(&args.plugin)?;
        return Ok((component, args.folder.clone().unwrap_or_else(|| args.plugin.clone())));
    }
    let beside = args.plugin.parent().unwrap_or(Path::new("."));
    let beside = if beside.as_os_str().is_empty() { Path::new(".") } else { beside };
    // `build` puts components into a folder of their own.
    let example = |dir: &Path| dir.join("example.json").exists();
    let folder =
        args.folder.clone().or_else(|| [beside.to_owned(), beside.join("..")].into_iter().find(|dir| example(dir)));
    let folder = folder.ok_or_else(|| format!("There is no example.json beside {}.", args.plugin.display()))?;
    Ok((args.plugin.clone(), folder))
}
