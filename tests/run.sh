#!/bin/sh
# Installs what the tests need on a Debian machine (PostgreSQL, a Python library), then runs all of them.
set -eu
cd "$(dirname "$0")/.."

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
need() { as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; }

if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
    as_root apt-get update
    need postgresql
fi
if ! command -v python3 >/dev/null || ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
    as_root apt-get update
    need python3 python3-venv
fi
if [ ! -x target/test-venv/bin/python ]; then
    mkdir -p target
    python3 -m venv target/test-venv
fi
target/test-venv/bin/python -m pip install --quiet --requirement tests/requirements.txt

rustup toolchain install
# A test that needs one of these fails, instead of skipping, where they must be there.
RAILHEAD_REQUIRE_POSTGRES=1 RAILHEAD_TEST_PYTHON="$PWD/target/test-venv/bin/python"
RAILHEAD_SIM_SEEDS="${RAILHEAD_SIM_SEEDS:-1000}"
export RAILHEAD_REQUIRE_POSTGRES RAILHEAD_TEST_PYTHON RAILHEAD_SIM_SEEDS

# One build for everything: the end-to-end tests start the binary that was built beside them.
cargo build --workspace --all-targets --locked
RAILHEAD_BIN="${CARGO_TARGET_DIR:-$PWD/target}/debug/railhead"
export RAILHEAD_BIN

cargo test --manifest-path plugins/webhook/Cargo.toml --target-dir target/plugins --locked
cargo test --workspace --locked
