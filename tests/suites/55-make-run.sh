# `make run` as a newcomer sees it: the printed commands work as printed, data survive, each trouble is one sentence.
# needs: servers
passed=0
failed=0
work=$(mktemp -d /var/tmp/fhir-run-test.XXXXXX)
chmod 755 "$work"
server=
stop() { # signal
    [ -n "$server" ] || return 0
    kill "-${1:-TERM}" "$server" 2>/dev/null
    for _ in $(seq 200); do
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$server" 2>/dev/null && echo "make run did not stop"
    wait "$server" 2>/dev/null
    server=
}
trap 'stop; rm -rf "$work"' EXIT
check() { # what, then a command
    what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
        tail -n 20 "$work/output"
    fi
}
free_port() {
    "$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
port=$(free_port)
start() {
    : >"$work/output" # or what an earlier start said is taken for this one
    PORT=$port RUN_DIR=$work/run dev/run.sh >"$work/output" 2>&1 &
    server=$!
    for _ in $(seq 300); do
        grep -q '^Ctrl-C stops' "$work/output" && return 0
        kill -0 "$server" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}
commands() { # the printed ones, in one shell
    grep -E '^(TOKEN=|BINARY=|URL=|curl )' "$work/output" >"$work/commands"
    [ "$(wc -l <"$work/commands")" -eq 5 ] || return 1
    for shell in sh bash; do
        "$shell" "$work/commands" >"$work/answers" 2>&1 && grep -q '^the same bytes' "$work/answers" &&
            grep -q '^HTTP/1.1 206' "$work/answers" && grep -q '^%PDF-1.4' "$work/answers" &&
            grep -q '^http://.*Signature=' "$work/answers" && grep -q '^HTTP/1.1 200' "$work/answers" ||
            { cat "$work/answers"; return 1; }
    done
}
restricted_client() { # the sixth one: it may not do what the administrator may
    grep -E '^/.*fhirbinctl .* client create ' "$work/output" >"$work/sixth"
    sh "$work/sixth" >"$work/portal" 2>&1 || { cat "$work/portal"; return 1; }
    basic=$(sed -n 's/^client: //p' "$work/portal"):$(sed -n 's/^secret: //p' "$work/portal")
    asked=$(curl -s -o /dev/null -w '%{http_code}' -u "$basic" "http://127.0.0.1:$port/fhir/R4/Patient/1")
    written=$(curl -s -o /dev/null -w '%{http_code}' -u "$basic" -H 'Content-Type: text/plain' -d x "http://127.0.0.1:$port/fhir/R4/Binary")
    [ "$asked $written" = '404 403' ] || { echo "the restricted client: $asked $written"; return 1; }
}
still_there() {
    binary=$(grep -o 'http://[^ ]*/Binary/[0-9a-f-]*' "$work/answers" | head -n 1)
    sed -n '/^TOKEN=/p' "$work/output" >"$work/again"
    echo "curl -s -H \"Authorization: Bearer \$TOKEN\" $binary | cmp - $work/run/samples/letter.pdf" >>"$work/again"
    sh "$work/again" >/dev/null
}
nothing_left() {
    ! pgrep -f -- "$work/run" >/dev/null
}
says() { # exit status 1 and exactly one line with that text
    text=$1
    shift
    env "$@" dev/run.sh >"$work/output" 2>&1 && return 1
    [ "$(wc -l <"$work/output")" -eq 1 ] && grep -q "$text" "$work/output"
}

$MAKE -s all || exit 1
check "first start" start
check "the five printed commands in sh and bash" commands
check "the printed command that makes a restricted client" restricted_client
check "a second make run in the same directory is refused" says "another make run" PORT="$(free_port)" RUN_DIR="$work/run"
check "a taken port is told with its holder" says "port $port is taken by apache2" PORT="$port" RUN_DIR="$work/other"
stop TERM
check "SIGTERM stops both servers" nothing_left
began=$(date +%s%N)
check "second start" start
check "second start takes under 3 s" test $((($(date +%s%N) - began) / 1000000)) -lt 3000
check "the data are kept" still_there
kill -KILL "$server"
wait "$server" 2>/dev/null
check "a start after kill -9 of make run" start
check "the data are still kept" still_there
stop TERM
check "nothing is left running" nothing_left
echo 99999 >"$work/run/httpd.pid"
check "a stale pid file does not matter" start
stop TERM
check "a port that is no number" says "is no number" PORT=abc RUN_DIR="$work/run"
check "a directory that can't be made" says "can't make the directory" PORT="$port" RUN_DIR=/proc/none/run
echo "make run: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
