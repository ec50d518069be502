//! From pieces to a request: judged by name, captured, filled in, compressed, signed. In that order.

use super::failure::{Failure, FailureKind};
use super::judge::{identity, judge, judge_secret};
use super::masks::Masks;
use super::outgoing::{MAX_BODY, Outgoing, Part, Target, base64_length, base64_pieces};
use super::{SendContext, capture, headers, origin, sign};
use crate::compression::Codec;
use crate::secret::{Encoding, Secret, encode};
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use railhead_model::ExchangeRequest;
use railhead_model::manifest::CredentialKind;
use std::borrow::Cow;
use std::sync::Arc;
use url::Url;
use zeroize::Zeroizing;

/// What the host calls itself where a connector says nothing.
const AGENT: &str = concat!("Railhead/", env!("CARGO_PKG_VERSION"));

/// A request ready to go, and as the record keeps it.
pub(super) struct Ready {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) captured: ExchangeRequest,
    pub(super) masks: Masks,
    /// What the connection is made with, where the host's own TLS will not do.
    pub(super) identity: Option<Arc<Secret>>,
}

/// Makes a request of pieces. Nothing is resolved or sent.
pub(super) fn ready(outgoing: &Outgoing, ctx: &SendContext) -> Result<Ready, Failure> {
    let method = Method::from_bytes(outgoing.method.as_bytes())
        .ok()
        .filter(|method| *method != Method::CONNECT)
        .ok_or_else(|| {
            Failure::invalid(
                "method-invalid",
                format!("`{}` is not a method that can be sent.", outgoing.method.escape_debug()),
            )
        })?;
    let mut url = target(outgoing)?;
    let origins = judge(&url, ctx)?;
    for secret in secrets(outgoing) {
        judge_secret(secret, &origins, ctx)?;
    }
    let identity = identity(&origins, ctx)?;
    let masker = ctx.masker.with(secrets(outgoing))?;
    let mut captured = ExchangeRequest {
        method: outgoing.method.clone(),
        url: capture::url(outgoing, &url, &masker),
        headers: capture::headers(outgoing, &masker),
        body: capture::body(outgoing, ctx, &masker),
        body_bytes: 0,
    };
    add_query(&mut url, &outgoing.query);
    let mut headers = fill_headers(&outgoing.headers)?;
    let mut body = join(&outgoing.body)?;
    let mut added = add_defaults(&mut headers, &method, &body);
    if let Some(coding) = outgoing.coding {
        added.push(set_coding(&mut headers, coding)?);
        body = coding.compress(None, &body)?.into();
    }
    captured.body_bytes = body.len() as u64;
    let mut signatures = Vec::new();
    if !outgoing.signers.is_empty() {
        let now = ctx.clock.now();
        let (timestamp, left) = (now.0.div_euclid(1000).to_string(), sign::MAX_SIGNED);
        let (method, url, timestamp, made) = (&method, &url, timestamp.as_str(), Vec::new());
        let mut wire = sign::Wire { method, url, headers: &mut headers, body: &body, now, timestamp, left, made };
        for signer in &outgoing.signers {
            let names = sign::run(signer, &mut wire)?;
            if sign::takes_place(signer) {
                added.retain(|earlier| !names.contains(earlier));
                captured.headers.retain(|header| !names.iter().any(|name| header.0 == name.as_str()));
            }
            added.extend(names);
        }
        signatures = wire.made;
    }
    captured.headers.extend(capture::added(&headers, &added, &masker));
    Ok(Ready { method, url, headers, body, captured, masks: Masks::new(masker, signatures), identity })
}

fn target(outgoing: &Outgoing) -> Result<Url, Failure> {
    let mut url = match &outgoing.target {
        Target::Plain(text) => origin::parse(text)?,
        Target::Secret(secret) => {
            let text = std::str::from_utf8(secret.bytes()).ok().and_then(|text| Url::parse(text).ok());
            text.ok_or_else(|| {
                Failure::invalid("url-invalid", format!("The credential `{}` is not a URL.", secret.field()))
            })?
        }
    };
    url.set_fragment(None);
    Ok(url)
}

/// Every secret that a request uses.
pub(super) fn secrets(outgoing: &Outgoing) -> impl Iterator<Item = &Arc<Secret>> {
    let url = match &outgoing.target {
        Target::Secret(secret) => Some(secret),
        Target::Plain(_) => None,
    };
    let values = outgoing.headers.iter().map(|(_, parts)| parts).chain(outgoing.query.iter().map(|(_, parts)| parts));
    let parts = values.flatten().chain(&outgoing.body).filter_map(|part| match part {
        Part::Secret(secret, _) => Some(secret),
        Part::Bytes(_) | Part::EventData(..) | Part::EventBase64(..) => None,
    });
    let keys = outgoing.signers.iter().flat_map(super::outgoing::Signer::keys);
    url.into_iter().chain(parts).chain(keys)
}

fn add_query(url: &mut Url, query: &[(String, Vec<Part>)]) {
    if query.is_empty() {
        return;
    }
    let mut text = Zeroizing::new(url.query().unwrap_or_default().to_owned());
    for (name, parts) in query {
        if !text.is_empty() {
            text.push('&');
        }
        push_percent(&mut text, name.as_bytes());
        text.push('=');
        for part in parts {
            match part {
                Part::Bytes(bytes) | Part::EventData(_, bytes) => push_percent(&mut text, bytes),
                Part::EventBase64(_, data) => {
                    base64_pieces(data).for_each(|piece| push_percent(&mut text, piece.as_bytes()));
                }
                // These two are already written for a URL.
                Part::Secret(secret, way @ (Encoding::Percent | Encoding::Form)) => {
                    text.push_str(&String::from_utf8_lossy(&encode(secret.bytes(), *way)));
                }
                Part::Secret(secret, way) => push_percent(&mut text, &encode(secret.bytes(), *way)),
            }
        }
    }
    url.set_query(Some(&text));
}

fn push_percent(text: &mut String, bytes: &[u8]) {
    text.push_str(&String::from_utf8_lossy(&encode(bytes, Encoding::Percent)));
}

fn fill_headers(given: &[(HeaderName, Vec<Part>)]) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::with_capacity(given.len() + 8);
    for (name, parts) in given {
        let value = match parts.as_slice() {
            [Part::Bytes(bytes)] => HeaderValue::from_maybe_shared(bytes.clone()),
            parts => {
                let mut value = Zeroizing::new(Vec::new());
                for part in parts {
                    value.extend_from_slice(&header_piece(name, part)?);
                }
                headers::check_value(name, &value)?;
                HeaderValue::from_bytes(&value)
            }
        };
        let mut value = value
            .map_err(|_| Failure::invalid("header-invalid", format!("The header `{name}` cannot hold this value.")))?;
        value.set_sensitive(parts.iter().any(|part| matches!(part, Part::Secret(..))));
        headers.append(name.clone(), value);
    }
    Ok(headers)
}

fn header_piece<'a>(name: &HeaderName, part: &'a Part) -> Result<Cow<'a, [u8]>, Failure> {
    match part {
        Part::Bytes(bytes) | Part::EventData(_, bytes) => Ok(Cow::Borrowed(bytes)),
        Part::EventBase64(_, data) => Ok(Cow::Owned(encode(data, Encoding::Base64).to_vec())),
        Part::Secret(secret, way) => Ok(Cow::Owned(encode(header_secret(name, secret)?, *way).to_vec())),
    }
}

/// What of a secret stands in this header: of a headers map the value of that name.
pub(super) fn header_secret<'a>(name: &HeaderName, secret: &'a Secret) -> Result<&'a [u8], Failure> {
    if secret.kind() != CredentialKind::Headers {
        return Ok(secret.bytes());
    }
    secret.header(name.as_str()).map(str::as_bytes).ok_or_else(|| {
        let message = format!("The credential `{}` has no value for the header `{name}`.", secret.field());
        Failure::invalid("header-absent", message)
    })
}

/// The body in one piece: shared where it is one piece already.
fn join(parts: &[Part]) -> Result<Bytes, Failure> {
    if let [Part::Bytes(bytes) | Part::EventData(_, bytes)] = parts {
        return Ok(bytes.clone());
    }
    let size = parts
        .iter()
        .map(|part| match part {
            Part::Bytes(bytes) | Part::EventData(_, bytes) => bytes.len(),
            Part::EventBase64(_, data) => base64_length(data.len()),
            Part::Secret(..) => 64,
        })
        .sum();
    let mut body = BytesMut::with_capacity(size);
    for part in parts {
        match part {
            Part::Bytes(bytes) | Part::EventData(_, bytes) => body.extend_from_slice(bytes),
            Part::EventBase64(_, data) => {
                base64_pieces(data).for_each(|piece| body.extend_from_slice(piece.as_bytes()));
            }
            Part::Secret(secret, way) => body.extend_from_slice(&encode(secret.bytes(), *way)),
        }
        // Secrets may be several times as long where they stand as they are.
        if body.len() > MAX_BODY {
            let message = format!("A request body has at most {MAX_BODY} bytes.");
            return Err(Failure::new(FailureKind::TooLarge, "body-too-large", message));
        }
    }
    Ok(body.freeze())
}

fn add_defaults(headers: &mut HeaderMap, method: &Method, body: &Bytes) -> Vec<HeaderName> {
    // Some servers refuse a request of these methods that does not say how long its body is.
    if body.is_empty() && matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    if headers.contains_key(USER_AGENT) {
        return Vec::new();
    }
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    vec![USER_AGENT]
}

fn set_coding(headers: &mut HeaderMap, coding: Codec) -> Result<HeaderName, Failure> {
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(Failure::invalid("header-invalid", "`content-encoding` is set by the host when it compresses."));
    }
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    Ok(CONTENT_ENCODING)
}
