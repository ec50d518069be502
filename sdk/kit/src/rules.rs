//! The rules of `wit/README.md` that the suite tests, each in a few words. A test holds both together.

/// A statement of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// As in `wit/README.md`: `D4`.
    pub id: &'static str,
    /// What it asks for.
    pub words: &'static str,
    /// A SHOULD: the suite advises, and does not fail.
    pub should: bool,
}

const fn must(id: &'static str, words: &'static str) -> Rule {
    Rule { id, words, should: false }
}

const fn should(id: &'static str, words: &'static str) -> Rule {
    Rule { id, words, should: true }
}

/// All that the suite tests.
pub const RULES: &[Rule] = &[
    must("C2", "what a session uses is what was in force when it began"),
    must("C4", "signers are given every key that get answers with"),
    must("C6", "no secret is asked for in the configuration"),
    must("C7", "no secret comes back: not in outcomes, records, previews, checks or logs"),
    must("C12", "connector-revealing is not asked for"),
    must("D1", "every event is settled, as soon as its outcome is known"),
    must("D4", "a request says which events it carries"),
    must("D5", "an event that fails does not keep others from being delivered"),
    must("D7", "an event has the same identity at every attempt"),
    must("D8", "a batch is one request, and without a batch each event is sent by itself"),
    must("D9", "what is sent depends on events, configuration, credentials, clock and attempt alone"),
    must("D10", "any event is settled, whatever its fields and data hold"),
    must("D11", "a call returns before its deadline"),
    should("L3", "a plugin stays far below the limits"),
    must("M1", "there is one manifest, at the outermost level"),
    must("M2", "the configuration schema is a JSON Schema, and closed"),
    must("M3", "only what both sides hold is shared"),
    must("M4", "what decides how a credential is used is under its guards"),
    must("M5", "a manifest has no unknown fields"),
    must("M6", "the example's configuration fits the schema"),
    must("M7", "what a manifest points at is there"),
    must("M8", "a credential's use goes with its kind"),
    should("M9", "every field of the configuration has a description"),
    must("M10", "what is the operator's goes where no tenant chooses"),
    must("N1", "the component is of a contract that the host speaks"),
    must("N3", "the component imports nothing that the host does not have"),
    must("N4", "no code, kind or answer makes a plugin trap"),
    must("O1", "permanent is about that one event"),
    must("O2", "what may have arrived is uncertain"),
    must("O3", "an answer is classed by what it says"),
    must("O4", "codes are kebab-case"),
    must("O6", "the status is the destination's own word"),
    must("O8", "a destination that wants less is given the time that it names"),
    must("P1", "event data is sent as event-data where it stands unchanged"),
    must("R1", "a connector names the origins that it reaches"),
    must("R4", "redirects are not followed"),
    must("S3", "nothing is lost when a session ends"),
    must("S4", "a session opens with a configuration that is right"),
    must("S7", "nothing of one event is kept for another one"),
    should("T11", "what a stream did not write is settled as untried or transient"),
    must("V1", "check sends no event, and tells what it finds"),
    must("V2", "preview builds exactly what deliver sends"),
    must("V3", "a preview opens nothing, and shows what would be written"),
];

/// The rule of this number.
#[must_use]
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}
