//! Benchmarks: programs, never timed tests. Prints JSON; quote CPU-seconds per 1,000 deliveries and ratios of one run.
//!
//! `cargo run --release -p railhead-bench -- all`

#![allow(clippy::print_stdout, clippy::print_stderr)] // a program whose output is its purpose
#![allow(clippy::disallowed_methods)] // it measures time, and it is a client, not the host

mod cpu;
mod load;
mod paced;
mod sandbox;
mod sink;

use clap::{Parser, ValueEnum};
use serde_json::{Value, json};

#[derive(Parser)]
struct Arguments {
    /// What to measure.
    #[arg(value_enum, default_value = "all")]
    what: What,
    /// Events of each load.
    #[arg(long, default_value_t = 20_000)]
    events: usize,
    /// Publishers of the closed loop.
    #[arg(long, default_value_t = 64)]
    publishers: usize,
    /// Seconds of the paced run.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// For itself: the counting receiver, in a process of its own.
    #[arg(long, hide = true)]
    as_sink: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Everything below.
    All,
    /// A closed loop with one destination, then with ten.
    Load,
    /// 100 events a second, end to end.
    Paced,
    /// The webhook connector through the sandbox beside plain reqwest.
    Sandbox,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    if arguments.as_sink {
        sink::run().await;
        return;
    }
    let wants = |what| arguments.what == what || arguments.what == What::All;
    let mut report = json!({"machine": machine()});
    if wants(What::Load) {
        for destinations in [1, 10] {
            let events = if destinations == 1 { arguments.events } else { arguments.events / 4 };
            report[format!("load_{destinations}")] = load::run(destinations, events, arguments.publishers).await;
        }
    }
    if wants(What::Paced) {
        report["paced_100"] = paced::run(100, arguments.seconds).await;
    }
    if wants(What::Sandbox) {
        report["sandbox"] = sandbox::run(arguments.events).await;
    }
    println!("{}", serde_json::to_string_pretty(&report).expect("json prints"));
}

fn machine() -> Value {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    json!({"cpus": cpus, "kernel": kernel.trim(), "profile": if cfg!(debug_assertions) { "debug" } else { "release" }})
}
