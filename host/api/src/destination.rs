//! What somebody wants a destination to be, checked against connector, environment and bounds.

mod bounds;
mod credentials;
mod input;
mod redirect;

pub use bounds::{check_concurrency, check_metadata, check_name, check_rate, check_timeout, retry};
pub use credentials::{Change, apply, check_total, delete, generate_missing, names_given, read, seal};
pub use input::{Input, Wanted};
pub use redirect::redirected;

use crate::call::Call;
use crate::connectors::Connector;
use crate::problem::{FieldError, Problem};
use crate::settings::Settings;
use crate::{codes, json};
use railhead_model::DestinationSpec;
use railhead_model::manifest::Place;
use serde_json::{Map, Value};

/// Checks an input whole.
///
/// # Errors
/// 422 with every field that is wrong.
pub fn check(call: &Call, settings: &Settings, input: Input, had: &[String]) -> Result<Wanted, Problem> {
    let connector = connector(call, settings, &input.connector).map_err(|error| Problem::input(vec![error]))?;
    let mut errors = Vec::new();
    let ready = settings.connector(&connector.manifest.name);
    let config = layered(input.config.unwrap_or_default(), &ready.defaults, &ready.locked, &mut errors);
    errors.extend(connector.check(&config));
    let changes = credentials::read(call, connector, input.credentials, &mut errors);
    let spec = DestinationSpec {
        name: input.name,
        connector: input.connector,
        config,
        event_types: input.event_types.unwrap_or_default(),
        filter: input.filter,
        fields: input.fields,
        transform: None,
        retry: policy(settings, input.retry.as_ref(), &mut errors),
        jitter: input.jitter.or(settings.defaults.jitter).unwrap_or_default(),
        timeout_ms: input
            .timeout_ms
            .or(settings.defaults.timeout_ms)
            .unwrap_or_else(railhead_model::destination::default_timeout_ms),
        rate_limit: input.rate_limit.or(settings.defaults.rate_limit),
        concurrency: input
            .concurrency
            .or(settings.defaults.concurrency)
            .unwrap_or_else(railhead_model::destination::default_concurrency),
        batch: input.batch.map(|batch| batch.over(connector.manifest.batch.map(|bounds| bounds.default))),
        ordering: input.ordering.unwrap_or_default(),
        metadata: input.metadata.unwrap_or_default(),
    };
    if input.transform.is_some() {
        let detail = "Transforms are not available in this version.";
        errors.push(FieldError::new("/transform", &codes::NOT_AVAILABLE, detail));
    }
    bounds::check_spec(&spec, &connector.manifest, &mut errors);
    check_places(call, connector, &spec.config, &changes, had, &mut errors);
    credentials::check_required(connector, &changes, had, &mut errors);
    if errors.is_empty() { Ok(Wanted { spec, changes }) } else { Err(Problem::input(errors)) }
}

/// The connector, if the environment enables it.
///
/// # Errors
/// The field `/connector`.
pub fn connector<'a>(call: &'a Call, settings: &Settings, name: &str) -> Result<&'a Connector, FieldError> {
    let enabled = |connector: &&Connector| settings.connector(&connector.manifest.name).enabled;
    call.state.connectors.get(name).filter(enabled).ok_or_else(|| {
        let names: Vec<_> = call.state.connectors.iter().map(|one| format!("`{}`", one.manifest.name)).collect();
        let detail = format!("There is no such connector here. Known: {}.", names.join(", "));
        FieldError::new("/connector", &codes::UNKNOWN_CONNECTOR, detail)
    })
}

/// The environment's defaults under the destination's own configuration.
fn layered(
    own: Map<String, Value>,
    defaults: &Map<String, Value>,
    locked: &[String],
    errors: &mut Vec<FieldError>,
) -> Map<String, Value> {
    let mut config = defaults.clone();
    for (name, value) in own {
        if locked.contains(&name) && defaults.get(&name) != Some(&value) {
            let detail = "The environment fixes this field.";
            errors.push(FieldError::new(format!("/config/{}", json::token(&name)), &codes::LOCKED_FIELD, detail));
        }
        config.insert(name, value);
    }
    config
}

fn policy(settings: &Settings, given: Option<&Value>, errors: &mut Vec<FieldError>) -> railhead_model::RetryPolicy {
    match given.map(|value| retry("/retry", value)) {
        None => settings.retry(),
        Some(Ok(policy)) => policy,
        Some(Err(mut wrong)) => {
            errors.append(&mut wrong);
            railhead_model::RetryPolicy::default()
        }
    }
}

/// URLs of the configuration and of credentials must be such that this host may send to them; at least one place to
/// send to must be named.
fn check_places(
    call: &Call,
    connector: &Connector,
    config: &Map<String, Value>,
    changes: &[(String, Change)],
    had: &[String],
    errors: &mut Vec<FieldError>,
) {
    let config = Value::Object(config.clone());
    let mut missing = None;
    let mut placed = false;
    for origin in &connector.manifest.origins {
        match &origin.place {
            Place::Literal(_) => placed |= !origin.token_endpoint,
            Place::Config(pointer) => match config.pointer(pointer).and_then(Value::as_str) {
                Some(url) => {
                    placed |= !origin.token_endpoint;
                    check_url(call, &format!("/config{pointer}"), url, errors);
                }
                None if !origin.token_endpoint => missing = missing.or(Some(format!("/config{pointer}"))),
                None => {}
            },
            Place::Template(template) => {
                if let Some(url) = template.resolve(&config) {
                    placed |= !origin.token_endpoint;
                    let pointer = template.pointers().next().unwrap_or_default();
                    check_url(call, &format!("/config{pointer}"), &url, errors);
                }
            }
            Place::Tcp(tcp) => match tcp.of(&config) {
                Ok(Some((host, port))) => {
                    placed = true;
                    check_server(call, &format!("/config{}", tcp.host), host, port, errors);
                }
                Ok(None) => missing = missing.or(Some(format!("/config{}", tcp.host))),
                // The schema has its own words for it where it says what a port is.
                Err(pointer) if errors.iter().any(|error| error.pointer == format!("/config{pointer}")) => {}
                Err(pointer) => {
                    let expected = if pointer == tcp.host { "Expected a host's name." } else { "Expected a port." };
                    errors.push(FieldError::new(format!("/config{pointer}"), &codes::INVALID_VALUE, expected));
                }
            },
            Place::Credential(field) => {
                let given = changes.iter().any(|(name, change)| name == field && !matches!(change, Change::Delete));
                let kept = had.contains(field) && !changes.iter().any(|(name, _)| name == field);
                placed |= given || kept;
            }
        }
    }
    if let Some(pointer) = missing.filter(|pointer| !placed && !errors.iter().any(|error| error.pointer == *pointer)) {
        errors.push(FieldError::new(pointer, &codes::REQUIRED, "It says where events are sent to."));
    }
}

/// Asks the egress policy about a server that streams connect to.
fn check_server(call: &Call, pointer: &str, host: &str, port: u16, errors: &mut Vec<FieldError>) {
    if errors.iter().any(|error| error.pointer == pointer) {
        return;
    }
    // An IPv6 address is written without the brackets that a URL has.
    let bare = host.parse::<std::net::Ipv6Addr>().map(|ip| format!("[{ip}]"));
    match url::Host::parse(bare.as_deref().unwrap_or(host)) {
        Err(_) => {
            let expected = "Expected a host's name or address, without a port or a path.";
            errors.push(FieldError::new(pointer, &codes::INVALID_VALUE, expected));
        }
        Ok(host) => {
            if let Err(why) = (call.state.options.url_check)(&format!("tcp://{host}:{port}")) {
                errors.push(FieldError::new(pointer, &codes::ADDRESS_NOT_ALLOWED, why));
            }
        }
    }
}

/// Asks the egress policy about a URL.
pub fn check_url(call: &Call, pointer: &str, url: &str, errors: &mut Vec<FieldError>) {
    if url::Url::parse(url).is_err() {
        // The schema has its own words for it where it asks for a URL.
        if !errors.iter().any(|error| error.pointer == pointer) {
            errors.push(FieldError::new(pointer, &codes::INVALID_VALUE, "Expected a URL."));
        }
    } else if let Err(why) = (call.state.options.url_check)(url) {
        errors.push(FieldError::new(pointer, &codes::ADDRESS_NOT_ALLOWED, why));
    }
}
