//! Pages of lists: `limit`, and a sealed `cursor` that is good for one list and its filters only.

use crate::answer::Answer;
use crate::call::Call;
use crate::codes;
use crate::problem::Problem;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Objects of a page that names no limit.
pub const DEFAULT_LIMIT: u32 = 50;
/// Objects of a page at most.
pub const MAX_LIMIT: u32 = 200;

/// Which page.
#[derive(Clone, Debug)]
pub struct PageAsk {
    /// At most so many objects.
    pub limit: u32,
    after: Option<String>,
    binding: Vec<u8>,
}

impl PageAsk {
    /// Reads the parameters of a call.
    ///
    /// # Errors
    /// 400 `invalid-query`, `bad-cursor`.
    pub fn of(call: &Call) -> Result<Self, Problem> {
        let limit = match call.query.get("limit").map(str::parse::<u32>) {
            None => DEFAULT_LIMIT,
            Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => limit,
            Some(_) => return Err(Problem::query("limit", format!("Expected a number from 1 to {MAX_LIMIT}."))),
        };
        let binding = binding(call);
        let after = call.query.get("cursor").map(|cursor| open(call, &binding, cursor)).transpose()?;
        Ok(Self { limit, after, binding })
    }

    /// Where the page begins: what [`PageAsk::answer`] was given for the page before.
    ///
    /// # Errors
    /// 400 `bad-cursor` for a position of another kind.
    pub fn after<T: std::str::FromStr>(&self) -> Result<Option<T>, Problem> {
        self.after.as_deref().map(|text| text.parse().map_err(|_| bad_cursor())).transpose()
    }

    /// Answers with a page; `next` is where the next one begins.
    ///
    /// # Errors
    /// As [`Answer::json`].
    pub fn answer(&self, call: &Call, data: Vec<Value>, next: Option<String>) -> Result<Answer, Problem> {
        let next = next.map(|position| {
            let sealed = call.state.host_keys.seal_other("cursor", &self.binding, position.as_bytes());
            URL_SAFE_NO_PAD.encode(sealed)
        });
        Answer::ok(&json!({"data": data, "next": next}))
    }
}

/// The list, where it is, and its filters: a cursor opens for the same ones only.
fn binding(call: &Call) -> Vec<u8> {
    let environment = call.permit.environment().map(|environment| environment.no.0);
    json!([call.permit.operation().id, environment, call.path, call.query.filters()]).to_string().into_bytes()
}

fn open(call: &Call, binding: &[u8], cursor: &str) -> Result<String, Problem> {
    let sealed = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad_cursor())?;
    let plain = call.state.host_keys.open_other("cursor", binding, &sealed).map_err(|_| bad_cursor())?;
    String::from_utf8(plain).map_err(|_| bad_cursor())
}

fn bad_cursor() -> Problem {
    Problem::new(&codes::BAD_CURSOR, "The cursor is not one of this list with these filters.")
}
