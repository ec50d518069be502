//! `expected.toml` of a hostile guest.

/// What the customer gets.
pub struct Expected {
    pub call: Call,
    /// Of the first event, or of the call.
    pub first: Word,
    /// Of the second event, where it differs.
    pub second: Word,
    /// Requests that arrive at its own destination in one call.
    pub requests: usize,
    /// Requests that arrive at its token endpoint, for each of its destinations.
    pub exchanges: usize,
    /// The host ends its session by itself, between calls.
    pub leaves: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// It is refused before it runs.
    Load,
    Check,
    Deliver,
}

/// An outcome: its class, or `refused` for what is not a delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    pub class: String,
    pub code: String,
    pub message: String,
}

impl Expected {
    pub fn read(text: &str) -> Self {
        let table: toml::Table = text.parse().unwrap();
        let known = ["call", "class", "code", "exchanges", "leaves", "message", "requests", "second"];
        assert_eq!(table.keys().find(|key| !known.contains(&key.as_str())), None);
        let first = word(&table);
        Self {
            call: match table.get("call").map_or("deliver", |call| call.as_str().unwrap()) {
                "load" => Call::Load,
                "check" => Call::Check,
                "deliver" => Call::Deliver,
                other => panic!("call = {other:?}"),
            },
            second: table.get("second").map_or_else(|| first.clone(), |second| word(second.as_table().unwrap())),
            first,
            requests: number(&table, "requests"),
            exchanges: number(&table, "exchanges"),
            leaves: table.get("leaves").is_some_and(|leaves| leaves.as_bool().unwrap()),
        }
    }
}

fn number(table: &toml::Table, key: &str) -> usize {
    table.get(key).map_or(0, |number| number.as_integer().unwrap().try_into().unwrap())
}

fn word(table: &toml::Table) -> Word {
    let text = |key: &str| table[key].as_str().unwrap().to_owned();
    Word { class: text("class"), code: text("code"), message: text("message") }
}
