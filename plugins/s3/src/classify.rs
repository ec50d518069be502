//! What an answer of the store means for the events of an object.

mod error;
mod known;

pub use error::S3Error;

use self::known::{EXPIRED, Known};
use railhead_sdk::http::Class;
use railhead_sdk::prelude::*;

/// What a classification reads of an answer to a PUT.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    pub http: http::Answer,
    /// What its body says, whatever the status.
    pub error: Option<S3Error>,
    /// Its body went on beyond anything that a store says.
    pub floods: bool,
    /// How many events the request carried.
    pub events: usize,
    /// It said `If-None-Match`.
    pub conditional: bool,
    /// Where it went: for messages.
    pub bucket: &'a str,
    pub region: &'a str,
}

impl Answer<'_> {
    /// True if the store may not know `If-None-Match` on a PUT. It says that it lacks something, and names the header or
    /// none.
    pub fn is_unconditional_store(&self) -> bool {
        let header = self.error.as_ref().map_or("", |error| &error.header);
        let lacks = self.error_code() == "NotImplemented" && matches!(self.http.status, 400 | 501);
        self.conditional && lacks && (header.is_empty() || header.eq_ignore_ascii_case("if-none-match"))
    }

    /// True if a session is over, or was ended: that of a role can be had anew.
    pub fn is_expired(&self) -> bool {
        EXPIRED.contains(&self.error_code())
    }

    fn error_code(&self) -> &str {
        self.error.as_ref().map_or("", |error| &error.code)
    }

    /// An outcome with the store's own word: its error code, or the HTTP status.
    fn outcome(&self, (class, code, message): Said) -> Outcome {
        let reason = Reason::new(code, message);
        self.http.outcome(
            class,
            match &self.error {
                Some(error) => reason.with_status(&error.code),
                None => reason.with_status(self.http.status),
            },
        )
    }
}

/// Classes an answer to the PUT of an object.
pub fn answer(answer: &Answer<'_>) -> Outcome {
    if is_too_large(answer) {
        return too_large(answer);
    }
    let status = answer.http.status;
    if answer.floods && (200..300).contains(&status) && answer.error.is_none() {
        // Whoever it is may have stored the object before it began to talk.
        let message = format!("The store answered {status} and then more than any store says. Look at the endpoint.");
        return Outcome::Uncertain(Reason::new("answer-too-long", message).with_status(status));
    }
    answer.outcome(match &answer.error {
        Some(error) => of_error(answer, error),
        None => of_status(answer),
    })
}

type Said = (Class, &'static str, String);

/// By the error's code, where the body has one.
fn of_error(answer: &Answer<'_>, error: &S3Error) -> Said {
    let (status, quote) = (answer.http.status, said(error));
    if let Some(Known { class, code, words, .. }) = known::known(&error.code) {
        let words = words.replace("{bucket}", &format!("{:?}", answer.bucket));
        return (*class, code, words + &quote);
    }
    match error.code.as_str() {
        "PreconditionFailed" if answer.conditional => there_already(),
        "RequestTimeTooSkewed" => (Class::Transient, "clock-skewed", skewed(error)),
        "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "IncorrectEndpoint"
        | "IllegalLocationConstraintException" => (Class::Misconfigured, "wrong-region", elsewhere(answer, error)),
        _ if (200..300).contains(&status) || status >= 500 => {
            (Class::Transient, "store-failed", format!("The store answered {status}.{quote}"))
        }
        code => (Class::Misconfigured, "refused", format!("The store answered {status} {code}.{quote}")),
    }
}

/// By the status, where the body says nothing: a proxy's answer, a HEAD's, or no store's at all.
fn of_status(answer: &Answer<'_>) -> Said {
    use Class::{Delivered, Misconfigured, Throttled, Transient};
    let (status, bucket) = (answer.http.status, answer.bucket);
    let answered = format!("The store answered {status}");
    match status {
        // Each store tells a stored object by its ETag; a web page that is shown to everybody has another body, too.
        200..=299 if answer.http.header("etag").is_some() => (Delivered, "stored", format!("{answered}.")),
        200..=299 => {
            let message = format!("{answered} without an ETag, as no S3 store does. Set the right endpoint.");
            (Misconfigured, "not-a-store", message)
        }
        412 if answer.conditional => there_already(),
        301 | 307 | 308 => (Misconfigured, "wrong-region", elsewhere(answer, &S3Error::default())),
        300..=399 => {
            (Misconfigured, "not-a-store", format!("{answered}: redirects are not followed. Set the right endpoint."))
        }
        401 | 403 | 407 => {
            let message = format!(
                "{answered} and not why. Grant s3:PutObject on the prefix in {bucket:?}, and look at keys and endpoint."
            );
            (Misconfigured, "access-denied", message)
        }
        404 => {
            (Misconfigured, "bucket-not-found", format!("{answered}. Set the right bucket {bucket:?} and endpoint."))
        }
        408 | 409 | 425 => (Transient, "store-failed", format!("{answered}.")),
        429 => (Throttled, "slow-down", format!("{answered}: it wants fewer requests.")),
        507 => (Misconfigured, "store-full", format!("{answered}: it is full.")),
        400..=499 => {
            (Misconfigured, "refused", format!("{answered} and not why. Look at the endpoint: is it an S3 store?"))
        }
        _ => (Transient, "store-failed", format!("{answered}.")),
    }
}

fn there_already() -> Said {
    (Class::Delivered, "duplicate", "The object is there already, from an earlier attempt.".to_owned())
}

fn is_too_large(answer: &Answer<'_>) -> bool {
    match answer.error_code() {
        "" => answer.http.status == 413,
        code => matches!(code, "EntityTooLarge" | "MaxMessageLengthExceeded"),
    }
}

fn too_large(answer: &Answer<'_>) -> Outcome {
    let word = if answer.error.is_some() { answer.error_code().to_owned() } else { answer.http.status.to_string() };
    let reason = |message: String| Reason::new("object-too-large", message).with_status(word);
    match answer.events {
        1 => Outcome::Permanent(reason("The event is larger than the store takes.".to_owned())),
        events => Outcome::TooLarge(reason(format!("{events} events are more than the store takes at once."))),
    }
}

fn elsewhere(answer: &Answer<'_>, error: &S3Error) -> String {
    let told =
        answer.http.header("x-amz-bucket-region").map(|region| error::word(region.to_owned())).unwrap_or_default();
    let region = if error.region.is_empty() { told } else { error.region.clone() };
    let (bucket, here, quote) = (answer.bucket, answer.region, said(error));
    if !region.is_empty() && region != here {
        return format!("The bucket {bucket:?} is in the region {region}. Set region to {region}.");
    }
    if !error.endpoint.is_empty() {
        return format!("The bucket {bucket:?} is at {}. Set region or endpoint to that.", error.endpoint);
    }
    format!("The bucket {bucket:?} is not in the region {here}, or not at this endpoint. Set the right ones.{quote}")
}

fn skewed(error: &S3Error) -> String {
    let theirs =
        if error.server_time.is_empty() { String::new() } else { format!(" Its own says {}.", error.server_time) };
    format!(
        "The store says that the clock of this service is more than 15 minutes off.{theirs} Only the operator of this \
         service, or of the store, can set it right."
    )
}

/// The store's own words, to stand behind ours.
fn said(error: &S3Error) -> String {
    if error.message.is_empty() { String::new() } else { format!(" It says: {}", error.message) }
}

#[cfg(test)]
mod tests;
