use super::names::Rename;
use crate::json;
use quote::quote;
use serde_json::json;
use syn::parse_quote;

fn error(input: &syn::DeriveInput) -> String {
    super::derive(input).unwrap_err().to_string()
}

#[test]
fn json_is_written_as_tokens() {
    let value = json::of(quote!([{ "a": -1, "b": [true, null, 1.5, 1_000] }, "é\n"])).unwrap();
    assert_eq!(value, json!([{"a": -1, "b": [true, null, 1.5, 1000]}, "é\n"]));
    for wrong in [quote!(x), quote!(('a')), quote!({ a: 1 }), quote!(-"x"), quote!(b"x")] {
        assert!(json::of(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn names_are_written_as_serde_does() {
    let cases = [
        (Rename::Lower, "bucket_name", "bucketname"),
        (Rename::Upper, "BUCKET_NAME", "BUCKETNAME"),
        (Rename::Pascal, "BucketName", "BucketName"),
        (Rename::Camel, "bucketName", "bucketName"),
        (Rename::Snake, "bucket_name", "bucket_name"),
        (Rename::ScreamingSnake, "BUCKET_NAME", "BUCKET_NAME"),
        (Rename::Kebab, "bucket-name", "bucket-name"),
        (Rename::ScreamingKebab, "BUCKET-NAME", "BUCKET-NAME"),
    ];
    for (rename, field, variant) in cases {
        let field = if rename == Rename::Lower { "bucket_name" } else { field };
        assert_eq!((rename.field("bucket_name").as_str(), rename.variant("BucketName").as_str()), (field, variant));
    }
}

#[test]
fn what_has_no_schema_is_named() {
    let tuple = parse_quote!(
        struct A(u8, u8);
    );
    assert!(error(&tuple).contains("named fields"));
    let data = parse_quote!(
        enum A {
            B(u8),
        }
    );
    assert!(error(&data).contains("raw"));
    let flat = parse_quote!(
        struct A {
            #[serde(flatten)]
            b: B,
        }
    );
    assert!(error(&flat).contains("closed"));
    let untagged = parse_quote!(
        #[serde(untagged)]
        enum A {
            B,
        }
    );
    assert!(error(&untagged).contains("serde(untagged)"));
    let tagged = parse_quote!(
        #[serde(tag = "kind")]
        struct A {
            b: u8,
        }
    );
    assert!(error(&tagged).contains("of enums only"));
    let transparent = parse_quote!(
        #[serde(transparent)]
        struct A {
            b: u8,
        }
    );
    assert!(error(&transparent).contains("without names"));
    let inner = parse_quote!(
        #[serde(tag = "kind")]
        enum A {
            B(C),
        }
    );
    assert!(error(&inner).contains("named fields, or none"));
}

#[test]
fn words_are_known_and_their_values_fit() {
    let unknown = parse_quote!(
        struct A {
            #[schema(patern = "x")]
            b: String,
        }
    );
    assert!(error(&unknown).contains("no word \"patern\""));
    let shape = parse_quote!(
        struct A {
            #[schema(min_length = "x")]
            b: String,
        }
    );
    assert_eq!(error(&shape), "min_length is a whole number");
    let twice = parse_quote!(
        struct A {
            #[schema(pattern = "x", extend = {"pattern": "y"})]
            b: String,
        }
    );
    assert_eq!(error(&twice), "pattern is said twice");
    let raw = parse_quote!(
        struct A {
            #[schema(raw = "{")]
            b: String,
        }
    );
    assert!(error(&raw).contains("not JSON"));
}
