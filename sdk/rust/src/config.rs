//! Configurations as the host hands them over.

mod place;

use crate::types::Failure;
use serde::de::DeserializeOwned;

/// Reads a configuration as a session does before [`open`](crate::Connector::open).
///
/// # Errors
/// Of kind `invalid`, code `invalid-config`: what does not fit, and where.
pub fn parse<T: DeserializeOwned>(json: &str) -> Result<T, Failure> {
    serde_json::from_str(json).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let what = error.to_string();
        // Its owner wrote fields into a form, not text.
        let what = what.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&what);
        let message = match place::path(json, line, column) {
            path if path.is_empty() => format!("The configuration: {what}."),
            path => format!("The configuration, at {path}: {what}."),
        };
        Failure::invalid("invalid-config", message)
    })
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::types::Kind;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        Raw,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        #[serde(default)]
        #[expect(dead_code, reason = "read by serde")]
        list: Vec<BTreeMap<String, u8>>,
        #[serde(default)]
        #[expect(dead_code, reason = "read by serde")]
        inner: Option<Box<Config>>,
        #[expect(dead_code, reason = "read by serde")]
        mode: Mode,
    }

    #[test]
    fn what_does_not_fit_is_said_with_its_place() {
        for (json, message) in [
            (
                r#"{"list": [{"a": 1}, {"a,\"}": 300}]}"#,
                r#", at list[1].a,"}: invalid value: integer `300`, expected u8."#,
            ),
            (r#"{"mode": "raw", "list": 7}"#, ", at list: invalid type: integer `7`, expected a sequence."),
            (r#"{"mode": "raw", "inner": {"list": []}}"#, ", at inner: missing field `mode`."),
            (r#"{"inner": {"mode": "cooked"}}"#, ", at inner.mode: unknown variant `cooked`, expected `raw`."),
            (
                "{\"mode\":\n\"raw\",\n \"url\": 1}",
                ", at url: unknown field `url`, expected one of `list`, `inner`, `mode`.",
            ),
            ("{}", ": missing field `mode`."),
            ("", ": EOF while parsing a value."),
        ] {
            let failure = parse::<Config>(json).unwrap_err();
            assert_eq!((failure.kind, failure.code.as_str()), (Kind::Invalid, "invalid-config"));
            assert_eq!(failure.message, format!("The configuration{message}"), "{json}");
        }
        assert!(parse::<Config>(r#"{"mode": "raw"} 2"#).unwrap_err().message.contains("trailing"));
        assert_eq!(parse(" 7 "), Ok(7));
    }
}
