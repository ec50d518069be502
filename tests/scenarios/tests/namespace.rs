//! Egress where every address of the internet, and every private one, is this machine and listens: a network namespace
//! of the test's own. What the host refuses is not reached, however it is written.

#[path = "namespace/inside.rs"]
mod inside;
#[path = "namespace/spellings.rs"]
mod spellings;

use std::process::Command;

/// Set where the test below may not be left out.
const REQUIRED: &str = "RAILHEAD_REQUIRE_NAMESPACE";

#[test]
fn at_least_200_spellings_are_there() {
    let all = spellings::all();
    assert!(all.len() >= 200, "{}", all.len());
    let refused = all.iter().map(|one| one.ip).collect::<std::collections::BTreeSet<_>>();
    assert!(refused.len() >= 100, "{}", refused.len());
}

#[test]
#[allow(clippy::print_stderr)] // says why it did nothing
fn no_spelling_of_a_refused_address_is_reached_where_all_of_them_listen() {
    let Some(flags) = unshare_flags() else {
        let why = "this machine gives no network namespace (unshare --net --mount, and ip of iproute2)";
        assert!(std::env::var_os(REQUIRED).is_none(), "{why}, and {REQUIRED} is set");
        eprintln!("left out: {why}");
        return;
    };
    let own = std::env::current_exe().expect("a test has a path");
    let mut command = Command::new("unshare");
    command.args(flags).arg(own).args(["--exact", "inside::all_of_it", "--ignored", "--nocapture"]);
    command.env(inside::IS_INSIDE, "1").env("RAILHEAD_BIN", railhead_harness::host::binary());
    let output = command.output().expect("unshare runs");
    let told = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).join("\n");
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

/// How this machine lets us have a namespace: as root, or as the root of a user namespace.
fn unshare_flags() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["--net", "--mount"], &["--map-root-user", "--net", "--mount"]];
    let works = |flags: &&[&str]| {
        let tried = Command::new("unshare").args(*flags).args(["ip", "link", "set", "lo", "up"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    ways.into_iter().find(works)
}
