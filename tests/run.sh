#!/bin/sh
# Installs what the tests need on a Debian machine, then runs all of them. README.md says what a machine must have before.
set -eu
cd "$(dirname "$0")/.."

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# PROGRAM PACKAGE: the package is installed where the program is missing.
packages=""
want() { command -v "$1" >/dev/null 2>&1 || packages="$packages $2"; }

ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || packages="$packages postgresql" # a real server for the store
want python3 python3 # libraries that judge signatures, and the browser's driver, stand in an environment of their own
python3 -c 'import venv, ensurepip' 2>/dev/null || packages="$packages python3-venv"
want node nodejs # the code of host/RECEIVING.md, in its five languages
want go golang-go
want ruby ruby
want php php-cli
want sqlite3 sqlite3 # the commands of host/README.md for a backup
want curl curl # the examples' own commands
want ip iproute2 # a network namespace in which every refused address exists and listens
want prlimit util-linux # a disk that is full
want unshare util-linux # a database on a disk of its own
want mount mount
ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || packages="$packages libfaketime" # hosts whose clocks differ
want kill procps
want chromium "chromium fonts-liberation" # the pages

if [ -n "$packages" ]; then
    as_root apt-get update
    # shellcheck disable=SC2086 # a list
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages
fi

if [ ! -x target/test-venv/bin/python ]; then
    mkdir -p target
    python3 -m venv target/test-venv
fi
for list in tests/requirements.txt tests/browser/requirements.txt; do
    target/test-venv/bin/python -m pip install --quiet --requirement "$list"
done

rustup toolchain install

# A store that verifies signatures of S3, body hashes and clocks; built once, without optimisation.
if [ ! -x target/test-tools/bin/s3s-fs ]; then
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_OPT_LEVEL=0 CARGO_INCREMENTAL=0 cargo install s3s-fs --version 0.14.1 \
        --features binary --locked --debug --no-track --root target/test-tools --target-dir target/test-tools/build
    rm -rf target/test-tools/build
fi

# A test that needs one of these fails, instead of skipping, where they must be there.
RAILHEAD_REQUIRE_POSTGRES=1 RAILHEAD_REQUIRE_NAMESPACE=1 RAILHEAD_REQUIRE_S3=1
RAILHEAD_TEST_PYTHON="$PWD/target/test-venv/bin/python"
RAILHEAD_SIM_SEEDS="${RAILHEAD_SIM_SEEDS:-1000}"
export RAILHEAD_REQUIRE_POSTGRES RAILHEAD_REQUIRE_NAMESPACE RAILHEAD_REQUIRE_S3 RAILHEAD_TEST_PYTHON RAILHEAD_SIM_SEEDS

# One build for everything: the end-to-end tests start the binary that was built beside them.
cargo build --workspace --all-targets --locked
RAILHEAD_BIN="${CARGO_TARGET_DIR:-$PWD/target}/debug/railhead"
export RAILHEAD_BIN

for lock in plugins/*/Cargo.lock; do
    cargo test --manifest-path "$(dirname "$lock")/Cargo.toml" --target-dir target/plugins --locked
done
cargo test --workspace --locked
