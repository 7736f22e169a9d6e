#!/bin/sh
# Azurite, Microsoft's emulator of Azure Blob Storage: azurite.sh start|stop|restart|status DIR PORT
#
# It listens on 127.0.0.1, with http on PORT and, if DIR/../tls/server.pem is there, in a second process with a store of
# its own, with TLS and Entra tokens on PORT+1. The account comes from FHIR_TEST_AZURE_ACCOUNT, its key from
# FHIR_TEST_AZURE_KEY_FILE. `restart` keeps what was stored, and so does `stop` with a later `start`. DIR/http.pid and
# DIR/tls.pid have the process ids. Runs as whoever started it.
set -eu
umask 077
. "$(dirname "$0")/common.sh"
[ $# -eq 3 ] || fail "usage: azurite.sh start|stop|restart|status DIR PORT"
action=$1
dir=$2
port=$3
tls=$(dirname "$dir")/tls
program=$(dirname "$0")/node_modules/azurite/dist/src/blob/main.js

run() { # NAME, PORT, further arguments
    name=$1
    listen=$2
    shift 2
    alive "$dir/$name.pid" "$dir" && return 0
    mkdir -p "$dir/$name"
    # 9: whoever waits for our output would wait for the server.
    AZURITE_ACCOUNTS="$FHIR_TEST_AZURE_ACCOUNT:$(cat "$FHIR_TEST_AZURE_KEY_FILE")" setsid node "$program" \
        --blobHost 127.0.0.1 --blobPort "$listen" --location "$dir/$name" --disableTelemetry --skipApiVersionCheck \
        --silent "$@" </dev/null >>"$dir/$name.log" 2>&1 9>&- &
    echo $! >"$dir/$name.pid"
}

answers() { # NAME, URL
    wait_for "$2" 60 || fail "Azurite ($1) does not answer: $(tail -n 1 "$dir/$1.log")"
    alive "$dir/$1.pid" "$dir" || fail "Azurite ($1) did not start: $(tail -n 1 "$dir/$1.log")"
}

start() {
    : "${FHIR_TEST_AZURE_ACCOUNT:?}" "${FHIR_TEST_AZURE_KEY_FILE:?}"
    command -v node >/dev/null || fail "node is not installed: make deps"
    mkdir -p "$dir"
    run http "$port"
    [ ! -s "$tls/server.pem" ] ||
        run tls "$((port + 1))" --cert "$tls/server.crt" --key "$tls/server.key" --oauth basic
    answers http "http://127.0.0.1:$port/"
    [ ! -s "$tls/server.pem" ] || answers tls "https://127.0.0.1:$((port + 1))/"
}

# With TERM it writes down what it holds.
stop() {
    end_process "$dir/http.pid" "$dir" TERM 10
    end_process "$dir/tls.pid" "$dir" TERM 10
}

case $action in
start) start ;;
stop) stop ;;
restart)
    stop
    start
    ;;
status) alive "$dir/http.pid" "$dir" ;;
*) fail "unknown action '$action'" ;;
esac
