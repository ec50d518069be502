//! What the suite found, for people and for programs.

use crate::findings::{Finding, Verdict};
use crate::rules;
use railhead_sandbox::inert;
use serde::Serialize;
use std::fmt::Write as _;

/// Of one run on one connector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The connector's name and version.
    pub plugin: String,
    /// All checks, in the order in which they were made.
    pub findings: Vec<Finding>,
    /// What it used of what it may use.
    pub limits: Vec<Limit>,
}

/// Use of one limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// What is limited: `memory`.
    pub what: &'static str,
    /// The most that any call used.
    pub used: u64,
    /// What it may use.
    pub allowed: u64,
    /// `bytes`, `ms`.
    pub unit: &'static str,
    /// For which call.
    pub at: String,
}

impl Report {
    /// True if no MUST is broken.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The findings that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|found| matches!(found.verdict, Verdict::Failed(_)))
    }

    /// The checks that could not be made.
    pub fn skipped(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|found| matches!(found.verdict, Verdict::Skipped(_)))
    }

    /// A table for people, with what to change below it. What the connector says is in it without control characters: a
    /// terminal acts on nothing of it.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("{}\n\n", inert(&self.plugin));
        let width = self.findings.iter().map(|found| found.check.chars().count()).max().unwrap_or(0);
        for found in &self.findings {
            let (word, said) = match &found.verdict {
                Verdict::Ok => ("ok", None),
                Verdict::Failed(words) => ("FAILED", Some(words)),
                Verdict::Advice(words) => ("should", Some(words)),
                Verdict::Skipped(words) => ("skipped", Some(words)),
            };
            // Writing to a text cannot fail.
            let _ = writeln!(text, "  {:<4} {:<width$}  {word}", found.rule, inert(&found.check));
            if let Some(said) = said {
                let _ = writeln!(text, "       {}", inert(said));
            }
        }
        text.push('\n');
        for limit in &self.limits {
            let Limit { what, used, allowed, unit, at } = limit;
            let _ = writeln!(text, "  {what:<18} {used:>12} of {allowed:>12} {unit}  ({})", inert(at));
        }
        let (failed, skipped) = (self.failures().count(), self.skipped().count());
        let made = self.findings.len() - skipped;
        let _ = match failed {
            0 => writeln!(text, "\n{made} checks; the connector keeps the contract as far as they see."),
            _ => writeln!(text, "\n{failed} of {made} checks failed. It breaks:"),
        };
        for rule in rules::RULES.iter().filter(|rule| self.failures().any(|found| found.rule == rule.id)) {
            let _ = writeln!(text, "  {}: {}", rule.id, rule.words);
        }
        if skipped > 0 {
            let _ = writeln!(text, "\nNot made (see `skipped` above), so nothing is said of it:");
        }
        for found in self.skipped() {
            let _ = writeln!(text, "  {}: {}", found.rule, inert(&found.check));
        }
        text
    }
}
