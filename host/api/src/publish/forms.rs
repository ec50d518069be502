//! Which of the five forms a request has, and its events.

use super::{Envelope, Given, draft, fields::Fields};
use crate::body::media_type;
use crate::codes;
use crate::json::{check_depth, not_json};
use crate::problem::Problem;
use bytes::Bytes;
use http::HeaderMap;
use railhead_delivery::Draft;
use serde_json::value::RawValue;

/// The form of a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `application/json`: an object, or an array.
    Plain,
    /// `application/cloudevents+json`.
    Structured,
    /// `application/cloudevents-batch+json`.
    Batch,
    /// `ce-` headers.
    Binary,
}

/// Events of one request at most.
pub const MAX_EVENTS: usize = 1_000;

/// Content types of a publish; binary mode takes any.
pub const TYPES: &str = "`application/json`, `application/cloudevents+json`, `application/cloudevents-batch+json`, or any with `ce-` headers";

/// What a request asks for: one event, or several that are judged one by one.
#[derive(Debug)]
pub enum Asked {
    /// One.
    One(Box<Result<Draft, Problem>>),
    /// Several.
    Many(Vec<Result<Draft, Problem>>),
}

/// Tells the form of a request.
///
/// # Errors
/// 415.
pub fn form(headers: &HeaderMap) -> Result<Form, Problem> {
    let media = media_type(headers);
    match media.as_deref() {
        Some("application/cloudevents+json") => Ok(Form::Structured),
        Some("application/cloudevents-batch+json") => Ok(Form::Batch),
        _ if headers.contains_key("ce-specversion") || headers.contains_key("ce-id") => Ok(Form::Binary),
        Some("application/json") => Ok(Form::Plain),
        _ => Err(Problem::new(&codes::UNSUPPORTED_MEDIA_TYPE, format!("Expected {TYPES}."))),
    }
}

impl Form {
    /// Reads the events.
    ///
    /// # Errors
    /// For the request as a whole: not JSON, too deep, too many.
    pub fn read(self, headers: &HeaderMap, body: &Bytes, given: &Given) -> Result<Asked, Problem> {
        if self == Self::Binary {
            return Ok(one(draft(Envelope::binary(headers, body.clone()), given)));
        }
        check_depth(body)?;
        let whole: &RawValue = serde_json::from_slice(body).map_err(|error| not_json(&error))?;
        let is_array = whole.get().starts_with('[');
        match self {
            Self::Structured => Ok(one(self.event(body, whole, given))),
            Self::Plain if !is_array => Ok(one(self.event(body, whole, given))),
            _ => self.several(body, whole, given),
        }
    }

    fn several(self, body: &Bytes, whole: &RawValue, given: &Given) -> Result<Asked, Problem> {
        let elements: Vec<&RawValue> = serde_json::from_str(whole.get())
            .map_err(|_| Problem::field("", &codes::WRONG_TYPE, "Expected an array of events."))?;
        if elements.len() > MAX_EVENTS {
            let detail = format!("The array has {} events; at most {MAX_EVENTS} are allowed.", elements.len());
            return Err(Problem::new(&codes::TOO_MANY_EVENTS, detail));
        }
        Ok(Asked::Many(elements.into_iter().map(|element| self.event(body, element, given)).collect()))
    }

    fn event(self, body: &Bytes, object: &RawValue, given: &Given) -> Result<Draft, Problem> {
        let fields =
            Fields::read(body, object).map_err(|error| Problem::of_fields(&codes::INVALID_EVENT, vec![error]))?;
        let envelope = if self == Self::Plain { Envelope::plain(fields) } else { Envelope::cloudevent(fields) };
        draft(envelope, given)
    }
}

fn one(result: Result<Draft, Problem>) -> Asked {
    Asked::One(Box::new(result))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given() -> Given {
        Given { tenant: Some("acme".into()), reserved: false, traceparent: None, max_payload: 1_000 }
    }

    fn read(content_type: &str, body: &str) -> Vec<Result<Draft, Problem>> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", content_type.parse().expect("a value"));
        let form = form(&headers).expect("a form");
        match form.read(&headers, &Bytes::copy_from_slice(body.as_bytes()), &given()).expect("events") {
            Asked::One(one) => vec![*one],
            Asked::Many(many) => many,
        }
    }

    #[test]
    fn data_keeps_its_bytes() {
        let data = "{ \"b\":1.50,\n \"a\" : [1e3 ,\"\\u00e9\"] }";
        let plain = read("application/json", &format!("{{\"type\":\"t\", \"data\": {data} , \"id\":\"1\"}}"));
        assert_eq!(plain[0].as_ref().map(|draft| draft.data.clone()).ok(), Some(Bytes::from(data.to_owned())));
        let batch = format!(
            "[{{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"data\":{data},\"Seq\":1}},\
              {{\"specversion\":\"1.0\",\"id\":\"2\",\"source\":\"/s\",\"type\":\"t\",\"data\":{data},\"seq\":17}}]"
        );
        let batch = read("application/cloudevents-batch+json; charset=utf-8", &batch);
        assert_eq!(batch[0].as_ref().map_err(|problem| problem.errors[0].pointer.as_str()), Err("/Seq"));
        let second = batch[1].as_ref().expect("valid");
        assert_eq!((&second.data[..], second.attributes["seq"].as_str()), (data.as_bytes(), "17"));
    }

    #[test]
    fn other_payloads_come_as_base64_or_as_text_of_another_type() {
        let body = r#"[{"type":"t","data_base64":"AP8=","datacontenttype":"image/png"},
            {"type":"t","data":"<a/>","datacontenttype":"text/xml"}, {"type":"t","data":null}]"#;
        let drafts = read("application/json", body);
        let data: Vec<_> = drafts.iter().map(|draft| draft.as_ref().expect("valid").data.to_vec()).collect();
        assert_eq!(data, [vec![0, 255], b"<a/>".to_vec(), b"null".to_vec()]);
    }

    #[test]
    fn binary_mode_reads_headers() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/json"),
            ("ce-specversion", "1.0"),
            ("ce-id", "a%20b"),
            ("ce-source", "/s"),
            ("ce-type", "t"),
            ("ce-tenant", "other"),
            ("ce-region", "eu"),
        ] {
            headers.insert(name, value.parse().expect("a value"));
        }
        let form = form(&headers).expect("a form");
        let asked = form.read(&headers, &Bytes::from_static(b"{ }"), &given()).expect("an event");
        let Asked::One(draft) = asked else { panic!("one event") };
        let draft = draft.expect("valid");
        assert_eq!((draft.id.as_deref(), draft.tenant.as_str()), (Some("a b"), "other"));
        assert_eq!((&draft.data[..], draft.attributes["region"].as_str()), (&b"{ }"[..], "eu"));
    }
}
