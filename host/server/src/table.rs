//! Plain tables, for people.

use serde_json::Value;
use std::fmt::Write as _;

/// Columns as wide as their widest cell; numbers to the right.
#[must_use]
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        text.push_str("   ");
        for (cell, width) in row.iter().zip(&widths) {
            let is_number = !cell.is_empty() && cell.chars().all(|c| c.is_ascii_digit() || c == '.' || c == ',');
            // Writing to a String cannot fail.
            let _ = if is_number { write!(text, "{cell:>width$}  ") } else { write!(text, "{cell:<width$}  ") };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// A text of a JSON value, for a cell.
#[must_use]
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_align() {
        let rows = [vec!["who".to_owned(), "n".to_owned()], vec!["acme".to_owned(), "12".to_owned()]];
        assert_eq!(table(&rows), "   who   n\n   acme  12\n");
    }
}
