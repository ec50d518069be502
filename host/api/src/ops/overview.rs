//! `GET /v1/overview`

use crate::answer::Answer;
use crate::auth::Action;
use crate::call::Call;
use crate::operation::{Example, answers, operation};
use crate::ops::{deliveries, destinations};
use crate::problem::Problem;
use crate::views;
use railhead_model::{DeliveryState, Timestamp};
use railhead_store::directory::Tenant;
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
            id; `complete` is false where there are more. Needs the scopes `destinations:read`, `deliveries:read` and \
            `tenants`.",
    action: Some(Action::DestinationsRead),
    answers: &[answers(200, "Overview", "The environment as it stands.")],
    examples: &[Example::get("Now", "/v1/overview", 200)],
}

/// Tenants that are looked at: each costs four bounded reads.
const MAX_TENANTS: u32 = 100;
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
    let mut tenants = call.state.store.tenants(environment.no, None, MAX_TENANTS + 1).await?;
    let complete = tenants.len() <= MAX_TENANTS as usize;
    tenants.truncate(MAX_TENANTS as usize);
    tenants.retain(|tenant| !tenant.id.is_reserved());
    let mut looks = Vec::with_capacity(tenants.len());
    for tenant in &tenants {
        looks.push(Look::at(&call, tenant).await?);
    }
    looks.sort_by_key(|look| (Reverse(look.badness()), look.tenant.id.to_string()));
    Answer::ok(&json!({
        "environment": environment.name,
        "at": call.state.now(),
        "complete": complete,
        "destinations": sum(looks.iter().map(|look| &look.states), &DESTINATION_STATES),
        "waiting": looks.iter().map(|look| look.waiting).sum::<u64>(),
        "recent": sum(looks.iter().map(|look| &look.recent), &DELIVERY_STATES.map(DeliveryState::as_str)),
        "tenants": looks.iter().map(Look::view).collect::<Vec<_>>(),
        "attention": attention(&looks),
        "dead": dead(&call, &looks).await?,
    }))
}

type Counts = BTreeMap<&'static str, u64>;

/// What one tenant looks like.
struct Look<'a> {
    tenant: &'a Tenant,
    destinations: Vec<Value>,
    states: Counts,
    waiting: u64,
    recent: Counts,
    last_event_at: Option<Timestamp>,
    dead: Vec<DeliveryRow>,
}

impl<'a> Look<'a> {
    async fn at(call: &Call, tenant: &'a Tenant) -> Result<Self, Problem> {
        let store = &call.state.store;
        let rows = store.destinations(tenant.no).await?;
        let mut views: Vec<_> = rows.iter().map(|row| destinations::get::view(call, tenant, row)).collect();
        let nos: Vec<_> = rows.iter().map(|row| row.no).collect();
        destinations::get::add_waiting(call, &nos, &mut views).await?;
        let newest = store.deliveries(tenant.no, &DeliveryFilter::default(), None, RECENT).await?.rows;
        let dead = DeliveryFilter { states: vec![DeliveryState::Dead], ..DeliveryFilter::default() };
        let mut look = Self {
            tenant,
            states: DESTINATION_STATES.into_iter().map(|state| (state, 0)).collect(),
            waiting: views.iter().filter_map(|view| view["waiting"].as_u64()).sum(),
            recent: DELIVERY_STATES.into_iter().map(|state| (state.as_str(), 0)).collect(),
            last_event_at: newest.first().map(|row| row.key.event.at()),
            dead: store.deliveries(tenant.no, &dead, None, MAX_DEAD).await?.rows,
            destinations: views,
        };
        for view in &look.destinations {
            if let Some(count) = view["state"].as_str().and_then(|state| look.states.get_mut(state)) {
                *count += 1;
            }
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

/// Destinations that a person should look at: failing, disabled, paused, then those where much waits.
fn attention<'a>(looks: &'a [Look<'a>]) -> Vec<&'a Value> {
    let rank = |view: &Value| match view["state"].as_str() {
        Some("failing") => 0,
        Some("disabled") => 1,
        Some("paused") => 2,
        _ => 3,
    };
    let waiting = |view: &Value| view["waiting"].as_u64().unwrap_or(0);
    let mut found: Vec<_> = looks.iter().flat_map(|look| &look.destinations).collect();
    found.retain(|view| rank(view) < 3 || waiting(view) >= MUCH);
    found.sort_by_key(|view| (rank(view), Reverse(waiting(view))));
    found.truncate(MAX_ATTENTION);
    found
}

/// The newest dead letters of all tenants.
async fn dead(call: &Call, looks: &[Look<'_>]) -> Result<Vec<Value>, Problem> {
    let mut rows: Vec<_> = looks.iter().flat_map(|look| look.dead.iter().map(move |row| (look.tenant, row))).collect();
    rows.sort_unstable_by_key(|(_, row)| Reverse(row.key));
    rows.truncate(MAX_DEAD as usize);
    let owned: Vec<_> = rows.iter().map(|(_, row)| (*row).clone()).collect();
    let names = deliveries::list::names(call, &owned).await?;
    Ok(rows
        .iter()
        .map(|(tenant, row)| json!({"tenant": tenant.id, "delivery": views::delivery(row, &names)}))
        .collect())
}
