use super::*;
use crate::config::tests::config;

fn of(state: &str, message: &str) -> ServerError {
    ServerError { sqlstate: state.to_owned(), message: message.to_owned(), ..ServerError::default() }
}

fn about(table: &str, column: &str, constraint: &str, error: ServerError) -> ServerError {
    let [table, column, constraint] = [table, column, constraint].map(str::to_owned);
    ServerError { names: Box::new(Names { table, column, constraint, ..Names::default() }), ..error }
}

fn usual() -> Config {
    config(r#"{"host": "db", "database": "d", "user": "u"}"#)
}

fn table() -> Table {
    Table::of(&usual(), "t")
}

fn verdict(state: &str, message: &str) -> Verdict {
    server(&of(state, message), &usual(), Some(&table()))
}

#[test]
fn each_class_has_its_meaning() {
    let cases = [
        (
            Meaning::Transient,
            &[
                "40001", "40P01", "53100", "53200", "53300", "55P03", "57P01", "57P03", "08006", "08P01", "55000",
                "XX000", "58030", "26000", "ZZ999", "",
            ][..],
        ),
        (
            Meaning::Misconfigured,
            &[
                "42501", "42P01", "42703", "42804", "42P10", "3F000", "3D000", "25006", "0A000", "428C9", "21000",
                "22012", "38000", "39000", "P0000", "P0002", "2F000",
            ],
        ),
        (Meaning::Slow, &["57014"]),
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
    let null = |column: &str| about("", column, "", of("23502", "null value"));
    assert_eq!(fault(&null("customer_id")), Fault::Table);
    assert_eq!(fault(&null("payload")), Fault::Row);
    assert_eq!(fault(&null("")), Fault::Row, "of a domain");
}

#[test]
fn codes_are_stable_and_in_kebab_case() {
    assert_eq!(verdict("40P01", "m").code, "deadlock-detected");
    assert_eq!(verdict("0A000", "m").code, "sqlstate-0a000");
    assert_eq!(verdict("40P01", "m").status.as_deref(), Some("40P01"));
}

#[test]
fn what_a_table_lacks_is_not_the_rows_fault() {
    let of = |state: &str, table: &str, constraint: &str| fault(&about(table, "", constraint, of(state, "m")));
    assert_eq!(of("23514", "events", ""), Fault::Partition);
    assert_eq!(of("23514", "events", "a_check"), Fault::Row);
    assert_eq!(of("23514", "", ""), Fault::Row, "what a trigger raises");
    assert_eq!(of("55000", "events", "events_pkey"), Fault::Table, "a deferrable key");
}

#[test]
fn what_a_pooler_says_is_known_by_its_words() {
    let cases = [
        ("transaction blocks not allowed in statement pooling mode", Meaning::Misconfigured, "pooler-statement-mode"),
        ("Transaction blocks not allowed in statement pooling mode", Meaning::Misconfigured, "pooler-statement-mode"),
        ("no such database: d", Meaning::Misconfigured, "undefined-database"),
        ("SASL authentication failed", Meaning::RejectedCredentials, "invalid-password"),
        ("pgbouncer cannot connect to server", Meaning::Transient, "sqlstate-08p01"),
    ];
    for (words, meaning, code) in cases {
        let verdict = verdict("08P01", words);
        assert_eq!((verdict.meaning, verdict.code.as_str()), (meaning, code), "{words}");
    }
    assert_eq!(fault(&of("XX000", "statement pooling")), Fault::Moment);
}

#[test]
fn messages_say_what_to_change() {
    let message = verdict("42P01", "relation does not exist").message;
    assert!(message.contains(r#"CREATE TABLE IF NOT EXISTS "public"."events" ("event_id" text PRIMARY KEY"#));
    assert!(message.ends_with("now());") && message.len() <= 1_024, "{message}");
    let message = verdict("42501", "permission denied for table events").message;
    assert!(message.ends_with(r#"GRANT INSERT, SELECT ("event_id") ON "public"."events" TO "u";"#), "{message}");
    let message = verdict("42P10", "there is no unique or exclusion constraint").message;
    assert!(message.contains(r#"ALTER TABLE "public"."events" ADD PRIMARY KEY ("event_id");"#), "{message}");
}

#[test]
fn what_a_row_holds_is_no_part_of_a_message() {
    const VALUE: &str = "4111 1111";
    let words = format!("a value: \"{VALUE}\", {VALUE} and {VALUE}");
    for state in [
        "21000", "22001", "22003", "22007", "22012", "22P02", "22P05", "22XXX", "23502", "23503", "23505", "23514",
        "23P01", "2F000", "38000", "39000", "42601", "44000", "54001", "P0001", "P0002", "PRIVA", "ZZ999",
    ] {
        let message = verdict(state, &words).message;
        assert!(!message.contains(VALUE) && message.contains(state), "{message}");
        let of_all = of_every_row(&of(state, &words), 3, &usual(), &table()).message;
        assert!(!of_all.contains(VALUE) && of_all.contains(state), "{of_all}");
    }
    assert!(verdict("40001", "try later").message.contains("try later"));
}

#[test]
fn names_stand_where_the_words_would() {
    let check = about("t", "c", "a_check", of("23514", "m"));
    let message = server(&check, &usual(), Some(&table())).message;
    let expected = "The table does not take this event: a check forbids it (constraint \"a_check\", column \"c\"; SQLSTATE \
                    23514).";
    assert_eq!(message, expected);
    let message = verdict("22001", "value too long for type character varying(15)").message;
    assert!(message.contains("of type character varying(15) (SQLSTATE 22001)"), "{message}");
    assert!(!verdict("22001", "value too long for type X-4111").message.contains("4111"));
    let raised = about("", "", "4111", of("P0001", "m"));
    assert!(!server(&raised, &usual(), None).message.contains("4111"));
}

#[test]
fn the_longest_names_leave_their_statement_whole() {
    let name = "n".repeat(63);
    let config =
        config(&format!(r#"{{"host": "db", "database": "d", "user": "u", "schema": "{name}", "table": "{name}"}}"#));
    let message = message::missing(&Table::of(&config, "t"));
    assert!(message.len() <= 1_024, "{}", message.len());
}

#[test]
fn only_what_was_committed_can_be_uncertain() {
    let failed = |kind, code: &str| Failure { kind, code: code.to_owned(), message: String::new() };
    for kind in [Kind::Closed, Kind::Timeout, Kind::Protocol, Kind::Other, Kind::Connect, Kind::Dns, Kind::Tls] {
        assert_eq!(failure(&failed(kind, "x"), Reached::Nothing).meaning, Meaning::Transient, "{kind:?}");
        let in_between = if kind == Kind::Timeout { Meaning::Slow } else { Meaning::Transient };
        assert_eq!(failure(&failed(kind, "x"), Reached::Statements).meaning, in_between, "{kind:?}");
        assert_eq!(failure(&failed(kind, "x"), Reached::Commit).meaning, Meaning::Uncertain, "{kind:?}");
    }
    assert_eq!(failure(&failed(Kind::Tls, "tls-certificate"), Reached::Nothing).meaning, Meaning::Misconfigured);
    assert_eq!(failure(&failed(Kind::Denied, "x"), Reached::Nothing).meaning, Meaning::Misconfigured);
    assert_eq!(failure(&failed(Kind::Credential, "x"), Reached::Nothing).meaning, Meaning::RejectedCredentials);
}
