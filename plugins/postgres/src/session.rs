//! A session: the configuration, and one connection that is logged in, as long as it stands.

use crate::config::Config;
use crate::link::{Link, Patience, Trouble};
use crate::login::log_in;

/// How often an unused connection is looked at, in milliseconds.
pub const HEARTBEAT_MS: u32 = 10_000;
/// What the answer to a heartbeat may take.
const BEAT_MS: u32 = 3_000;

/// Logs in when it has something to send: opening it sends nothing, and a preview never connects.
pub struct Session {
    pub config: Config,
    link: Option<Link>,
}

impl Session {
    pub const fn new(config: Config) -> Self {
        Self { config, link: None }
    }

    /// The connection. One that the server ended meanwhile is replaced: nothing was sent over it yet.
    pub fn link(&mut self, patience: Patience<'_>) -> Result<&mut Link, Trouble> {
        let link = match self.link.take().filter(Link::is_quiet) {
            Some(link) => link,
            None => log_in(&self.config, patience, &mut Vec::new())?,
        };
        Ok(self.link.insert(link))
    }

    /// A new connection; says on the way what was reached.
    pub fn new_link(&mut self, patience: Patience<'_>, told: &mut Vec<String>) -> Result<&mut Link, Trouble> {
        self.close();
        let link = log_in(&self.config, patience, told)?;
        Ok(self.link.insert(link))
    }

    /// Lets go of a connection that is in an unknown state.
    pub fn drop_link(&mut self) {
        self.link = None;
    }

    /// Looks whether the connection stands. One that does not goes: the next delivery makes another one.
    pub fn beat(&mut self) {
        let Some(link) = &mut self.link else { return };
        if !link.is_quiet() || link.beat(Patience::Ms(BEAT_MS)).is_err() {
            self.link = None;
        }
    }

    /// Says goodbye.
    pub fn close(&mut self) {
        if let Some(link) = self.link.take() {
            link.close();
        }
    }
}
