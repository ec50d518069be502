//! What is to be done, and in which call.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    pub url: Option<String>,
    #[serde(default)]
    pub behave: Behave,
    #[serde(default)]
    pub at: At,
    /// Only where an event of this type is handed over; else it behaves.
    #[serde(default)]
    pub only: Option<String>,
    #[serde(default)]
    pub amount: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum At {
    Open,
    Check,
    #[default]
    Deliver,
    Preview,
    Idle,
    Close,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Behave {
    /// With a URL: one request per event, delivered on 2xx. Without: delivered, nothing sent.
    #[default]
    Ok,
    /// One request for all, a JSON array of their data. The answer may be a JSON array of outcome words, in order.
    Batch,
    /// Sends `api_key` in a header, the query and the body, in several encodings; the answer's body becomes the message.
    Echo,
    /// Delivered, with the configuration and the events' attributes as the message.
    Leak,
    /// Uses a signing secret as a part, and a placed one as a key. Permanent, with the code of the first refusal;
    /// `misused` if nothing was refused.
    MisuseCredential,
    /// Sends, and classes no answer as `uncertain` with the failure's code.
    SlowHost,
    /// Settles nothing, sends nothing.
    Silent,
    /// Sends what carries the events, settles nothing.
    SendSilent,
    /// Delivered, and then permanent: the first word counts.
    SettleTwice,
    /// The call answers with a failure.
    Fail,
    Trap,
    /// The first event is delivered.
    SettleThenTrap,
    SendThenTrap,
    Spin,
    /// The first event is delivered.
    SettleThenSpin,
    /// Takes memory until there is none.
    Memory,
    /// Until the stack ends.
    Recurse,
    /// An outcome's message of `amount` bytes (16 MiB), in the log too.
    BigOutput,
    /// `amount` lines (100,000) of 1 KB.
    FloodLog,
    /// Delivered, shown as a protocol that is not HTTP.
    Show,
}
