use super::*;
use crate::config::tests::config;
use crate::protocol::backend::Names;

fn usual() -> Config {
    config(r#"{"host": "db", "database": "d", "user": "u"}"#)
}

fn of(state: &str, constraint: &str) -> ServerError {
    let names = Box::new(Names { constraint: constraint.to_owned(), ..Names::default() });
    ServerError { sqlstate: state.to_owned(), names, ..ServerError::default() }
}

/// Meanings of rows, or of their table.
fn meanings(errors: &[ServerError], takes: bool) -> (&'static str, Vec<Meaning>) {
    let config = usual();
    match judged(errors, takes, &config, &Table::of(&config, "t")) {
        Judged::Table(verdict) => ("table", vec![verdict.meaning]),
        Judged::Rows(verdicts) => ("rows", verdicts.iter().map(|verdict| verdict.meaning).collect()),
    }
}

#[test]
fn what_every_row_fails_on_is_the_tables_fault() {
    use Meaning::{Misconfigured, Permanent};
    let check = || of("23514", "a");
    assert_eq!(meanings(&[check(), check(), check()], false), ("table", vec![Misconfigured]));
    assert_eq!(meanings(&[check(), check()], true), ("rows", vec![Permanent, Permanent]), "others were taken");
    assert_eq!(meanings(&[check(), of("23514", "b")], false), ("rows", vec![Permanent, Permanent]), "two checks");
    assert_eq!(meanings(&[check()], false), ("rows", vec![Permanent]), "one says nothing of the table");
}

#[test]
fn a_row_without_a_partition_waits_for_one() {
    let names = Names { table: "t".to_owned(), ..Names::default() };
    let error = || ServerError { names: Box::new(names.clone()), ..of("23514", "") };
    for takes in [false, true] {
        assert_eq!(meanings(&[error(), error()], takes), ("rows", vec![Meaning::Misconfigured; 2]));
    }
}

#[test]
fn what_fails_within_a_function_is_a_rows_fault_only_beside_others() {
    use Meaning::{Misconfigured, Permanent};
    for state in ["21000", "22012", "38000", "39004", "P0000", "P0002"] {
        assert_eq!(meanings(&[of(state, "")], false), ("rows", vec![Misconfigured]), "{state}");
        assert_eq!(meanings(&[of(state, "")], true), ("rows", vec![Permanent]), "{state}");
    }
    assert_eq!(meanings(&[of("P0001", "")], false), ("rows", vec![Permanent]), "raised on purpose");
}
