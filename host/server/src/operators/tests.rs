use super::*;
use railhead_model::manifest::CredentialUse;
use serde_json::json;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn aws(id: &str) -> Value {
    json!({"access_key_id": id, "secret_access_key": SECRET})
}

fn field(name: &str, operator: bool) -> Value {
    json!({"name": name, "label": "", "kind": "aws", "use": "sign-request", "operator": operator})
}

fn manifest() -> Manifest {
    let manifest = json!({"name": "s3", "version": "0.1.0", "contract": "0.1.0", "label": "S3", "category": "storage",
        "config_schema": {}, "origins": [], "credentials": [field("assume_role", true), field("keys", false)]});
    serde_json::from_value(manifest).expect("a manifest")
}

fn read(table: &str, text: Option<Value>) -> Result<OperatorCredentials, String> {
    let tables: BTreeMap<String, toml::Table> = toml::from_str(table).expect("TOML");
    let text = text.map(|text| text.to_string());
    OperatorCredentials::read(tables.into_iter(), text, None).map_err(|error| error.to_string())
}

fn checked(given: &OperatorCredentials) -> Result<(), String> {
    let manifest = manifest();
    given.check(|name| (name == "s3").then_some(&manifest))
}

#[test]
fn json_wins_over_the_file_field_by_field() {
    let table = format!(
        r#"s3 = {{ assume_role = {{ access_key_id = "A", secret_access_key = "{SECRET}" }}, other = "text" }}"#
    );
    let read = read(&table, Some(json!({"s3": {"assume_role": aws("B")}}))).expect("reads");
    let fields: Vec<_> = read.fields().map(|(connector, field)| format!("{connector}.{field}")).collect();
    assert_eq!(fields, ["s3.assume_role", "s3.other"]);
    assert!(read.0[&("s3".to_owned(), "assume_role".to_owned())].contains(r#""access_key_id":"B""#));
    assert!(!format!("{read:?}").contains(SECRET));
}

#[test]
fn what_is_wrong_is_named_and_not_repeated() {
    for wrong in [json!([SECRET]), json!({"s3": SECRET}), json!({"s3": {"assume_role": [SECRET]}}), json!(SECRET)] {
        let error = read("", Some(wrong)).expect_err("wrong");
        assert!(error.contains(TEXT) && error.contains("expected") && !error.contains(SECRET), "{error}");
    }
    let no_json = OperatorCredentials::read(std::iter::empty(), Some(format!("{{{SECRET}")), None).expect_err("none");
    assert!(!no_json.to_string().contains(SECRET), "{no_json}");
    let missing =
        OperatorCredentials::read(std::iter::empty(), None, Some(Path::new("/nonexistent"))).expect_err("none");
    assert!(missing.to_string().contains(FILE), "{missing}");
    let both =
        OperatorCredentials::read(std::iter::empty(), Some("{}".into()), Some(Path::new("/x"))).expect_err("both");
    assert!(both.to_string().contains("not both"), "{both}");
}

#[test]
fn a_value_must_be_one_of_a_field_that_is_the_operators() {
    let given = |given: Value| checked(&read("", Some(given)).expect("reads"));
    assert_eq!(given(json!({"s3": {"assume_role": aws("AKIAOPERATOR")}})), Ok(()));
    for (wrong, word) in [
        (json!({"s4": {"assume_role": aws("A")}}), "no connector `s4`"),
        (json!({"s3": {"assume": aws("A")}}), "s3.credentials.assume: the connector has no such"),
        (json!({"s3": {"keys": aws("A")}}), "no such credential of the operator's"),
        (json!({"s3": {"assume_role": SECRET}}), "not a JSON object"),
        (json!({"s3": {"assume_role": {"secret_access_key": SECRET}}}), "`access_key_id` is missing"),
    ] {
        let error = given(wrong).expect_err(word);
        assert!(error.contains(word) && !error.contains(SECRET), "{error}");
    }
}

#[test]
fn a_call_gets_it_with_the_tenants_external_id() {
    let all = read(
        "",
        Some(json!({"s3": {"assume_role": {"access_key_id": "A", "secret_access_key": SECRET,
        "external_id": "the operator's own word does not count"}}})),
    )
    .expect("reads");
    let manifest = manifest();
    let field = &manifest.credentials[0];
    let opened = all.opened("s3", field, || "railhead-1".to_owned()).expect("there");
    assert_eq!((opened.field.as_str(), opened.usage), ("assume_role", CredentialUse::SignRequest));
    let secret = Secret::parse("assume_role", field.kind, field.usage, &[], &opened.value).expect("parses");
    assert_eq!(secret.attribute("external-id").as_deref(), Some("railhead-1"));
    assert_eq!(secret.attribute("access-key-id").as_deref(), Some("A"));
    assert!(all.opened("s4", field, String::new).is_none());
}
