//! Every hostile guest of `tests/guests/hostile`, in the real sandbox against real servers: the customer gets exactly what
//! its folder expects, nothing arrives where it should not, no secret is in what the host keeps, and nothing stays behind.

mod canary;
mod derived;
mod expected;
mod log;
mod previews;
mod run;
mod search;
mod world;

use expected::Expected;
use log::Log;
use railhead_model::SystemClock;
use railhead_sandbox::Sandbox;
use railhead_test_guests::HOSTILE;
use run::{Came, all_leave, run};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

/// Guests at once: most of them burn CPU.
const AT_ONCE: usize = 4;

/// A sandbox that may reach the loopback; guests have the CPU time that they have in production.
fn sandbox_alone() -> Arc<Sandbox> {
    Sandbox::new(world::config(), world::egress(), Arc::new(SystemClock::new())).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_hostile_guest_comes_to_what_its_folder_expects() {
    use futures::StreamExt as _;
    let log = Log::install();
    let sandbox = sandbox_alone();
    let runs = HOSTILE.iter().enumerate().map(|(number, guest)| {
        let (sandbox, log, number) = (sandbox.clone(), log.clone(), i64::try_from(number).unwrap());
        async move {
            log.plant(guest.name);
            let sandbox = if Expected::read(guest.expected).leaves { sandbox_alone() } else { sandbox };
            (guest, run(&sandbox, guest, number).await)
        }
    });
    let mut runs = std::pin::pin!(futures::stream::iter(runs).buffer_unordered(AT_ONCE));
    let (mut wrong, mut seen) = (String::new(), BTreeSet::new());
    while let Some((guest, came)) = runs.next().await {
        let expected = Expected::read(guest.expected);
        for line in came.differences(&expected).into_iter().chain(log.wrong(guest.name)) {
            writeln!(wrong, "{}: {line}", guest.name).unwrap();
        }
        seen.insert(guest.family());
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert_eq!((seen.len(), all_leave(&sandbox).await), (8, None));
}

#[test]
fn a_canary_that_is_there_is_found() {
    for canary in search::all() {
        for (spelling, bytes) in canary.spellings() {
            let planted = [b"before ".as_slice(), &bytes, b" after"].concat();
            let (found, name) = (search::Found::of(&planted), format!("{} {spelling}", canary.name));
            assert!(found.secrets.contains(&name) || found.planted.contains(&name), "{name}: {found:?}");
        }
    }
    let nothing = search::Found::of(b"nothing of it");
    assert_eq!((nothing.secrets.len(), nothing.planted.len(), nothing.missed().len()), (0, 0, 7));
}

#[test]
fn what_is_made_of_secrets_is_made_as_the_standards_say() {
    // RFC 7677, section 3.
    let salt = [0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81];
    let [_, client, stored] = derived::scram(b"pencil", &salt, 4_096.try_into().unwrap());
    let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    let told = format!("n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}");
    let proof: Vec<u8> =
        derived::signed(&stored.1, told.as_bytes()).iter().zip(&client.1).map(|(a, b)| a ^ b).collect();
    let expected = "747cdb65aa56224e2352137e52d7bdcad6a0f738df30782caa69a2cfb0277554";
    assert_eq!(hex::encode(proof), expected);
    // AWS, "Create a signed AWS API request".
    let [.., signing] = derived::aws("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ["20150830", "us-east-1", "iam"]);
    assert_eq!(hex::encode(signing.1), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
}

#[test]
fn what_differs_from_an_expectation_is_told() {
    let expected = Expected::read("class = \"permanent\"\ncode = \"a\"\nmessage = \"b\"\n");
    let came = Came::default();
    assert!(!came.differences(&expected).is_empty());
}
