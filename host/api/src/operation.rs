//! What an operation is: its route, its permission, its documentation, its code, in one value.
//!
//! The router, the OpenAPI document, `/docs` and the test that sends every example read the same values.

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::problem::Problem;
use futures::future::BoxFuture;

/// The HTTP methods of this API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Reads.
    Get,
    /// Makes, or acts.
    Post,
    /// Makes or replaces.
    Put,
    /// Changes by a JSON merge patch.
    Patch,
    /// Deletes.
    Delete,
}

impl Verb {
    /// Lower case, as OpenAPI has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// Where an operation happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the environment of the caller's key; an administrator names one.
    Environment,
    /// On the host; the caller's environment comes along if there is one.
    Host,
}

/// A query parameter.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// For people.
    pub about: &'static str,
}

/// `limit` and `cursor`, which every list has.
pub const LIMIT: Param = Param { name: "limit", about: "Most objects of one page: 1 to 200, by default 50." };
/// See [`LIMIT`].
pub const CURSOR: Param = Param { name: "cursor", about: "`next` of the page before, together with the same filters." };
/// The two of a plain list.
pub const PAGE: &[Param] = &[LIMIT, CURSOR];

/// A request that documents the operation; a test sends it.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// For people.
    pub name: &'static str,
    /// Path and query. `{event}`, `{delivery}`, `{attempt}`, `{replay}`, `{key}` stand for ids of the example data.
    pub path: &'static str,
    /// Content type of the body.
    pub content_type: &'static str,
    /// More headers.
    pub headers: &'static [(&'static str, &'static str)],
    /// The body.
    pub body: Option<&'static str>,
    /// The documented answer.
    pub status: u16,
}

impl Example {
    /// A request without a body.
    #[must_use]
    pub const fn get(name: &'static str, path: &'static str, status: u16) -> Self {
        Self { name, path, content_type: "", headers: &[], body: None, status }
    }

    /// A request with a JSON body.
    #[must_use]
    pub const fn json(name: &'static str, path: &'static str, body: &'static str, status: u16) -> Self {
        Self { name, path, content_type: "application/json", headers: &[], body: Some(body), status }
    }
}

/// A documented answer.
#[derive(Clone, Copy, Debug)]
pub struct Documented {
    /// Status.
    pub status: u16,
    /// Name of a schema in [`crate::openapi::schemas`]; empty: no JSON.
    pub schema: &'static str,
    /// For people.
    pub about: &'static str,
}

/// The code of an operation.
pub type Run = fn(Call) -> BoxFuture<'static, Result<Answer, Problem>>;

/// One operation.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// `events.publish`.
    pub id: &'static str,
    /// Method.
    pub verb: Verb,
    /// Path, with `{name}` for parameters.
    pub path: &'static str,
    /// The group it is listed under.
    pub tag: &'static str,
    /// One line.
    pub summary: &'static str,
    /// More, in plain text.
    pub about: &'static str,
    /// The permission that it needs; `None`: no key at all.
    pub action: Option<Action>,
    /// Where it happens.
    pub place: Place,
    /// Query parameters beside `environment`.
    pub query: &'static [Param],
    /// Name of the body's schema; empty: it takes none.
    pub body: &'static str,
    /// Content types that it takes.
    pub takes: &'static [&'static str],
    /// Most bytes of a body.
    pub max_body: usize,
    /// Answers other than problem documents.
    pub answers: &'static [Documented],
    /// Sent by a test.
    pub examples: &'static [Example],
    /// Whether the answer is kept under an `Idempotency-Key`; false where it shows a tenant's secrets.
    pub kept: bool,
    /// Does it.
    pub run: Run,
}

/// A body of configuration is never larger.
pub const MAX_CONFIG_BODY: usize = 1024 * 1024;

/// JSON only.
pub const JSON: &[&str] = &["application/json"];
/// A merge patch.
pub const PATCH: &[&str] = &["application/merge-patch+json", "application/json"];

impl Operation {
    /// What most operations have in common.
    pub const BASE: Self = Self {
        id: "",
        verb: Verb::Get,
        path: "",
        tag: "",
        summary: "",
        about: "",
        action: None,
        place: Place::Environment,
        query: &[],
        body: "",
        takes: JSON,
        max_body: MAX_CONFIG_BODY,
        answers: &[],
        examples: &[],
        kept: true,
        run: |_| Box::pin(std::future::ready(Err(Problem::not_found("operation")))),
    };
}

/// Declares `OPERATION` with what is special about it; `run` of the same file does it.
macro_rules! operation {
    ($($field:ident: $value:expr),* $(,)?) => {
        /// This operation.
        pub static OPERATION: $crate::operation::Operation = $crate::operation::Operation {
            $($field: $value,)*
            run: |call| Box::pin(run(call)),
            ..$crate::operation::Operation::BASE
        };
    };
}
pub(crate) use operation;

/// A documented answer with a JSON body.
#[must_use]
pub const fn answers(status: u16, schema: &'static str, about: &'static str) -> Documented {
    Documented { status, schema, about }
}
