//! What the demo tells, step by step.

use super::api::DemoError;
use super::events;
use super::latency::{self, Latency};
use super::screen::Screen;
use super::setup::{DESTINATIONS, Destination, Stage};
use crate::table::cell;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Events in one publish call.
const BATCH: u32 = 100;
/// Events that wait at the dead neighbour.
const NEIGHBOUR: u32 = 2_000;
/// Events measured, alone and beside the neighbour.
const MEASURED: u32 = 400;
/// How often the table is read.
const TICK: Duration = Duration::from_millis(400);
/// No step waits longer than this.
const PATIENCE: Duration = Duration::from_secs(75);

/// Tells the story; the summary as JSON.
///
/// # Errors
/// [`DemoError`]: the host failed, or something is missing at the end.
pub async fn tell(stage: &Stage, screen: &mut Screen, count: u32) -> Result<Value, DemoError> {
    let started = stage.app.clock().monotonic_ms();
    introduce(stage, screen).await?;
    let mut expected = publish_all(stage, screen, count).await?;
    show_failure(stage, screen).await?;
    show_event(stage, screen).await?;
    let (alone, beside, more) = neighbour(stage, screen, count).await?;
    expected += more;
    let replayed = repair(stage, screen).await?;
    let mut summary = sum_up(stage, screen, expected, replayed).await?;
    summary["latency_alone"] = json!(alone);
    summary["latency_beside_dead_neighbour"] = json!(beside);
    let seconds = (stage.app.clock().monotonic_ms() - started) / 1_000;
    summary["seconds"] = json!(seconds);
    screen.line(&format!("\nDone in {seconds} s."));
    Ok(summary)
}

async fn introduce(stage: &Stage, screen: &mut Screen) -> Result<(), DemoError> {
    screen.step("A host, two tenants, five destinations, one receiver that misbehaves on purpose");
    screen.line(&format!("   host http://{}   receiver http://{}", stage.app.address(), stage.receiver.address));
    let mut rows = vec![["destination", "mode", "subscribes to", "the receiver there"].map(str::to_owned).to_vec()];
    for destination in &DESTINATIONS {
        let found = stage.api.get(&destination.resource()).await?;
        let types: Vec<String> = found["effective"]["event_types"].as_array().into_iter().flatten().map(cell).collect();
        let subscribes =
            if found["filter"].is_null() { types.join(" ") } else { format!("{} over 200.00", types.join(" ")) };
        rows.push(vec![name(destination), cell(&found["config"]["mode"]), subscribes, destination.temper.to_owned()]);
    }
    screen.table(&rows);
    Ok(())
}

fn name(destination: &Destination) -> String {
    format!("{}/{}", destination.tenant, destination.id)
}

/// Publishes the healthy tenant's events; how many deliveries the answers promise.
async fn publish_all(stage: &Stage, screen: &mut Screen, count: u32) -> Result<u64, DemoError> {
    screen.step(&format!("Publishing {count} events of acme, {BATCH} a call; each 202 leaves after its commit"));
    let clock = stage.app.clock();
    let started = clock.monotonic_ms();
    let promised = publish(stage, "acme", 0, count).await?;
    let accepted = clock.monotonic_ms() - started;
    watch(stage, screen, "acme").await?;
    let all = clock.monotonic_ms() - started;
    screen.table(&table(stage, Some(&ends(stage).await?)).await?);
    screen.line(&format!(
        "   {count} accepted in {accepted} ms; their {promised} deliveries came to an end within {all} ms"
    ));
    Ok(promised)
}

async fn publish(stage: &Stage, tenant: &str, from: u32, count: u32) -> Result<u64, DemoError> {
    let mut promised = 0;
    for start in (from..from + count).step_by(BATCH as usize) {
        let end = (start + BATCH).min(from + count);
        let batch: Vec<Value> = (start..end).map(|n| events::event(tenant, n)).collect();
        let answer = stage.api.post("/v1/events", &Value::Array(batch)).await?;
        let answers = answer["events"].as_array().map(Vec::as_slice).unwrap_or_default();
        if answers.len() != (end - start) as usize || answers.iter().any(|one| one["status"] != "accepted") {
            return Err(DemoError::Outcome(format!("not every event was accepted: {answer}")));
        }
        promised += answers.iter().filter_map(|one| one["deliveries"].as_u64()).sum::<u64>();
    }
    Ok(promised)
}

/// Draws the table until nothing of the tenant waits.
async fn watch(stage: &Stage, screen: &Screen, tenant: &str) -> Result<(), DemoError> {
    let mut live = screen.live();
    let started = stage.app.clock().monotonic_ms();
    loop {
        live.draw(&table(stage, None).await?);
        if waiting(stage, tenant).await? == 0 {
            return Ok(());
        }
        if stage.app.clock().monotonic_ms() - started > PATIENCE.as_millis() as u64 {
            return Err(DemoError::Outcome(format!(
                "deliveries of {tenant} still wait after {} s",
                PATIENCE.as_secs()
            )));
        }
        tokio::time::sleep(TICK).await;
    }
}

async fn waiting(stage: &Stage, tenant: &str) -> Result<u64, DemoError> {
    let list = stage.api.get(&format!("/v1/tenants/{tenant}/destinations?limit=200")).await?;
    Ok(list["data"].as_array().into_iter().flatten().filter_map(|one| one["waiting"].as_u64()).sum())
}

/// Deliveries by (`/tenant/destination`, state).
type Ends = BTreeMap<(String, String), u64>;

/// Counts deliveries by paging through them all.
async fn ends(stage: &Stage) -> Result<Ends, DemoError> {
    let mut ends = Ends::new();
    for tenant in ["acme", "globex"] {
        for delivery in list(stage, &format!("/v1/tenants/{tenant}/deliveries")).await? {
            let place = format!("/{tenant}/{}", cell(&delivery["destination"]));
            *ends.entry((place, cell(&delivery["state"]))).or_default() += 1;
        }
    }
    Ok(ends)
}

/// All rows of a list, page by page.
async fn list(stage: &Stage, path: &str) -> Result<Vec<Value>, DemoError> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let mut page = stage.api.get(&format!("{path}?limit=200{cursor}")).await?;
        if let Some(data) = page["data"].as_array_mut() {
            rows.append(data);
        }
        let Some(next) = page["next"].as_str() else { return Ok(rows) };
        cursor = format!("&cursor={next}");
    }
}

/// One row a destination, over the public API; with what came to an end, where that was counted.
async fn table(stage: &Stage, ends: Option<&Ends>) -> Result<Vec<Vec<String>>, DemoError> {
    let heading = ["destination", "state", "waiting", "delivered", "dead", "reason"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for tenant in ["acme", "globex"] {
        let list = stage.api.get(&format!("/v1/tenants/{tenant}/destinations?limit=200")).await?;
        for one in list["data"].as_array().into_iter().flatten() {
            let place = format!("/{tenant}/{}", cell(&one["id"]));
            let ended =
                |state: &str| ends.map(|ends| ends.get(&(place.clone(), state.to_owned())).copied().unwrap_or(0));
            let count = |state: &str| ended(state).map_or_else(|| "…".to_owned(), |count| count.to_string());
            let reason = one["state_reason"].as_str().unwrap_or("-").chars().take(60).collect();
            rows.push(vec![
                format!("{tenant}/{}", cell(&one["id"])),
                cell(&one["state"]),
                cell(&one["waiting"]),
                count("delivered"),
                count("dead"),
                reason,
            ]);
        }
    }
    Ok(rows)
}

async fn show_failure(stage: &Stage, screen: &mut Screen) -> Result<(), DemoError> {
    screen.step("One delivery that failed, with its request as sent (secrets masked) and the answer");
    let dead = stage.api.get("/v1/tenants/acme/deliveries?destination=crm&state=dead&limit=1").await?;
    let Some(delivery) = dead["data"].get(0) else {
        return Err(DemoError::Outcome("no delivery to acme/crm died, though its receiver refuses yen".to_owned()));
    };
    let attempts = format!("/v1/tenants/acme/deliveries/{}/attempts", cell(&delivery["id"]));
    let list = stage.api.get(&attempts).await?;
    let attempt = stage.api.get(&format!("{attempts}/{}", cell(&list["data"][0]["id"]))).await?;
    screen.line(&format!(
        "   {}  {} of {}: {} ({}), {} ms",
        cell(&attempt["id"]).chars().take(24).collect::<String>() + "…",
        cell(&delivery["event_type"]),
        cell(&delivery["event_id"]),
        cell(&attempt["outcome"]),
        cell(&attempt["code"]),
        cell(&attempt["duration_ms"]),
    ));
    let (request, response) = (&attempt["request"], &attempt["response"]);
    screen.line(&format!("   > {} {}", cell(&request["method"]), cell(&request["url"])));
    show_headers(screen, '>', &request["headers"]);
    screen.line(&format!("   > {}", shorten(&cell(&request["body"]))));
    screen.line(&format!("   < {}", cell(&response["status"])));
    show_headers(screen, '<', &response["headers"]);
    screen.line(&format!("   < {}", shorten(&cell(&response["body"]))));
    Ok(())
}

fn show_headers(screen: &Screen, mark: char, headers: &Value) {
    for header in headers.as_array().into_iter().flatten() {
        let (name, value) = match header {
            Value::Array(pair) => (pair.first(), pair.get(1)),
            one => (one.get("name"), one.get("value")),
        };
        if let (Some(name), Some(value)) = (name, value) {
            screen.line(&format!("   {mark} {}: {}", cell(name), shorten(&cell(value))));
        }
    }
}

fn shorten(text: &str) -> String {
    let short: String = text.chars().take(150).collect();
    if short.len() < text.len() { short + " …" } else { short }
}

async fn show_event(stage: &Stage, screen: &mut Screen) -> Result<(), DemoError> {
    let dead = stage.api.get("/v1/tenants/acme/deliveries?destination=crm&state=dead&limit=1").await?;
    let id = cell(&dead["data"][0]["event_id"]);
    screen.step(&format!("\"Where did event {id} go?\" — its end at every destination"));
    let event = stage.api.get(&format!("/v1/tenants/acme/events/{id}")).await?;
    let mut rows = vec![["destination", "end", "why", "attempts", "at"].map(str::to_owned).to_vec()];
    for one in event["destinations"].as_array().into_iter().flatten() {
        rows.push(["destination", "state", "reason", "attempts", "ended_at"].map(|field| cell(&one[field])).to_vec());
    }
    screen.table(&rows);
    Ok(())
}

/// The healthy tenant's latency, alone and beside a dead neighbour; and the deliveries that were promised meanwhile.
async fn neighbour(stage: &Stage, screen: &mut Screen, count: u32) -> Result<(Latency, Latency, u64), DemoError> {
    screen.step(&format!("A dead neighbour: globex/erp holds every request 10 s, {NEIGHBOUR} of its events wait"));
    let alone = latency::measure(stage, count, MEASURED).await?;
    let promised = publish(stage, "globex", 0, NEIGHBOUR).await?;
    let beside = latency::measure(stage, count + MEASURED, MEASURED).await?;
    let waits = waiting(stage, "globex").await?;
    let heading = ["acme, 100 events a second, end to end", "p50 ms", "p99 ms", "worst ms"].map(str::to_owned).to_vec();
    let row =
        |title: String, l: &Latency| vec![title, l.p50_ms.to_string(), l.p99_ms.to_string(), l.max_ms.to_string()];
    screen.table(&[
        heading,
        row("alone".to_owned(), &alone),
        row(format!("beside {waits} waiting deliveries"), &beside),
    ]);
    let measured = measured_deliveries(stage, count).await?;
    Ok((alone, beside, promised + measured))
}

/// Deliveries of the measured events: their publish answers were not kept, so the event views are asked.
async fn measured_deliveries(stage: &Stage, count: u32) -> Result<u64, DemoError> {
    let mut total = 0;
    for n in count..count + 2 * MEASURED {
        let event = stage.api.get(&format!("/v1/tenants/acme/events/{}", events::id("acme", n))).await?;
        let matched = |one: &&Value| !["filtered", "skipped"].contains(&one["state"].as_str().unwrap_or_default());
        total += event["destinations"].as_array().into_iter().flatten().filter(matched).count() as u64;
    }
    Ok(total)
}

/// Repairs both receivers and replays what died; how many deliveries the replay made.
async fn repair(stage: &Stage, screen: &mut Screen) -> Result<u64, DemoError> {
    screen.step("Repair: the CRM learns yen, the ERP answers again; replay what died");
    stage.receiver.repair_crm();
    stage.receiver.repair_erp();
    // A person acted: the destination is probed now instead of at its next probe.
    stage.api.post("/v1/tenants/globex/destinations/erp/enable", &json!({})).await?;
    let filter = json!({"filter": {"destination": "crm", "state": ["dead"]}});
    let replay = stage.api.post("/v1/tenants/acme/replays", &filter).await?;
    let path = format!("/v1/tenants/acme/replays/{}", cell(&replay["id"]));
    let replay = loop {
        let replay = stage.api.get(&path).await?;
        if replay["state"] != "running" {
            break replay;
        }
        tokio::time::sleep(TICK).await;
    };
    watch(stage, screen, "acme").await?;
    watch(stage, screen, "globex").await?;
    screen.table(&table(stage, Some(&ends(stage).await?)).await?);
    let created = replay["progress"]["created"].as_u64().unwrap_or(0);
    screen.line(&format!("   replay {}: {created} deliveries made again", cell(&replay["state"])));
    Ok(created)
}

/// Counts at the receiver: every delivery that the host records as delivered is there, and every promised one is recorded.
async fn sum_up(stage: &Stage, screen: &mut Screen, promised: u64, replayed: u64) -> Result<Value, DemoError> {
    screen.step("The receiver counts");
    let mut recorded: BTreeMap<(String, String), Value> = BTreeMap::new();
    for tenant in ["acme", "globex"] {
        for one in list(stage, &format!("/v1/tenants/{tenant}/deliveries")).await? {
            let place = (format!("/{tenant}/{}", cell(&one["destination"])), cell(&one["event_id"]));
            // Newest run first: a replayed delivery counts by its last run.
            recorded.entry(place).or_insert(one["state"].clone());
        }
    }
    let missing = recorded
        .iter()
        .filter(|((path, event), state)| **state != "delivered" || stage.receiver.entry(path, event).accepted == 0);
    let missing: Vec<_> = missing.map(|((path, event), state)| format!("{path} {event}: {state}")).collect();
    let mut rows = vec![["destination", "recorded as delivered", "at the receiver"].map(str::to_owned).to_vec()];
    for destination in &DESTINATIONS {
        let count = recorded.keys().filter(|(path, _)| *path == destination.path()).count();
        rows.push(vec![name(destination), count.to_string(), stage.receiver.accepted(&destination.path()).to_string()]);
    }
    screen.table(&rows);
    let (arrived, duplicates) = (recorded.len() - missing.len(), stage.receiver.duplicates());
    screen.line(&format!(
        "   promised at publish {promised}, arrived {arrived}, missing {}, duplicates {duplicates}, requests {}",
        missing.len(),
        stage.receiver.requests(),
    ));
    if !missing.is_empty() || recorded.len() as u64 != promised {
        let first = missing.first().cloned().unwrap_or_default();
        return Err(DemoError::Outcome(format!(
            "promised {promised}, recorded {}, missing {} {first}",
            recorded.len(),
            missing.len()
        )));
    }
    Ok(
        json!({"promised": promised, "arrived": arrived, "missing": missing.len(), "duplicates": duplicates, "replayed": replayed}),
    )
}

/// Where the pages are, and the way in: the key was made for this run, and ends with it.
pub fn print_pages(stage: &Stage, screen: &Screen) {
    screen.line(&format!("\nPages: http://{}/ui   sign in with the key {}", stage.app.address(), stage.key));
}

/// What to look at while the host stays up.
pub fn print_curls(stage: &Stage, screen: &Screen) {
    let (base, key) = (format!("http://{}", stage.app.address()), &stage.key);
    screen.line(&format!("\nThe host stays up until Ctrl-C. Documentation: {base}/docs\n"));
    for path in [
        "/v1/tenants/acme/destinations",
        "/v1/tenants/acme/events/acme-000007",
        "/v1/tenants/acme/deliveries?destination=crm&limit=3",
        "/v1/tenants/acme/replays",
    ] {
        screen.line(&format!("curl -s -H 'Authorization: Bearer {key}' '{base}{path}'"));
    }
}
