//! What `bindgen!` makes of `wit/0.1.0/plugin.wit`: the contract as Rust traits and types, version 0.1.0.
//!
//! Only `adapter` and `session` look in here; everything else of the sandbox speaks `railhead_model`.
#![allow(missing_docs)] // generated; each item is documented in wit/0.1.0/plugin.wit
#![allow(unsafe_code)] // generated: typed functions whose types were checked when the instance was made

wasmtime::component::bindgen!({
    path: "../../wit/0.1.0",
    world: "connector",
    imports: {
        "railhead:plugin/credentials.[method]scram.final": async | trappable,
        "railhead:plugin/http.send": async | trappable,
        "railhead:plugin/http.send-all": async | trappable,
        "railhead:plugin/http.exchange": async | trappable,
        "railhead:plugin/streams.[static]connection.connect": async | trappable,
        "railhead:plugin/streams.[method]connection.start-tls": async | trappable,
        "railhead:plugin/streams.[method]connection.write": async | trappable,
        "railhead:plugin/streams.[method]connection.read": async | trappable,
        "railhead:plugin/streams.wait": async | trappable,
        "railhead:plugin/streams.lookup-srv": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    ownership: Borrowing { duplicate_if_necessary: true },
    with: {
        "railhead:plugin/credentials.credential": crate::adapter::Credential,
        "railhead:plugin/credentials.scram": crate::adapter::Scram,
        "railhead:plugin/http.request": crate::adapter::Request,
        "railhead:plugin/http.response": crate::adapter::Response,
        "railhead:plugin/streams.connection": crate::adapter::Connection,
        "railhead:plugin/host.call": crate::adapter::CallHandle,
    },
});

/// What `bindgen!` makes of `host/sandbox/wit/wasi.wit`: the little of WASI that guests may use for requests of their own
/// language's making.
pub(crate) mod wasi {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "wasi",
        imports: {
            "wasi:io/poll.poll": async | trappable,
            "wasi:io/poll.[method]pollable.block": async | trappable,
            default: trappable,
        },
        with: {
            "wasi:io/error.error": crate::adapter::wasi::IoError,
            "wasi:io/poll.pollable": crate::adapter::wasi::Pollable,
            "wasi:io/streams.input-stream": crate::adapter::wasi::InputStream,
            "wasi:io/streams.output-stream": crate::adapter::wasi::OutputStream,
            "wasi:http/types.fields": crate::adapter::wasi_http::Fields,
            "wasi:http/types.outgoing-request": crate::adapter::wasi_http::OutgoingRequest,
            "wasi:http/types.outgoing-body": crate::adapter::wasi_http::OutgoingBody,
            "wasi:http/types.request-options": crate::adapter::wasi_http::RequestOptions,
            "wasi:http/types.future-incoming-response": crate::adapter::wasi_http::FutureResponse,
            "wasi:http/types.incoming-response": crate::adapter::wasi_http::IncomingResponse,
            "wasi:http/types.incoming-body": crate::adapter::wasi_http::IncomingBody,
            "wasi:http/types.future-trailers": crate::adapter::wasi_http::FutureTrailers,
            "wasi:http/types.incoming-request": crate::adapter::wasi_http::Unused,
            "wasi:http/types.response-outparam": crate::adapter::wasi_http::Unused,
            "wasi:http/types.outgoing-response": crate::adapter::wasi_http::Unused,
        },
    });
}
