use super::checked;
use serde_json::{Value, json};

fn with(key: &str, value: Value) -> Result<Value, String> {
    let mut manifest = json!({"name": "a", "label": "A", "category": "http", "origins": []});
    manifest[key] = value;
    checked(&manifest.to_string()).map(Value::Object)
}

#[test]
fn the_contract_is_that_of_the_bindings() {
    let wit = include_str!("../../../../../wit/0.1.0/plugin.wit");
    assert!(wit.contains(&format!("package railhead:plugin@{};", super::CONTRACT)));
    assert_eq!(with("label", json!("B")).unwrap()["contract"], super::CONTRACT);
    assert!(with("contract", json!("0.1.0")).is_ok());
    assert!(with("contract", json!("0.2.0")).unwrap_err().contains("leave it out"));
}

#[test]
fn what_comes_from_elsewhere_and_what_nobody_knows_is_refused() {
    assert!(with("version", json!("1.0.0")).unwrap_err().contains("that of Cargo.toml"));
    assert!(with("config_schema", json!({})).unwrap_err().contains("derived"));
    assert!(with("lable", json!("A")).unwrap_err().contains("no field \"lable\""));
    assert!(checked("[]").unwrap_err().contains("object"));
    assert!(checked("{}").unwrap_err().contains("\"name\" is missing"));
    assert!(checked("{").unwrap_err().contains("EOF"));
}
