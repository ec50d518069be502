//! What checks found.

use crate::rules;
use serde::Serialize;

/// Whether a connector keeps a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "words")]
pub enum Verdict {
    /// It does.
    Ok,
    /// It does not: what was seen, and what to change.
    Failed(String),
    /// A SHOULD that it does not keep.
    Advice(String),
    /// The check could not be made: why.
    Skipped(String),
}

/// One check's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Of `wit/README.md`.
    pub rule: &'static str,
    /// What was looked at: `a 401 is not permanent`.
    pub check: String,
    /// What came of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Checks so far. A check that is made several times is one finding: the first failure counts.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    /// Keeps the word of a check: `wrong` is what was seen and what to change.
    pub(crate) fn check(&mut self, rule: &'static str, check: &str, wrong: Option<String>) {
        let verdict = match wrong {
            None => Verdict::Ok,
            Some(words) if rules::rule(rule).is_some_and(|rule| rule.should) => Verdict::Advice(words),
            Some(words) => Verdict::Failed(words),
        };
        self.keep(rule, check, verdict);
    }

    /// The same for a condition.
    pub(crate) fn holds(&mut self, rule: &'static str, check: &str, holds: bool, wrong: impl FnOnce() -> String) {
        self.check(rule, check, (!holds).then(wrong));
    }

    /// Says why a check is not made.
    pub(crate) fn skip(&mut self, rule: &'static str, check: &str, why: &str) {
        self.keep(rule, check, Verdict::Skipped(why.to_owned()));
    }

    /// True if this check failed.
    pub(crate) fn has_failed(&self, check: &str) -> bool {
        self.0.iter().any(|found| found.check == check && matches!(found.verdict, Verdict::Failed(_)))
    }

    pub(crate) fn into_inner(self) -> Vec<Finding> {
        self.0
    }

    fn keep(&mut self, rule: &'static str, check: &str, verdict: Verdict) {
        match self.0.iter_mut().find(|found| found.rule == rule && found.check == check) {
            Some(found) if found.verdict == Verdict::Ok => found.verdict = verdict,
            Some(_) => {}
            None => self.0.push(Finding { rule, check: check.to_owned(), verdict }),
        }
    }
}
