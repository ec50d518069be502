//! Configurations that lead to peers of the suite.

use railhead_model::Manifest;
use serde_json::Value;
use url::Url;

/// Where a peer is.
pub(crate) struct Place {
    pub(crate) origin: String,
    host: String,
    port: u16,
    token: String,
}

impl Place {
    pub(crate) fn of_origin(origin: &str, token: &str) -> Self {
        let url = Url::parse(origin).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or("127.0.0.1").to_owned();
        let port = url.as_ref().and_then(Url::port).unwrap_or(80);
        Self { origin: origin.to_owned(), host, port, token: token.to_owned() }
    }

    pub(crate) fn of_server(host: &str, port: u16, token: &str) -> Self {
        let origin = format!("http://{host}:{port}");
        Self { origin, host: host.to_owned(), port, token: token.to_owned() }
    }
}

/// The configuration with `{origin}`, `{host}`, `{port}` and `{token}` filled in, and every origin of the manifest that it
/// names replaced by the peer's.
pub(crate) fn pointed(manifest: &Manifest, config: &Value, place: &Place) -> Value {
    let mut config = config.clone();
    fill(&mut config, place);
    // As JSON: what kinds of places there are is the model's business.
    let origins = serde_json::to_value(&manifest.origins).unwrap_or_default();
    for origin in origins.as_array().into_iter().flatten() {
        let text = |name: &str| origin.get(name).and_then(Value::as_str);
        if let Some(pointer) = text("config") {
            let token = origin.get("token_endpoint").and_then(Value::as_bool).unwrap_or(false);
            if let Some(url) = config.pointer_mut(pointer).filter(|url| url.is_string()) {
                move_to(url, if token { &place.token } else { &place.origin });
            }
        }
        let Some(tcp) = origin.get("tcp") else { continue };
        let pointer = |name: &str| tcp.get(name).and_then(Value::as_str).map(str::to_owned);
        if let Some(pointer) = pointer("host") {
            set(&mut config, &pointer, place.host.clone().into());
        }
        if let Some(pointer) = pointer("port") {
            set(&mut config, &pointer, place.port.into());
        }
    }
    config
}

/// RFC 7396.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    match patch {
        Value::Object(patch) => {
            if !target.is_object() {
                *target = Value::Object(serde_json::Map::new());
            }
            let Value::Object(target) = target else { return };
            for (name, value) in patch {
                if value.is_null() {
                    target.remove(name);
                } else {
                    merge(target.entry(name).or_insert(Value::Null), value);
                }
            }
        }
        Value::Null => {}
        other => *target = other.clone(),
    }
}

/// Another scheme, host and port under the same path.
fn move_to(url: &mut Value, origin: &str) {
    let rest = url.as_str().and_then(|text| Url::parse(text).ok());
    // Positions of a URL that was read are inside it.
    let rest = rest.map_or_else(String::new, |url| url[url::Position::BeforePath..].to_owned());
    // A text that is an origin alone stays one.
    let bare = url.as_str().is_some_and(|text| !text.ends_with('/')) && rest == "/";
    *url = if bare { origin.to_owned() } else { format!("{origin}{rest}") }.into();
}

/// Sets what a JSON Pointer of one or more names points at.
fn set(config: &mut Value, pointer: &str, value: Value) {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    if let Some(Value::Object(parent)) = config.pointer_mut(parent) {
        parent.insert(name.replace("~1", "/").replace("~0", "~"), value);
    }
}

fn fill(value: &mut Value, place: &Place) {
    match value {
        Value::String(text) if text == "{port}" => *value = place.port.into(),
        Value::String(text) => {
            *text = text
                .replace("{origin}", &place.origin)
                .replace("{host}", &place.host)
                .replace("{port}", &place.port.to_string())
                .replace("{token}", &place.token);
        }
        Value::Array(values) => values.iter_mut().for_each(|value| fill(value, place)),
        Value::Object(values) => values.values_mut().for_each(|value| fill(value, place)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_patch_changes_adds_and_takes_away() {
        let mut config = json!({ "a": 1, "b": { "c": 2, "d": 3 } });
        merge(&mut config, &json!({ "a": null, "b": { "d": [4] }, "e": {} }));
        assert_eq!(config, json!({ "b": { "c": 2, "d": [4] }, "e": {} }));
        merge(&mut config, &Value::Null);
        assert_eq!(config["e"], json!({}));
    }

    #[test]
    fn a_url_moves_with_its_path() {
        let moved = |from: &str| {
            let mut url = Value::from(from);
            move_to(&mut url, "http://127.0.0.1:1");
            url
        };
        assert_eq!(moved("https://a.example/b/c?d=e"), "http://127.0.0.1:1/b/c?d=e");
        assert_eq!(moved("https://a.example"), "http://127.0.0.1:1");
        assert_eq!(moved("https://a.example/"), "http://127.0.0.1:1/");
    }
}
