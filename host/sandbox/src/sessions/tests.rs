//! What sessions of one edition share outlives them, and nothing of it reaches another edition.

use super::*;
use crate::call::{Call, Purpose};
use crate::egress::{Egress, EgressPolicy};
use crate::sandbox::{Sandbox, SandboxConfig};
use crate::secret::Secret;
use crate::tokens::Fresh;
use railhead_model::manifest::CredentialUse;
use railhead_model::{Clock, SystemClock};

async fn world() -> (Sessions, Target) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let egress = Arc::new(Egress::new(EgressPolicy::default(), None).unwrap());
    let sandbox = Sandbox::new(SandboxConfig::default(), egress.clone(), clock.clone()).unwrap();
    let connector = sandbox.load(railhead_test_guests::MISBEHAVE).await.unwrap();
    let target = Target {
        connector,
        tenant: 1,
        tenant_id: "acme".to_owned(),
        destination: 7,
        revision: 3,
        config: serde_json::json!({}),
        credentials: Vec::new(),
    };
    (
        Sessions::new(
            Surroundings {
                egress,
                clock,
                random: Arc::new(railhead_model::SystemRandom),
                cpu: Duration::from_secs(1),
                slow: tokio::runtime::Handle::current(),
            },
            4,
        ),
        target,
    )
}

async fn keep(sessions: &Sessions, tokens: &Arc<Tokens>) {
    let token = Secret::derived("token", CredentialUse::Place, &[], b"0123456789".to_vec());
    let exchange = async { Ok(Fresh { token, life_ms: None }) };
    tokens.exchanged("main", &sessions.around.clock, exchange).await.unwrap();
}

#[tokio::test]
async fn tokens_outlive_slots_and_end_with_their_edition() {
    let (sessions, target) = world().await;
    let has_one = |target: &Target| sessions.slot(target).is_ok_and(|slot| slot.scope.tokens.are_live(sessions.now()));
    keep(&sessions, &sessions.slot(&target).unwrap().scope.tokens).await;
    sessions.slots().clear();
    sessions.sweep();
    assert!(has_one(&target), "another slot of this edition has it");

    let older = Target { revision: 2, ..target.clone() };
    assert!(!has_one(&older) && has_one(&target), "a late call of an older one has none, and takes none away");

    let kept = sessions.slot(&target).unwrap().scope.tokens.clone();
    let newer = Target { revision: 4, ..target.clone() };
    assert!(!has_one(&newer) && !kept.are_live(sessions.now()), "a new revision drops it at once");

    let slot = sessions.slot(&newer).unwrap();
    keep(&sessions, &slot.scope.tokens).await;
    sessions.retire(7);
    assert!(!slot.scope.tokens.are_live(sessions.now()) && !has_one(&newer));

    sessions.slots().clear();
    drop(slot);
    sessions.sweep();
    assert!(sessions.tokens().is_empty(), "nothing is remembered of destinations that have none");
}

#[tokio::test]
async fn a_floor_is_forgotten_where_nothing_was_revoked() {
    let (sessions, _) = world().await;
    let waiting = sessions.revoked(7, 3);
    sessions.sweep();
    assert_eq!(sessions.floors().len(), 1, "somebody waits for it");
    drop(waiting);
    sessions.sweep();
    assert!(sessions.floors().is_empty());
    sessions.revoke(7, 4);
    sessions.sweep();
    sessions.revoked(7, 3).await;
    assert!(futures::FutureExt::now_or_never(sessions.revoked(7, 4)).is_none());
}

#[tokio::test]
async fn who_waits_for_a_place_gets_that_of_the_next_call_that_ends() {
    let (sessions, target) = world().await;
    let other = Target { destination: 8, ..target.clone() };
    let running = || {
        let call = Call { batch_id: String::new(), batched: false, deadline_ms: 120_000, events: Vec::new() };
        Running::new(Purpose::Deliver, call, sessions.around.clock.clone(), None)
    };
    let (first, second) = (running(), running());
    let held = sessions.hold(&target, &first).await.unwrap();
    let mut waits = Box::pin(sessions.hold(&other, &second));
    while !sessions.places.are_wanted(&sessions.places.of(target.tenant)) {
        assert!(futures::poll!(&mut waits).is_pending(), "the tenant has one place");
    }
    sessions.give_back(held, &first, &Ended::Returned);
    let held = waits.await.map_err(|ended| format!("{ended:?}")).unwrap();
    assert!(!sessions.places.are_wanted(&sessions.places.of(target.tenant)));
    sessions.give_back(held, &second, &Ended::Returned);
    assert_eq!(sessions.live(), 1, "it stays for the next call where nobody waits");
}
