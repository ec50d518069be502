//! Benchmarks: programs, never timed tests. Quote CPU-seconds per 1,000 deliveries and ratios of one run.
//!
//! `cargo run --release -p railhead-bench -- all --json`

#![allow(clippy::print_stdout, clippy::print_stderr)] // a program whose output is its purpose
#![allow(clippy::disallowed_methods)] // it measures time, and it is a client, not the host

mod backlog;
mod fairness;
mod figures;
mod jobs;
mod load;
mod paced;
mod postgres;
mod process;
mod s3;
mod sandbox;
mod sink;
mod stack;
mod target;

use backlog::Waiting;
use clap::{Parser, ValueEnum};
use fairness::Neighbours;
use load::Load;
use railhead_harness::Outage;
use serde_json::{Value, json};
use sink::Sink;
use stack::{Shape, Store};
use std::process::ExitCode;
use target::Publish;

/// The worst healthy tenant's p99 beside dead neighbours, against alone.
const MOST_UNFAIR: f64 = 1.5;
/// Delivered a second beside a backlog, against an empty store.
const LEAST_RATE: f64 = 0.9;
/// Rows of 1 KB that the postgres connector writes a second.
const LEAST_ROWS: f64 = 10_000.0;
/// MB of NDJSON that the s3 connector uploads a second, before compression, where a native writer can.
const LEAST_UPLOAD: f64 = 50.0;
/// A host's memory beside a backlog.
const MOST_MB: f64 = 512.0;

#[derive(Parser)]
struct Arguments {
    /// What to measure.
    #[arg(value_enum, default_value = "all")]
    what: What,
    /// Prints JSON instead of lines.
    #[arg(long)]
    json: bool,
    /// Where hosts keep everything.
    #[arg(long, value_enum, default_value = "sqlite")]
    store: Store,
    /// Hosts on one PostgreSQL.
    #[arg(long, default_value_t = 1)]
    hosts: usize,
    /// Events of each load.
    #[arg(long, default_value_t = 20_000)]
    events: usize,
    /// Publishers of the closed loop.
    #[arg(long, default_value_t = 64)]
    publishers: usize,
    /// Deliveries that come of each event (`load`; without it, 1 and then 10. `jobs`: 10,000).
    #[arg(long)]
    destinations: Option<usize>,
    /// Seconds of the paced run, and beside dead neighbours.
    #[arg(long)]
    seconds: Option<u64>,
    /// Events a second of all healthy tenants together (`fairness`).
    #[arg(long, default_value_t = 100)]
    rate: u64,
    /// Events that wait at each dead neighbour (`fairness`, 10,000), deliveries at all (`backlog`, 10,000,000), or dead
    /// letters (`jobs`, 1,000,000).
    #[arg(long)]
    waiting: Option<usize>,
    /// Destinations at which they wait (`backlog`).
    #[arg(long, default_value_t = 100_000)]
    waiting_destinations: usize,
    /// Where the receiver listens. Another server's destinations must know it, so give it a port of its own there.
    #[arg(long, default_value = "127.0.0.1:0")]
    sink_listen: String,
    #[command(flatten)]
    other: Other,
}

/// Any other webhook server, whose destinations lead to the receiver already.
#[derive(clap::Args)]
struct Other {
    /// Runs the load on another server: URL of its publish call, with `{id}`, `{n}` and `{tenant}` to be filled in.
    #[arg(long, value_name = "URL_TEMPLATE")]
    against: Option<String>,
    /// A header of its publish call, `Name: value`.
    #[arg(long)]
    header: Vec<String>,
    /// The body of its publish call; `{data}` is a payload of 1 KB as JSON.
    #[arg(long, default_value = "{data}")]
    body_template: String,
    /// One of its processes, with all that descend from it: `name=pid`.
    #[arg(long, value_parser = named_pid)]
    pid: Vec<(String, u32)>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Everything below but `backlog`, `jobs`, `postgres-connector`, `s3-connector` and `sink`.
    All,
    /// A closed loop with one destination, then with ten.
    Load,
    /// 100 events a second, end to end.
    Paced,
    /// The webhook connector through the sandbox beside plain reqwest.
    Sandbox,
    /// Fifty healthy tenants beside three dead ones; fails above 1.5 times the worst p99 alone.
    Fairness,
    /// Millions of deliveries that wait, beside an empty store; on PostgreSQL, with about 1 GB of disk for a million.
    Backlog,
    /// A replay of a million dead letters, and events that go to 10,000 destinations each; on PostgreSQL.
    Jobs,
    /// The postgres connector through the sandbox beside a native client, into a PostgreSQL of its own.
    PostgresConnector,
    /// The s3 connector through the sandbox beside a native writer, into an `s3s-fs` of its own.
    S3Connector,
    /// The receiver alone, until it is killed.
    Sink,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.what == What::Sink {
        sink::run(&arguments.sink_listen).await;
        return ExitCode::SUCCESS;
    }
    let mut report = json!({"machine": machine()});
    if let Some(url) = &arguments.other.against {
        report["against"] = against(url, &arguments).await;
    } else {
        own(&arguments, &mut report).await;
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report).expect("json prints"));
    } else {
        let mut lines = Vec::new();
        figures::lines("", &report, &mut lines);
        println!("{}", lines.join("\n"));
    }
    let missed = missed(&report);
    missed.iter().for_each(|bound| eprintln!("missed: {bound}"));
    ExitCode::from(u8::from(!missed.is_empty()))
}

/// What a run must not miss, whatever the machine.
fn missed(report: &Value) -> Vec<String> {
    let mut missed = Vec::new();
    let mut judge = |figure: &Value, is_bad: &dyn Fn(f64) -> bool, bound: String| {
        if figure.as_f64().is_some_and(is_bad) {
            missed.push(bound);
        }
    };
    let (fairness, backlog) = (&report["fairness"]["worst_ratio"], &report["backlog"]);
    let unfair = format!("the worst healthy p99 is at most {MOST_UNFAIR} times what it is alone");
    judge(fairness, &|ratio| ratio > MOST_UNFAIR, unfair);
    let slower = format!("what waits leaves at least {LEAST_RATE} of an empty store's rate");
    judge(&backlog["rate_ratio"], &|ratio| ratio < LEAST_RATE, slower);
    let larger = format!("a host needs at most {MOST_MB} MB whatever waits");
    judge(&backlog["host_rss_mb"]["peak"], &|mb| mb > MOST_MB, larger);
    let rows = &report["postgres_connector"]["sandbox_rows_per_s"];
    judge(rows, &|rows| rows < LEAST_ROWS, format!("at least {LEAST_ROWS} rows a second"));
    let (own, native) = (&report["s3_connector"]["none"]["sandbox_mb_per_s"], &report["s3_connector"]["none"]);
    let server_allows = native["native_mb_per_s"].as_f64().is_none_or(|mb| mb >= LEAST_UPLOAD);
    judge(own, &|mb| mb < LEAST_UPLOAD && server_allows, format!("at least {LEAST_UPLOAD} MB a second"));
    missed
}

async fn own(arguments: &Arguments, report: &mut Value) {
    let shape = Shape { store: arguments.store, hosts: arguments.hosts };
    let wants = |what| arguments.what == what || arguments.what == What::All;
    if wants(What::Load) {
        let sizes = arguments.destinations.map_or_else(|| vec![1, 10], |one| vec![one]);
        for destinations in sizes {
            // Ten times the deliveries of an event take longer.
            let events = if destinations == 1 { arguments.events } else { arguments.events / 4 };
            let load = Load { destinations, events, publishers: arguments.publishers };
            report[format!("load_{destinations}")] = load::run(load, shape).await;
        }
    }
    if wants(What::Paced) {
        report["paced_100"] = paced::run(100, arguments.seconds.unwrap_or(20), shape).await;
    }
    if wants(What::Sandbox) {
        report["sandbox"] = sandbox::run(arguments.events).await;
    }
    if arguments.what == What::PostgresConnector {
        report["postgres_connector"] = postgres::run(arguments.events).await.into();
    }
    if arguments.what == What::S3Connector {
        report["s3_connector"] = s3::run(arguments.events).await.into();
    }
    if wants(What::Fairness) {
        let (waiting, rate, seconds) =
            (arguments.waiting.unwrap_or(10_000), arguments.rate, arguments.seconds.unwrap_or(60));
        report["fairness"] = fairness::run(Neighbours { waiting, rate, seconds }, shape).await;
    }
    if arguments.what == What::Backlog {
        let destinations = arguments.destinations.unwrap_or(1);
        let load = Load { destinations, events: arguments.events, publishers: arguments.publishers };
        let (deliveries, destinations) = (arguments.waiting.unwrap_or(10_000_000), arguments.waiting_destinations);
        report["backlog"] = backlog::run(Waiting { outage: Outage { deliveries, destinations }, load }).await;
    }
    if arguments.what == What::Jobs {
        report["fan_out"] = jobs::fan_out(arguments.destinations.unwrap_or(10_000)).await;
        report["replay"] = jobs::replay(arguments.waiting.unwrap_or(1_000_000)).await;
    }
}

async fn against(url: &str, arguments: &Arguments) -> Value {
    let other = &arguments.other;
    let publish =
        Publish { urls: vec![url.to_owned()], headers: other.header.clone(), body: other.body_template.clone() };
    let destinations = arguments.destinations.unwrap_or(1);
    let load = Load { destinations, events: arguments.events, publishers: arguments.publishers };
    let sink = Sink::start(&arguments.sink_listen);
    load::against(&publish, load, &sink, &other.pid).await
}

fn named_pid(text: &str) -> Result<(String, u32), String> {
    let (name, pid) = text.split_once('=').ok_or("name=pid")?;
    Ok((name.to_owned(), pid.parse().map_err(|error| format!("{pid}: {error}"))?))
}

fn machine() -> Value {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    json!({"cpus": cpus, "kernel": kernel.trim(), "profile": if cfg!(debug_assertions) { "debug" } else { "release" }})
}
