//! Realistic events: a shop's orders, payments and customers.

use serde_json::{Value, json};

const PRODUCTS: [(&str, &str, u32); 6] = [
    ("SKU-1042", "Trail running shoes", 12_900),
    ("SKU-2210", "Merino base layer", 7_450),
    ("SKU-0077", "Titanium mug", 3_200),
    ("SKU-3301", "Two-person tent", 38_900),
    ("SKU-1190", "Headlamp 400 lm", 4_990),
    ("SKU-4555", "Water filter", 5_490),
];
const CUSTOMERS: [(&str, &str, &str); 5] = [
    ("cus_8841", "Ana Ruiz", "ES"),
    ("cus_1207", "Jonas Weber", "DE"),
    ("cus_5530", "Mei Tanaka", "JP"),
    ("cus_9016", "Chloé Martin", "FR"),
    ("cus_3372", "Liam O’Brien", "IE"),
];
const TYPES: [&str; 5] = ["order.created", "order.paid", "order.shipped", "payment.captured", "customer.updated"];

/// Event `n` of a tenant, as it is published. The same `n` is the same event, whenever it is asked for.
#[must_use]
pub fn event(tenant: &str, n: u32) -> Value {
    let pick = |len: usize, salt: u64| (mix(u64::from(n), salt) % len as u64) as usize;
    let (customer, name, country) = CUSTOMERS[pick(CUSTOMERS.len(), 1)];
    let lines: Vec<Value> = (0..=pick(3, 2))
        .map(|line| {
            let (sku, title, cents) = PRODUCTS[pick(PRODUCTS.len(), line as u64 + 3)];
            json!({"sku": sku, "title": title, "quantity": 1 + line, "unit_price": cents})
        })
        .collect();
    let total: u64 =
        lines.iter().map(|l| l["quantity"].as_u64().unwrap_or(0) * l["unit_price"].as_u64().unwrap_or(0)).sum();
    json!({
        "tenant": tenant,
        "id": id(tenant, n),
        "type": TYPES[pick(TYPES.len(), 7)],
        "source": "/shop/eu-1",
        "subject": format!("order-{}", 70_000 + n),
        "data": {
            "order": format!("order-{}", 70_000 + n),
            "customer": {"id": customer, "name": name, "country": country},
            "lines": lines,
            "total": total,
            "currency": if country == "JP" { "JPY" } else { "EUR" },
            "note": "Leave with the neighbour if nobody answers; call on arrival, please.",
        }
    })
}

/// SplitMix64's finalizer over the pair (Steele, Lea, Flood 2014): varied, and the same at every run.
const fn mix(n: u64, salt: u64) -> u64 {
    let mut z = n.wrapping_add(salt.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The id of event `n`.
#[must_use]
pub fn id(tenant: &str, n: u32) -> String {
    format!("{tenant}-{n:06}")
}
