//! `GET /v1/overview`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, answers, operation};
use crate::ops::{deliveries, destinations};
use crate::problem::Problem;
use crate::views;
use railhead_model::{DeliveryState, DestinationNo, Timestamp};
use railhead_store::directory::{Environment, Standing, Tenant};
use railhead_store::history::{DeliveryFilter, DeliveryRow};
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::BTreeMap;

operation! {
    id: "overview.get",
    path: "/v1/overview",
    tag: "overview",
    summary: "How is the environment?",
    about: "Destinations by state, what waits, how the newest 200 deliveries of each tenant stand, and who needs a person: \
            tenants worst first, destinations that are not active, the newest dead letters. Looks at the first 100 tenants by \
            id, at the newest 1,000 destinations of each, and at 10,000 in all; `complete` is false where there are more. \
            An answer is shared by who asks within a second. Needs the scopes `destinations:read`, `deliveries:read` and \
            `tenants`.",
    action: Some(Action::DestinationsRead),
    answers: &[answers(200, "Overview", "The environment as it stands.")],
    examples: &[Example::get("Now", "/v1/overview", 200)],
}

/// Tenants that are looked at: each costs four bounded reads.
const MAX_TENANTS: u32 = 100;
/// Destinations of a tenant that are looked at.
const MAX_OF_TENANT: usize = 1_000;
/// Destinations that are looked at in all.
const MAX_DESTINATIONS: usize = 10_000;
/// Newest deliveries of a tenant that its `recent` counts.
const RECENT: u32 = 200;
/// Destinations that are listed as needing attention.
const MAX_ATTENTION: usize = 20;
/// Waiting deliveries that make an active destination one to look at: fewer are under way at any busy one.
const MUCH: u64 = 100;
/// Dead letters that are listed.
const MAX_DEAD: u32 = 10;

const DESTINATION_STATES: [&str; 4] = ["active", "failing", "paused", "disabled"];
const DELIVERY_STATES: [DeliveryState; 6] = [
    DeliveryState::Pending,
    DeliveryState::Retrying,
    DeliveryState::Delivered,
    DeliveryState::Dead,
    DeliveryState::Expired,
    DeliveryState::Cancelled,
];

async fn run(call: Call) -> Result<Answer, Problem> {
    call.authorize(Action::Tenants)?;
    call.authorize(Action::DeliveriesRead)?;
    let environment = call.environment()?;
    let now = || call.state.clock.monotonic_ms();
    let made = call.state.overviews.get(environment.no, now, overview(&call, environment)).await?;
    Answer::ok(&made)
}

async fn overview(call: &Call, environment: &Environment) -> Result<Value, Problem> {
    let mut tenants = call.state.store.tenants(environment.no, None, MAX_TENANTS + 1).await?;
    let mut complete = tenants.len() <= MAX_TENANTS as usize;
    tenants.truncate(MAX_TENANTS as usize);
    let (mut looks, mut left) = (Vec::with_capacity(tenants.len()), MAX_DESTINATIONS);
    for tenant in &tenants {
        let look = Look::at(call, tenant, left.min(MAX_OF_TENANT)).await?;
        left = left.saturating_sub(look.destinations.len());
        complete &= look.complete;
        looks.push(look);
    }
    looks.sort_by_key(|look| (Reverse(look.badness()), look.tenant.id.to_string()));
    Ok(json!({
        "environment": environment.name,
        "at": call.state.now(),
        "complete": complete,
        "destinations": sum(looks.iter().map(|look| &look.states), &DESTINATION_STATES),
        "waiting": looks.iter().map(|look| look.waiting).sum::<u64>(),
        "recent": sum(looks.iter().map(|look| &look.recent), &DELIVERY_STATES.map(DeliveryState::as_str)),
        "tenants": looks.iter().map(Look::view).collect::<Vec<_>>(),
        "attention": attention(call, &looks).await?,
        "dead": dead(call, &looks).await?,
    }))
}

type Counts = BTreeMap<&'static str, u64>;

/// What one tenant looks like.
struct Look<'a> {
    tenant: &'a Tenant,
    destinations: Vec<Seen>,
    complete: bool,
    states: Counts,
    waiting: u64,
    recent: Counts,
    last_event_at: Option<Timestamp>,
    dead: Vec<DeliveryRow>,
}

/// What is counted of one destination.
#[derive(Clone, Copy)]
struct Seen {
    no: DestinationNo,
    state: &'static str,
    waiting: u64,
}

impl<'a> Look<'a> {
    /// Looks at this many destinations at most, without reading what they are configured to.
    async fn at(call: &Call, tenant: &'a Tenant, most: usize) -> Result<Self, Problem> {
        let store = &call.state.store;
        let mut standings = store.standings(tenant.no, None, u32::try_from(most + 1).unwrap_or(u32::MAX)).await?;
        let complete = standings.len() <= most;
        standings.truncate(most);
        let destinations = seen(call, &standings).await?;
        let newest = store.deliveries(tenant.no, &DeliveryFilter::default(), None, RECENT).await?.rows;
        let dead = DeliveryFilter { states: vec![DeliveryState::Dead], ..DeliveryFilter::default() };
        let mut look = Self {
            tenant,
            complete,
            states: DESTINATION_STATES.into_iter().map(|state| (state, 0)).collect(),
            waiting: destinations.iter().map(|one| one.waiting).sum(),
            recent: DELIVERY_STATES.into_iter().map(|state| (state.as_str(), 0)).collect(),
            last_event_at: newest.first().map(|row| row.key.event.at()),
            dead: store.deliveries(tenant.no, &dead, None, MAX_DEAD).await?.rows,
            destinations,
        };
        for one in &look.destinations {
            *look.states.entry(one.state).or_default() += 1;
        }
        for row in &newest {
            *look.recent.entry(row.state.as_str()).or_default() += 1;
        }
        Ok(look)
    }

    /// Failing destinations first, then what died or waits.
    fn badness(&self) -> (u64, u64, u64) {
        let count = |counts: &Counts, name| counts.get(name).copied().unwrap_or(0);
        (
            count(&self.states, "failing") + count(&self.states, "disabled"),
            count(&self.recent, "dead") + count(&self.recent, "retrying"),
            self.waiting,
        )
    }

    fn view(&self) -> Value {
        json!({
            "id": self.tenant.id,
            "name": self.tenant.name,
            "destinations": self.states,
            "waiting": self.waiting,
            "recent": self.recent,
            "last_event_at": self.last_event_at,
        })
    }
}

/// Every name has its sum, those without any a zero.
fn sum<'a>(all: impl Iterator<Item = &'a Counts>, names: &[&'static str]) -> Counts {
    let mut sums: Counts = names.iter().map(|name| (*name, 0)).collect();
    for (name, count) in all.flatten() {
        *sums.entry(name).or_default() += count;
    }
    sums
}

/// Each with its state as the engine runs it, and what waits.
async fn seen(call: &Call, standings: &[Standing]) -> Result<Vec<Seen>, Problem> {
    let nos: Vec<_> = standings.iter().map(|one| one.no).collect();
    let waiting = call.state.store.waiting(&nos, destinations::get::WAITING_CAP).await?;
    let waiting: BTreeMap<_, _> = waiting.into_iter().collect();
    let one = |standing: &Standing| {
        let is_open = call.state.delivery.health(standing.no).map_or(standing.health.open, |health| health.open);
        let state = views::state(standing.state, is_open);
        Seen { no: standing.no, state, waiting: waiting.get(&standing.no).copied().unwrap_or(0).into() }
    };
    Ok(standings.iter().map(one).collect())
}

/// Destinations that a person should look at: failing, disabled, paused, then those where much waits. Only these are read
/// whole.
async fn attention(call: &Call, looks: &[Look<'_>]) -> Result<Vec<Value>, Problem> {
    let rank = |one: &Seen| match one.state {
        "failing" => 0,
        "disabled" => 1,
        "paused" => 2,
        _ => 3,
    };
    let mut found: Vec<_> =
        looks.iter().flat_map(|look| look.destinations.iter().map(move |one| (look.tenant, one))).collect();
    found.retain(|(_, one)| rank(one) < 3 || one.waiting >= MUCH);
    found.sort_by_key(|(_, one)| (rank(one), Reverse(one.waiting)));
    found.truncate(MAX_ATTENTION);
    let nos: Vec<_> = found.iter().map(|(_, one)| one.no).collect();
    let rows = destinations::get::whole(call, &nos).await?;
    let view = |(tenant, one): &(&Tenant, &Seen)| {
        let view = destinations::get::view(call, tenant, rows.get(&one.no)?);
        Some(views::with_member(view, "waiting", one.waiting.into()))
    };
    Ok(found.iter().filter_map(view).collect())
}

/// The newest dead letters of all tenants.
async fn dead(call: &Call, looks: &[Look<'_>]) -> Result<Vec<Value>, Problem> {
    let mut rows: Vec<_> = looks.iter().flat_map(|look| look.dead.iter().map(move |row| (look.tenant, row))).collect();
    rows.sort_unstable_by_key(|(_, row)| Reverse(row.key));
    rows.truncate(MAX_DEAD as usize);
    let names = deliveries::list::names(call, rows.iter().map(|(_, row)| *row)).await?;
    Ok(rows
        .iter()
        .map(|(tenant, row)| json!({"tenant": tenant.id, "delivery": views::delivery(row, &names)}))
        .collect())
}
