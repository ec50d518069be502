//! Every bound and period of the delivery engine, with its why.

/// Bounds and periods; [`Options::default`] fits one host with a few cores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Events in flight at once, over all destinations: bounds memory and open sockets.
    pub in_flight: u32,
    /// Most events of one hand-over, whatever a connector asks for: a crash repeats at most so many.
    pub hand_over: u32,
    /// Seed of the engine's generator (jitter, fairness); `None` takes one from the vault's randomness.
    pub seed: Option<u64>,
    /// How long events, deliveries and attempts are kept, in milliseconds; what still waits then expires.
    pub retention_ms: i64,
    /// Between renewals of the lease, in milliseconds: three fit into a lease of 6 s.
    pub renew_ms: u64,
    /// How long a shard that goes to another host waits for what is in flight there, in milliseconds: nothing starts
    /// meanwhile. What takes longer is cut: its other destinations stand still for no longer than this, and hosts that
    /// join have their share after it and a renewal at either end.
    pub give_wait_ms: u64,
    /// Taken off the lease on this host's own clock, in milliseconds: covers clock drift and a slow answer.
    pub lease_margin_ms: u64,
    /// The survey looks at every destination at least so often, in milliseconds: finds work that no hint told of.
    pub survey_ms: u64,
    /// Destinations that the survey reads per second at most: bounds what an idle fleet costs.
    pub survey_per_s: u32,
    /// Bytes of events that wait for their commit; above it publishes are turned away.
    pub accept_queue_bytes: usize,
    /// Expected wait for a commit above which publishes are turned away, in milliseconds.
    pub accept_wait_ms: u64,
    /// Most events of one accept commit: a bigger one holds the writer too long.
    pub accept_batch: usize,
    /// Longest time that an event waits for company in its commit, in milliseconds: where a thousand and more come a second, and
    /// only while they come. A commit costs as much as some ten events.
    pub accept_gather_ms: u64,
    /// Bytes of opened payloads kept in memory for deliveries that are about to start.
    pub payload_cache_bytes: usize,
    /// Tenants whose compiled routing tables are kept.
    pub routing_tables: usize,
    /// Between polls of jobs that nobody announced, in milliseconds.
    pub job_poll_ms: u64,
    /// Between retention steps once there is nothing left to delete, in milliseconds.
    pub retention_poll_ms: u64,
    /// Between re-reads of owned destinations, in milliseconds: finds changes made through other hosts.
    pub reload_ms: u64,
    /// How long a shutdown waits for running attempts, in milliseconds: less than the usual 30 s before a kill.
    pub drain_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            in_flight: 2_048,
            hand_over: 32,
            seed: None,
            retention_ms: 30 * railhead_model::time::DAY_MS,
            renew_ms: 2_000,
            give_wait_ms: 5_000,
            lease_margin_ms: 1_000,
            survey_ms: 5_000,
            survey_per_s: 20_000,
            accept_queue_bytes: 64 << 20,
            accept_wait_ms: 250,
            accept_batch: 256,
            accept_gather_ms: 20,
            payload_cache_bytes: 128 << 20,
            routing_tables: 20_000,
            job_poll_ms: 5_000,
            retention_poll_ms: 60_000,
            reload_ms: 30_000,
            drain_ms: 25_000,
        }
    }
}
