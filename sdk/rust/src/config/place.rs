//! Where in a JSON text something was found wrong: the path of the field, instead of a line and a column.
//!
//! A crate that follows the path while it reads has every type's reader compiled twice: a tenth of a connector's size, for
//! a message that a host which checks the schema hardly lets anyone see.

/// What the text is in at some place.
enum Within {
    /// An object, at the member of this name; none before the first.
    Object(Option<String>),
    /// A list, at the item of this number.
    List(usize),
}

/// The path to what ends at this line and column, both counted from 1, of a text that is JSON up to there: `a.b[1]`. Empty
/// for the whole.
pub fn path(json: &str, line: usize, column: usize) -> String {
    let before: usize = json.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let end = json.floor_char_boundary(before + column);
    let mut stack = Vec::new();
    let mut rest = json.get(..end).unwrap_or_default();
    let mut names = true;
    while let Some(letter) = rest.chars().next() {
        rest = rest.get(letter.len_utf8()..).unwrap_or_default();
        match letter {
            '{' => {
                stack.push(Within::Object(None));
                names = true;
            }
            '[' => stack.push(Within::List(0)),
            '}' | ']' => {
                stack.pop();
            }
            ',' => match stack.last_mut() {
                Some(Within::List(number)) => *number += 1,
                _ => names = true,
            },
            '"' => {
                let (text, after) = string(rest);
                rest = after;
                if let Some(Within::Object(name)) = stack.last_mut().filter(|_| names) {
                    *name = Some(text);
                    names = false;
                }
            }
            _ => {}
        }
    }
    joined(&stack)
}

/// A string's text, and what follows it.
fn string(rest: &str) -> (String, &str) {
    let mut escaped = false;
    let end = rest.find(|letter| {
        let ends = letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        ends
    });
    let (inside, after) = rest.split_at(end.unwrap_or(rest.len()));
    let text = serde_json::from_str(&format!("\"{inside}\"")).unwrap_or_else(|_| inside.to_owned());
    (text, after.get(1..).unwrap_or_default())
}

fn joined(stack: &[Within]) -> String {
    let mut path = String::new();
    for within in stack {
        match within {
            Within::Object(Some(name)) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
            }
            Within::Object(None) => {}
            Within::List(number) => path.push_str(&format!("[{number}]")),
        }
    }
    path
}
