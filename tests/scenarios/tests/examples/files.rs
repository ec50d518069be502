//! The files of `examples/` name settings, ports, paths and times that the host has.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The settings of `host/README.md`, as the environment spells them, with their defaults. A test of the host holds the
/// table against the code.
fn settings() -> Vec<(String, String)> {
    let page = read("host/README.md");
    let table = page.split("| file | environment |").nth(1).expect("the table of settings");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cell = |row: &str, n: usize| row.split('|').nth(n).expect("a cell").trim().trim_matches('`').to_owned();
    rows.map(|row| (cell(row, 2), cell(row, 3))).collect()
}

/// Every `RAILHEAD_…` of a text.
fn named(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("RAILHEAD_") {
        if !text[..at].ends_with(is_name) {
            found.insert(text[at..].chars().take_while(|c| is_name(*c)).collect());
        }
    }
    found
}

/// The documents of a YAML file.
fn yaml(name: &str) -> Vec<Value> {
    let python = std::env::var("RAILHEAD_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let output = Command::new(python).args(["-c", script]).arg(path(name)).output().expect("python runs");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn one(name: &str) -> Value {
    let mut all = yaml(name);
    assert_eq!(all.len(), 1, "{name}");
    all.remove(0)
}

/// What a container has to be given: an address of all interfaces with the port of the host's default.
fn ports() -> [u64; 2] {
    ["RAILHEAD_LISTEN", "RAILHEAD_METRICS_LISTEN"].map(|name| {
        let settings = settings();
        let (_, default) = settings.iter().find(|(own, _)| own == name).expect("a setting");
        default.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
    })
}

const FILES: [&str; 8] = [
    "examples/container/Dockerfile",
    "examples/compose/compose.yaml",
    "examples/compose/README.md",
    "examples/compose/try.sh",
    "examples/systemd/railhead.service",
    "examples/systemd/README.md",
    "examples/kubernetes/deployment.yaml",
    "examples/kubernetes/secret.yaml",
];

#[test]
fn every_setting_that_an_example_names_is_one_of_the_hosts() {
    let known: BTreeSet<String> = settings().into_iter().map(|(name, _)| name).collect();
    let mut seen = 0;
    for file in FILES {
        for name in named(&read(file)) {
            // Where the script finds the binary.
            let is_the_scripts = file.ends_with("try.sh") && name == "RAILHEAD_BIN";
            assert!(known.contains(&name) || is_the_scripts, "{file}: there is no setting {name}");
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
    let file: Vec<String> = known.iter().map(|name| name.trim_start_matches("RAILHEAD_").to_lowercase()).collect();
    for line in read("examples/systemd/railhead.toml").lines().filter(|line| line.contains(" = ")) {
        let name = line.split(" = ").next().unwrap_or_default().to_owned();
        assert!(file.contains(&name), "railhead.toml: there is no setting {name}");
    }
}

#[test]
fn the_image_runs_as_nobody_and_checks_its_own_health() {
    let text = read("examples/container/Dockerfile");
    let has = |line: &str| assert!(text.contains(line), "the Dockerfile lacks `{line}`");
    let [api, metrics] = ports();
    has(&format!("EXPOSE {api} {metrics}"));
    has(&format!("RAILHEAD_LISTEN=0.0.0.0:{api}"));
    has(&format!("RAILHEAD_METRICS_LISTEN=0.0.0.0:{metrics}"));
    has("USER 10001:10001");
    has("ENTRYPOINT [\"railhead\"]");
    has("STOPSIGNAL SIGTERM");
    has("CMD [\"railhead\", \"health\", \"--live\"]");
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain.split("channel = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("a channel");
    let minor = channel.rsplit_once('.').expect("a patch version").0;
    has(&format!("FROM rust:{minor}-"));
}

#[test]
fn the_compose_file_runs_two_hosts_that_drain() {
    let compose = one("examples/compose/compose.yaml");
    let services = compose["services"].as_object().expect("services");
    let names: BTreeSet<&str> = services.keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(["host-a", "host-b", "migrate", "postgres", "receiver"]));
    let [api, _] = ports();
    for (name, port) in [("host-a", 8081), ("host-b", 8082)] {
        let host = &services[name];
        assert_eq!(host["image"], image());
        assert_eq!(host["ports"], serde_json::json!([format!("127.0.0.1:{port}:{api}")]));
        assert_eq!(host["read_only"], true);
        assert_eq!(host["healthcheck"]["test"], serde_json::json!(["CMD", "railhead", "health"]));
        assert_eq!(host["depends_on"]["migrate"]["condition"], "service_completed_successfully");
        let grace = host["stop_grace_period"].as_str().expect("a time").trim_end_matches('s').parse::<u64>();
        assert!(grace.expect("seconds") >= LONGEST_STOP_S, "{name}");
        assert_eq!(host["command"], serde_json::json!(["serve"]));
    }
    assert_eq!(services["migrate"]["command"], serde_json::json!(["migrate"]));
    // The network that the script lets the hosts send to is the one of the receiver.
    let subnet = compose["networks"]["inside"]["ipam"]["config"][0]["subnet"].as_str().expect("a subnet");
    assert!(read("examples/compose/try.sh").contains(&format!("settings {subnet}\n")), "{subnet}");
}

/// 25 s for what runs, 3 to record what was aborted, 6 to leave the database and tell the others, 5 for open requests.
const LONGEST_STOP_S: u64 = 39;

fn image() -> String {
    let manifest = read("Cargo.toml");
    let version = manifest.split("\nversion = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("a version");
    format!("railhead:{version}")
}

#[test]
fn the_manifests_fit_each_other_and_the_host() {
    let deployment = one("examples/kubernetes/deployment.yaml");
    let pod = &deployment["spec"]["template"];
    let labels = &pod["metadata"]["labels"];
    let container = &pod["spec"]["containers"][0];
    let [api, metrics] = ports();
    assert_eq!(container["image"], image());
    assert_eq!(pod["spec"]["initContainers"][0]["image"], image());
    let port = |name: &str| {
        let ports = container["ports"].as_array().expect("ports");
        ports.iter().find(|port| port["name"] == name).map(|port| port["containerPort"].clone())
    };
    assert_eq!((port("api"), port("metrics")), (Some(api.into()), Some(metrics.into())));
    assert_eq!(pod["metadata"]["annotations"]["prometheus.io/port"], metrics.to_string());
    for (probe, path) in [("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")] {
        assert_eq!(container[probe]["httpGet"], serde_json::json!({"path": path, "port": "api"}));
        assert!(read(&format!("host/api/src/ops/host{path}.rs")).contains(&format!("path: \"{path}\"")));
    }
    let sleeps = &container["lifecycle"]["preStop"]["exec"]["command"][1];
    let sleeps: u64 = sleeps.as_str().and_then(|text| text.parse().ok()).expect("seconds");
    let grace = pod["spec"]["terminationGracePeriodSeconds"].as_u64().expect("seconds");
    assert!(grace >= sleeps + LONGEST_STOP_S, "{grace}");

    // Every selector finds the pods, and the service their port.
    let service = one("examples/kubernetes/service.yaml");
    let budget = one("examples/kubernetes/disruption.yaml");
    assert_eq!(&service["spec"]["selector"], labels);
    assert_eq!(&budget["spec"]["selector"]["matchLabels"], labels);
    assert_eq!(&deployment["spec"]["selector"]["matchLabels"], labels);
    assert_eq!(service["spec"]["ports"][0]["targetPort"], "api");

    // What is taken from the secret is in it.
    let secret = one("examples/kubernetes/secret.yaml");
    let keys = secret["stringData"].as_object().expect("keys");
    for variable in container["env"].as_array().expect("variables") {
        let source = &variable["valueFrom"]["secretKeyRef"];
        if source.is_object() {
            assert_eq!(source["name"], secret["metadata"]["name"]);
            assert!(keys.contains_key(source["key"].as_str().expect("a key")), "{variable}");
        }
    }
    let volumes = pod["spec"]["volumes"].as_array().expect("volumes");
    let volume = volumes.iter().find(|volume| volume["name"] == "master-key").expect("the master key's");
    assert_eq!(volume["secret"]["secretName"], secret["metadata"]["name"]);
    assert!(keys.contains_key(volume["secret"]["items"][0]["key"].as_str().expect("a key")));
    let security = &container["securityContext"];
    assert_eq!(
        (&security["readOnlyRootFilesystem"], &security["allowPrivilegeEscalation"]),
        (&true.into(), &false.into())
    );
}

#[test]
fn the_unit_is_one_that_systemd_takes() {
    let unit = path("examples/systemd/railhead.service");
    let text = read("examples/systemd/railhead.service");
    let stop = text.split("TimeoutStopSec=").nth(1).and_then(|rest| rest.lines().next()?.parse::<u64>().ok());
    assert!(stop.expect("seconds") >= LONGEST_STOP_S);
    // The binary of the unit is not on this machine, which verify would complain of.
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("railhead.service");
    std::fs::write(&copy, text.replace("/usr/local/bin/railhead", "/bin/true")).expect("written");
    let verified = Command::new("systemd-analyze").arg("verify").arg("--man=no").arg(&copy).output();
    let Ok(verified) = verified else {
        return skipped(&format!("no systemd-analyze to hold {} against", unit.display()));
    };
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && !said.contains("railhead.service"), "{said}");
}

#[allow(clippy::print_stderr)] // whoever reads a run should know what it left out
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}
