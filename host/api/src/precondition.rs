//! `If-Match`, `If-None-Match` and revisions.

use crate::codes;
use crate::problem::Problem;
use http::HeaderMap;
use http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use railhead_store::StoreError;
use railhead_store::directory::Expect;

/// What the caller expects to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// Said nothing.
    Unsaid,
    /// `If-None-Match: *`: nothing.
    Absent,
    /// `If-Match: *`: something.
    Present,
    /// `If-Match: "7"`: this revision.
    Revision(i64),
}

/// Reads the two headers.
///
/// # Errors
/// 400 for more than one tag, or one that is not ours.
pub fn read(headers: &HeaderMap) -> Result<IfMatch, Problem> {
    match (text(headers, &IF_MATCH)?, text(headers, &IF_NONE_MATCH)?) {
        (None, None) => Ok(IfMatch::Unsaid),
        (None, Some("*")) => Ok(IfMatch::Absent),
        (Some("*"), None) => Ok(IfMatch::Present),
        (Some(tag), None) => revision(tag).map(IfMatch::Revision).ok_or_else(|| invalid("If-Match")),
        _ => Err(invalid("If-Match")),
    }
}

/// The revision of an ETag of ours.
#[must_use]
pub fn revision(tag: &str) -> Option<i64> {
    tag.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    headers.get(name).map(|value| value.to_str().map(str::trim).map_err(|_| invalid(name.as_str()))).transpose()
}

fn invalid(name: &str) -> Problem {
    let detail = format!("`{name}` must hold one ETag as it was answered, such as \"7\", or `*`.");
    Problem::new(&codes::INVALID_HEADER, detail)
}

impl IfMatch {
    /// Checks what was read (`None`: nothing is there) and says what the write must still find.
    ///
    /// # Errors
    /// 412.
    pub fn check(self, current: Option<i64>) -> Result<Expect, Problem> {
        let fits = match self {
            Self::Unsaid => true,
            Self::Absent => current.is_none(),
            Self::Present => current.is_some(),
            Self::Revision(wanted) => current == Some(wanted),
        };
        if !fits {
            let detail = match current {
                Some(revision) => format!("The object is at \"{revision}\"."),
                None => "There is no such object.".to_owned(),
            };
            return Err(Problem::new(&codes::PRECONDITION_FAILED, detail));
        }
        Ok(current.map_or(Expect::Absent, Expect::Revision))
    }

    /// Turns a lost race into 412 where the caller named a revision, else into 409.
    #[must_use]
    pub fn lost(self, error: StoreError) -> Problem {
        match (self, error) {
            (Self::Unsaid, error) | (_, error @ (StoreError::Unavailable(_) | StoreError::Unknown(_))) => error.into(),
            (_, StoreError::Conflict(_)) => {
                Problem::new(&codes::PRECONDITION_FAILED, "The object changed in the meantime.")
            }
            (_, error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: HeaderName, value: &str) -> Result<IfMatch, u16> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().expect("a value"));
        read(&headers).map_err(|problem| problem.status())
    }

    #[test]
    fn tags_are_read_and_checked() {
        assert_eq!(asked(IF_MATCH, "\"7\""), Ok(IfMatch::Revision(7)));
        assert_eq!(asked(IF_MATCH, "*"), Ok(IfMatch::Present));
        assert_eq!(asked(IF_NONE_MATCH, "*"), Ok(IfMatch::Absent));
        for bad in ["7", "W/\"7\"", "\"7\", \"8\"", "\"x\""] {
            assert_eq!(asked(IF_MATCH, bad), Err(400), "{bad}");
        }
        assert_eq!(IfMatch::Revision(7).check(Some(7)).ok(), Some(Expect::Revision(7)));
        assert_eq!(IfMatch::Revision(7).check(Some(8)).map_err(|p| p.status()).err(), Some(412));
        assert_eq!(IfMatch::Present.check(None).map_err(|p| p.status()).err(), Some(412));
        assert_eq!(IfMatch::Absent.check(Some(1)).map_err(|p| p.status()).err(), Some(412));
        assert_eq!(IfMatch::Unsaid.check(None).ok(), Some(Expect::Absent));
    }
}
