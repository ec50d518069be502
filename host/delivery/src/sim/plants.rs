//! Faults that are planted, each to be found by the check of the promise that it breaks.

use super::failure::Check;
use super::run;
use crate::core::mutation::Mutation;
use std::collections::BTreeMap;

/// A planted fault is to be found within so many seeds.
const SEEDS: u64 = 200;

/// Runs seeds with this fault planted until the check that it must be found by fails.
#[allow(clippy::print_stdout)]
fn found(fault: Mutation, by: Check) {
    let mut others: BTreeMap<Check, u64> = BTreeMap::new();
    for seed in 1..=SEEDS {
        let Err(failure) = run(seed, Some(fault), false).0.outcome else { continue };
        if failure.check == by {
            println!("{fault:?}: seed {seed}, {failure}; before that {others:?}");
            return;
        }
        *others.entry(failure.check).or_insert(0) += 1;
    }
    panic!("{fault:?} was not found by {by:?} within {SEEDS} seeds; by others: {others:?}");
}

macro_rules! planted {
    ($($name:ident: $fault:ident by $check:ident;)*) => {$(
        #[test]
        fn $name() {
            found(Mutation::$fault, Check::$check);
        }
    )*};
}

planted! {
    finds_an_acknowledgement_before_the_commit: EarlyAcknowledgement by Kept;
    finds_a_second_end: EndedTwice by EndedOnce;
    finds_a_late_refill_after_a_result: LateRefill by AfterEnd;
    finds_a_window_that_is_refilled_twice: RefilledTwice by OneAtATime;
    finds_a_forgotten_result: ResultForgotten by OneAtATime;
    finds_an_ignored_lease: LeaseIgnored by Lease;
    finds_a_wire_without_a_last_look_at_the_lease: WireUnchecked by Lease;
    finds_a_lease_by_the_wall_clock: LeaseByWallClock by Lease;
    finds_shards_given_away_while_they_are_busy: ReleasedBusy by Owner;
    finds_a_shard_that_waits_for_what_runs_there: NeverCut by Liveness;
    finds_an_ignored_fence: FenceIgnored by Fence;
    finds_an_ignored_revision: RevIgnored by Refusal;
    finds_a_refused_write_that_changes_something: RefusalLies by Refusal;
    finds_a_lane_that_does_not_wait: LaneIgnored by Lane;
    finds_a_stable_batch_that_changes: BatchShrinks by Batch;
    finds_a_stable_batch_that_is_made_smaller_under_its_number: SplitKeepsNumber by Batch;
    finds_a_batch_of_too_many_bytes: BytesIgnored by Bounds;
    finds_a_batch_that_ends_for_one_of_its_members: OneRefusedForAll by OwnEnd;
    finds_a_transcript_of_another_request: TranscriptMisplaced by Transcript;
    finds_a_lost_wake_up: LostWakeUp by Liveness;
    finds_a_tenant_that_is_never_served: TenantStarved by Liveness;
    finds_a_survey_that_skips_destinations: SurveySkips by Liveness;
    finds_work_that_is_left_to_the_store_for_ever: FarForgotten by Liveness;
    finds_a_refill_that_ends_early: RefillEndsEarly by Lane;
    finds_an_old_configuration_that_wins: OldConfigWins by Revision;
    finds_a_configuration_that_is_never_seen: ConfigUnsurveyed by Revision;
    finds_innocents_beside_what_kills_its_host: CompanyAllowed by Poison;
    finds_one_alone_before_the_results_of_others: EndUnawaited by Alone;
    finds_a_call_with_a_withdrawn_credential: WithdrawalIgnored by Withdrawal;
}
