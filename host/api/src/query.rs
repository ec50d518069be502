//! The query string: known parameters only, each once.

use crate::codes;
use crate::operation::Param;
use crate::problem::{FieldError, Problem};
use railhead_model::Timestamp;

/// Parsed parameters.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

/// Allowed on every operation, for the administrator's key.
pub const ENVIRONMENT: &str = "environment";

impl Query {
    /// Reads a query string.
    ///
    /// # Errors
    /// 400 `invalid-query` for parameters that are unknown or given twice.
    pub fn parse(text: &str, known: &[Param]) -> Result<Self, Problem> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            if name != ENVIRONMENT && !known.iter().any(|param| param.name == name) {
                return Err(unknown(&name, known));
            }
            if pairs.iter().any(|(seen, _)| *seen == name) {
                return Err(Problem::query(&name, "The parameter is given twice."));
            }
            pairs.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(pairs))
    }

    /// A parameter's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// A parameter's value as a time.
    ///
    /// # Errors
    /// 400 for anything but RFC 3339.
    pub fn time(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        self.get(name)
            .map(|text| {
                Timestamp::parse(text)
                    .map_err(|_| Problem::query(name, "Expected a time as in 2026-01-31T12:00:00Z (RFC 3339)."))
            })
            .transpose()
    }

    /// All but `limit` and `cursor`, sorted: what a cursor is bound to.
    #[must_use]
    pub fn filters(&self) -> Vec<(&str, &str)> {
        let is_filter = |(name, _): &&(String, String)| name != "limit" && name != "cursor" && name != ENVIRONMENT;
        let mut filters: Vec<_> =
            self.0.iter().filter(is_filter).map(|(name, value)| (name.as_str(), value.as_str())).collect();
        filters.sort_unstable();
        filters
    }
}

fn unknown(name: &str, known: &[Param]) -> Problem {
    let names: Vec<_> = known.iter().map(|param| format!("`{}`", param.name)).collect();
    let allowed = if names.is_empty() { "It takes none.".to_owned() } else { format!("Known: {}.", names.join(", ")) };
    let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    let detail = format!("This operation has no parameter `{shown}`. {allowed}");
    Problem::of_fields(&codes::INVALID_QUERY, vec![FieldError::new(format!("?{shown}"), &codes::UNKNOWN_FIELD, detail)])
}
