//! The plugin contract as a suite that runs on any connector.
//!
//! [`run`] loads a component into the real sandbox, gives it destinations at peers that answer, refuse, hang, cut and lie,
//! and says of each check which MUST of `wit/README.md` it tests, whether the connector keeps it, and what to change.
//!
//! What the suite has to know of a connector stands in its folder: `example.json`, and where that is not enough
//! `test.json` ([`Plan`]).

mod canary;
mod checks;
mod data;
mod findings;
mod log;
mod manifest;
mod plan;
mod plugin;
mod report;
mod rules;
mod stage;
mod suite;
pub mod templates;

pub use findings::{Finding, Verdict};
pub use plan::{Answered, Case, Given, Line, Plan, Way};
pub use plugin::{Address, Plugin, PluginError};
pub use report::{Limit, Report};
pub use rules::{RULES, Rule, rule};
pub use suite::{RunError, run};

#[cfg(test)]
mod tests;
