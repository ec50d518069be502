use super::*;
use crate::config::tests::config;

fn of(state: &str, message: &str) -> ServerError {
    ServerError { sqlstate: state.to_owned(), message: message.to_owned(), ..ServerError::default() }
}

fn verdict(state: &str, message: &str) -> Verdict {
    let config = config(r#"{"host": "db", "database": "d", "user": "u"}"#);
    let table = Table::of(&config, "t");
    server(&of(state, message), &config, Some(&table))
}

#[test]
fn each_class_has_its_meaning() {
    let cases = [
        (
            Meaning::Transient,
            &[
                "40001", "40P01", "53100", "53200", "53300", "55P03", "57014", "57P01", "57P03", "08006", "XX000",
                "58030", "26000", "ZZ999", "",
            ][..],
        ),
        (
            Meaning::Misconfigured,
            &["42501", "42P01", "42703", "42804", "42P10", "3F000", "3D000", "25006", "0A000", "428C9"],
        ),
        (Meaning::RejectedCredentials, &["28P01", "28000"]),
        (
            Meaning::Permanent,
            &["22P05", "22P02", "22001", "22021", "23503", "23505", "23514", "44000", "54000", "54001", "P0001"],
        ),
    ];
    for (meaning, states) in cases {
        for state in states {
            assert_eq!(verdict(state, "m").meaning, meaning, "{state}");
        }
    }
}

#[test]
fn a_foreign_column_that_must_be_filled_is_the_tables_fault() {
    let null = |column: &str| ServerError { column: column.to_owned(), ..of("23502", "null value") };
    assert_eq!(fault(&null("customer_id")), Fault::Table);
    assert_eq!(fault(&null("payload")), Fault::Row);
}

#[test]
fn codes_are_stable_and_in_kebab_case() {
    assert_eq!(verdict("40P01", "m").code, "deadlock-detected");
    assert_eq!(verdict("0A000", "m").code, "sqlstate-0a000");
    assert_eq!(verdict("40P01", "m").status.as_deref(), Some("40P01"));
}

#[test]
fn messages_say_what_to_change_and_hold_no_value() {
    let message = verdict("42P01", "relation does not exist").message;
    assert!(message.contains(r#"CREATE TABLE IF NOT EXISTS "public"."events" ("event_id" text PRIMARY KEY"#));
    assert!(message.ends_with("now());") && message.len() <= 1_024, "{message}");
    let message = verdict("42501", "permission denied for table events").message;
    assert!(message.ends_with(r#"GRANT INSERT, SELECT ("event_id") ON "public"."events" TO "u";"#), "{message}");
    let message = verdict("22P02", "invalid input syntax for type integer: \"4111 1111\"").message;
    assert_eq!(message, "The table does not take this event: invalid input syntax for type integer.");
    assert!(verdict("P0001", "no: \"x\"").message.ends_with("no: \"x\"."), "what a trigger says is its owner's");
}

#[test]
fn the_longest_names_leave_their_statement_whole() {
    let name = "n".repeat(63);
    let config =
        config(&format!(r#"{{"host": "db", "database": "d", "user": "u", "schema": "{name}", "table": "{name}"}}"#));
    let message = missing(&Table::of(&config, "t"));
    assert!(message.len() <= 1_024, "{}", message.len());
}

#[test]
fn only_what_was_committed_can_be_uncertain() {
    let failed = |kind, code: &str| Failure { kind, code: code.to_owned(), message: String::new() };
    for kind in [Kind::Closed, Kind::Timeout, Kind::Protocol, Kind::Other, Kind::Connect, Kind::Dns, Kind::Tls] {
        assert_eq!(failure(&failed(kind, "x"), false).meaning, Meaning::Transient, "{kind:?}");
        assert_eq!(failure(&failed(kind, "x"), true).meaning, Meaning::Uncertain, "{kind:?}");
    }
    assert_eq!(failure(&failed(Kind::Tls, "tls-certificate"), false).meaning, Meaning::Misconfigured);
    assert_eq!(failure(&failed(Kind::Denied, "x"), false).meaning, Meaning::Misconfigured);
    assert_eq!(failure(&failed(Kind::Credential, "x"), false).meaning, Meaning::RejectedCredentials);
}
