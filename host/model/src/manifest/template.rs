//! Origins whose host a manifest spells out but for single labels, such as
//! `https://{/bucket}.s3.{/region}.amazonaws.com`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An `https` origin in which labels of the host are JSON Pointers into the destination's configuration.
///
/// A placeholder is a whole label, its value one DNS label, and the last two labels are the manifest's own: no value
/// can change the domain under which the host lies. The author of a manifest must see to it that strangers cannot
/// register names there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OriginTemplate {
    labels: Vec<Label>,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Label {
    Literal(String),
    Pointer(String),
}

/// A text that is no template of an origin; says what it has to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no template of an origin: https://, then labels of which some \
     are a JSON Pointer in braces and the last two are not"
)]
pub struct TemplateError(String);

/// Labels at the end of a host that no value may stand in for: a registered domain.
const OWN_LABELS: usize = 2;
/// Bytes of a label (RFC 1035, 2.3.4).
const MAX_LABEL: usize = 63;

impl OriginTemplate {
    /// The origin for this configuration. None where a value is not there, or is no DNS label in lower case: then
    /// there is no such origin.
    #[must_use]
    pub fn resolve(&self, config: &Value) -> Option<String> {
        let label = |label: &Label| match label {
            Label::Literal(text) => Some(text.clone()),
            Label::Pointer(pointer) => {
                let value = config.pointer(pointer)?.as_str()?;
                is_label(value).then(|| value.to_owned())
            }
        };
        let host = self.labels.iter().map(label).collect::<Option<Vec<_>>>()?.join(".");
        Some(self.port.map_or_else(|| format!("https://{host}"), |port| format!("https://{host}:{port}")))
    }

    /// Where in the configuration its values stand.
    pub fn pointers(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().filter_map(|label| match label {
            Label::Literal(_) => None,
            Label::Pointer(pointer) => Some(pointer.as_str()),
        })
    }
}

impl TryFrom<String> for OriginTemplate {
    type Error = TemplateError;

    fn try_from(text: String) -> Result<Self, TemplateError> {
        parse(&text).ok_or(TemplateError(text))
    }
}

impl From<OriginTemplate> for String {
    fn from(template: OriginTemplate) -> Self {
        let label = |label: &Label| match label {
            Label::Literal(text) => text.clone(),
            Label::Pointer(pointer) => format!("{{{pointer}}}"),
        };
        let host = template.labels.iter().map(label).collect::<Vec<_>>().join(".");
        template.port.map_or_else(|| format!("https://{host}"), |port| format!("https://{host}:{port}"))
    }
}

fn parse(text: &str) -> Option<OriginTemplate> {
    let rest = text.strip_prefix("https://")?;
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok().filter(|port| *port != 0)?)),
        None => (rest, None),
    };
    let labels = host.split('.').map(label).collect::<Option<Vec<_>>>()?;
    let (free, own) = labels.split_at_checked(labels.len().checked_sub(OWN_LABELS)?)?;
    let is_pointer = |label: &Label| matches!(label, Label::Pointer(_));
    // A last label of digits would make an IPv4 address of the whole.
    let is_named =
        matches!(own.last(), Some(Label::Literal(last)) if last.bytes().any(|byte| byte.is_ascii_alphabetic()));
    let fits = free.iter().any(is_pointer) && !own.iter().any(is_pointer) && is_named;
    fits.then_some(OriginTemplate { labels, port })
}

fn label(text: &str) -> Option<Label> {
    match text.strip_prefix('{') {
        None => is_label(text).then(|| Label::Literal(text.to_owned())),
        Some(rest) => {
            let pointer = rest.strip_suffix('}')?;
            let fits = pointer.starts_with('/') && !pointer.contains(['{', '}', ':']);
            fits.then(|| Label::Pointer(pointer.to_owned()))
        }
    }
}

/// Letters, digits and inner hyphens, in lower case: the only spelling that a host has after parsing.
fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_LABEL).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests;
