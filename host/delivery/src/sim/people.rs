//! What people do: they set destinations up, pause them, retry, cancel, replay.

use super::failure::Failure;
use super::faults::Fault;
use super::receiver::Mood;
use super::store::Op;
use super::world::{At, Event, World};
use bytes::Bytes;
use railhead_model::{
    Batch, DeliveryKey, DestinationNo, DestinationSpec, DestinationState, EnvironmentNo, Jitter, JobId, Ordering,
    Origin, RateLimit, RetryPolicy, TenantNo, Timestamp,
};
use railhead_store::directory::{Credential, Destination, Expect, Tenant};
use railhead_store::history::DeliveryFilter;
use railhead_store::jobs::NewReplay;
use railhead_store::work::{Command, Health};
use rand::RngExt;

const TENANTS: usize = 3;
const DESTINATIONS: usize = 3;

/// Tenants and destinations of all kinds.
pub fn settle_in(world: &mut World) {
    let environment = world.store.put_environment("live", &serde_json::json!({}), Expect::Anything);
    let Ok(environment) = environment.map(|environment| environment.no) else { return };
    for n in 0..TENANTS {
        let Some(tenant) = make_tenant(world, environment, n) else { continue };
        world.tenants.push(tenant);
        for d in 0..DESTINATIONS {
            make_destination(world, tenant, n * DESTINATIONS + d);
        }
    }
}

fn make_tenant(world: &mut World, environment: EnvironmentNo, n: usize) -> Option<TenantNo> {
    let at = world.wall();
    let tenant = Tenant {
        no: TenantNo(0),
        environment,
        id: format!("tenant-{n}").parse().ok()?,
        name: None,
        metadata: serde_json::Value::Null,
        limits: serde_json::Value::Null,
        wrapped_key: Bytes::new(),
        generation: 0,
        revision: 0,
        created_at: at,
        updated_at: at,
    };
    world.store.put_tenant(&tenant, Expect::Absent).ok().map(|tenant| tenant.no)
}

fn make_destination(world: &mut World, tenant: TenantNo, n: usize) {
    let at = world.wall();
    let (Ok(no), Ok(id)) = (world.store.next_destination_no(), format!("destination-{n}").parse()) else { return };
    let destination = Destination {
        no,
        tenant,
        id,
        spec: spec(world, n),
        connector_version: String::new(),
        state: DestinationState::Active,
        state_reason: None,
        credentials: vec![credential(at, 1)],
        health: Health::default(),
        revision: 0,
        created_at: at,
        updated_at: at,
    };
    if let Ok(stored) = world.store.put_destination(&destination, Expect::Absent) {
        world.moods.insert(no, Mood::Good);
        world.liveness.stored(&stored);
        world.rotation.stored(world.now, no, stored.revision);
    }
}

fn credential(set_at: Timestamp, version: u32) -> Credential {
    let public = serde_json::Value::Null;
    Credential { field: "secret".to_owned(), version, sealed: Bytes::new(), public, set_at, expires_at: None }
}

/// Every kind of destination is in every world; what else they have is drawn.
fn spec(world: &mut World, n: usize) -> DestinationSpec {
    let schedule = (0..world.between(2, 5)).map(|_| world.between(1_000, 6_000)).collect();
    let batch = Batch { max_events: 5, max_bytes: 1_000, linger_ms: world.between(50, 1_500) };
    let mut marks: Vec<&str> = Vec::new();
    if world.random.random_bool(0.5) {
        marks.push("sessions");
    }
    if matches!(n % 9, 3 | 4 | 8) {
        marks.push("stable");
    }
    if n % 9 == 7 {
        marks.push("hold");
    }
    DestinationSpec {
        name: None,
        connector: "simulated".to_owned(),
        config: serde_json::Map::new(),
        event_types: Vec::new(),
        filter: None,
        fields: None,
        transform: None,
        retry: RetryPolicy::Schedule(railhead_model::destination::Schedule { schedule_ms: schedule }),
        jitter: Jitter::Equal,
        timeout_ms: 15_000,
        rate_limit: (n % 9 == 2).then_some(RateLimit { per_second: 12.0, burst: 5 }),
        concurrency: world.between(1, 6) as u32,
        batch: matches!(n % 9, 3 | 4 | 6 | 8).then_some(batch),
        ordering: match n % 9 {
            1 | 3 | 7 => Ordering::Key("/customer".to_owned()),
            5 | 8 => Ordering::Destination,
            _ => Ordering::None,
        },
        metadata: marks.into_iter().map(|mark| (mark.to_owned(), String::new())).collect(),
    }
}

/// Everything runs again, and nobody waits for an hour.
pub fn put_right(world: &mut World) {
    for no in world.moods.keys().copied().collect::<Vec<_>>() {
        world.configure(no, |destination| destination.state = DestinationState::Active);
    }
    retry_far(world);
}

/// Retries what would wait for longer than the simulation lasts, such as the heads of held lanes.
fn retry_far(world: &mut World) {
    let now = world.wall();
    let far = now.plus_ms(20_000);
    let held: Vec<DeliveryKey> = world.store.unfinished().filter(|row| row.due > far).map(|row| row.key).collect();
    for key in held {
        let _ = world.store.command(key, Command::RetryNow, now);
        world.hint_soon(key.destination);
    }
}

impl World {
    /// Changes a destination, and tells its owner.
    pub fn configure(&mut self, no: DestinationNo, change: impl FnOnce(&mut Destination)) {
        let Some(mut destination) = self.store.destinations_by_no(&[no]).unwrap_or_default().pop() else { return };
        change(&mut destination);
        if let Ok(stored) = self.store.put_destination(&destination, Expect::Anything) {
            self.liveness.stored(&stored);
            self.rotation.stored(self.now, no, stored.revision);
        }
        self.note(format_args!("destination {no} is now {:?}", destination.state));
        let lost = self.plan.lost_hint;
        if let Some(host) = self.owner(no)
            && !self.chance(lost)
        {
            let at = At { host, life: self.hosts[host].life };
            let delay = self.between(1, 100);
            self.at(delay, Event::Op(at, Op::Load(vec![no.shard()])));
        }
    }

    pub fn person(&mut self) -> Result<(), Failure> {
        let next = self.between(200, 2_500);
        self.at(next, Event::Person);
        if self.calm {
            // What was under way when it calmed down may still switch something off.
            let all: Vec<_> = self.moods.keys().copied().collect();
            let stored = self.store.destinations_by_no(&all).unwrap_or_default();
            for off in stored.into_iter().filter(|destination| destination.state != DestinationState::Active) {
                self.configure(off.no, |destination| destination.state = DestinationState::Active);
            }
            retry_far(self);
            return Ok(());
        }
        match self.between(0, 11) {
            0 => self.any_destination(DestinationState::Paused),
            1..=3 => self.any_destination(DestinationState::Active),
            4 => self.replay(),
            5 => self.redeliver(),
            6 => self.command(Command::Cancel)?,
            7 => self.rotate(),
            8 => self.withdraw(),
            _ => self.command(Command::RetryNow)?,
        }
        Ok(())
    }

    fn any_destination(&mut self, state: DestinationState) {
        let all: Vec<_> = self.moods.keys().copied().collect();
        let no = all[self.random.random_range(0..all.len())];
        self.configure(no, |destination| destination.state = state);
    }

    /// A credential is rotated: the destination gets a new revision, whatever runs.
    fn rotate(&mut self) {
        let all: Vec<_> = self.moods.keys().copied().collect();
        let no = all[self.random.random_range(0..all.len())];
        if self.hosts.iter().any(|host| host.alive && host.running.values().any(|call| call.no == no)) {
            self.reached.count(Fault::Rotation);
        }
        let now = self.wall();
        self.configure(no, |destination| {
            let version = destination.credentials.first().map_or(0, |credential| credential.version);
            destination.credentials = vec![credential(now, version + 1)];
        });
    }

    /// A credential is withdrawn: what runs with it is to be cut. The next rotation brings another one.
    fn withdraw(&mut self) {
        let all: Vec<_> = self.moods.keys().copied().collect();
        let no = all[self.random.random_range(0..all.len())];
        self.configure(no, |destination| destination.credentials.clear());
    }

    fn command(&mut self, command: Command) -> Result<(), Failure> {
        let waiting: Vec<DeliveryKey> = self.store.unfinished().map(|row| row.key).collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let key = waiting[self.random.random_range(0..waiting.len())];
        let now = self.wall();
        self.note(format_args!("{command:?} {key}"));
        let _ = self.store.command(key, command, now);
        if let Some(end) = self.store.end_of(key) {
            self.checks.ended(key, end)?;
        }
        self.hint_soon(key.destination);
        Ok(())
    }

    fn replay(&mut self) {
        let tenant = self.tenants[self.random.random_range(0..self.tenants.len())];
        let id = JobId::new(self.wall(), self.random.random());
        let since = Some(self.wall().plus_ms(-5_000));
        let filter = DeliveryFilter { since, ..DeliveryFilter::default() };
        let _ = self.store.start_replay(&NewReplay { id, tenant, filter, at: self.wall() });
    }

    fn redeliver(&mut self) {
        let ended: Vec<DeliveryKey> = self.store.ends().map(|(key, _)| key).collect();
        if ended.is_empty() {
            return;
        }
        let key = ended[self.random.random_range(0..ended.len())];
        let now = self.wall();
        if self.store.redeliver(key, Origin::Retry, now).is_ok() {
            self.hint_soon(key.destination);
        }
    }

    /// A step of whatever job there is.
    pub fn jobs(&mut self) -> Result<(), Failure> {
        self.at(1_000, Event::Jobs);
        if self.is_out() {
            return Ok(());
        }
        let now = self.wall();
        let stepped = self.store.step_replay(now).unwrap_or_default();
        for no in stepped.destinations {
            self.hint_soon(no);
        }
        Ok(())
    }
}
