//! Every metric of the engine, with the name that dashboards rely on.

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// Events accepted, duplicates not counted.
pub(crate) const ACCEPTED: &str = "railhead_accepted_total";
/// Publishes turned away because the host is busy.
pub(crate) const TURNED_AWAY: &str = "railhead_accept_refused_total";
/// Events that wait for their commit.
pub(crate) const ACCEPT_QUEUE_EVENTS: &str = "railhead_accept_queue_events";
/// Bytes that wait for their commit.
pub(crate) const ACCEPT_QUEUE_BYTES: &str = "railhead_accept_queue_bytes";
/// Duration of commits, by `lane` (`accept`, `record`).
pub(crate) const COMMIT_SECONDS: &str = "railhead_commit_seconds";
/// Attempts, by `outcome`.
pub(crate) const ATTEMPTS: &str = "railhead_attempts_total";
/// Deliveries that arrived.
pub(crate) const DELIVERED: &str = "railhead_delivered_total";
/// Deliveries that ended, by `end`.
pub(crate) const ENDED: &str = "railhead_ended_total";
/// Calls into connectors that run.
pub(crate) const HAND_OVERS: &str = "railhead_hand_overs";
/// Events in these calls.
pub(crate) const IN_FLIGHT: &str = "railhead_in_flight";
/// From acceptance to the record of the delivery, first attempts that arrived only.
pub(crate) const DELIVERY_SECONDS: &str = "railhead_delivery_seconds";
/// Destinations that this host owns.
pub(crate) const DESTINATIONS: &str = "railhead_destinations";
/// Shards whose destinations this host runs.
pub(crate) const SHARDS: &str = "railhead_shards";
/// Rows that jobs made, ended or deleted, by `job`.
pub(crate) const JOB_ROWS: &str = "railhead_job_rows_total";
/// Operational events that were dropped because too many waited.
pub(crate) const OPERATOR_DROPPED: &str = "railhead_operator_events_dropped_total";

/// Gives the recorder the words for each.
pub(crate) fn describe() {
    describe_counter!(ACCEPTED, "Events accepted, duplicates not counted");
    describe_counter!(TURNED_AWAY, "Publishes turned away because the host is busy");
    describe_gauge!(ACCEPT_QUEUE_EVENTS, "Events that wait for their commit");
    describe_gauge!(ACCEPT_QUEUE_BYTES, "Bytes of events that wait for their commit");
    describe_histogram!(COMMIT_SECONDS, "Duration of commits by lane: accept, record");
    describe_counter!(ATTEMPTS, "Attempts by outcome");
    describe_counter!(DELIVERED, "Deliveries that arrived");
    describe_counter!(ENDED, "Deliveries that ended, by end");
    describe_gauge!(HAND_OVERS, "Calls into connectors that run");
    describe_gauge!(IN_FLIGHT, "Events in calls into connectors that run");
    describe_histogram!(DELIVERY_SECONDS, "From acceptance to record, of deliveries whose first attempt arrived");
    describe_gauge!(DESTINATIONS, "Destinations that this host owns");
    describe_gauge!(SHARDS, "Shards, of 256, whose destinations this host runs");
    describe_counter!(JOB_ROWS, "Rows that jobs made, ended or deleted, by job");
    describe_counter!(OPERATOR_DROPPED, "Operational events dropped because too many waited");
}
