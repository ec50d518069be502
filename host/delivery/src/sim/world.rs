//! The simulated world: clocks, the schedule, and everything that lives in it.

use super::checks::Checks;
use super::failure::Failure;
use super::faults::{Fault, Plan, Reached};
use super::host::Host;
use super::liveness::Liveness;
use super::people;
use super::poison::Poison;
use super::receiver::Mood;
use super::rotation::Rotation;
use super::store::Op;
use super::trace::Trace;
use crate::core::mutation::Mutation;
use crate::core::{Effect, Input};
use railhead_model::{DestinationNo, HostId, TenantNo, Timestamp};
use railhead_store::model::ModelCore;
use railhead_store::{NewEvent, WorkRow};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::BTreeMap;
use std::fmt;

/// The wall clock at the start.
const START: i64 = 1_700_000_000_000;
/// How long things are published and go wrong, in milliseconds.
const TROUBLE_MS: u64 = 60_000;
/// How long after that everything must have ended: a probe may be five minutes away, the rest takes far less.
const CALM_MS: u64 = 330_000;
pub const HOSTS: usize = 3;

/// A host as it was at some time: an answer to one that has died reaches nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    pub host: usize,
    pub life: u64,
}

/// What is scheduled.
#[derive(Debug)]
pub enum Event {
    /// For an engine.
    Input(At, Input),
    /// A timer of a driver.
    Tick(At, u64),
    /// A hand-over is about to be sent.
    Send(At, Effect),
    /// It goes on the wire.
    Wire(At, Effect),
    /// A statement reaches the database.
    Op(At, Op),
    /// The lease task of a driver.
    LeaseLoop(At),
    /// An answer to it.
    Leased(At, super::leases::Answer),
    /// Destinations that were read after a take-over, or because they changed.
    Loaded(At, super::leases::Loaded),
    /// The survey of a driver.
    Survey(At),
    Publish,
    Accept(At, Vec<NewEvent>),
    Acknowledge(Vec<NewEvent>),
    /// Rows of an accept, on the way to the engine of the same host.
    Push(At, Vec<WorkRow>),
    Hint(DestinationNo),
    Trouble,
    Start(usize),
    /// What a host sent is the end of it.
    Killed(At),
    Mood(DestinationNo),
    Person,
    Jobs,
    /// A look at what should have happened by now.
    Look,
    Calm,
}

pub struct World {
    pub now: u64,
    count: u64,
    queue: BTreeMap<(u64, u64), Event>,
    pub random: ChaCha8Rng,
    pub store: ModelCore,
    pub hosts: Vec<Host>,
    pub moods: BTreeMap<DestinationNo, Mood>,
    pub tenants: Vec<TenantNo>,
    pub checks: Checks,
    pub liveness: Liveness,
    pub rotation: Rotation,
    pub poison: Poison,
    /// Until when the database has each host's lease live, in true time.
    pub leases: BTreeMap<HostId, u64>,
    pub reached: Reached,
    pub trace: Trace,
    pub plan: Plan,
    pub fault: Option<Mutation>,
    pub calm: bool,
    pub outage_until: u64,
}

impl World {
    pub fn new(seed: u64, fault: Option<Mutation>, keep: bool) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let plan = Plan::new(seed, &mut random);
        let mut world = Self {
            now: 0,
            count: 0,
            queue: BTreeMap::new(),
            random,
            store: ModelCore::new(),
            hosts: (0..HOSTS).map(|_| Host::dead()).collect(),
            moods: BTreeMap::new(),
            tenants: Vec::new(),
            checks: Checks::default(),
            liveness: Liveness::default(),
            rotation: Rotation::default(),
            poison: Poison::default(),
            leases: BTreeMap::new(),
            reached: Reached::default(),
            trace: Trace::new(keep),
            plan,
            fault,
            calm: false,
            outage_until: 0,
        };
        people::settle_in(&mut world);
        world.schedule_all();
        world
    }

    fn schedule_all(&mut self) {
        for host in 0..HOSTS {
            let at = self.between(0, 3_000);
            self.at(at, Event::Start(host));
        }
        for no in self.moods.keys().copied().collect::<Vec<_>>() {
            let at = self.between(1_000, 15_000);
            self.at(at, Event::Mood(no));
        }
        self.at(500, Event::Publish);
        self.at(1_000, Event::Jobs);
        self.at(1_000, Event::Look);
        self.at(2_000, Event::Person);
        self.at(3_000, Event::Trouble);
        self.at(TROUBLE_MS, Event::Calm);
    }

    /// Runs the whole seed.
    pub fn run(&mut self) -> Result<(), Failure> {
        while let Some(((at, _), event)) = self.queue.pop_first() {
            self.now = at;
            if at > TROUBLE_MS + CALM_MS {
                break;
            }
            if self.calm && at > TROUBLE_MS + 1_000 && self.store.unfinished().next().is_none() && self.is_published() {
                break;
            }
            self.happen(event)?;
        }
        self.checks.at_the_end(&self.store)
    }

    /// True if no publisher still waits for its answer.
    fn is_published(&self) -> bool {
        !self.queue.values().any(|event| matches!(event, Event::Accept(..) | Event::Acknowledge(_)))
    }

    fn happen(&mut self, event: Event) -> Result<(), Failure> {
        if let Some(at) = event.reaches()
            && !matches!(event, Event::Op(..))
        {
            let host = &self.hosts[at.host];
            if host.life != at.life || !host.alive {
                return Ok(());
            }
            // A host that stands still takes nothing in until it goes on.
            if host.paused_until > self.now {
                let until = host.paused_until;
                self.at(until - self.now, event);
                return Ok(());
            }
        }
        match event {
            Event::Input(at, input) => self.input(at, input),
            Event::Tick(at, wake) if self.hosts[at.host].wake == Some(wake) => self.input(at, Input::Tick),
            Event::Tick(..) => Ok(()),
            Event::Send(at, attempt) => self.send(at, attempt),
            Event::Wire(at, attempt) => {
                self.wire(at, &attempt);
                Ok(())
            }
            Event::Op(at, op) => self.op(at, op),
            Event::LeaseLoop(at) => self.lease_loop(at),
            Event::Leased(at, answer) => self.leased(at, answer),
            Event::Loaded(at, loaded) => self.loaded(at, loaded),
            Event::Survey(at) => self.survey(at),
            Event::Publish => self.publish(),
            Event::Accept(at, events) => self.accept(at, events),
            Event::Acknowledge(events) => self.acknowledge(&events),
            Event::Push(at, rows) => self.push(at, rows),
            Event::Hint(no) => self.hint(no),
            Event::Trouble => self.trouble(),
            Event::Start(host) => self.start(host),
            Event::Killed(at) => {
                self.killed(at);
                Ok(())
            }
            Event::Mood(no) => self.mood(no),
            Event::Person => self.person(),
            Event::Jobs => self.jobs(),
            Event::Look => self.look(),
            Event::Calm => self.calm_down(),
        }
    }

    /// Schedules something in so many milliseconds.
    pub fn at(&mut self, delay: u64, event: Event) {
        self.count += 1;
        self.queue.insert((self.now + delay, self.count), event);
    }

    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        self.random.random_range(low..=high)
    }

    pub fn chance(&mut self, chance: f64) -> bool {
        !self.calm && self.random.random_bool(chance)
    }

    /// A fault happens with this chance, and is counted.
    pub fn fault(&mut self, fault: Fault, chance: f64) -> bool {
        let happens = self.chance(chance);
        if happens {
            self.reached.count(fault);
        }
        happens
    }

    pub fn wall(&self) -> Timestamp {
        Timestamp(START + self.now as i64)
    }

    pub fn note(&mut self, line: fmt::Arguments<'_>) {
        self.trace.note(&[self.now], format_args!("{:>7} {line}", self.now));
    }

    /// The host whose engine should know of a destination's work, as far as the store knows.
    pub fn owner(&self, no: DestinationNo) -> Option<usize> {
        let (id, _) = self.store.owner(no.shard())?;
        self.hosts.iter().position(|host| host.alive && host.id == id)
    }

    /// True while the database would say that this host's lease lives.
    pub fn holds_lease(&mut self, id: HostId) -> bool {
        self.leases.get(&id).is_some_and(|until| self.now < *until) && !self.is_fenced(id)
    }

    pub fn host_id(&mut self) -> HostId {
        HostId::new(self.wall(), self.random.random())
    }

    fn trouble(&mut self) -> Result<(), Failure> {
        if self.calm {
            return Ok(());
        }
        let host = self.between(0, HOSTS as u64 - 1) as usize;
        match self.between(0, 5) {
            0 if self.plan.has_killer => {} // hosts die of it alone
            0 => self.crash(host),
            1 | 2 => self.pause(host),
            3 => {
                self.reached.count(Fault::Outage);
                self.disturb();
                self.outage_until = self.now + self.between(100, 9_000);
                let until = self.outage_until;
                self.note(format_args!("the database is away until {until}"));
            }
            _ => self.give_away(host)?,
        }
        let next = self.plan.trouble_ms;
        let next = self.between(next / 2, next * 3 / 2);
        self.at(next, Event::Trouble);
        Ok(())
    }

    fn mood(&mut self, no: DestinationNo) -> Result<(), Failure> {
        if self.calm || (self.plan.some_are_steady && no.0 % 3 == 0) {
            return Ok(());
        }
        let mood = Mood::any(&mut self.random);
        self.moods.insert(no, mood);
        self.note(format_args!("destination {no} is {mood:?}"));
        let next = self.between(2_000, 12_000);
        self.at(next, Event::Mood(no));
        Ok(())
    }

    /// From here on nothing goes wrong, and people put right what they can.
    fn calm_down(&mut self) -> Result<(), Failure> {
        self.calm = true;
        self.outage_until = 0;
        self.note(format_args!("calm"));
        for host in &mut self.hosts {
            host.paused_until = host.paused_until.min(self.now + 1);
        }
        for mood in self.moods.values_mut() {
            *mood = Mood::Good;
        }
        people::put_right(self);
        Ok(())
    }
}

impl Event {
    /// The host that it is for.
    fn reaches(&self) -> Option<At> {
        match self {
            Self::Input(at, _)
            | Self::Tick(at, _)
            | Self::Send(at, _)
            | Self::Wire(at, _)
            | Self::Op(at, _)
            | Self::LeaseLoop(at)
            | Self::Leased(at, _)
            | Self::Loaded(at, _)
            | Self::Survey(at)
            | Self::Killed(at)
            | Self::Push(at, _) => Some(*at),
            _ => None,
        }
    }
}
