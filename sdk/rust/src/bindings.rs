//! The contract as `wit-bindgen` writes it in Rust, once for all connectors.

wit_bindgen::generate!({
    path: "wit",
    world: "connector",
    pub_export_macro: true,
    default_bindings_module: "railhead_sdk::bindings",
    additional_derives: [PartialEq],
    additional_derives_ignore: ["part"],
});
