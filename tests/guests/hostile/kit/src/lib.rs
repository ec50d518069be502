//! What every hostile guest needs to be a connector: it implements [`Hostile`] and names itself with [`hostile!`].

wit_bindgen::generate!({
    path: "../../../../wit/0.1.0",
    world: "connector",
    pub_export_macro: true,
    default_bindings_module: "hostile_kit",
});

pub use crate::exports::railhead::plugin::destination::Event;
pub use crate::railhead::plugin::credentials::{Credential, Encoding, Part, Scram};
pub use crate::railhead::plugin::host::Call;
pub use crate::railhead::plugin::http::{Request, Response, Signed};
pub use crate::railhead::plugin::streams::{Connection, Security};
pub use crate::railhead::plugin::types::{Failure, Kind, Outcome, Reason};
pub use crate::railhead::plugin::{credentials, host, http};

use crate::exports::railhead::plugin::destination::{Guest, GuestSession, Session as Handle};
use std::marker::PhantomData;

/// What a guest does in each call. What it leaves out is harmless.
pub trait Hostile: Default + 'static {
    /// In `open`.
    fn open(&self) {}

    /// In `deliver`. All events become `delivered` (code `done`) with the text that it returns, or `permanent` with the
    /// failure's code and message: so the customer sees what the host answered. What was settled before stays.
    fn deliver(&self, _given: &Given<'_>) -> Result<String, Failure> {
        Ok("It did nothing.".to_owned())
    }

    /// In `check`.
    fn check(&self) -> Vec<Result<String, Reason>> {
        Vec::new()
    }

    /// In `idle`: true to be called again.
    fn idle(&self) -> bool {
        false
    }

    /// In `close`.
    fn close(&self) {}
}

/// A delivery.
pub struct Given<'a> {
    pub call: &'a Call,
    pub events: &'a [Event],
    config: &'a str,
}

impl Given<'_> {
    /// A text of the configuration: `url`, the guest's own destination; `other`, a server that it has no business with;
    /// `token`, a token endpoint; `host`, where its own server for streams is.
    pub fn setting(&self, name: &str) -> String {
        let from = self.config.split_once(&format!("\"{name}\":\"")).map_or("", |(_, rest)| rest);
        from.split_once('"').map_or("", |(text, _)| text).to_owned()
    }

    /// A connection to the guest's own server for streams, without TLS: it sends back what it gets, but does as it is told
    /// where that is `slow`, `endless` or `sink` and a line feed.
    pub fn connect(&self) -> Result<Connection, Failure> {
        let port = self.config.split_once("\"port\":").map_or("", |(_, rest)| rest);
        let port: String = port.chars().take_while(char::is_ascii_digit).collect();
        Connection::connect(&self.setting("host"), port.parse().unwrap_or(0), Security::Plain)
    }

    /// All of the configuration, as JSON.
    pub fn config(&self) -> &str {
        self.config
    }

    /// A POST to the guest's own destination at this path, carrying all events.
    pub fn post(&self, path: &str) -> Request {
        let request = Request::new("POST", &format!("{}{path}", self.setting("url")));
        request.carries(&self.all());
        request
    }

    /// All indexes.
    pub fn all(&self) -> Vec<u32> {
        (0..u32::try_from(self.events.len()).unwrap_or(u32::MAX)).collect()
    }
}

/// Bytes of a part.
pub fn text(text: &str) -> Part<'_> {
    Part::Bytes(text.as_bytes().to_vec())
}

/// A reason.
pub fn reason(code: &str, message: &str) -> Reason {
    Reason { code: code.to_owned(), message: message.to_owned(), status: None }
}

/// The first value of a credential field.
pub fn credential(field: &str) -> Result<Credential, Failure> {
    let absent = || Failure { kind: Kind::Other, code: "no-credential".to_owned(), message: field.to_owned() };
    credentials::get(field)?.into_iter().next().ok_or_else(absent)
}

/// All of an answer's body that the host kept.
pub fn body(answer: &Response) -> String {
    let mut all = Vec::new();
    loop {
        let more = answer.body(64 * 1024);
        if more.is_empty() {
            return String::from_utf8_lossy(&all).into_owned();
        }
        all.extend(more);
    }
}

/// Makes a type that is [`Hostile`] the component.
#[macro_export]
macro_rules! hostile {
    ($guest:ident) => {
        type Component = $crate::Component<$guest>;
        $crate::export!(Component with_types_in $crate);
    };
}

/// See [`hostile!`].
pub struct Component<H>(PhantomData<H>);

impl<H: Hostile> Guest for Component<H> {
    type Session = Session<H>;
}

/// See [`hostile!`].
pub struct Session<H> {
    guest: H,
    config: String,
}

impl<H: Hostile> GuestSession for Session<H> {
    fn open(config: String) -> Result<Handle, Failure> {
        let guest = H::default();
        guest.open();
        Ok(Handle::new(Self { guest, config }))
    }

    fn check(&self, _: &Call) -> Vec<Result<String, Reason>> {
        self.guest.check()
    }

    fn deliver(&self, call: &Call, events: Vec<Event>) -> Result<(), Failure> {
        let given = Given { call, events: &events, config: &self.config };
        let outcome = match self.guest.deliver(&given) {
            Ok(message) => Outcome::Delivered(reason("done", &message)),
            Err(failure) => Outcome::Permanent(reason(&failure.code, &failure.message)),
        };
        call.settle(&given.all(), &outcome);
        Ok(())
    }

    fn preview(&self, call: &Call, events: Vec<Event>) -> Result<(), Failure> {
        self.deliver(call, events)
    }

    fn idle(&self) -> Result<Option<u32>, Failure> {
        Ok(self.guest.idle().then_some(1_000))
    }

    fn close(&self) {
        self.guest.close();
    }
}
