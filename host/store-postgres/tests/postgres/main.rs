//! The store on a real PostgreSQL server with its durable defaults, one for all tests here, a database for each.

#![allow(clippy::print_stderr)] // a test that was skipped says so

mod accept;
mod connect;
mod deadlines;
mod fixture;
mod hints;
mod history;
mod jobs;
mod lease;
mod migrate;
mod partitions;
mod plans;
mod record;
mod security;
mod server;
mod suite;
mod work;
