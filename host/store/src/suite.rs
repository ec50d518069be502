//! The contract that every store must pass, as functions over the traits. They panic with the promise that was broken.
//!
//! A back end runs [`run_all`], or, while it has not everything yet, [`run_core`]: accept, record, refill and leases,
//! with as much of the directory as they need. Single promises may be run by name; each makes its own environment,
//! tenant and destinations, and only those of [`jobs`] and [`leases`] need a store of their own.
//!
//! All times lie within a few days of [`START`]: a store with partitions must have the days from [`START`] − 2 to
//! [`START`] + 3 days, before it runs the suite.

pub mod accept;
pub mod directory;
pub mod history;
pub mod jobs;
pub mod leases;
pub mod queue;
pub mod races;
pub mod record;
pub mod starts;
pub mod work;
mod world;

use crate::{Accept, Directory, Leases, Record, Store, WorkStore};
use railhead_model::Timestamp;
use std::sync::Arc;
pub use world::World;

/// When the suite plays: 2027-01-15T08:00:00Z.
pub const START: Timestamp = Timestamp(1_800_000_000_000);

/// What the core of the suite needs.
pub trait Core: Accept + Record + WorkStore + Leases + Directory {}
impl<T: Accept + Record + WorkStore + Leases + Directory> Core for T {}

macro_rules! run {
    ($make:expr, $($group:ident :: $promise:ident),+ $(,)?) => {$(
        // Captured unless a test fails: the last line names the promise under test.
        #[allow(clippy::print_stdout)]
        {
            println!(concat!("  ", stringify!($group), "::", stringify!($promise)));
        }
        $group::$promise(&$make().await).await;
    )+};
}

/// Runs the core on fresh stores: `make` opens one.
pub async fn run_core<S: Core>(make: impl AsyncFn() -> S) {
    run!(
        make,
        accept::an_event_is_stored_with_its_work,
        accept::a_batch_may_be_sent_again,
        accept::a_repeat_does_not_raise_the_ended,
        accept::a_duplicate_is_answered_with_the_first,
        accept::duplicates_are_seen_across_midnight,
        accept::an_old_generation_is_stale,
        accept::an_unknown_tenant_is_refused,
        accept::lanes_get_their_seq_in_commit_order,
        accept::a_large_batch_is_stored_whole,
        record::a_retry_waits_again,
        record::an_end_leaves_the_queue,
        record::another_rev_is_refused,
        record::a_fenced_host_writes_nothing,
        record::an_unknown_outcome_may_be_sent_again,
        record::answers_come_in_order,
        queue::refill_goes_by_due_and_pages,
        queue::refill_goes_by_seq_and_pages,
        queue::refill_answers_each_ask,
        queue::rows_know_the_bytes_of_their_payloads,
        leases::a_host_alone_owns_every_shard,
        leases::hosts_share,
        leases::shares_are_balanced,
        leases::a_lapsed_host_is_fenced,
        leases::an_outage_fences_nobody,
        leases::a_shard_that_loses_owners_is_a_suspect,
        leases::what_is_released_is_free,
        starts::what_is_started_and_never_ended_is_poison,
        starts::what_a_host_did_not_survive_is_started_alone,
        starts::a_start_is_taken_back,
    );
    races::accepts_and_records_at_once(Arc::new(make().await)).await;
    races::one_id_many_publishers(Arc::new(make().await)).await;
}

/// Runs everything on fresh stores: `make` opens one.
pub async fn run_all<S: Store>(make: impl AsyncFn() -> S) {
    run_core(&make).await;
    run!(
        make,
        accept::many_matches_fan_out,
        record::attempts_are_on_record,
        record::a_refused_attempt_is_on_record,
        record::a_shared_transcript_is_kept_once,
        work::survey_finds_the_earliest,
        work::payloads_come_back_as_stored,
        work::a_command_makes_due_or_ends,
        work::an_ended_delivery_is_delivered_again,
        work::health_is_kept,
        work::a_stable_batch_never_changes,
        work::waiting_is_counted_to_a_cap,
        jobs::a_replay_takes_what_fits_once,
        jobs::a_replay_keeps_the_original_order,
        jobs::a_replay_steps_and_is_bounded,
        jobs::a_replay_can_be_cancelled,
        jobs::a_tenant_has_so_many_replays_that_run,
        jobs::the_expired_end,
        jobs::the_retention_deletes,
        directory::small_values_are_kept_once,
        directory::environments_have_revisions,
        directory::keys_are_found_by_hash,
        directory::tenants_have_revisions,
        directory::destinations_have_revisions,
        directory::a_write_bumps_the_generation,
        directory::an_order_takes_in_what_waits,
        directory::a_deleted_destination_cancels,
        directory::a_deleted_tenant_leaves_nothing_waiting,
        directory::destinations_are_found_by_shard,
        directory::many_are_read_at_once,
        directory::destinations_are_listed_newest_first,
        directory::event_types_have_revisions,
        directory::answers_are_kept_a_day,
        history::events_are_listed_newest_first,
        history::deliveries_are_listed_and_filtered,
        history::foreign_rows_are_not_found,
        history::a_payload_is_erased,
        history::counts_are_capped,
    );
    races::replay_and_record_at_once(Arc::new(make().await)).await;
}
