#!/bin/sh
# A rolling upgrade from an earlier commit: its program and today's side by side on one PostgreSQL, with today's schema.
# `tests/upgrade.sh COMMIT`; without one, the last before shards were handed over. Such a host keeps all shards while it
# runs: today's accepts and owns nothing beside it, and delivers once it has left. And it starts no more on today's schema,
# so the test never starts it again. Two hosts that share are in the form without an old program, which every change runs.
# Needs what tests/run.sh installs, and 3 GB of disk for a while.
set -eu
cd "$(dirname "$0")/.."
commit=${1:-62e856f}
target=${CARGO_TARGET_DIR:-$PWD/target}

git cat-file -e "$commit^{commit}" || { echo "no commit $commit here: fetch the history" >&2 && exit 1; }
mkdir -p "$target"
old=$(mktemp -d "$target/upgrade.XXXXXX")
trap 'rm -rf "$old"' EXIT
trap 'exit 1' INT TERM
mkdir "$old/source"
git archive "$commit" | tar -x -C "$old/source"
# Built once, and only run.
(cd "$old/source" && CARGO_TARGET_DIR="$old/target" CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0 \
    cargo build --locked -p railhead-server)

cargo build --locked -p railhead-server
RAILHEAD_BIN="$target/debug/railhead" RAILHEAD_OLD_BIN="$old/target/debug/railhead" RAILHEAD_REQUIRE_POSTGRES=1 \
    cargo test --locked -p railhead-scenarios --test operations -- upgrade --nocapture
