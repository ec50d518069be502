//! What `bindgen!` makes of `wit/plugin.wit`: the contract as Rust traits and types, version 0.1.0.
//!
//! Only `adapter` and `session` look in here; everything else of the sandbox speaks `railhead_model`.
#![allow(missing_docs)] // generated; each item is documented in wit/plugin.wit
#![allow(unsafe_code)] // generated: typed functions whose types were checked when the instance was made

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "connector",
    imports: {
        "railhead:plugin/http.send": async | trappable,
        "railhead:plugin/http.send-all": async | trappable,
        "railhead:plugin/http.exchange": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    ownership: Borrowing { duplicate_if_necessary: true },
    with: {
        "railhead:plugin/credentials.credential": crate::adapter::Credential,
        "railhead:plugin/credentials.scram": crate::adapter::Unsupported,
        "railhead:plugin/http.request": crate::adapter::Request,
        "railhead:plugin/http.response": crate::adapter::Response,
        "railhead:plugin/streams.connection": crate::adapter::Unsupported,
        "railhead:plugin/host.call": crate::adapter::CallHandle,
    },
});
