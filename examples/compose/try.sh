#!/bin/sh
# Two hosts, one PostgreSQL, a host killed, nothing lost: `try.sh containers` with a container engine, `try.sh processes`
# with the same settings and steps and none; without a word, containers where an engine answers.
#
# Processes need PostgreSQL 15 or later, python3, curl, and the binary in RAILHEAD_BIN (`target/release/railhead` if unset).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
events=${EVENTS:-200}
work=$(mktemp -d)
umask 077

# --- the two ways to run the same things: up, key, kill_a, start_a, down; URLs in $a, $b, $receiver, $hook

engine() { for one in docker podman; do "$one" info >/dev/null 2>&1 && echo "$one" && return; done; false; }

compose() { "$engine" compose -p railhead-try --env-file "$work/env" -f "$here/compose.yaml" --profile try "$@"; }

containers_up() {
    a=http://127.0.0.1:8081 b=http://127.0.0.1:8082 receiver=http://127.0.0.1:9000 hook=http://receiver:9000/hook
    settings 172.30.77.0/24
    # Any value will do for the one command that makes a key.
    echo RAILHEAD_MASTER_KEY=none >>"$work/env"
    compose build
    key=$(compose run --rm --no-deps -T migrate master-key new)
    sed -i "s/^RAILHEAD_MASTER_KEY=.*/RAILHEAD_MASTER_KEY=$key/" "$work/env"
    compose up -d
}
containers_kill_a() { compose kill -s KILL host-a; }
containers_start_a() { compose start host-a; }
containers_stop_b() { compose stop host-b; }
containers_down() { compose down --volumes; }

port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

as_postgres() {
    if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi
}

host() { # NAME PORT METRICS: with the settings that the containers have
    mkdir -p "$work/$1"
    # shellcheck disable=SC2046 # one setting a line, none with spaces
    env -i PATH="$PATH" $(cat "$work/env") RAILHEAD_DATABASE_URL="$database" RAILHEAD_DATA="$work/$1" \
        RAILHEAD_LISTEN="127.0.0.1:$2" RAILHEAD_METRICS_LISTEN="127.0.0.1:$3" "$railhead" serve >>"$work/$1/log" 2>&1 &
    eval "$1=$!"
}

processes_up() {
    railhead=${RAILHEAD_BIN:-$here/../../target/release/railhead}
    # shellcheck disable=SC2012 # names of versions
    bin=${POSTGRES_BIN:-$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)}
    pg=${PORT_POSTGRES:-$(port)} pa=${PORT_A:-$(port)} pb=${PORT_B:-$(port)} pr=${PORT_RECEIVER:-$(port)}
    ma=${PORT_METRICS_A:-$(port)} mb=${PORT_METRICS_B:-$(port)}
    a=http://127.0.0.1:$pa b=http://127.0.0.1:$pb receiver=http://127.0.0.1:$pr hook=http://127.0.0.1:$pr/hook
    settings 127.0.0.0/8
    key=$("$railhead" master-key new)
    echo "RAILHEAD_MASTER_KEY=$key" >>"$work/env"

    chmod 711 "$work" && mkdir "$work/postgres"
    [ "$(id -u)" != 0 ] || chown postgres "$work/postgres"
    as_postgres "$bin/initdb" -A trust -U railhead -N -D "$work/postgres/data" >/dev/null
    as_postgres "$bin/pg_ctl" -w -t 120 -D "$work/postgres/data" -l "$work/postgres/log" \
        -o "-h 127.0.0.1 -p $pg -k $work/postgres" start >/dev/null
    database="postgres://railhead@127.0.0.1:$pg/postgres?sslmode=disable"
    python3 "$here/receiver.py" 127.0.0.1 "$pr" &
    receiver_pid=$!
    # shellcheck disable=SC2046 # as above
    env -i PATH="$PATH" $(cat "$work/env") RAILHEAD_DATABASE_URL="$database" "$railhead" migrate
    host host_a "$pa" "$ma"
    host host_b "$pb" "$mb"
}
processes_kill_a() { kill -KILL "$host_a" && { wait "$host_a" 2>/dev/null || true; }; }
processes_start_a() { host host_a "$pa" "$ma"; }
processes_stop_b() { kill -TERM "$host_b" && wait "$host_b"; }
processes_down() {
    for pid in ${host_a:-} ${host_b:-} ${receiver_pid:-}; do kill -KILL "$pid" 2>/dev/null || true; done
    [ ! -d "$work/postgres/data" ] || as_postgres "$bin/pg_ctl" -w -m immediate -D "$work/postgres/data" stop >/dev/null || true
}

# --- what is tried

settings() { # NETWORKS that the hosts may send to
    api_key=rk_live_$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
    {
        echo "RAILHEAD_API_KEY=$api_key"
        echo "RAILHEAD_EGRESS_ALLOW=$1"
        echo "POSTGRES_PASSWORD=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"
    } >"$work/env"
}

say() { printf '%s\n' "$*"; }

until_so() { # WHAT COMMAND…: for two minutes
    what=$1 && shift
    for _ in $(seq 240); do "$@" && return; sleep 0.5; done
    say "never came to: $what" >&2 && return 1
}

call() { # METHOD URL BODY: answers with the status alone
    curl -sS -m 30 -o /dev/null -w '%{http_code}' -X "$1" "$2" -H "authorization: Bearer $api_key" \
        -H 'content-type: application/json' -d "$3" 2>/dev/null || true
}

ready() { [ "$(curl -s -m 5 -o /dev/null -w '%{http_code}' "$1/readyz" || true)" = 200 ]; }
not_ready() { ! ready "$1"; }
reachable() { curl -s -m 5 -o /dev/null "$1"; }
made() { case "$(call PUT "$1" "$2")" in 200 | 201) ;; *) return 1 ;; esac; }

publish() { # URL FROM TO: an id is written down once it was acknowledged
    for n in $(seq "$2" "$3"); do
        [ "$(call POST "$1/v1/events" "{\"tenant\":\"acme\",\"type\":\"order.created\",\"id\":\"e$n\",\"data\":{}}")" != 202 ] ||
            echo "e$n" >>"$work/acknowledged"
    done
}

missing() { curl -s -m 10 "$receiver/ids" | sort -u >"$work/came"; sort -u "$work/acknowledged" | comm -23 - "$work/came"; }
all_came() { [ -z "$(missing)" ]; }

if [ $# -gt 0 ]; then way=$1; elif engine >/dev/null; then way=containers; else way=processes; fi
[ "$way" = processes ] || engine=$(engine) || { say "no container engine answers" >&2 && exit 1; }
end() {
    code=$?
    [ $code = 0 ] || [ "$way" = containers ] || tail -n 50 "$work"/host_*/log >&2 || true
    "${way}_down"
    rm -rf "$work"
    exit $code
}
trap end EXIT
trap 'exit 1' INT TERM

say "== up: PostgreSQL, two hosts, a receiver ($way)"
"${way}_up"
until_so "host-a is ready" ready "$a"
until_so "host-b is ready" ready "$b"
until_so "the receiver answers" reachable "$receiver/ids"
until_so "a tenant" made "$a/v1/tenants/acme" '{}'
until_so "a destination, made at the other host" made "$b/v1/tenants/acme/destinations/hook" \
    "{\"connector\":\"webhook\",\"config\":{\"url\":\"$hook\"}}"

say "== publish to both, kill host-a meanwhile, publish on"
: >"$work/acknowledged"
publish "$a" 1 "$events" &
first=$!
publish "$b" $((events + 1)) $((2 * events)) &
second=$!
until_so "half is acknowledged" sh -c "[ \$(wc -l <'$work/acknowledged') -ge $((events / 2)) ]"
"${way}_kill_a"
wait $first $second
not_ready "$a" || { say "the killed host answers" >&2 && exit 1; }
publish "$b" $((2 * events + 1)) $((2 * events + events / 2))
until_so "what was acknowledged has come" all_came

say "== host-a again, host-b in order; publish on"
"${way}_start_a"
until_so "host-a is ready again" ready "$a"
"${way}_stop_b"
not_ready "$b" || { say "the stopped host answers" >&2 && exit 1; }
publish "$a" $((3 * events)) $((3 * events + events / 2))
until_so "what was acknowledged has come" all_came

say "$(wc -l <"$work/acknowledged") events were acknowledged, $(sort -u "$work/came" | wc -l) came," \
    "$(curl -s -m 10 "$receiver/ids" | sort | uniq -d | wc -l) of them more than once; none is missing"
