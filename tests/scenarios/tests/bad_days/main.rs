//! Bad days of several hosts on one Postgres: real processes on loopback, the receiver's ledger is the judge.
//!
//! Each test has a server of its own, hosts that a supervisor starts again, and publishers that send through whichever
//! host answers. It lets something go wrong under load, waits until everything that was acknowledged has arrived, and
//! asks the judge: nothing lost, nothing ended twice, each duplicate explained by something that went wrong between.

#![allow(clippy::print_stdout)] // what was measured is worth reading
#![allow(clippy::disallowed_methods)] // faults come at moments of the real clock

mod clocks;
mod connections;
mod database;
mod day;
mod disk;
mod judge;
mod killed;
mod load;
mod migration;
mod network;
mod reader;
mod shares;
mod zombie;
