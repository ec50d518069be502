//! What a connector is, and how it becomes a component.

use crate::bindings::exports::railhead::plugin::destination::{Guest, GuestSession, Session as Exported};
use crate::config;
use crate::host::Call;
use crate::types::{Event, Failure, Reason};
use serde::de::DeserializeOwned;
use std::cell::RefCell;

/// One session of a connector: one instance, one destination, one version of its configuration and credentials.
///
/// The host calls nothing else. Calls never overlap. An error from [`open`](Self::open), [`deliver`](Self::deliver) or
/// [`idle`](Self::idle), a trap or a missed deadline ends the session, and it may end at any time without
/// [`close`](Self::close): keep nothing in it that matters.
pub trait Connector: Sized + 'static {
    /// The destination's configuration. The host has checked it against the schema.
    type Config: DeserializeOwned + crate::Schema;

    /// Called once, first. Look at what a schema cannot say, and prepare what all calls need, such as handles of
    /// credentials. A connector of a stream logs in here, or at the first call that sends; others should send nothing.
    ///
    /// # Errors
    /// Of kind `invalid` where a person has to mend the configuration: its deliveries then wait.
    fn open(config: Self::Config) -> Result<Self, Failure>;

    /// Called when a person asks whether the destination works. Says step by step what was found, or what is wrong and
    /// how to mend it. Must not send an event; the call has none.
    fn check(&mut self, call: &Call) -> Vec<Result<String, Reason>>;

    /// Hands events over. Deliver each and [`settle`](Call::settle) each as soon as its outcome is known; the first word
    /// on an event counts. Where [`batched`](Call::batched) they are one request or object. Must not try again: the host
    /// does.
    ///
    /// # Errors
    /// End the session. What is not settled is `uncertain` where a request carried it or a stream was written, else
    /// `untried`.
    fn deliver(&mut self, call: &Call, events: &[Event]) -> Result<(), Failure>;

    /// Shows what [`deliver`](Self::deliver) would send, in a session of its own. Over HTTP it does the same: every send
    /// is kept to be shown and answers `preview`. A connector of a stream opens nothing, and [shows](Call::show) what it
    /// would write.
    ///
    /// # Errors
    /// Why nothing can be shown.
    fn preview(&mut self, call: &Call, events: &[Event]) -> Result<(), Failure> {
        self.deliver(call, events)
    }

    /// Called between calls, soon after the session opened and then when it asked: look whether the connection stands.
    /// Answers in how many milliseconds to be called again (1000 at least), none for never.
    ///
    /// # Errors
    /// End the session.
    fn idle(&mut self) -> Result<Option<u32>, Failure> {
        Ok(None)
    }

    /// The orderly end, where there is one. At most 5 s.
    fn close(&mut self) {}
}

/// A connector as the component that the contract wants.
#[doc(hidden)]
pub struct Component<C>(RefCell<C>);

impl<C: Connector> Guest for Component<C> {
    type Session = Self;
}

impl<C: Connector> GuestSession for Component<C> {
    fn open(config: String) -> Result<Exported, Failure> {
        let connector = C::open(config::parse(&config)?)?;
        Ok(Exported::new(Self(RefCell::new(connector))))
    }

    fn check(&self, call: &Call) -> Vec<Result<String, Reason>> {
        self.0.borrow_mut().check(call)
    }

    fn deliver(&self, call: &Call, events: Vec<Event>) -> Result<(), Failure> {
        self.0.borrow_mut().deliver(call, &events)
    }

    fn preview(&self, call: &Call, events: Vec<Event>) -> Result<(), Failure> {
        self.0.borrow_mut().preview(call, &events)
    }

    fn idle(&self) -> Result<Option<u32>, Failure> {
        self.0.borrow_mut().idle()
    }

    fn close(&self) {
        self.0.borrow_mut().close();
    }
}

/// Makes a connector a component: exports it, and puts the manifest into it.
///
/// `connector!(MyConnector, "manifest.json")`: a type that is a [`Connector`], and its manifest, a file beside
/// `Cargo.toml`. The manifest's `config_schema` is that of the configuration's type, its `version` that of `Cargo.toml`,
/// its `contract` that of this crate: they do not stand in the file. The whole is in `RAILHEAD_MANIFEST` for tests.
#[macro_export]
macro_rules! connector {
    ($connector:ty, $manifest:literal $(,)?) => {
        #[doc(hidden)]
        type __RailheadComponent = $crate::expanded::Component<$connector>;
        $crate::expanded::export!(__RailheadComponent with_types_in $crate::expanded::bindings);

        /// The manifest of this connector, as its component bears it.
        pub const RAILHEAD_MANIFEST: &str = {
            type Config = <$connector as $crate::Connector>::Config;
            const PIECES: &[$crate::expanded::Piece] = &[
                $crate::expanded::Piece::Text("{"),
                $crate::expanded::Piece::Text($crate::expanded::manifest_members!($manifest)),
                $crate::expanded::Piece::Text(concat!(",\"version\":\"", env!("CARGO_PKG_VERSION"), "\",\"config_schema\":{")),
                $crate::expanded::Piece::Text($crate::expanded::SCHEMA_2020_12),
                $crate::expanded::Piece::Text(<Config as $crate::Schema>::TITLE),
                $crate::expanded::Piece::Text(<Config as $crate::Schema>::DESCRIPTION),
                $crate::expanded::Piece::Nested(<Config as $crate::Schema>::RULES),
                $crate::expanded::Piece::Text("}}"),
            ];
            const BYTES: [u8; $crate::expanded::length(PIECES)] = $crate::expanded::join(PIECES);
            $crate::expanded::text(&BYTES)
        };

        const _: () = {
            // So that a change of the file compiles again.
            const _: &[u8] = include_bytes!($crate::expanded::tracked!($manifest));

            // Not `#[used]`: that would put it into the memory of every session too.
            #[cfg(target_family = "wasm")]
            #[unsafe(link_section = "railhead:manifest")]
            pub static SECTION: [u8; RAILHEAD_MANIFEST.len()] = *RAILHEAD_MANIFEST.as_bytes().first_chunk().unwrap();
        };
    };
}
