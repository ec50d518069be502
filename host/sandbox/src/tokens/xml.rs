//! XML of token endpoints, read into the tree that JSON of the same members would make.

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, escape::resolve_predefined_entity};
use serde_json::{Map, Value};

/// How deep elements may lie in each other.
const MAX_DEPTH: usize = 16;
/// Elements of a document.
const MAX_ELEMENTS: usize = 1_000;

/// The tree of a document: its root by its name, elements by their names without prefixes, text where an element has no
/// other in it. Of several of one name the first counts. Attributes are not in it.
///
/// `None`: it is not well-formed, past a bound, or declares or uses entities of its own.
pub(super) fn tree(text: &str) -> Option<Value> {
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    let mut elements = 0;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => open.push(Element::of(&start)),
            Event::Empty(start) => close(&mut open, Element::of(&start))?,
            Event::End(_) => {
                let last = open.pop()?;
                close(&mut open, last)?;
            }
            Event::Text(text) => open.last_mut()?.text.push_str(&text.xml10_content()),
            Event::CData(text) => open.last_mut()?.text.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => resolve(&reference, &mut open.last_mut()?.text)?,
            Event::DocType(_) => return None,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => continue,
            Event::Eof => break,
        }
        elements += 1;
        if open.len() > MAX_DEPTH || elements > 2 * MAX_ELEMENTS {
            return None;
        }
    }
    let root = open.pop()?;
    (open.is_empty() && root.members.len() == 1).then_some(Value::Object(root.members))
}

#[derive(Default)]
struct Element {
    name: String,
    text: String,
    members: Map<String, Value>,
}

impl Element {
    fn of(start: &BytesStart<'_>) -> Self {
        Self { name: start.local_name().as_ref().to_owned(), ..Self::default() }
    }
}

/// Puts an element into the one around it.
fn close(open: &mut [Element], last: Element) -> Option<()> {
    let value = if last.members.is_empty() { Value::String(last.text) } else { Value::Object(last.members) };
    open.last_mut()?.members.entry(last.name).or_insert(value);
    Some(())
}

fn resolve(reference: &BytesRef<'_>, text: &mut String) -> Option<()> {
    match reference.resolve_char_ref().ok()? {
        Some(c) => text.push(c),
        None => text.push_str(resolve_predefined_entity(reference)?),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn elements_are_members_and_texts_are_decoded() {
        let text = r#"<?xml version="1.0"?><!-- c --><a:r xmlns:a="urn:x"><b>1 &lt; <![CDATA[<2>]]> &#x41;</b><e/><b>other</b><c><d>x</d></c></a:r>"#;
        assert_eq!(tree(text).unwrap(), json!({"r": {"b": "1 < <2> A", "e": "", "c": {"d": "x"}}}));
    }

    #[test]
    fn entities_depth_and_nonsense_are_refused() {
        let deep = |depth| format!("{}x{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(tree(&deep(15)).is_some());
        let bomb = r#"<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><r>&b;</r>"#;
        let many = format!("<r>{}</r>", "<a/>".repeat(2_001));
        for wrong in [bomb, "<r>&b;</r>", "<r>", "</r>", "<r></s>", "text", "", &deep(17), &many, "<a/><b/>"] {
            assert_eq!(tree(wrong), None, "{wrong}");
        }
    }
}
