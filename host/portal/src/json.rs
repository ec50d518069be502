//! JSON laid out for reading: only white space between tokens changes, so that numbers and spelling stay as they came.

use serde::de::IgnoredAny;

/// Levels that are indented; what is nested deeper stands at this one.
const MAX_INDENT: usize = 20;

/// The text with one member a line; `None` if it is not JSON.
#[must_use]
pub fn lay_out(text: &str) -> Option<String> {
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut out = String::with_capacity(text.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if in_string {
            out.push(c);
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match c {
            ' ' | '\t' | '\r' | '\n' => {}
            '{' | '[' => {
                out.push(c);
                while rest.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                if let Some(end) = rest.next_if(|c| matches!(c, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c => {
                in_string = c == '"';
                out.push(c);
            }
        }
    }
    Some(out)
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth.min(MAX_INDENT)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_white_space_between_tokens_changes() {
        let text = "{ \"a\\\"{\":[1.0 ,12345678901234567890],\"b\" : { } , \"c\":[ ],\"d\":\" x \\u00e9\"}";
        let laid = "{\n  \"a\\\"{\": [\n    1.0,\n    12345678901234567890\n  ],\n  \"b\": {},\n  \"c\": [],\n  \
                    \"d\": \" x \\u00e9\"\n}";
        assert_eq!(lay_out(text).as_deref(), Some(laid));
        assert_eq!(lay_out("7").as_deref(), Some("7"));
        assert_eq!(lay_out("{nope"), None);
    }
}
