//! `railhead plugin …`: what authors of plugins work with. Needs no host and no configuration.

mod build;
mod inspect;
mod new;
mod test;

use clap::{Args, Subcommand, ValueEnum};
use railhead_plugin_kit::Address;
use railhead_sandbox::inert;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// `railhead plugin …`
#[derive(Subcommand)]
pub enum PluginCommand {
    /// Makes a folder with a connector that builds and passes the tests; go on from there.
    New(NewArgs),
    /// Compiles a plugin's folder to a component: dist/<name>.wasm. That runs what is in the folder (build scripts, macros,
    /// .cargo/config.toml) with your rights: build only what you would run.
    Build(BuildArgs),
    /// Runs the contract suite on a plugin and names each MUST that it breaks. Ends with 1 where it breaks one, and
    /// where nothing can be said of it. A folder is built first, which runs what is in it with your rights; a component
    /// (x.wasm) runs in the sandbox alone: test so what is not yours.
    Test(TestArgs),
    /// Shows what a component is and may do: contract, imports, origins, credentials and their uses. With --against, what it
    /// may do more than an older one; ends with 3 if there is anything.
    Inspect(InspectArgs),
}

/// Arguments of `plugin new`.
#[derive(Args)]
pub struct NewArgs {
    /// The folder to make; it must not be there, or be empty.
    pub dir: PathBuf,
    /// What it starts as.
    #[arg(long, value_enum, default_value = "http")]
    pub template: Template,
    /// The connector's name, in kebab-case; else the folder's.
    #[arg(long)]
    pub name: Option<String>,
    /// Where railhead-sdk is: the folder sdk/rust of a checkout.
    #[arg(long, value_name = "DIR", required_unless_present = "sdk_git")]
    pub sdk_path: Option<PathBuf>,
    /// A git repository with railhead-sdk in it, instead of a folder.
    #[arg(long, value_name = "URL", conflicts_with = "sdk_path")]
    pub sdk_git: Option<String>,
}

/// What a new plugin starts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// One HTTP request an event.
    Http,
    /// One HTTP request a batch.
    Batch,
    /// A protocol of its own over a connection.
    Stream,
}

/// Arguments of `plugin build`.
#[derive(Args)]
pub struct BuildArgs {
    /// The plugin's folder.
    #[arg(default_value = ".")]
    pub dir: PathBuf,
}

/// Arguments of `plugin test`.
#[derive(Args)]
pub struct TestArgs {
    /// The plugin's folder, which is built first; or a component, with example.json (and test.json) beside it or in --folder.
    #[arg(default_value = ".")]
    pub plugin: PathBuf,
    /// Where example.json and test.json are, for a component.
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// A real server for a connector that speaks a protocol of its own: events are delivered there, as test.json configures it.
    #[arg(long, value_name = "HOST:PORT")]
    pub server: Option<Address>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `plugin inspect`.
#[derive(Args)]
pub struct InspectArgs {
    /// The component.
    pub component: PathBuf,
    /// An older one: says what the new one may do more. Ends with 3 where there is anything.
    #[arg(long, value_name = "COMPONENT")]
    pub against: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs a command: the exit code, or what went wrong in words.
///
/// # Errors
/// What is wrong with the folder, the compiler or the machine.
pub async fn run(command: PluginCommand) -> Result<u8, String> {
    match command {
        PluginCommand::New(args) => new::run(&args).map(|()| 0),
        PluginCommand::Build(args) => build::run(&args.dir).map(|_| 0),
        PluginCommand::Test(args) => test::run(&args).await,
        PluginCommand::Inspect(args) => inspect::run(&args),
    }
}

/// Reads a file; the error names it.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|cause| format!("{} cannot be read: {cause}", path.display()))
}

/// Writes a file in the place of whatever is there: of a link too, and not where it leads. The error names it.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let failed = |cause| format!("{} cannot be written: {cause}", path.display());
    match std::fs::remove_file(path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => return Err(failed(cause)),
        _ => {}
    }
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(bytes)).map_err(failed)
}

/// Writes a file; the error names it.
fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    std::fs::write(path, bytes).map_err(|cause| format!("{} cannot be written: {cause}", path.display()))
}

/// What a command has to say. A component's own words may be in it: a terminal acts on nothing of them.
#[allow(clippy::print_stdout)] // the command's output
fn say(text: &str) {
    println!("{}", safe(text));
}

/// Line by line without control characters.
fn safe(text: &str) -> String {
    text.trim_end().split('\n').map(inert).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
