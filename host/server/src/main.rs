//! The `railhead` binary: the composition root, its settings, its command line.

mod bootstrap;
mod cli;
mod compose;
mod config;
mod connections;
mod connectors;
mod demo;
mod gate;
mod health;
mod keys;
mod logging;
mod maintenance;
mod master_key;
mod operators;
mod plugin;
mod serve;
mod stores;
mod table;
mod url_check;

use clap::Parser as _;
use cli::{Cli, Command, MasterKeyCommand};
use config::Config;
use std::process::ExitCode;

/// The host allocates small things on many threads: measured, this saves about a tenth of its CPU (BENCHMARKS.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if matches!(cli.command, Command::CompileComponent) {
        // Before any thread starts: the child gives up its rights first.
        railhead_sandbox::compile_child_main();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(compose::host_threads())
        .enable_all()
        .thread_name("railhead")
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(format!("the runtime does not start: {error}")),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(why) => {
            complain(&why);
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<u8, String> {
    let config =
        || Config::load(cli.config.as_deref(), |name| std::env::var(name).ok()).map_err(|error| error.to_string());
    let done = |()| 0;
    match cli.command {
        Command::Serve(args) => {
            let config = config()?;
            logging::start(&config)?;
            serve::serve(&config, args.migrate).await.map_err(|error| error.to_string())
        }
        Command::Demo(args) => demo::run(&args).await.map(done).map_err(|error| error.to_string()),
        Command::Migrate(args) => Ok(maintenance::migrate(&config()?, args.json).await),
        Command::Health(args) => health::run(&args, &config()?).await.map(done),
        Command::MasterKey(MasterKeyCommand::New) => {
            maintenance::new_master_key();
            Ok(0)
        }
        Command::MasterKey(MasterKeyCommand::Rotate) => {
            maintenance::rotate_master_key(&config()?).await.map(done).map_err(|error| error.to_string())
        }
        Command::Key(command) => keys::run(command).await.map(done).map_err(|error| error.to_string()),
        Command::Plugin(command) => plugin::run(command).await,
        Command::CompileComponent => Ok(0),
    }
}

#[allow(clippy::print_stderr)] // what a command says when it fails
fn complain(why: &str) {
    eprintln!("railhead: {why}");
}
