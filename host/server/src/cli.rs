//! The command line: for people (tables, progress) and scripts (`--json`).

use crate::plugin::PluginCommand;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Delivers a vendor's events to its customers' destinations.
#[derive(Parser)]
#[command(name = "railhead", version, about, arg_required_else_help = true)]
pub struct Cli {
    /// A TOML file of settings; the environment (RAILHEAD_…) wins over it.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the binary does.
#[derive(Subcommand)]
pub enum Command {
    /// Runs the host. Needs no configuration: everything is kept in ./railhead-data.
    Serve(ServeArgs),
    /// Shows the host at work against a receiver that misbehaves on purpose, in a temporary folder; ends by itself.
    Demo(DemoArgs),
    /// Brings the database's schema up to date. Running it again is harmless; exit code 75 says that a later try may work.
    Migrate(MigrateArgs),
    /// Asks the host at the configured address whether it is ready; ends with 1 where it is not.
    Health(HealthArgs),
    /// Makes and replaces master keys.
    #[command(subcommand, name = "master-key")]
    MasterKey(MasterKeyCommand),
    /// Makes, replaces and revokes API keys.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Makes, builds, tests and inspects plugins: for their authors.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Compiles one component from standard input: how the host calls itself. Not for people.
    #[command(hide = true, name = "compile-component")]
    CompileComponent,
}

/// Arguments of `serve`.
#[derive(Args)]
pub struct ServeArgs {
    /// Migrate first, instead of refusing to start with pending migrations.
    #[arg(long)]
    pub migrate: bool,
}

/// Arguments of `migrate`.
#[derive(Args)]
pub struct MigrateArgs {
    /// Print JSON: what was applied, or an error with its code.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `demo`.
#[derive(Args)]
pub struct DemoArgs {
    /// Stay up at the end and print curl lines to look around with.
    #[arg(long)]
    pub keep: bool,
    /// Events of the healthy tenant.
    #[arg(long, default_value_t = 3_000, value_parser = clap::value_parser!(u32).range(200..=100_000))]
    pub events: u32,
    /// Print the summary as JSON only.
    #[arg(long)]
    pub json: bool,
    /// Write what the receiver got, one JSON object a line, to this file.
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
}

/// Arguments of `health`.
#[derive(Args)]
pub struct HealthArgs {
    /// Ask only whether the process lives.
    #[arg(long)]
    pub live: bool,
    /// The host's address, instead of the configured one.
    #[arg(long, env = "RAILHEAD_URL")]
    pub url: Option<String>,
}

/// `railhead master-key …`
#[derive(Subcommand)]
pub enum MasterKeyCommand {
    /// Prints a new master key. Keep it where the database's backups are not.
    New,
    /// Puts a new key first in the master key file and wraps every tenant's key with it; resumable.
    Rotate,
}

/// `railhead key …`
#[derive(Subcommand)]
pub enum KeyCommand {
    /// Makes a key and prints its secret, once.
    Create {
        /// The key's environment.
        #[arg(long, default_value = "live")]
        environment: String,
        /// For people.
        #[arg(long, default_value = "")]
        name: String,
        /// What it may do, comma-separated; `*` is everything in its environment.
        #[arg(long, value_delimiter = ',', default_value = "*")]
        scopes: Vec<String>,
        /// Where a host runs, and how to speak to it.
        #[command(flatten)]
        remote: Remote,
    },
    /// Lists keys, without secrets.
    List {
        /// The keys' environment.
        #[arg(long, default_value = "live")]
        environment: String,
        /// Where a host runs, and how to speak to it.
        #[command(flatten)]
        remote: Remote,
    },
    /// Makes a new secret for a key; the old one goes on working for the overlap.
    Rotate {
        /// `key_…`
        id: String,
        /// The key's environment.
        #[arg(long, default_value = "live")]
        environment: String,
        /// Milliseconds that the old secret goes on working.
        #[arg(long, default_value_t = 0)]
        overlap_ms: u64,
        /// Where a host runs, and how to speak to it.
        #[command(flatten)]
        remote: Remote,
    },
    /// Ends a key at once.
    Revoke {
        /// `key_…`
        id: String,
        /// The key's environment.
        #[arg(long, default_value = "live")]
        environment: String,
        /// Where a host runs, and how to speak to it.
        #[command(flatten)]
        remote: Remote,
    },
}

/// Keys are the running host's: these commands speak to its API.
#[derive(Args)]
pub struct Remote {
    /// The host's address.
    #[arg(long, env = "RAILHEAD_URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// A key with the scope `keys`, or the administrator's.
    #[arg(long, env = "RAILHEAD_ADMIN_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
