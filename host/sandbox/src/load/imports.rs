//! The names that contract 0.1 offers to connectors. A component that asks for another one is refused by name before it
//! is compiled; only under `wasi:` do unknown names become traps.

/// Interfaces and what can be imported of each, as a component spells it.
const OFFERED: [(&str, &[&str]); 5] = [
    ("types", &["event", "reason", "outcome", "kind", "failure"]),
    (
        "credentials",
        &[
            "failure",
            "encoding",
            "algorithm",
            "part",
            "credential",
            "[method]credential.attribute",
            "[method]credential.length",
            "get",
            "kept",
            "placeholder",
            "compose",
            "jwt",
            "aws-presign",
            "azure-sas",
            "identity-token",
            "sign-challenge",
            "answer",
            "scram",
            "[constructor]scram",
            "[method]scram.first",
            "[method]scram.final",
            "[method]scram.verify",
        ],
    ),
    (
        "http",
        &[
            "failure",
            "credential",
            "part",
            "algorithm",
            "encoding",
            "signed",
            "request",
            "[constructor]request",
            "[static]request.to-secret",
            "[method]request.header",
            "[method]request.query",
            "[method]request.body",
            "[method]request.compress",
            "[method]request.carries",
            "[method]request.timeout-ms",
            "[method]request.http2",
            "[method]request.sign-aws",
            "[method]request.sign-azure",
            "[method]request.sign-header",
            "response",
            "[method]response.status",
            "[method]response.headers",
            "[method]response.body",
            "[method]response.trailers",
            "send",
            "send-all",
            "exchange",
        ],
    ),
    (
        "streams",
        &[
            "failure",
            "part",
            "security",
            "connection",
            "[static]connection.connect",
            "[method]connection.start-tls",
            "[method]connection.channel-binding",
            "[method]connection.write",
            "[method]connection.read",
            "wait",
            "lookup-srv",
        ],
    ),
    (
        "host",
        &[
            "outcome",
            "failure",
            "call",
            "[method]call.batch-id",
            "[method]call.batched",
            "[method]call.attempt",
            "[method]call.accepted-ms",
            "[method]call.traceparent",
            "[method]call.now-ms",
            "[method]call.left-ms",
            "[method]call.settle",
            "[method]call.show",
            "cache-get",
            "cache-put",
            "compress",
            "log",
        ],
    ),
];

/// What the host offers of an interface; `None` if it offers no such interface.
pub(super) fn offered(interface: &str) -> Option<&'static [&'static str]> {
    let rest = interface.strip_prefix("railhead:plugin/")?;
    let (name, version) = rest.split_once('@')?;
    version.strip_prefix("0.1.")?.parse::<u32>().ok()?;
    OFFERED.iter().find(|(offered, _)| *offered == name).map(|(_, names)| *names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_names_are_those_of_the_contract() {
        let mut resolve = wit_parser::Resolve::default();
        let wit = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/0.1.0/plugin.wit");
        let package = resolve.push_file(wit).unwrap();
        let world = resolve.select_world(&[package], Some("connector")).unwrap();
        let mut seen = 0;
        for (key, _) in &resolve.worlds[world].imports {
            let full = resolve.name_world_key(key);
            let wit_parser::WorldKey::Interface(id) = key else { panic!("{full} is not an interface") };
            let interface = &resolve.interfaces[*id];
            let expected: BTreeSet<&str> =
                interface.types.keys().chain(interface.functions.keys()).map(String::as_str).collect();
            let names: BTreeSet<&str> = offered(&full).unwrap_or_default().iter().copied().collect();
            assert_eq!(names, expected, "{full}");
            seen += 1;
        }
        assert_eq!(seen, OFFERED.len());
    }

    #[test]
    fn other_packages_and_versions_are_not_offered() {
        assert!(offered("railhead:plugin/http@0.1.7").is_some());
        for other in [
            "railhead:plugin/http@0.2.0",
            "railhead:plugin/http",
            "railhead:plugin/revealing@0.1.0",
            "wasi:cli/exit@0.2.0",
        ] {
            assert!(offered(other).is_none(), "{other}");
        }
    }
}
